/**
 * What each directive of systemd's that would harden the unit breaks. A transient service with the directive does what the daemon does: it mounts for
 * the node, and has runc run a privileged container. What is so then, in the container and on the node, is compared with what is so without. It
 * wants no daemon, whose own unit the part `package` looks at.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { ensureDir, outputFile, outputJson, remove } from 'fs-extra/esm';
import { effectiveCapabilities } from '../../../src/linux/capabilities.ts';
import { ABILITIES, ABILITIES_OF_CHILDREN } from './abilities.ts';
import { TRIALS, type Trial } from './hardening-trials.ts';
import { output } from './node.ts';
import { need, step, tell } from './steps.ts';

const WORK = '/var/lib/vm-hardening';
const BUNDLE = join(WORK, 'bundle');
/** Where the container has the node's root. */
const NODE_ROOT = join(BUNDLE, 'rootfs/node');
/** Where a child of the service mounts. */
const SHARED = '/var/lib/vm-shared';
/** Files of the node where some directives put other directories. */
const SEEN = ['/home/vm-hardening', '/tmp/vm-hardening'];
const WRITTEN = ['/etc/vm-hardening', '/usr/vm-hardening'];
const RUNC = ['--root', '/run/vm-runc'];
const TRIAL_MS = 10 * 60_000;
/** Where runc fails, all lines of the container are missing. */
const NOTE_LENGTH = 300;

/** What was found, a line for each thing. */
type Findings = readonly string[];

export async function hardeningCases(): Promise<void> {
  try {
    const usual = await need('hardening: a privileged container can do everything', async () => {
      await prepare();
      const found = await look();
      assertEverything(found);
      return found;
    });
    for (const trial of TRIALS)
      await step(`hardening: ${trial.set}`, async () => {
        compare(trial, usual, await look(trial.set));
      });
  } finally {
    for (const path of [WORK, SHARED, ...SEEN, ...WRITTEN]) await remove(path);
  }
}

async function prepare(): Promise<void> {
  await outputFile(join(WORK, 'abilities.pl'), ABILITIES);
  await outputFile(join(WORK, 'children.pl'), ABILITIES_OF_CHILDREN);
  for (const path of SEEN) await outputFile(path, 'of the node');
  await ensureDir(join(SHARED, 'out'));
  await ensureDir(NODE_ROOT);
  // Its programs are the node's: chroot is in a rootfs of nothing else.
  for (const name of ['usr', 'dev', 'proc', 'sys']) await ensureDir(join(BUNDLE, 'rootfs', name));
  await output('sh', '-c', `cp -a /bin /lib* ${BUNDLE}/rootfs/`);
  await output('runc', 'spec', '--bundle', BUNDLE);
  await outputJson(join(BUNDLE, 'config.json'), privileged(JSON.parse(await readFile(join(BUNDLE, 'config.json'), 'utf8')) as Spec));
}

interface Spec {
  readonly root: object;
  readonly process: object;
  readonly mounts: readonly { readonly destination: string }[];
  readonly linux: object;
}

/** As the daemon asks for a privileged container, with volumes of the node's root and programs. */
function privileged(spec: Spec): Spec {
  const sets = Object.fromEntries(['bounding', 'effective', 'permitted'].map((set) => [set, effectiveCapabilities()]));
  const bound = (source: string, destination: string): object => ({ destination, type: 'bind', source, options: ['rbind', 'rprivate'] });
  const own = spec.mounts
    .filter(({ destination }) => !destination.startsWith('/sys') && !destination.startsWith('/dev'))
    .concat([bound('/usr', '/usr'), bound('/dev', '/dev'), bound('/', '/node')] as Spec['mounts']);
  return {
    ...spec,
    root: { path: 'rootfs', readonly: false },
    mounts: own,
    process: {
      ...spec.process,
      terminal: false,
      noNewPrivileges: false,
      capabilities: sets,
      rlimits: [],
      args: ['chroot', '/node', 'perl', join(WORK, 'abilities.pl')],
    },
    linux: {
      ...spec.linux,
      cgroupsPath: '/vm-trial',
      maskedPaths: [],
      readonlyPaths: [],
      resources: { devices: [{ allow: true, access: 'rwm' }] },
    },
  };
}

/** What is so in a service with this directive, or with none, and in its container. */
async function look(...set: readonly string[]): Promise<string[]> {
  const script = `perl ${WORK}/children.pl; exec runc ${RUNC.join(' ')} run --bundle ${BUNDLE} vm-trial`;
  const properties = ['UMask=0022', ...set].flatMap((each) => ['-p', each]);
  const args = ['--quiet', '--wait', '--pipe', '--collect', ...properties, '/bin/sh', '-c', script];
  const { all } = await execa('systemd-run', args, { all: true, reject: false, stdin: 'ignore', timeout: TRIAL_MS });
  const mounts = await readFile('/proc/1/mountinfo', 'utf8');
  await execa('umount', [join(SHARED, 'out')], { reject: false });
  await execa('runc', [...RUNC, 'delete', '--force', 'vm-trial'], { reject: false });
  return [...all.split('\n').filter((line) => line !== ''), `the node sees the mount: ${mounts.includes('vm-child')}`];
}

function assertEverything(found: Findings): void {
  for (const line of ['NoNewPrivs 0', 'Seccomp 0', 'Umask 0022', 'the node sees the mount: true'])
    assert.ok(found.includes(line), `${line}:\n${found.join('\n')}`);
  const refused = found.filter((line) => line.includes('Operation not permitted'));
  assert.deepEqual(refused, []);
}

/** @throws where what must change has not: then the unit could have the directive. */
function compare({ set, breaks }: Trial, usual: Findings, found: Findings): void {
  const changed = difference(usual, found);
  tell({ kind: 'note', text: `${set}: ${changed.join('; ').slice(0, NOTE_LENGTH)}` });
  assert.ok(changed.some((line) => breaks.test(line)), `must change ${String(breaks)}, changed:\n${changed.join('\n')}`); // prettier-ignore
}

/** Lines that are only in one of both; of a line that says something else, what it says now. */
function difference(usual: Findings, found: Findings): string[] {
  const names = found.map(nameOf);
  return [
    ...found.filter((line) => !usual.includes(line)),
    ...usual.filter((line) => !found.includes(line) && !names.includes(nameOf(line))).map((line) => `not there: ${line}`),
  ];
}

function nameOf(line: string): string {
  return line.slice(0, line.lastIndexOf(': '));
}
