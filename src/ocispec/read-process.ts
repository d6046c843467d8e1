import { type Field, present } from '../base/field.ts';
import type { OciCapabilities, OciProcess, OciRlimit, OciUser } from './oci-types.ts';

/** Every field, so that one that is added to the type and not read here does not compile. */
type EachField<T> = { readonly [K in keyof Required<T>]: T[K] | undefined };

/** Reads an OCI process object that we have written. @throws InvalidArgument that names the field. */
export function readOciProcess(process: Field): OciProcess {
  const size = process.at('consoleSize').given;
  const fields: EachField<OciProcess> = {
    terminal: process.at('terminal').flag(),
    consoleSize: size && { height: size.at('height').count(), width: size.at('width').count() },
    user: readUser(process.at('user')),
    args: process.at('args').texts(),
    env: process.at('env').texts(),
    cwd: process.at('cwd').text(),
    capabilities: readCapabilities(process.at('capabilities')),
    rlimits: process.at('rlimits').list(readRlimit),
    noNewPrivileges: process.at('noNewPrivileges').flag(),
    oomScoreAdj: process.at('oomScoreAdj').number(),
    apparmorProfile: process.at('apparmorProfile').given?.text(),
    selinuxLabel: process.at('selinuxLabel').given?.text(),
  };
  return present(fields) as OciProcess;
}

function readUser(user: Field): OciUser {
  const fields: EachField<OciUser> = {
    uid: user.at('uid').count(),
    gid: user.at('gid').count(),
    additionalGids: user.at('additionalGids').list((gid) => gid.count()),
    umask: user.at('umask').given?.count(),
  };
  return present(fields) as OciUser;
}

function readCapabilities(capabilities: Field): OciCapabilities {
  const set = (name: keyof OciCapabilities): readonly string[] => capabilities.at(name).texts();
  return {
    bounding: set('bounding'),
    effective: set('effective'),
    permitted: set('permitted'),
    inheritable: set('inheritable'),
    ambient: set('ambient'),
  };
}

function readRlimit(limit: Field): OciRlimit {
  return { type: limit.at('type').text(), soft: limit.at('soft').unsigned(), hard: limit.at('hard').unsigned() };
}
