import { randomBytes } from 'node:crypto';
import { makeLayer } from '../../scripts/make-demo-image.ts';
import { atEnd } from './at-end.ts';
import { Gate } from './gate.ts';
import { TestRegistry } from './registry.ts';
import { testImages } from './test-image.ts';

/** An image whose layer can be held half way. */
export interface GatedImage {
  readonly registry: TestRegistry;
  /** The way to the registry. */
  readonly gate: Gate;
  readonly image: Parameters<TestRegistry['push']>[0];
  /** Its last layer: eight MiB that no compression makes smaller. */
  readonly layer: Awaited<ReturnType<typeof makeLayer>>;
}

/** Pushes busybox with such a layer as `repository:1` to a registry of its own behind a gate; both end with the test file. */
export async function pushGatedImage(repository: string): Promise<GatedImage> {
  const registry = await TestRegistry.start();
  atEnd(async () => registry.stop());
  const gate = await Gate.to(registry.host);
  atEnd(async () => gate.close());
  const { busybox } = await testImages();
  const layer = await makeLayer([{ path: 'noise', kind: 'file', data: randomBytes(8 << 20) }]);
  const image = { ...busybox, layers: [...busybox.layers, layer] };
  await registry.push(image, repository, ['1']);
  return { registry, gate, image, layer };
}
