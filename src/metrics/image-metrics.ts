import type { MetricSpecs } from './metric-spec.ts';

/** A pull of what is here takes milliseconds, one of a model an hour. */
const PULL_SECONDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300, 600, 1800, 3600];

/** Images and their pulls. */
export const IMAGE_METRICS = {
  images: {
    name: 'images',
    kind: 'gauge',
    labels: [],
    help: 'Images on the disk.',
  },
  imageBytes: {
    name: 'image_storage_used_bytes',
    kind: 'gauge',
    labels: [],
    help: 'What images take on the disk, blobs and layers together, each counted once.',
  },
  pulls: {
    name: 'image_pulls_total',
    kind: 'counter',
    labels: ['outcome'],
    help: 'Pulls that have ended; callers that asked for the same at once share one. By what became of them: `OK`, or the kind of failure, such as `NotFound`, `RegistryUnavailable`, `Canceled`.',
  },
  pullsInProgress: { name: 'image_pulls_in_progress', kind: 'gauge', labels: [], help: 'Pulls under way.' },
  pullSeconds: {
    name: 'image_pull_duration_seconds',
    kind: 'histogram',
    labels: ['result'],
    help: 'Time that pulls took: `fetched` ones, for which a layer at least was fetched; `present` ones, for which none was; `failed` ones.',
    buckets: PULL_SECONDS,
  },
  pullBytes: {
    name: 'image_pull_received_bytes_total',
    kind: 'counter',
    labels: ['source'],
    help: 'Bytes of layers and configs that came over the network, while they come: from a `registry`, or a `mirror` in its place.',
  },
  pullLayers: {
    name: 'image_pull_layers_total',
    kind: 'counter',
    labels: ['outcome'],
    help: 'Layers of pulls that have ended: `fetched` whole, put together of `chunks` of which some were here, `present` already, or `dropped` before they were finished.',
  },
  pullRetries: {
    name: 'image_pull_retries_total',
    kind: 'counter',
    labels: ['what'],
    help: 'What failed in pulls and was tried again: a `stream` that broke and was taken up, a `request` made again at the same endpoint, or at the next `endpoint`.',
  },
} as const satisfies MetricSpecs;
