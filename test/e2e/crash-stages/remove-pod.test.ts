/** RemovePodSandbox, killed at every mark. */
// long: 70 s
import { crashTest, limit, podWithContainer } from '../../support/crash-test.ts';
import { removePod } from '../../support/pods.ts';

crashTest<string>({
  name: 'RemovePodSandbox of a stopped pod',
  mustPass: ['sandbox.remove-told', 'sandbox.removing', 'sandbox.files.removed', 'sandbox.forgotten'],
  prepare: async (daemon) => {
    const id = await podWithContainer({})(daemon);
    await daemon.runtime.stopPodSandbox({ podSandboxId: id });
    return id;
  },
  request: async (daemon, podSandboxId) => daemon.runtime.removePodSandbox({ podSandboxId }, limit),
  afterCrash: async () => undefined,
});

crashTest<string>({
  name: 'RemovePodSandbox of a running pod',
  mustPass: ['sandbox.remove-told', 'sandbox.removing', 'sandbox.unpinned'],
  prepare: podWithContainer({}),
  request: async (daemon, podSandboxId) => daemon.runtime.removePodSandbox({ podSandboxId }, limit),
  afterCrash: async (daemon) => {
    const { items } = await daemon.runtime.listPodSandbox({});
    for (const { id } of items) await removePod(daemon, id);
  },
});
