import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DaemonError } from '../../../src/base/errors.ts';
import type { ErrorKind } from '../../../src/base/errors.ts';
import { codeName, toStatus } from '../../../src/server/status.ts';

test('every kind has the code of its name, but for the two that the kubelet looks for under UNKNOWN', () => {
  const expected: Record<ErrorKind, string> = {
    Canceled: 'CANCELLED',
    InvalidArgument: 'INVALID_ARGUMENT',
    DeadlineExceeded: 'DEADLINE_EXCEEDED',
    NotFound: 'NOT_FOUND',
    AlreadyExists: 'ALREADY_EXISTS',
    PermissionDenied: 'PERMISSION_DENIED',
    ResourceExhausted: 'RESOURCE_EXHAUSTED',
    FailedPrecondition: 'FAILED_PRECONDITION',
    OutOfRange: 'OUT_OF_RANGE',
    Unimplemented: 'UNIMPLEMENTED',
    Internal: 'INTERNAL',
    Unavailable: 'UNAVAILABLE',
    RegistryUnavailable: 'UNKNOWN',
    SignatureValidationFailed: 'UNKNOWN',
  };
  const kinds = Object.keys(expected) as ErrorKind[];
  assert.deepEqual(Object.fromEntries(kinds.map((kind) => [kind, codeName(toStatus(new DaemonError(kind, 'x')).code)])), expected);
});

test('what is thrown and is no error of ours is INTERNAL with its own words', () => {
  assert.deepEqual(toStatus(new RangeError('bad')), { code: 13, details: 'bad' });
  assert.deepEqual(toStatus('text'), { code: 13, details: 'text' });
  assert.deepEqual(toStatus(undefined), { code: 13, details: 'undefined' });
});

test('details fit in the trailers of any client, also where every character takes nine bytes', () => {
  const { details } = toStatus(new DaemonError('Internal', '€'.repeat(100_000)));
  assert.ok(encodeURI(details).length < 60_000);
});
