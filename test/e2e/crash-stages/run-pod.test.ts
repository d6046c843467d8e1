/** RunPodSandbox, killed at every mark. */
// long: 70 s
import { NamespaceMode } from '../../../api/cri/enums.ts';
import { crashTest, goneOrFinished, limit, ofUsers } from '../../support/crash-test.ts';
import type { Operation } from '../../support/crash-test.ts';
import type { TestDaemon } from '../../support/daemon.ts';
import { podConfig } from '../../support/pods.ts';
import type { Pod, PodOptions } from '../../support/pods.ts';
import { withUsers } from '../../support/user-namespaces.ts';

function runPodSandbox(name: string, options: PodOptions, mustPass: readonly string[]): Operation<Pod['config']> {
  const request = async (daemon: TestDaemon, config: Pod['config']): Promise<string> =>
    (await daemon.runtime.runPodSandbox({ config }, limit)).podSandboxId;
  return {
    name,
    mustPass,
    prepare: async (daemon) => podConfig(daemon, options),
    request,
    afterCrash: async (daemon, config, before) => {
      const { items } = await daemon.runtime.listPodSandbox({});
      await goneOrFinished(daemon, items.map((item) => item.id), async () => request(daemon, config), before); // prettier-ignore
    },
  };
}

crashTest(runPodSandbox('RunPodSandbox', {}, ['sandbox.recorded', 'sandbox.pinned', 'cni.intent-recorded', 'cni.plugin-added', 'cni.added', 'sandbox.hooked', 'sandbox.ready'])); // prettier-ignore
crashTest(runPodSandbox('RunPodSandbox with a shared PID namespace', { namespaces: { pid: NamespaceMode.POD } }, ['sandbox.infra.created', 'sandbox.infra.started'])); // prettier-ignore

const USER_MARKS = ['namespaces.pinning-user', 'namespaces.pinning-net', 'namespaces.pinning-uts', 'namespaces.showing-layers'];
crashTest(runPodSandbox('RunPodSandbox with a user namespace', withUsers({ pid: NamespaceMode.POD }), [...USER_MARKS, 'sandbox.pinned', 'sandbox.infra.created']), ofUsers); // prettier-ignore
