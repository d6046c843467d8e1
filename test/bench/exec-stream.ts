/** An exec by stream: from the call to the first byte that the command writes. */
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { CALL } from './pod-life.ts';
import type { CriPod } from './pod-life.ts';
import type { Target } from './targets.ts';

/** remotecommand's channels: what all three runtimes speak. */
const PROTOCOL = 'v4.channel.k8s.io';
const STDOUT = 1;
const TIMEOUT_MS = 30_000;

export async function execByStream({ client, times }: Pick<Target, 'client' | 'times'>, pod: CriPod): Promise<void> {
  const begun = performance.now();
  const { url } = await client.runtime.exec(
    { containerId: pod.containerId, cmd: ['echo', 'x'], tty: false, stdin: false, stdout: true, stderr: true },
    CALL,
  );
  const socket = new WebSocket(url.replace(/^http/, 'ws'), [PROTOCOL], { perMessageDeflate: false });
  const closed = once(socket, 'close', { signal: AbortSignal.timeout(TIMEOUT_MS) });
  const came: number[] = [];
  socket.on('message', (data: Buffer) => {
    // An empty message on each channel opens it.
    if (data[0] === STDOUT && data.length > 1) came.push(performance.now() - begun);
  });
  await closed;
  const [first] = came;
  if (first === undefined) throw new Error('exec by stream: nothing came');
  times.add('exec by stream, first byte', first);
  times.add('exec by stream, closed', performance.now() - begun);
}
