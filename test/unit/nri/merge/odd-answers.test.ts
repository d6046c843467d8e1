/** Whatever a plugin answers, it is merged and done, or refused in words. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messages } from '../../../../api/nri/messages.ts';
import type { CreateContainerResponse, Init, LinuxContainerAdjustment } from '../../../../api/nri/messages.ts';
import { NRI } from '../../../../scripts/generate-codec.ts';
import { DaemonError } from '../../../../src/base/errors.ts';
import { CreateResult } from '../../../../src/nri/merge/create-result.ts';
import { withAdjustment } from '../../../../src/ocispec/nri-adjust.ts';
import { nriContainerOf } from '../../../../src/ocispec/nri-container.ts';
import { changeOf, resourcesAfter } from '../../../../src/ocispec/nri-resources.ts';
import { buildSpec } from '../../../../src/ocispec/build.ts';
import { specToJson } from '../../../../src/ocispec/spec-json.ts';
import { ABLE } from '../../../support/nri-adjustments.ts';
import { parseProto, readProto, typesOf } from '../../../support/proto-facts.ts';
import { RandomMessages, seededRandom } from '../../../support/random-messages.ts';
import { containerInput } from '../../../support/spec-inputs.ts';

const ANSWER = typesOf(parseProto(await readProto(NRI), NRI)).find(({ name }) => name === 'CreateContainerResponse')!;
const SPEC = buildSpec(containerInput());

/** A message with some of its fields, so that one odd field does not hide the others. */
function someOf<T extends object>(message: T | undefined, chance: number, random: () => number): Partial<T> {
  return Object.fromEntries(Object.entries(message ?? {}).filter(() => random() < chance)) as Partial<T>;
}

function oddAnswer(seed: number): CreateContainerResponse {
  const random = seededRandom(seed);
  const whole = new RandomMessages(seed).message(ANSWER) as unknown as CreateContainerResponse;
  const linux: Init<LinuxContainerAdjustment> = someOf(whole.adjust?.linux, 0.15, random);
  const adjust = { ...someOf(whole.adjust, 0.15, random), ...(random() < 0.7 && { linux }) };
  const answer = { adjust, ...(random() < 0.3 && { update: whole.update, evict: whole.evict }) };
  return messages.CreateContainerResponse.decode(messages.CreateContainerResponse.encode(answer));
}

/** Whether it is done. @throws what is no refusal. */
function isDone(what: () => void): boolean {
  try {
    what();
    return true;
  } catch (error) {
    assert.ok(error instanceof DaemonError, `${String(error)}\n${(error as Error).stack}`);
    assert.match(error.message, /NRI plugin/);
    assert.notEqual(error.kind, 'Internal');
    return false;
  }
}

test('an odd answer is done or refused, and never an error of ours', () => {
  let merged = 0;
  let adjusted = 0;
  for (let seed = 1; seed <= 1500; seed += 1) {
    const container = { ...nriContainerOf(SPEC), id: 'c1' };
    const result = new CreateResult(messages.CreateContainerRequest.decode(messages.CreateContainerRequest.encode({ container })));
    const plugins = ['10-a', '20-b'];
    if (!plugins.every((plugin, index) => isDone(() => { result.apply(oddAnswer(2 * seed + index), plugin); }))) continue; // prettier-ignore
    merged += 1;
    messages.CreateContainerRequest.encode(result.request);
    messages.ValidateContainerAdjustmentRequest.encode(result.validation([]));
    const context = { ...ABLE, owners: result.owners.owners['c1'] };
    if (isDone(() => specToJson(withAdjustment(SPEC, result.adjust, context)))) adjusted += 1;
    resourcesAfter(undefined, result.adjust);
    for (const { linux } of result.updates) isDone(() => changeOf(linux!.resources!, ABLE.host));
  }
  assert.ok(merged > 150 && adjusted > 15, `${merged} merged, ${adjusted} done: too few`);
});
