import { readFile } from 'node:fs/promises';
import { fail, messageOf } from '../base/errors.ts';
import type { LiveConfig } from '../config/live-config.ts';
import type { DefaultMount } from '../config/container-kinds.ts';
import type { RuntimeHandlerConfig } from '../config/schema.ts';
import { parseBaseSpec } from '../ocispec/base-spec.ts';
import type { BaseSpec, SpecSettings } from '../ocispec/input.ts';
import type { OciMount } from '../ocispec/oci-types.ts';
import { parseSeccompProfile, type SeccompProfile } from '../ocispec/seccomp-profile.ts';

/** The files that a handler's keys name, read. */
interface HandlerFiles {
  readonly seccomp: SeccompProfile | undefined;
  readonly baseSpec: BaseSpec | undefined;
}

/**
 * The owner's choices for the pods of each handler. Files are read once, here; what is reloadable is taken from the
 * configuration for each container.
 * @throws InvalidArgument that names the key and the file.
 */
export async function buildSpecSettings(config: LiveConfig): Promise<(handler: string) => SpecSettings> {
  const { seccompProfile, runtime } = config.current;
  const seccomp = await readNamed('seccomp_profile', seccompProfile, parseSeccompProfile);
  const files = new Map<string, HandlerFiles>();
  for (const [name, handler] of Object.entries(runtime.handlers)) files.set(name, await readHandlerFiles(name, handler, seccomp));
  return (name) => {
    const { defaultCapabilities, pidsLimit, defaultUlimits, tolerateMissingHugetlb } = config.current;
    const { additionalDevices, allowedDevices, deviceOwnershipFromSecurityContext, defaultEnv, defaultMounts, timezone } = config.current;
    const handler = config.current.runtime.handlers[name] ?? fail('Internal', `runtime handler "${name}" has no configuration`);
    return {
      defaultCapabilities,
      pidsLimit,
      defaultUlimits,
      tolerateMissingHugetlb,
      additionalDevices,
      allowedDevices,
      deviceOwnershipFromSecurityContext,
      defaultEnv,
      timezone,
      defaultMounts: defaultMounts.map(toOciMount),
      seccompDefaultProfile: files.get(name)?.seccomp,
      handler: { ...handler, baseSpec: files.get(name)?.baseSpec },
    };
  };
}

function toOciMount({ source, destination, isWritable }: DefaultMount): OciMount {
  return { destination, type: 'bind', source, options: ['rbind', 'rprivate', isWritable ? 'rw' : 'ro'] };
}

async function readHandlerFiles(name: string, handler: RuntimeHandlerConfig, seccomp: SeccompProfile | undefined): Promise<HandlerFiles> {
  const key = `runtime.handlers.${name}`;
  return {
    seccomp: (await readNamed(`${key}.seccomp_profile`, handler.seccompProfile, parseSeccompProfile)) ?? seccomp,
    baseSpec: await readNamed(`${key}.base_runtime_spec`, handler.baseRuntimeSpec, (text) => parseBaseSpec(text, '')),
  };
}

/** What the file of a key holds; undefined where the key names none. */
async function readNamed<T>(key: string, path: string, parse: (text: string) => T): Promise<T | undefined> {
  if (path === '') return undefined;
  try {
    return parse(await readFile(path, 'utf8'));
  } catch (error) {
    return fail('InvalidArgument', `configuration: ${key}: ${path} cannot be used: ${messageOf(error)}`);
  }
}
