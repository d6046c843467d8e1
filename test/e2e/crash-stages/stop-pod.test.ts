/** StopPodSandbox, killed at every mark. */
// long: 80 s
import { NamespaceMode } from '../../../api/cri/enums.ts';
import { crashTest, limit, ofUsers, podWithContainer } from '../../support/crash-test.ts';
import { withUsers } from '../../support/user-namespaces.ts';

for (const [what, options, needs] of [
  ['', {}, {}],
  [' with a shared PID namespace', { namespaces: { pid: NamespaceMode.POD } }, {}],
  [' with a user namespace', withUsers(), ofUsers],
] as const) {
  // prettier-ignore
  crashTest<string>({
    name: `StopPodSandbox${what}`,
    mustPass: ['sandbox.stop-told', 'cni.deleted', 'cni.record-removed', 'sandbox.detached', 'sandbox.unpinned', 'sandbox.notready'],
    prepare: podWithContainer(options),
    request: async (daemon, podSandboxId) => daemon.runtime.stopPodSandbox({ podSandboxId }, limit),
    afterCrash: async () => undefined,
  }, needs);
}
