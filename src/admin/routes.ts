import type { ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import { DaemonError, kindOf, messageOf } from '../base/errors.ts';
import { answerJson } from './answer.ts';
import type { AdminBackend } from './backend.ts';
import { imageRoutes } from './image-routes.ts';
import { debugRoutes } from './debug-routes.ts';
import { explainRoutes } from './explain-routes.ts';
import type { Exchange, Route } from './route.ts';
import { FAILURE_TRAILER } from './reports.ts';
import type { ArchiveFormat, LoadEvent } from './reports.ts';

/** All that the admin socket serves. */
export function adminRoutes(backend: AdminBackend): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/status',
      handle: async ({ response }) => {
        answerJson(response, await backend.status());
      },
    },
    {
      method: 'GET',
      path: '/v1/leaks',
      handle: async ({ response }) => {
        answerJson(response, await backend.leaks());
      },
    },
    {
      method: 'GET',
      path: '/v1/images',
      handle: async ({ response }) => {
        answerJson(response, await backend.listImages());
      },
    },
    {
      method: 'GET',
      path: '/v1/images/resolve',
      handle: async ({ url, response, signal }) => {
        const name = url.searchParams.get('ref');
        if (name === null || name === '') throw new DaemonError('InvalidArgument', 'resolve image: no ref is given, must be one');
        answerJson(response, await backend.resolveImage(name, signal));
      },
    },
    {
      method: 'POST',
      path: '/v1/images/verify',
      handle: async ({ url, response, signal }) => {
        const reference = url.searchParams.get('ref') ?? undefined;
        answerJson(response, await backend.verifyImages(url.searchParams.get('repair') === 'true', signal, reference));
      },
    },
    ...imageRoutes(backend),
    { method: 'POST', path: '/v1/images/load', handle: async (exchange) => loadImages(backend, exchange) },
    { method: 'GET', path: '/v1/images/save', handle: async (exchange) => saveImages(backend, exchange) },
    {
      method: 'GET',
      path: '/metrics',
      handle: async ({ response }) => {
        const { contentType, text } = await backend.metrics();
        response.setHeader('content-type', contentType).end(text);
      },
    },
    ...debugRoutes(backend.debug),
    ...explainRoutes(backend.explain),
  ];
}

/** Answers with JSON lines while the archive is still being sent, so that progress is seen as it happens. */
async function loadImages(backend: AdminBackend, { request, response, signal }: Exchange): Promise<void> {
  const tell = (event: LoadEvent): void => {
    response.write(`${JSON.stringify(event)}\n`);
  };
  response.setHeader('content-type', 'application/jsonl').flushHeaders();
  try {
    const images = await backend.loadImages(request, signal, (message) => {
      tell({ event: 'progress', message });
    });
    for (const image of images) tell({ event: 'image', image });
    tell({ event: 'done' });
  } catch (error) {
    tell({ event: 'failed', kind: kindOf(error), message: messageOf(error) });
  }
  request.resume(); // a client that is still sending could not read our answer otherwise
  response.end();
}

async function saveImages(backend: AdminBackend, { url, response, signal }: Exchange): Promise<void> {
  const references = url.searchParams.getAll('ref');
  if (references.length === 0) throw new DaemonError('InvalidArgument', 'save images: no ref is given, must be one or more');
  const format = archiveFormat(url.searchParams.get('format') ?? 'oci');
  response.setHeader('content-type', 'application/x-tar').setHeader('trailer', FAILURE_TRAILER);
  try {
    await backend.saveImages(references, format, keepOpen(response), signal);
  } catch (error) {
    if (!response.headersSent) throw error;
    response.addTrailers({ [FAILURE_TRAILER]: encodeURIComponent(messageOf(error)) });
  }
  response.end();
}

/** A stream onto the answer for the writer of the archive, who ends it: the answer itself stays open for its trailer. */
function keepOpen(response: ServerResponse): Writable {
  const target = new Writable({
    write(chunk: Buffer, _encoding, written) {
      response.write(chunk, written);
    },
  });
  // The writer hears of a failure by its own call. Without this listener the failure would end the daemon.
  return target.on('error', () => undefined);
}

function archiveFormat(text: string): ArchiveFormat {
  if (text === 'oci' || text === 'docker') return text;
  throw new DaemonError('InvalidArgument', `save images: format is "${text}", must be oci or docker`);
}
