import { answerJson } from './answer.ts';
import type { LeakFixReport } from './debug-reports.ts';
import type { Route } from './route.ts';

/** What a person asks of a daemon that has trouble; the daemon hands it in. */
export interface DebugBackend {
  /** Removes what no record claims. @throws FailedPrecondition while another one does. */
  fixLeaks(signal: AbortSignal): Promise<LeakFixReport>;
}

export function debugRoutes(backend: DebugBackend): readonly Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/leaks/fix',
      handle: async ({ response, signal }) => {
        answerJson(response, await backend.fixLeaks(signal));
      },
    },
  ];
}
