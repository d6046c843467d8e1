import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeExit } from '../../../src/ociruntime/oci-runtime.ts';
import { runtimeWords } from '../../../src/ociruntime/runtime-words.ts';

const RUNC = 'time="2026-11-23T16:00:00Z" level=error msg="runc create failed: exec: \\"/nothing\\": no such file or directory"';
const WORDS = 'runc create failed: exec: "/nothing": no such file or directory';
/** As runc 1.1.5 writes it where the kernel refuses a set of processors. */
const WARNING =
  'time="2026-11-25T17:49:47Z" level=warning msg="unable to get oom kill count" error="openat2 /sys/fs/cgroup/memory/x/memory.oom_control: no such file or directory"';
const REFUSED =
  'time="2026-11-25T17:49:47Z" level=error msg="runc create failed: unable to start container process: unable to apply cgroup configuration: failed to write \\"0-100\\": write /sys/fs/cgroup/cpuset/x/cpuset.cpus: numerical result out of range"';

test('runtimeWords() is the error without its log prefix, whatever warnings stand before and behind it', () => {
  const said =
    'runc create failed: unable to start container process: unable to apply cgroup configuration: failed to write "0-100": write /sys/fs/cgroup/cpuset/x/cpuset.cpus: numerical result out of range';
  assert.equal(runtimeWords(`${WARNING}\n${REFUSED}\n`), said);
  assert.equal(runtimeWords(`${REFUSED}\n${WARNING}\n\n`), said);
  assert.equal(runtimeWords(Buffer.from(RUNC)), WORDS);
  assert.equal(runtimeWords(`warning: something\n${RUNC} more`), WORDS);
});

test('runtimeWords() tells every error once, in order', () => {
  const fatal = 'time="x" level=fatal msg="nsexec[7]: could not join"';
  assert.equal(runtimeWords([fatal, RUNC, WARNING, fatal].join('\n')), `nsexec[7]: could not join; ${WORDS}`);
});

test('runtimeWords() takes plain lines as they are, and JSON logs', () => {
  assert.equal(runtimeWords('crun: executable file `/nothing` not found\n'), 'crun: executable file `/nothing` not found');
  assert.equal(runtimeWords('cannot reach the agent\ngiving up\n'), 'cannot reach the agent; giving up');
  assert.equal(runtimeWords('{"level":"warning","msg":"slow"}\n{"level":"error","msg":"no such file","time":"x"}\n'), 'no such file');
  assert.equal(runtimeWords('{"not": "a log"}'), '{"not": "a log"}');
  assert.equal(runtimeWords('time="x" level=error msg=killed'), 'killed');
  assert.equal(runtimeWords(''), '');
});

test('runtimeWords() is the last warning where there is nothing else', () => {
  assert.equal(runtimeWords(`time="x" level=info msg="begin"\n${WARNING}`), 'unable to get oom kill count');
});

test('runtimeWords() tells what a Go program died of, and not its trace', () => {
  const trace = ['runtime stack:', 'runtime.throw(...)', '\t/usr/lib/go/panic.go:1023', 'goroutine 1 [running]:', 'main.main()'];
  const death = ['runtime: failed to create new OS thread (have 2 already; errno=11)', 'fatal error: newosproc', '', ...trace];
  assert.equal(
    runtimeWords([...death, RUNC].join('\n')),
    `${WORDS}; runtime: failed to create new OS thread (have 2 already; errno=11); fatal error: newosproc`,
  );
  assert.equal(runtimeWords(['panic: boom', '', ...trace.slice(3)].join('\n')), 'panic: boom');
});

test('runtimeWords() keeps the end of a long text', () => {
  const words = runtimeWords(`${'x'.repeat(5000)} the reason`);
  assert.equal(words.length, 1003);
  assert.ok(words.startsWith('...x') && words.endsWith('x the reason'));
});

test('an end in words', () => {
  assert.deepStrictEqual([describeExit({ code: 1 }), describeExit({ signal: 9 })], ['exit 1', 'killed by signal 9']);
});
