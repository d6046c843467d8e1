import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { SecurityProfileProfileType } from '../../../api/cri/enums.ts';
import { ContainerState } from '../../../api/nri/enums.ts';
import { containerMessage, creationMessage } from '../../../src/lifecycle/container-message.ts';
import { buildSpec } from '../../../src/ocispec/build.ts';
import { specToJson } from '../../../src/ocispec/spec-json.ts';
import { container, CONTAINER_ID, MADE, SANDBOX_ID } from '../../support/objects.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { containerInput } from '../../support/spec-inputs.ts';

const init = {
  annotations: { 'example.org/note': 'n' },
  cdiDevices: [{ name: 'vendor.example/gpu=0' }],
  linux: { securityContext: { seccomp: { profileType: SecurityProfileProfileType.Localhost, localhostRef: '/p.json' } } },
};

test('a container as plugins see it: its record, its state, and its spec as it is on the disk', async (t) => {
  const specFile = join(await scratchDirectory(t), 'config.json');
  const spec = buildSpec(containerInput({ annotations: { 'example.org/note': 'n' } }));
  await writeFile(specFile, specToJson(spec));
  const running = container({ init, state: { is: 'Running', ...MADE, startedAtNs: 3_000n } });

  const message = await containerMessage(specFile, running);
  assert.deepStrictEqual(
    [message.id, message.podSandboxId, message.name, message.labels, message.state, message.pid],
    [CONTAINER_ID, SANDBOX_ID, 'app', { app: 'web' }, ContainerState.CONTAINER_RUNNING, MADE.process.pid],
  );
  assert.deepStrictEqual([message.createdAt, message.startedAt, message.finishedAt], [2_000n, 3_000n, 0n]);
  assert.deepStrictEqual([message.args, message.env], [[...spec.process.args], [...spec.process.env]]);
  assert.equal(message.mounts.length, spec.mounts.length);
  assert.equal(message.annotations['example.org/note'], 'n');
  assert.deepStrictEqual(message.linux?.seccompProfile, { profileType: 2, localhostRef: '/p.json' });
  assert.equal(message.linux.cgroupsPath, spec.linux.cgroupsPath);
});

test('of an ended container plugins see how it ended; without its bundle, which a reboot takes, what the record has', async () => {
  const state = { is: 'Exited', ...MADE, startedAtNs: 3_000n, finishedAtNs: 4_000n, exitCode: 7, reason: 'Error', message: 'm' } as const;
  const message = await containerMessage('/nowhere/config.json', container({ init, state }));
  assert.deepStrictEqual(
    [message.state, message.pid, message.exitCode, message.statusReason, message.statusMessage, message.finishedAt],
    [ContainerState.CONTAINER_STOPPED, 0, 7, 'Error', 'm', 4_000n],
  );
  assert.deepStrictEqual([message.name, message.args, message.annotations], ['app', [], { 'example.org/note': 'n' }]);
});

test('a container that is about to be made has no state', () => {
  const { record } = container({ init });
  const message = creationMessage({ record, spec: buildSpec(containerInput({})) });
  assert.deepStrictEqual([message.state, message.pid, message.createdAt], [ContainerState.CONTAINER_UNKNOWN, 0, 2_000n]);
});
