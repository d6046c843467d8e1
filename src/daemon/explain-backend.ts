import type { ExplainBackend } from '../admin/explain-routes.ts';
import { describeWait } from '../linux/describe-wait.ts';
import type { DaemonParts } from './build.ts';

/** What the admin socket tells of objects, out of the daemon's parts. */
export function explainBackend({ sandboxes, containers, images, history, storage }: DaemonParts): ExplainBackend {
  return {
    explain: async (object) => {
      const { Explainer } = await import('../explain/explainer.ts');
      const pulls = () => storage.puller.inProgress.map((pull) => pull.snapshot());
      return new Explainer({ sandboxes, containers, images, history, pulls, describeWait }).explain(object);
    },
  };
}
