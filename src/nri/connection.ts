import type { Duplex } from 'node:stream';
import { PLUGIN_SERVICE, RUNTIME_SERVICE } from '../../api/nri/messages.ts';
import { Mux, PLUGIN_SERVICE_CONNECTION, RUNTIME_SERVICE_CONNECTION } from './mux.ts';
import { TtrpcClient } from './ttrpc/client.ts';
import { Code, TtrpcClosedError, TtrpcError, TtrpcProtocolError, TtrpcTimeoutError } from './ttrpc/errors.ts';
import { serve } from './ttrpc/server.ts';

/** What a plugin may call: each by its name, from the bytes of a request to those of a response. */
export type RuntimeCalls = Readonly<Record<string, (payload: Uint8Array) => Promise<Uint8Array>>>;

/** A plugin at the other end of a socket. */
export interface PluginConnection {
  /**
   * @returns the bytes of the answer.
   * @throws an error of which {@link faultOf} says whether the plugin may be asked again.
   */
  call(method: string, payload: Uint8Array, timeoutMs: number): Promise<Uint8Array>;
  close(): void;
  /** Resolves when the connection has ended, by whomever, with the reason. */
  readonly closed: Promise<Error | undefined>;
}

/** Speaks with a plugin: both sides call each other over one stream, which is then this connection's alone. */
export function connectPlugin(stream: Duplex, calls: RuntimeCalls): PluginConnection {
  const mux = new Mux(stream);
  const client = new TtrpcClient(mux.open(PLUGIN_SERVICE_CONNECTION));
  serve(mux.open(RUNTIME_SERVICE_CONNECTION), { [RUNTIME_SERVICE]: calls });
  return {
    call: async (method, payload, timeoutMs) => client.call(PLUGIN_SERVICE, method, payload, { timeoutMs }),
    close: () => {
      mux.close();
    },
    closed: Promise.race([mux.closed, client.closed]).then(() => client.reason ?? mux.reason),
  };
}

/** Why a plugin cannot be worked with any more, after a call that failed; undefined: it has only said no. As upstream's isFatalError. */
export function faultOf(error: unknown): string | undefined {
  const isFatal = error instanceof TtrpcClosedError || error instanceof TtrpcTimeoutError || error instanceof TtrpcProtocolError;
  // Who tells of it names the call.
  return isFatal ? error.message.replace(`${PLUGIN_SERVICE}/`, '').replace(/^[A-Z]\w+: /, '') : undefined;
}

/** Whether a call was not answered in time. */
export function isTimeout(error: unknown): boolean {
  return error instanceof TtrpcTimeoutError;
}

/** Whether the connection was broken, not closed. */
export function isBroken(reason: Error | undefined): reason is TtrpcProtocolError {
  return reason instanceof TtrpcProtocolError;
}

/** Reads an answer. @throws {TtrpcProtocolError} where it is none. */
export function decodeAnswer<T>(method: string, decode: (bytes: Uint8Array) => T, bytes: Uint8Array): T {
  try {
    return decode(bytes);
  } catch (error) {
    throw new TtrpcProtocolError(`the answer to ${method} cannot be read`, { cause: error });
  }
}

/** Whether a plugin does not know a call. */
export function isUnimplemented(error: unknown): boolean {
  return error instanceof TtrpcError && error.code === Code.Unimplemented;
}

/** What a plugin is told where it asks for what cannot be. */
export function refusal(code: 'InvalidArgument' | 'FailedPrecondition', message: string): TtrpcError {
  return new TtrpcError(Code[code], message);
}
