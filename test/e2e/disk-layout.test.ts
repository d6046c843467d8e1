/** docs/disk-layout.md against the disk of a daemon with pods. */
import assert from 'node:assert/strict';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { NamespaceMode } from '../../api/cri/enums.ts';
import { documentedPaths, matcherOf } from '../support/disk-layout.ts';
import { e2eTest } from '../support/e2e-test.ts';
import { createContainer, runContainer, runPod, waitForExit } from '../support/pods.ts';
import { IMAGES } from '../support/test-image.ts';

e2eTest(
  'every file that pods, containers and images have on the disk has its line in docs/disk-layout.md',
  async (daemon, context) => {
    const pod = await runPod(daemon, { namespaces: { pid: NamespaceMode.POD } });
    await runContainer(daemon, pod, ['sleep', '3600'], { imageVolumes: { '/one': { image: IMAGES.layers } } });
    await runContainer(daemon, pod, ['sleep', '3600'], { name: 'terminal', change: { tty: true, stdin: true } });
    await createContainer(daemon, pod, ['true'], { name: 'created' });
    const ended = await runContainer(daemon, pod, ['true'], { name: 'ended' });
    await waitForExit(daemon, ended);
    const documented = await documentedPaths();
    const matchers = documented.map(matcherOf);
    const seen = new Set<number>();
    const missing: string[] = [];
    const walk = async (directory: string, shown: string): Promise<void> => {
      const { dev } = await stat(directory);
      for (const entry of await readdir(directory, { withFileTypes: true })) {
        const [path, name] = [join(directory, entry.name), `${shown}/${entry.name}`];
        const found = matchers.findIndex((matcher) => matcher.test(name));
        if (found !== -1) seen.add(found);
        // A directory needs no line where what is in it has one.
        else if (!entry.isDirectory()) missing.push(name.replaceAll(/[0-9a-f]{64}/g, 'ID'));
        const isOthers = found !== -1 && documented[found]?.endsWith('/') === true;
        if (entry.isDirectory() && !isOthers && (await stat(path)).dev === dev) await walk(path, name);
      }
    };
    await walk(daemon.root, 'ROOT');
    await walk(daemon.runDir, 'RUN');
    assert.deepEqual([...new Set(missing)].sort(), []);
    context.diagnostic(`not seen: ${documented.filter((_, index) => !seen.has(index)).join(', ')}`);
  },
  { images: ['busybox', 'layers'] },
);
