/** A plugin that is nothing but a connection, which may say what no library would. */
import { connect, type Socket } from 'node:net';
import { PLUGIN_SERVICE, PluginMethods, RUNTIME_SERVICE, RuntimeMethods } from '../../api/nri/messages.ts';
import { Mux, PLUGIN_SERVICE_CONNECTION, RUNTIME_SERVICE_CONNECTION } from '../../src/nri/mux.ts';
import { TtrpcClient } from '../../src/nri/ttrpc/client.ts';
import { serve, type Handler } from '../../src/nri/ttrpc/server.ts';
import type { NriLab } from './nri-lab.ts';

export interface RawPlugin {
  readonly socket: Socket;
  /** Calls the runtime. */
  readonly client: TtrpcClient;
}

type Handlers = Readonly<Record<string, (payload: Uint8Array) => Promise<Uint8Array>>>;

/** The least that a plugin is: it knows the calls that it is given, and answers any other with Unimplemented. */
export async function joinAs(
  lab: NriLab,
  index: string,
  name: string,
  events: number,
  handlers: Handlers = {},
  version = '',
): Promise<RawPlugin> {
  const socket = connect(lab.socket);
  const mux = new Mux(socket);
  const own: Record<string, Handler> = {
    Configure: async () => Promise.resolve(PluginMethods.Configure.response.encode({ events })),
    Synchronize: async (payload) => {
      const { more } = PluginMethods.Synchronize.request.decode(payload);
      return Promise.resolve(PluginMethods.Synchronize.response.encode({ more }));
    },
    ...handlers,
  };
  serve(mux.open(PLUGIN_SERVICE_CONNECTION), { [PLUGIN_SERVICE]: own });
  const client = new TtrpcClient(mux.open(RUNTIME_SERVICE_CONNECTION));
  const request = RuntimeMethods.RegisterPlugin.request.encode({ pluginName: name, pluginIdx: index, nriVersion: version });
  await client.call(RUNTIME_SERVICE, 'RegisterPlugin', request, { timeoutMs: 5000 });
  return { socket, client };
}
