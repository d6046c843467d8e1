import { type Field, present } from '../base/field.ts';
import type { OciCapabilities, OciIoPriority, OciProcess, OciRlimit, OciScheduler, OciUser } from './oci-types.ts';

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
    scheduler: process.at('scheduler').given && readScheduler(process.at('scheduler')),
    ioPriority: process.at('ioPriority').given && readIoPriority(process.at('ioPriority')),
  };
  return present(fields) as OciProcess;
}

function readScheduler(scheduler: Field): OciScheduler {
  const fields: EachField<OciScheduler> = {
    policy: scheduler.at('policy').text(),
    nice: scheduler.at('nice').given?.number(),
    priority: scheduler.at('priority').given?.number(),
    flags: scheduler.at('flags').given?.texts(),
    runtime: scheduler.at('runtime').given?.unsigned(),
    deadline: scheduler.at('deadline').given?.unsigned(),
    period: scheduler.at('period').given?.unsigned(),
  };
  return present(fields) as OciScheduler;
}

function readIoPriority(ioPriority: Field): OciIoPriority {
  return { class: ioPriority.at('class').text(), priority: ioPriority.at('priority').number() };
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
