import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messages } from '../../../api/cri/runtime.ts';
import { subjectOf } from '../../../src/server/subject.ts';

test('subjectOf names what a request is about and never its credentials', () => {
  const { PullImageRequest, RunPodSandboxRequest, ExecSyncRequest, VersionRequest } = messages;
  const pull = PullImageRequest.decode(PullImageRequest.encode({ image: { image: 'nginx' }, auth: { username: 'u', password: 'secret' } }));
  assert.deepEqual(subjectOf(pull), { image: 'nginx' });
  const run = RunPodSandboxRequest.decode(RunPodSandboxRequest.encode({ config: { metadata: { name: 'web', namespace: 'default' } } }));
  assert.deepEqual(subjectOf(run), { name: 'default/web' });
  const exec = ExecSyncRequest.decode(ExecSyncRequest.encode({ containerId: 'c1', cmd: ['echo', 'secret'] }));
  assert.deepEqual(subjectOf(exec), { containerId: 'c1' });
  assert.deepEqual(subjectOf(VersionRequest.decode(new Uint8Array(0))), {});
});
