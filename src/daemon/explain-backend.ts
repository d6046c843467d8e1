import type { ExplainBackend } from '../admin/explain-routes.ts';
import { Slots } from '../base/slots.ts';
import { describeWait } from '../linux/describe-wait.ts';
import type { DaemonParts } from './build.ts';

/** Each may look through the whole history, and take a hundred megabytes for that. */
const AT_ONCE = 1;

/** What the admin socket tells of objects, out of the daemon's parts. */
export function explainBackend({ sandboxes, containers, images, history, storage }: DaemonParts): ExplainBackend {
  const slots = new Slots(() => AT_ONCE);
  return {
    explain: async (object, signal) => {
      const { Explainer } = await import('../explain/explainer.ts');
      const pulls = () => storage.puller.inProgress.map((pull) => pull.snapshot());
      const release = await slots.acquire(signal);
      try {
        return await new Explainer({ sandboxes, containers, images, history, pulls, describeWait }).explain(object, signal);
      } finally {
        release();
      }
    },
  };
}
