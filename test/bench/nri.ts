/**
 * What NRI plugins cost a pod: `npm run bench:nri -- [--rounds N] [--other DIRECTORY] [--only REGEX]`. Daemons of the build in dist/ with no plugin,
 * one and ten, which answer nothing or set a variable of each container, are measured in turns by bench.ts; so is a daemon of
 * another build, whose directory is given. REGEX: of the cases, by name. Root, Go.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { TestDaemon } from '../support/daemon.ts';
import { NriPlugin } from '../support/nri-plugin.ts';
import type { NriScript } from '../support/nri-plugin.ts';
import { IMAGES } from '../support/test-image.ts';

const REPOSITORY = join(import.meta.dirname, '../..');
const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '20' }, other: { type: 'string' }, only: { type: 'string', default: '' } },
});

interface Case {
  readonly name: string;
  readonly plugins: readonly NriScript[];
  readonly dist?: string;
}

const quiet = (number: number): NriScript => ({ name: 'quiet', idx: String(10 + number) });
const adjusts = (number: number): NriScript => ({
  name: 'adjusts',
  idx: String(10 + number),
  rules: [{ call: 'CreateContainer', answer: { adjust: { env: [{ key: `BY_${number}`, value: 'yes' }] } } }],
});
const ten = (make: (number: number) => NriScript): NriScript[] => Array.from({ length: 10 }, (_, number) => make(number));

const CASES: readonly Case[] = [
  { name: 'one plugin', plugins: [quiet(0)] },
  { name: 'ten plugins', plugins: ten(quiet) },
  { name: 'one plugin that adjusts', plugins: [adjusts(0)] },
  { name: 'ten plugins that adjust', plugins: ten(adjusts) },
  { name: 'no plugin', plugins: [] },
  ...(values.other === undefined ? [] : [{ name: 'the other build', plugins: [], dist: values.other }]),
];

async function main(): Promise<void> {
  process.env['PODWRIGHT_DIST'] ??= join(REPOSITORY, 'dist');
  const daemons: TestDaemon[] = [];
  const plugins: NriPlugin[] = [];
  try {
    for (const { name, plugins: scripts, dist } of CASES.filter((each) => new RegExp(values.only).test(each.name))) {
      const daemon = await TestDaemon.start({
        args: ['--log-level', 'info'],
        ...(dist !== undefined && { env: { PODWRIGHT_DIST: dist } }),
      });
      daemons.push(daemon);
      for (const script of scripts) plugins.push(await NriPlugin.start(daemon.nriSocket, script));
      process.stdout.write(`#${daemons.length} ${name}\n`);
    }
    const options = ['--image', IMAGES.busybox, '--rounds', values.rounds, '--phases', 'lives', '--shared-pid'];
    const targets = daemons.map(({ socket }, index) => `${index + 1}=unix:${socket}`);
    await execa('node', [join(import.meta.dirname, 'bench.ts'), ...targets, ...options], { stdio: 'inherit' });
  } finally {
    for (const plugin of plugins) await plugin.stop();
    for (const daemon of daemons) await daemon.destroy();
  }
}

await main();
