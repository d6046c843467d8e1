/** The completion scripts in the shells that they are for, by what a person types. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { execa } from 'execa';
import { findProgram } from '../../support/find-program.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const BIN = join(import.meta.dirname, '../../../bin');
const TAB = '\t';
/** Readline's insert-completions: all of them into the line. */
const ALL = '\u001b*';

const missing = async (shell: string): Promise<string | false> =>
  (await findProgram(shell)) === undefined ? `${shell} is not here` : false;

/** Types `lines` into a shell on a terminal; returns the words of each line that it would have run. */
async function typed(t: TestContext, shell: 'bash' | 'zsh', setUp: string, lines: readonly string[]): Promise<string[][]> {
  const directory = await scratchDirectory(t);
  const ran = join(directory, 'ran');
  const rc = [
    `PATH=${BIN}:$PATH`,
    setUp,
    `source <(podwright completion ${shell})`,
    `podwright() { if [[ $1 == complete ]]; then command podwright "$@"; else printf '%s\\n' "$@" '' >> ${ran}; fi; }`,
    '',
  ].join('\n');
  await writeFile(join(directory, shell === 'bash' ? 'bashrc' : '.zshrc'), rc);
  await writeFile(join(directory, 'a file'), '');
  await writeFile(join(directory, 'other'), '');
  const command = shell === 'bash' ? `bash --rcfile ${directory}/bashrc -i` : 'zsh -i';
  await execa('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    cwd: directory,
    input: [...lines, 'exit', ''].join('\n'),
    env: { TERM: 'xterm', ZDOTDIR: directory, HISTFILE: '', PODWRIGHT_FROM_SOURCE: process.env['PODWRIGHT_DIST'] === undefined ? '1' : '' },
    timeout: 120_000,
  });
  const words = (await readFile(ran, 'utf8')).split('\n\n').filter((each) => each !== '');
  return words.map((each) => each.split('\n'));
}

test('bash completes commands, options, values, files and directories', { skip: await missing('bash') }, async (t) => {
  const lines = [
    `podwright im${TAB} sa${TAB} --for${TAB} o${TAB}`,
    `podwright image save --format=d${TAB}`,
    `podwright completion ${ALL}`,
    `podwright image load a${TAB}`,
    `podwright serve --config=oth${TAB}`,
    `podwright serve --root /usr/shar${TAB}`,
    `podwright image save  --format   oci   --outp${TAB}`,
  ];
  assert.deepEqual(await typed(t, 'bash', '', lines), [
    ['image', 'save', '--format', 'oci'],
    ['image', 'save', '--format=docker'],
    ['completion', 'bash', 'fish', 'zsh'],
    ['image', 'load', 'a file'],
    ['serve', '--config=other'],
    ['serve', '--root', '/usr/share/'],
    ['image', 'save', '--format', 'oci', '--output'],
  ]);
});

test('zsh does too', { skip: await missing('zsh') }, async (t) => {
  const setUp = 'autoload -Uz compinit; compinit -u -d "$ZDOTDIR/dump"; zstyle ":completion:*" insert-tab false';
  const lines = [
    `podwright im${TAB}sa${TAB}--for${TAB}o${TAB}`,
    `podwright image save --format=d${TAB}`,
    `podwright image load a${TAB}`,
    `podwright serve --config=oth${TAB}`,
    `podwright serve --root /usr/shar${TAB}`,
  ];
  assert.deepEqual(await typed(t, 'zsh', setUp, lines), [
    ['image', 'save', '--format', 'oci'],
    ['image', 'save', '--format=docker'],
    ['image', 'load', 'a file'],
    ['serve', '--config=other'],
    ['serve', '--root', '/usr/share'], // zsh takes the slash back at the end of the line
  ]);
});

test('fish does too, with what each word is', { skip: await missing('fish') }, async (t) => {
  const directory = await scratchDirectory(t);
  await writeFile(join(directory, 'other'), '');
  const completed = async (line: string): Promise<string[]> => {
    const { stdout } = await execa(
      'fish',
      ['--no-config', '--command', 'podwright completion fish | source; complete --do-complete $argv[1]', line],
      {
        cwd: directory,
        env: {
          HOME: directory,
          PATH: `${BIN}:${process.env['PATH'] ?? ''}`,
          PODWRIGHT_FROM_SOURCE: process.env['PODWRIGHT_DIST'] === undefined ? '1' : '',
        },
      },
    );
    return stdout.split('\n');
  };
  assert.deepEqual(await completed('podwright im'), ['image\timages on this node']);
  assert.deepEqual(await completed('podwright image save --format='), ['--format=docker', '--format=oci']);
  assert.deepEqual(await completed('podwright serve --config=oth'), ['--config=other']);
  assert.match((await completed('podwright serve --root /usr/shar')).join('\n'), /^\/usr\/share\//);
});
