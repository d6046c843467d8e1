import { anyText, duration, flag, listOf, optionalPath, optionalUnixSocket, path } from './kinds.ts';
import { key, section } from './schema-nodes.ts';

/** What the default validator refuses; the keys of upstream's (containerd/nri, plugins/default-validator). */
const defaultValidatorKeys = {
  enable: key(flag, false, 'Whether it is asked about what plugins want done to each container.', { reloadable: true }),
  rejectOciHookAdjustment: key(flag, false, 'Whether plugins may not add OCI hooks.', { reloadable: true }),
  rejectRuntimeDefaultSeccompAdjustment: key(
    flag,
    false,
    'Whether plugins may not change the seccomp policy of a container that has RuntimeDefault.',
    { reloadable: true },
  ),
  rejectUnconfinedSeccompAdjustment: key(flag, false, 'The same of a container that is Unconfined.', { reloadable: true }),
  rejectCustomSeccompAdjustment: key(flag, false, 'The same of a container that has a Localhost profile.', { reloadable: true }),
  rejectNamespaceAdjustment: key(flag, false, 'Whether plugins may not change namespaces.', { reloadable: true }),
  rejectSysctlAdjustment: key(flag, false, 'Whether plugins may not change sysctls.', { reloadable: true }),
  requiredPlugins: key(
    listOf(anyText, 'a list of names of plugins'),
    [],
    'Plugins, by their names with or without index, without which no container is created. Static pods too: see the next key.',
    { reloadable: true },
  ),
  tolerateMissingPluginsAnnotation: key(
    anyText,
    '',
    'The annotation by which a pod or a container of it may do without required plugins; empty: none.',
    { reloadable: true },
  ),
};

/** The table `nri`. */
export const nriSection = section('Plugins that see and adjust pods and containers, by the Node Resource Interface. docs/nri.md', {
  enable: key(flag, true, 'Whether there are any.'),
  listenPath: key(
    optionalUnixSocket,
    '/var/run/nri/nri.sock',
    'The socket that plugins connect to; empty: none may. A socket on which another runtime answers is left to that one, with a warning.',
    { flag: { usage: '--nri-listen <ADDRESS>' } },
  ),
  pluginDir: key(
    optionalPath,
    '/opt/nri/plugins',
    'Plugins that the daemon starts itself: executable files INDEX-NAME, of which the index is two digits. May be missing; empty: none.',
  ),
  pluginConfigDir: key(
    path,
    '/etc/nri/conf.d',
    'Their configurations: INDEX-NAME.conf, or else NAME.conf, which plugins get as it is. May be missing. Read when a plugin is started.',
  ),
  registrationTimeoutMs: key(
    duration(100),
    5000,
    'How long a plugin may take to register, and how long to take in the pods and containers that there are.',
    { reloadable: true },
  ),
  requestTimeoutMs: key(duration(100), 2000, 'How long a plugin may take to answer. One that takes longer is dropped.', {
    reloadable: true,
  }),
  defaultValidator: section('A validator of our own, as upstream has it: what plugins may not do to containers.', defaultValidatorKeys),
});
