import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { services } from '../../api/cri/runtime.ts';
import type { Init, StatusRequest } from '../../api/cri/runtime.ts';
import { DaemonError } from '../base/errors.ts';

const CLIENT_OPTIONS = {
  'grpc.enable_channelz': 0,
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.use_local_subchannel_pool': 1, // close() ends the connection
};

/**
 * Asks the CRI on a socket for its Status as the kubelet does, by a connection that is made for it: also whether clients get through to
 * the service at all.
 * @throws {DaemonError} Unavailable with the words of the service, or those of gRPC when it does not answer in time.
 */
export async function askStatus(socketPath: string, timeoutMs: number): Promise<void> {
  const { path, encodeRequest, decodeResponse } = services.RuntimeService.Status;
  const serialize = (message: Init<StatusRequest>): Buffer => Buffer.from(encodeRequest(message));
  const client = new Client(`unix://${socketPath}`, credentials.createInsecure(), CLIENT_OPTIONS);
  const options = { deadline: Date.now() + timeoutMs };
  try {
    await new Promise<void>((resolve, reject) => {
      client.makeUnaryRequest(path, serialize, decodeResponse, {}, new Metadata(), options, (error) => {
        if (error === null) resolve();
        else reject(new DaemonError('Unavailable', `ask ${socketPath} for its status: ${error.details}`, { cause: error }));
      });
    });
  } finally {
    client.close();
  }
}
