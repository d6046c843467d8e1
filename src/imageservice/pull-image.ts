import type { AuthConfig } from '../../api/cri/runtime.ts';
import { fail } from '../base/errors.ts';
import type { PullCredentials } from '../image/pull-credentials.ts';
import type { ImageServiceHandlers } from './handlers.ts';
import type { ImageServiceParts } from './parts.ts';

/** Of a pod's name as it is shown: a namespace and a name of Kubernetes fit. */
const MAX_POD = 320;

/** Pulls an image; the answer names it by its id, as everything else does (cri-api: Image Identifier Consistency). */
export function pullImage(parts: Pick<ImageServiceParts, 'puller'>): ImageServiceHandlers['pullImage'] {
  return async ({ image: spec, auth, sandboxConfig }, call) => {
    const asked = spec?.image ?? '';
    if (asked === '') fail('InvalidArgument', 'pull image: image is empty, must name one');
    const pod = sandboxConfig?.metadata;
    const image = await parts.puller.pull(asked, credentialsOf(auth), call.signal, {
      namespace: pod?.namespace ?? '',
      asker: { by: 'cri', ...(pod === undefined || pod.name === '' ? {} : { pod: `${pod.namespace}/${pod.name}`.slice(0, MAX_POD) }) },
    });
    return { imageRef: image.id };
  };
}

/** CRI AuthConfig: `auth` is base64 of user:password, and some clients pad it with NULs. @throws InvalidArgument. */
export function credentialsOf(auth: AuthConfig | undefined): PullCredentials | undefined {
  if (auth === undefined) return undefined;
  const { username, password, identityToken, registryToken } = auth;
  const server = auth.serverAddress === '' ? {} : { server: auth.serverAddress };
  if (username !== '' || identityToken !== '' || registryToken !== '')
    return { username, password, identityToken, registryToken, ...server };
  if (auth.auth === '') return undefined;
  const plain = Buffer.from(auth.auth, 'base64').toString('utf8');
  const colon = plain.indexOf(':');
  if (colon === -1) fail('InvalidArgument', 'pull image: auth must be base64 of user:password');
  return { username: plain.slice(0, colon), password: plain.slice(colon + 1).replace(/\0+$/, ''), ...server };
}
