import { messageOf } from '../base/errors.ts';

/** How an exec or attach ended. */
export type Outcome = { readonly exitCode: number } | { readonly error: unknown };

/** v4 and later of the remote command protocols carry a metav1.Status in JSON, the earlier ones plain text. */
export type StatusFormat = 'json' | 'text';

/**
 * What the error stream tells the client about the end of a session; undefined where it says nothing (success, in
 * text). Source: k8s.io/apimachinery metav1.Status, k8s.io/streaming remotecommand (NonZeroExitCode, ExitCode).
 */
export function encodeStatus(outcome: Outcome, format: StatusFormat): Buffer | undefined {
  const status = statusOf(outcome);
  if (format === 'json') return Buffer.from(JSON.stringify(status));
  return status.message === undefined ? undefined : Buffer.from(status.message);
}

interface Status {
  readonly metadata: object;
  readonly status: 'Success' | 'Failure';
  readonly message?: string;
  readonly reason?: string;
  readonly details?: { readonly causes: readonly { readonly reason: string; readonly message: string }[] };
  readonly code?: number;
}

function statusOf(outcome: Outcome): Status {
  if ('error' in outcome) return internalError(messageOf(outcome.error));
  const { exitCode } = outcome;
  if (exitCode === 0) return { metadata: {}, status: 'Success' };
  // Clients read the code as an unsigned byte and fail on any other number.
  if (!Number.isInteger(exitCode) || exitCode < 0 || exitCode > 255) return internalError(`the exit code is ${exitCode}, must be 0 to 255`);
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with exit code ${exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  };
}

function internalError(message: string): Status {
  return {
    metadata: {},
    status: 'Failure',
    message,
    reason: 'InternalError',
    details: { causes: [{ reason: '', message }] },
    code: 500,
  };
}
