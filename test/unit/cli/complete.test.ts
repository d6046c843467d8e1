import assert from 'node:assert/strict';
import { Readable, Writable } from 'node:stream';
import { test } from 'node:test';
import type { Container, PodSandbox } from '../../../api/cri/runtime.ts';
import { runCli } from '../../../src/cli/cli.ts';
import { fitting, wordsOf } from '../../../src/cli/completion-answer.ts';

/** The answer for a command line as it is up to the cursor, which stands at its end: the kind, then the words. */
async function complete(line: string): Promise<string[]> {
  let printed = '';
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      printed += chunk.toString();
      done();
    },
  });
  const host = { serve: () => Promise.reject(new Error('no daemon here')) };
  const code = await runCli(['complete', '--', ...line.split(' ')], host, { stdin: Readable.from([]), stdout, stderr: stdout });
  assert.equal(code, 0, printed);
  return printed.split('\n').flatMap((each) => each.split('\t')[0] || []); // prettier-ignore
}

test('completion gives what may stand at the cursor', async () => {
  const cases: Readonly<Record<string, readonly string[]>> = {
    im: ['words', 'image'],
    'image pu': ['words', 'pull', 'pulls'],
    'image save --f': ['words', '--format'],
    'image save --format ': ['words', 'oci', 'docker'],
    'image save --format=d': ['words', '--format=docker'],
    'image save --format oci --f': ['words'],
    'image save -o ': ['files'],
    'image save -o x.tar --format d': ['words', 'docker'],
    'top --sort m': ['words', 'memory'],
    'serve --log-level e': ['words', 'error'],
    'serve --cgroup-manager=c': ['words', '--cgroup-manager=cgroupfs'],
    'serve --root ': ['directories'],
    'serve --config=/et': ['files'],
    'serve --cni-bin-dir /a --cni-b': ['words', '--cni-bin-dir'], // it may be repeated
    'image load ': ['files'],
    'exec web --': ['words'], // options of the command in the container
    'exec web -- l': ['words'],
    'completion ': ['words', 'bash', 'zsh', 'fish'],
    'man image-p': ['words'],
    'man podwright-image-pulls': ['words', 'podwright-image-pulls'],
    'nonsense ': ['words'],
    'debug ': ['words', 'profile', 'heap', 'stacks', 'help'],
    'version ': ['words', '--help'],
  };
  for (const [line, expected] of Object.entries(cases)) assert.deepEqual(await complete(line), expected, line);
  const commands = await complete('');
  assert.ok(commands.includes('serve') && commands.includes('explain'));
  assert.ok(!commands.includes('complete'), 'what only scripts run is not offered');
});

test('names that others have chosen are offered only where a shell takes them as they stand', () => {
  const pod = (name: string, id: string): PodSandbox => ({ id, metadata: { name, namespace: 'shop', uid: 'u', attempt: 0 } }) as PodSandbox;
  const container = { id: 'c1'.repeat(32), podSandboxId: 'p1', metadata: { name: 'app', attempt: 0 } } as Container;
  const objects = { pods: [pod('web', 'p1'), pod('$(reboot)', 'p2')], containers: [container] };
  const words = (held: ('pod' | 'container')[], written: string): string[] =>
    fitting(wordsOf(objects, held, written), written).map(({ word }) => word);

  assert.deepEqual(words(['pod', 'container'], ''), ['shop/web', 'shop/web/app']);
  assert.deepEqual(words(['container'], 'a'), ['app']);
  assert.deepEqual(words(['container'], 'c1c1c1c1c1c1c').at(-1), container.id);
});
