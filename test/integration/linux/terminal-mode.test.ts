import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { until } from '../../support/pods.ts';
import { spawnOnTerminal } from '../../support/streaming/pty.ts';

test('makeRaw() has a terminal hand on every byte, and what it returns makes it as it was', async () => {
  const module = join(import.meta.dirname, '../../../src/linux/terminal-mode.ts');
  const script = `
    import { makeRaw } from '${module}';
    import { execFileSync } from 'node:child_process';
    const say = (word) => process.stdout.write(word + ':' + execFileSync('stty', ['-a'], { stdio: ['inherit', 'pipe', 'inherit'] }).toString().replaceAll('\\n', ' ') + '\\n');
    say('before');
    const restore = makeRaw(0);
    say('raw');
    restore();
    restore();
    say('after');
    console.log('end of it');`;
  const { child, master } = spawnOnTerminal([process.execPath, '--input-type=module', '-e', script]);
  let text = '';
  master.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  master.on('error', () => undefined);
  await once(child, 'exit');
  await until('all of it has come', async () => text.includes('end of it'));
  const [before = '', raw = '', after = ''] = ['before', 'raw', 'after'].map((word) => new RegExp(`${word}:(.*)`).exec(text)?.[1]?.trim());
  assert.match(before, / opost .* icanon .* echo /s);
  assert.match(raw, / -opost .* -icanon .* -echo /s);
  assert.equal(after, before);
});
