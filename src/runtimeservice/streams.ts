import { fail } from '../base/errors.ts';

/** Which streams a client wants. */
interface StreamRequest {
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** @throws InvalidArgument for a choice of streams that the CRI forbids. */
export function checkStreams(what: string, { tty, stdin, stdout, stderr }: StreamRequest): void {
  if (tty && stderr)
    fail('InvalidArgument', `${what}: tty and stderr are both asked for; on a terminal stderr is part of stdout, so one must be false`);
  if (!stdin && !stdout && !stderr) fail('InvalidArgument', `${what}: no stream is asked for, must be stdin, stdout or stderr at least`);
}
