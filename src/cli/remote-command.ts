import type { Readable, Writable } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';
import { WebSocket } from 'ws';
import type { RawData } from 'ws';
import { isObject } from '../base/json.ts';
import { CliError, EXIT } from './exit-codes.ts';
import { written } from './io.ts';

/** Of Kubernetes' remote command protocol over WebSocket, version 5 (k8s.io/streaming, remotecommand). */
const PROTOCOL = 'v5.channel.k8s.io';
const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;
const CONNECT_TIMEOUT_MS = 10_000;
/** Most that one message may have, bytes. */
const MESSAGE_LIMIT_BYTES = 16 * 1024 * 1024;

export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

export interface RemoteCommand {
  /** What the CRI's Exec answered. */
  readonly url: string;
  readonly tls?: ConnectionOptions | undefined;
  /** Undefined: the command has no input. */
  readonly stdin?: Readable | undefined;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Tells the terminal's size, and each later one until the function that it returns is called. */
  readonly sizes?: ((tell: (size: TerminalSize) => void) => () => void) | undefined;
}

/** Runs the command that the URL stands for, to its end. @returns its exit code @throws {CliError} where it could not be run. */
export async function runRemoteCommand(command: RemoteCommand): Promise<number> {
  const socket = new WebSocket(command.url.replace(/^http/, 'ws'), [PROTOCOL], {
    ...command.tls,
    perMessageDeflate: false,
    maxPayload: MESSAGE_LIMIT_BYTES,
    handshakeTimeout: CONNECT_TIMEOUT_MS,
  });
  let status: unknown;
  const tellEnd: (() => void)[] = [];
  const output = async (chunk: Buffer): Promise<void> => {
    const [channel] = chunk;
    const data = chunk.subarray(1);
    if (channel === CHANNEL.error) status = JSON.parse(data.toString('utf8'));
    else if (data.length > 0 && channel === CHANNEL.stdout) await written(command.stdout, data);
    else if (data.length > 0 && channel === CHANNEL.stderr) await written(command.stderr, data);
  };
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('open', () => {
        if (command.sizes !== undefined) tellEnd.push(command.sizes((size) => { sendSize(socket, size); })); // prettier-ignore
        if (command.stdin !== undefined) tellEnd.push(sendInput(socket, command.stdin));
      });
      // One message after the other, so that a slow reader of ours slows the command down.
      let before = Promise.resolve();
      socket.on('message', (message: RawData) => {
        socket.pause();
        before = before
          .then(async () => output(asBuffer(message)))
          .then(() => {
            socket.resume();
          });
        before.catch(reject);
      });
      socket.once('error', (error) => {
        reject(new CliError(EXIT.failed, `exec: ${error.message}`, { cause: error }));
      });
      socket.once('close', () => {
        before.then(resolve, reject);
      });
    });
  } finally {
    for (const end of tellEnd) end();
    socket.terminate();
  }
  return exitCodeOf(status);
}

function sendSize(socket: WebSocket, { width, height }: TerminalSize): void {
  if (socket.readyState !== socket.OPEN) return;
  socket.send(Buffer.concat([Buffer.of(CHANNEL.resize), Buffer.from(JSON.stringify({ Width: width, Height: height }))]));
}

/** Sends what is read, and says where it ends. @returns what stops it */
function sendInput(socket: WebSocket, stdin: Readable): () => void {
  const onData = (chunk: Buffer | string): void => {
    stdin.pause();
    socket.send(Buffer.concat([Buffer.of(CHANNEL.stdin), Buffer.from(chunk)]), () => stdin.resume());
  };
  const onEnd = (): void => {
    if (socket.readyState === socket.OPEN) socket.send(Buffer.of(CHANNEL.close, CHANNEL.stdin));
  };
  stdin.on('data', onData).once('end', onEnd).once('error', onEnd);
  return () => {
    stdin.off('data', onData).off('end', onEnd).off('error', onEnd);
    stdin.pause();
  };
}

/** Of a metav1.Status. @throws {CliError} where the command could not be run, or nobody knows how it ended. */
export function exitCodeOf(status: unknown): number {
  if (!isObject(status)) throw new CliError(EXIT.failed, 'exec: the connection broke off before the command had ended');
  if (status['status'] === 'Success') return 0;
  const { causes } = isObject(status['details']) ? status['details'] : {};
  if (status['reason'] === 'NonZeroExitCode' && Array.isArray(causes)) {
    const cause: unknown = causes.find((each: unknown) => isObject(each) && each['reason'] === 'ExitCode');
    const code = isObject(cause) ? Number(cause['message']) : NaN;
    if (Number.isInteger(code) && code > 0 && code <= 255) return code;
  }
  throw new CliError(EXIT.failed, typeof status['message'] === 'string' ? status['message'] : 'exec: failed');
}

function asBuffer(data: RawData): Buffer {
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.isBuffer(data) ? data : Buffer.from(data);
}
