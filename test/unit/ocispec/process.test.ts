import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RLIMIT_INFINITY } from '../../../src/ocispec/host-facts.ts';
import {
  clampOomScoreAdj,
  execProcess,
  processArgs,
  processEnv,
  processRlimits,
  requestVariables,
  workingDirectory,
} from '../../../src/ocispec/process.ts';
import { buildSpec } from '../../../src/ocispec/build.ts';
import { containerConfig, containerInput } from '../../support/spec-inputs.ts';

const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test('processArgs() joins what the request and the image give', () => {
  const image = { Entrypoint: ['entry', 'e1'], Cmd: ['cmd', 'c1'] };
  const lines = [
    processArgs({ command: [], args: [] }, image),
    processArgs({ command: [], args: ['a'] }, image),
    processArgs({ command: ['c'], args: [] }, image),
    processArgs({ command: ['c'], args: ['a'] }, image),
    processArgs({ command: [], args: [] }, { Entrypoint: null, Cmd: ['sh'] }),
    processArgs({ command: [], args: ['only', ''] }, {}),
  ];

  assert.deepStrictEqual(lines, [['entry', 'e1', 'cmd', 'c1'], ['entry', 'e1', 'a'], ['c'], ['c', 'a'], ['sh'], ['only', '']]);
});

test('processArgs() refuses nothing to run, and what no program can be given', () => {
  assert.throws(() => processArgs({ command: [], args: [] }, {}), { kind: 'InvalidArgument', message: /nothing to run/ });
  assert.throws(() => processArgs({ command: [''], args: ['x'] }, {}), { kind: 'InvalidArgument' });
  assert.throws(() => processArgs({ command: ['a\0b'], args: [] }, {}), { kind: 'InvalidArgument', message: /NUL/ });
});

const warn = (words: string): void => {
  assert.fail(words);
};

test('processEnv() has each name once, the request over the image over the defaults', () => {
  const env = processEnv({
    defaults: [],
    warn,
    image: { Env: ['A=image', 'B=image', 'HOSTNAME=image', 'PATH=/image'] },
    variables: requestVariables(
      [
        { key: 'B', value: bytes('request') },
        { key: 'EMPTY', value: bytes('') },
        { key: 'SIGNS', value: bytes('a=b\nc "é" \ufeff') },
        { key: 'B', value: bytes('last') },
      ],
      warn,
    ),
    tty: true,
    hostname: 'web-0',
    home: '/root',
  });

  assert.deepStrictEqual(env, [
    'PATH=/image',
    'TERM=xterm',
    'HOME=/root',
    'A=image',
    'B=last',
    'HOSTNAME=web-0',
    'EMPTY=',
    'SIGNS=a=b\nc "é" \ufeff',
  ]);
});

test('processEnv() lets the request and the image set HOME, TERM and HOSTNAME', () => {
  const env = processEnv({
    defaults: [],
    image: { Env: ['HOME=/i', 'TERM=dumb'] },
    variables: ['HOSTNAME=mine'],
    tty: true,
    hostname: 'h',
    home: '/p',
    warn,
  });

  assert.deepStrictEqual(env, [DEFAULT_PATH, 'TERM=dumb', 'HOME=/i', 'HOSTNAME=mine']);
});

test('processEnv() leaves out what of the image is no variable, and says so', () => {
  const warnings: string[] = [];
  const env = processEnv({
    defaults: [],
    image: { Env: ['WITHOUT', '', '=nameless', 'NUL=\0', 'GOOD=', 'TWO=a=b'] },
    variables: [],
    tty: false,
    hostname: 'h',
    home: '/\0',
    warn: (words) => warnings.push(words),
  });

  assert.deepStrictEqual(env, [DEFAULT_PATH, 'GOOD=', 'TWO=a=b', 'HOSTNAME=h']);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /^5 of the image's environment variables are left out, the first is "HOME=\/\\u0000"/);
});

test('requestVariables() puts U+FFFD in place of bytes that are no text, and says so', () => {
  const warnings: string[] = [];
  const value = Uint8Array.of(0x66, 0xff, 0xfe);
  const variables = requestVariables([{ key: 'BYTES', value }, { key: 'TEXT', value: bytes('ü') }], (words) => warnings.push(words)); // prettier-ignore

  assert.deepStrictEqual(variables, ['BYTES=f\ufffd\ufffd', 'TEXT=ü']);
  assert.deepStrictEqual(warnings, [
    'the value of environment variable "BYTES" (of 1 such) is not UTF-8: U+FFFD takes the place of each bad byte',
  ]);
});

test('requestVariables() refuses what execve cannot carry', () => {
  const env = (key: string, value: Uint8Array) => () => requestVariables([{ key, value }], warn);

  assert.throws(env('NUL', Uint8Array.of(0)), { kind: 'InvalidArgument', message: /"NUL" holds a NUL byte/ });
  assert.throws(env('', bytes('x')), { kind: 'InvalidArgument' });
  assert.throws(env('A=B', bytes('x')), { kind: 'InvalidArgument' });
});

test('workingDirectory() is the request over the image over /', () => {
  const directories = [
    workingDirectory({ workingDir: '/r' }, { WorkingDir: '/i' }),
    workingDirectory({ workingDir: '' }, { WorkingDir: 'i' }),
    workingDirectory({ workingDir: '' }, {}),
  ];

  assert.deepStrictEqual(directories, ['/r', '/i', '/']);
});

test('clampOomScoreAdj() keeps to what the daemon may set', () => {
  const clamp = (wanted: number, oomScoreAdjFloor: number): number => clampOomScoreAdj(wanted, { oomScoreAdjFloor });

  assert.deepStrictEqual(
    [clamp(-997, -1000), clamp(-997, 0), clamp(1000, 0), clamp(-2000, -1000), clamp(2000, 0)],
    [-997, 0, 1000, -1000, 1000],
  );
});

test('processRlimits() clamps to the ceilings, the soft half to the hard half', () => {
  const host = { rlimitCeilings: { RLIMIT_NOFILE: { soft: 10, hard: 20 }, RLIMIT_CORE: { soft: 0, hard: RLIMIT_INFINITY } } };
  const limits = processRlimits(
    [
      { type: 'RLIMIT_NOFILE', soft: 15, hard: 100 },
      { type: 'RLIMIT_NOFILE', soft: -1, hard: -1 },
      { type: 'RLIMIT_CORE', soft: 0, hard: -1 },
      { type: 'RLIMIT_NPROC', soft: 7, hard: 5 },
    ],
    host,
  );

  assert.deepStrictEqual(limits, [
    { type: 'RLIMIT_NOFILE', soft: 15, hard: 20 },
    { type: 'RLIMIT_NOFILE', soft: 20, hard: 20 },
    { type: 'RLIMIT_CORE', soft: 0, hard: RLIMIT_INFINITY },
    { type: 'RLIMIT_NPROC', soft: 5, hard: 5 },
  ]);
});

test('execProcess() is the container process with another command and terminal', () => {
  const { process: container } = buildSpec(containerInput({ config: containerConfig({ command: ['sh'] }) }));
  const size = { height: 24, width: 80 };

  assert.deepStrictEqual(execProcess(container, { command: ['ls', '-l'], tty: false, size }), { ...container, args: ['ls', '-l'] });
  assert.deepStrictEqual(execProcess(container, { command: ['sh'], tty: true, size }), {
    ...container,
    terminal: true,
    consoleSize: size,
    env: [...container.env, 'TERM=xterm'],
  });
  assert.throws(() => execProcess(container, { command: [], tty: false }), { kind: 'InvalidArgument' });
});
