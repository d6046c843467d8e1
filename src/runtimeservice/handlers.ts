import type { Handlers, services } from '../../api/cri/runtime.ts';
import type { Call } from '../base/call.ts';

/** One function per RPC of the CRI's RuntimeService: `runPodSandbox(request, call)`. A missing one does not compile. */
export type RuntimeServiceHandlers = Handlers<typeof services.RuntimeService, Call>;
