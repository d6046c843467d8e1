/**
 * Runs the built daemon where it will live: Debian 13, systemd, cgroup v2, in an emulated machine; the package in Debian 12 too. Root, x86-64.
 *
 *     node scripts/test-vm.ts [--keep] [--only oom|resources|runtimes|apparmor|checkpoint|nri|observe|kubelet|package|hardening|selinux|arm64] [--release bookworm]
 *
 * --keep leaves disks and console logs behind and says where; --only runs that part in one boot: the OOM kills or the limits of
 * both cgroup drivers, or AppArmor's or SELinux's, with critest's specs of it where scripts/build-cri-tools.sh has built it (or
 * $CRITEST names it), or the checkpoints of both drivers, or NRI plugins with both, or what cAdvisor, `top` and `check` show, or a kubelet with
 * default settings, or the package from its installation to its purge. SELinux has a machine of its own, since a kernel has one of the two;
 * without --only it runs after the other, and the package in Debian 12 after both. arm64 has one too and runs only where it is asked for: the unit tests and then the package for arm64, installed, with a pod that everything is asked of.
 * hardening, which tries each directive of systemd's that would harden the unit, runs only where it is asked for too. --release bookworm takes Debian 12, for the parts package and hardening.
 *
 * A machine is built once and kept below $XDG_CACHE_HOME (or /var/cache), in podwright-vm. Closes with one line:
 * `vm: 48 passed, 0 failed, 1 skipped (NAME)`. Exits 1 when something failed or nothing ran.
 */
import { appendFile, mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { remove } from 'fs-extra/esm';
import { makeArm64Payload } from '../test/vm/arm64-payload.ts';
import { arm64Units } from '../test/vm/arm64-units.ts';
import { guestImage, type MachineKind } from '../test/vm/guest-image.ts';
import type { GuestLine } from '../test/vm/guest/steps.ts';
import { boot } from '../test/vm/machine.ts';
import { makePayload } from '../test/vm/payload.ts';
import { installMissing, runProgram } from '../test/vm/programs.ts';

/** All but the building of the guest, milliseconds. A machine that does other work besides may need more than the 60 minutes. */
const LIMIT_MS = Number(process.env['PODWRIGHT_VM_MINUTES'] ?? 60) * 60_000;
/** More boots than the guest's part has. */
const MOST_BOOTS = 5;
/**
 * What a kernel says of a breakpoint that it has put over its own code for the time of a change, and taken away again: qemu's threads
 * do not always see the change in time. No fault of what is tested, which cannot make one.
 */
const EMULATOR_FAULT = 'Oops: int3';
/** The name of what failed where it was no test. */
const MACHINE = 'the machine';
const CACHE = join(process.env['XDG_CACHE_HOME'] ?? '/var/cache', 'podwright-vm');

/** The parts that Debian 12 is for: the others want its successor's runtimes. */
const OF_BOOKWORM = ['package', 'hardening'];
const PARTS = ['oom', 'resources', 'runtimes', 'apparmor', 'checkpoint', 'nri', 'observe', 'kubelet', ...OF_BOOKWORM, 'selinux', 'arm64'];

const { values } = parseArgs({
  options: {
    keep: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    release: { type: 'string', default: 'trixie' },
  },
});
checkArguments();
const outcomes: GuestLine[] = [];
process.exitCode = await main();

async function main(): Promise<number> {
  if (process.arch !== 'x64' || process.getuid?.() !== 0) {
    take({ kind: 'skipped', name: 'the whole test', why: 'it needs root and x86-64' });
    return report();
  }
  await installMissing(values.only === 'arm64', tell);
  const started = Date.now();
  if (values.only === 'arm64') await runIn('arm64', 'arm64');
  else if (values.only !== 'selinux') await runIn(values.release === 'bookworm' ? 'bookworm' : 'apparmor', values.only);
  if (values.only === 'selinux' || values.only === '') await runIn('selinux', 'selinux');
  if (values.only === '') await runIn('bookworm', 'package');
  tell(`took ${seconds(started)}`);
  return report();
}

/** @throws where what was asked for is not one of them, or no part for it. */
function checkArguments(): void {
  const { only, release } = values;
  if (only !== '' && !PARTS.includes(only)) throw new Error(`--only ${only}: must be ${PARTS.join(', ')}`);
  if (!['trixie', 'bookworm'].includes(release)) throw new Error(`--release ${release}: must be trixie or bookworm`);
  if (release === 'bookworm' && !OF_BOOKWORM.includes(only))
    throw new Error(`--release bookworm: must be with --only ${OF_BOOKWORM.join(' or --only ')}`);
}

/** Runs a part of the test, or all of it, in the machine of this kind: again where the emulator broke it. */
async function runIn(kind: MachineKind, part: string): Promise<void> {
  const before = outcomes.length;
  if ((await runOnce(kind, part)) === 'emulator fault') {
    tell(`the emulator broke the guest (${EMULATOR_FAULT}): this machine is run again; of its outcomes only failed tests count on`);
    outcomes.push(...outcomes.splice(before).filter((line) => line.kind === 'failed' && line.name !== MACHINE));
    await runOnce(kind, part);
  }
}

async function runOnce(kind: MachineKind, part: string): Promise<'ran' | 'emulator fault'> {
  const image = await guestImage(CACHE, kind, tell);
  const work = await mkdtemp(join(tmpdir(), 'podwright-vm-'));
  const started = Date.now();
  try {
    const [disk, payload] = [join(work, 'disk.img'), join(work, 'payload.img')];
    await runProgram('cp', ['--sparse=always', image.disk, disk], { timeoutMs: 5 * 60_000 });
    const limit = AbortSignal.timeout(LIMIT_MS);
    if (kind === 'arm64') {
      const program = await makeArm64Payload(payload, join(work, 'payload'));
      take(await arm64Units(image.disk, program, work, limit), started);
    } else {
      await makePayload(payload, join(work, 'payload'), part, kind === 'bookworm' ? 'apparmor' : kind);
    }
    tell(`payload: ready after ${seconds(started)}`);
    for (let count = 1, goOn = true; goOn; count += 1) {
      if (count > MOST_BOOTS) throw new Error(`the guest asks for more than ${MOST_BOOTS} boots`);
      const begun = Date.now();
      goOn = await bootOnce({ image, kind, disk, payload, consoleLog: join(work, `console-${count}.log`), signal: limit });
      tell(`boot ${count}: took ${seconds(begun)}`);
    }
    return 'ran';
  } catch (error) {
    take({ kind: 'failed', name: MACHINE, ms: Date.now() - started, why: error instanceof Error ? error.message : String(error) });
    return (await consolesOf(work)).some((text) => text.includes(EMULATOR_FAULT)) ? 'emulator fault' : 'ran';
  } finally {
    if (outcomes.some(({ kind }) => kind === 'failed')) await showConsoles(work);
    if (values.keep) tell(`kept: ${work}`);
    else await remove(work);
  }
}

/** @returns whether the guest wants to be booted again. */
async function bootOnce(options: Omit<Parameters<typeof boot>[0], 'onLine'>): Promise<boolean> {
  let end: Extract<GuestLine, { kind: 'end' }> | undefined;
  const begun = Date.now();
  const onLine = (text: string): void => {
    const line = parse(text);
    if (line?.kind === 'end') end = line;
    else if (line !== undefined)
      take(options.kind === 'bookworm' && 'name' in line ? { ...line, name: `Debian 12, ${line.name}` } : line, begun);
    else if (text.trim() !== '') tell(`  guest: ${text}`);
  };
  await boot({ ...options, onLine });
  if (end === undefined) throw new Error('the guest went down before its test was at an end');
  return end.then === 'boot again';
}

function parse(text: string): GuestLine | undefined {
  try {
    return JSON.parse(text) as GuestLine;
  } catch {
    return undefined;
  }
}

function take(line: GuestLine, bootedAt = Date.now()): void {
  outcomes.push(line);
  const at = `[${seconds(bootedAt).padStart(6)}]`;
  if (line.kind === 'passed') tell(`${at} ok   ${line.name} (${(line.ms / 1000).toFixed(1)} s)`);
  else if (line.kind === 'failed') tell(`${at} FAIL ${line.name} (${(line.ms / 1000).toFixed(1)} s)\n${indent(line.why)}`);
  else if (line.kind === 'skipped') tell(`${at} skip ${line.name}: ${line.why}`);
  else if (line.kind === 'note') tell(`${at} ${line.text}`);
}

/** What the kernels of its boots said, in their order. */
async function consolesOf(work: string): Promise<readonly string[]> {
  const texts: string[] = [];
  for (let count = 1; count <= MOST_BOOTS; count += 1) {
    const text = await readFile(join(work, `console-${count}.log`), 'utf8').catch(() => undefined);
    if (text !== undefined) texts.push(text.replaceAll('\r', ''));
  }
  return texts;
}

async function showConsoles(work: string): Promise<void> {
  for (const [index, text] of (await consolesOf(work)).entries())
    tell(`--- console of boot ${index + 1}, its end\n${indent(text.split('\n').slice(-120).join('\n'))}`);
}

async function report(): Promise<number> {
  const of = (kind: GuestLine['kind']): string[] => outcomes.flatMap((line) => (line.kind === kind && 'name' in line ? [line.name] : []));
  const [passed, failed, skipped] = [of('passed'), of('failed'), of('skipped')];
  const names = (list: readonly string[]): string => (list.length === 0 ? '' : ` (${list.join('; ')})`);
  const line = `vm: ${passed.length} passed, ${failed.length} failed${names(failed)}, ${skipped.length} skipped${names(skipped)}`;
  tell(line);
  const summary = process.env['TEST_SUMMARY_FILE'];
  if (summary !== undefined) await appendFile(summary, `vm: ${passed.length} passed, ${failed.length} failed, ${skipped.length} skipped\n`);
  const requireAll = process.env['REQUIRE_ALL'] === '1' && skipped.length > 0;
  return failed.length === 0 && passed.length > 0 && !requireAll ? 0 : 1;
}

function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}

function seconds(since: number): string {
  return `${((Date.now() - since) / 1000).toFixed(0)} s`;
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '    ');
}
