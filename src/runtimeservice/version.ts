import { VERSION } from '../base/version.ts';
import type { RuntimeServiceHandlers } from './handlers.ts';

/** All four fields must be set, or the kubelet refuses (cri-client remote_runtime.go). */
export const version: RuntimeServiceHandlers['version'] = async () => ({
  version: '0.1.0',
  runtimeName: 'podwright',
  runtimeVersion: VERSION,
  runtimeApiVersion: 'v1',
});
