import type { Handlers, services } from '../../api/cri/runtime.ts';
import type { Call } from '../base/call.ts';

/** One function per RPC of the CRI's ImageService: `pullImage(request, call)`. A missing one does not compile. */
export type ImageServiceHandlers = Handlers<typeof services.ImageService, Call>;
