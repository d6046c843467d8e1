import type { Explanation } from '../base/explanation.ts';
import { answerJson } from './answer.ts';
import type { Route } from './route.ts';

export interface ExplainBackend {
  /** What was done of an object, is being done, and is waited for. @throws NotFound; InvalidArgument where several may be meant. */
  explain(object: string, signal: AbortSignal): Promise<Explanation>;
}

export function explainRoutes(backend: ExplainBackend): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/explain',
      handle: async ({ url, response, signal }) => {
        answerJson(response, await backend.explain(url.searchParams.get('object') ?? '', signal));
      },
    },
  ];
}
