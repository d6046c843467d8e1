import type { ServerResponse } from 'node:http';

export function answerJson(response: ServerResponse, body: unknown): void {
  response.setHeader('content-type', 'application/json').end(`${JSON.stringify(body)}\n`);
}
