import { messages, RuntimeMethods } from '../../api/nri/messages.ts';
import type { UpdateContainersRequest, UpdateContainersResponse } from '../../api/nri/messages.ts';
import { refusal, type RuntimeCalls } from './connection.ts';
import { MOST_BYTES_OF_A_PLUGIN, wishesFault } from './limits.ts';
import { indexFault, nameFault } from './plugin-name.ts';

/** What a plugin has said of itself. */
export interface Registered {
  readonly identity: { readonly index: string; readonly name: string };
  readonly version: string;
}

/** A plugin that may not register, and has been answered why. */
export interface Refused {
  readonly fault: string;
}

export interface RuntimeCallsOptions {
  /** Of a launched plugin: what it says is not looked at, as upstream does it. */
  readonly identity: Registered['identity'] | undefined;
  readonly update: (request: UpdateContainersRequest) => Promise<UpdateContainersResponse>;
}

/** Answers what one plugin calls. */
export function runtimeCalls({ identity, update }: RuntimeCallsOptions): {
  calls: RuntimeCalls;
  registration: Promise<Registered | Refused>;
} {
  const { promise: registration, resolve } = Promise.withResolvers<Registered | Refused>();
  let isOver = false;
  const registerPlugin = (payload: Uint8Array): Uint8Array => {
    if (isOver) throw refusal('FailedPrecondition', 'this plugin has registered already');
    isOver = true;
    const { pluginIdx, pluginName, nriVersion } = RuntimeMethods.RegisterPlugin.request.decode(payload);
    const own = identity ?? { index: pluginIdx, name: pluginName };
    const fault = nameFault(own.name) ?? indexFault(own.index);
    resolve(fault === undefined ? { identity: own, version: nriVersion } : { fault });
    if (fault !== undefined) throw refusal('InvalidArgument', fault);
    return messages.Empty.encode({});
  };
  const updateContainers = async (payload: Uint8Array): Promise<Uint8Array> => {
    const { request, response } = RuntimeMethods.UpdateContainers;
    const { length } = payload;
    if (length > MOST_BYTES_OF_A_PLUGIN)
      throw refusal('InvalidArgument', `UpdateContainers: it has ${length} bytes, must have ${MOST_BYTES_OF_A_PLUGIN} at most`);
    const wishes = request.decode(payload);
    const fault = wishesFault(wishes.update, wishes.evict.length);
    if (fault !== undefined) throw refusal('InvalidArgument', `UpdateContainers: ${fault}`);
    return response.encode(await update(wishes));
  };
  return {
    registration,
    calls: {
      RegisterPlugin: async (payload) => Promise.resolve(registerPlugin(payload)),
      UpdateContainers: updateContainers,
    },
  };
}
