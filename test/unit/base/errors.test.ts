import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DaemonError, isSystemError, kindOf, withWords } from '../../../src/base/errors.ts';

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: said by the kernel`), { code });
}

test('what the node has run out of is ResourceExhausted, however deep it is a cause', () => {
  for (const code of ['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'ENOMEM']) {
    const error = systemError(code);
    assert.equal(kindOf(error), 'ResourceExhausted');
    const wrapped = new DaemonError('Internal', 'cannot run conmon', { cause: error });
    assert.equal(kindOf(wrapped), 'ResourceExhausted');
    assert.equal(kindOf(new DaemonError('Internal', 'create container', { cause: wrapped })), 'ResourceExhausted');
    assert.equal(kindOf(new DaemonError('Unavailable', 'pull', { cause: error })), 'Unavailable');
  }
});

test('a read-only file system is FailedPrecondition, and a bare system error gets words', () => {
  const error = Object.assign(systemError('EROFS'), { syscall: 'mkdir', path: '/var/lib/x' });
  assert.equal(kindOf(new DaemonError('Internal', 'pull', { cause: error })), 'FailedPrecondition');
  const { kind, message } = withWords('create container web', error) as DaemonError;
  assert.deepEqual(
    [kind, message],
    ['FailedPrecondition', 'create container web: mkdir /var/lib/x: it is on a read-only file system, must be writable'],
  );
  assert.equal(
    (withWords('create container web', systemError('ENOSPC')) as DaemonError).message,
    'create container web: ENOSPC: said by the kernel',
  );
  const ours = new DaemonError('NotFound', 'no such image', { cause: error });
  assert.equal(withWords('create container web', ours), ours);
});

test('any other error that is none of ours is Internal', () => {
  assert.equal(kindOf(systemError('EIO')), 'Internal');
  assert.equal(kindOf(new Error('a bug')), 'Internal');
});

test('a system error is known by its code', () => {
  assert.equal(isSystemError(systemError('EROFS')), true);
  assert.equal(isSystemError(Object.assign(new Error('x'), { code: 'ERR_INVALID_ARG_TYPE' })), false);
});
