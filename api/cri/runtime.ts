// Generated from api.proto by scripts/generate-codec.ts (`npm run generate`). Not to be edited.
import type { Reader, Writer } from 'protobufjs/minimal.js';
import { codec, grpcMethod, nested, packed, readNoFields, readEntry, readInt64, readString, readUint64, writeNoFields, writeInt64, writeMap, writeString, writeUint64 } from '../codec.ts';
import type { Init, NoFields } from '../codec.ts';
import type {
  CgroupDriver,
  ContainerEventType,
  ContainerState,
  MetricType,
  MountPropagation,
  NamespaceMode,
  PodSandboxState,
  Protocol,
  SecurityProfileProfileType,
  Signal,
  SupplementalGroupsPolicy,
} from './enums.ts';
export * from './enums.ts';
export type * from '../codec.ts';

export interface VersionRequest {
  version: string;
}
function readVersionRequest(r: Reader, m: VersionRequest = { version: '' }): VersionRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.version = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeVersionRequest(w: Writer, m: Init<VersionRequest>): void {
  if (m.version) writeString(w.uint32(10), m.version);
}

export interface VersionResponse {
  /** "0.1.0" by custom: the version of the kubelet's runtime API that came before the CRI's own. */
  version: string;
  /** Becomes the scheme of container ids in the API: NAME://ID. */
  runtimeName: string;
  /** Must be a semantic version. */
  runtimeVersion: string;
  /** "v1". */
  runtimeApiVersion: string;
}
function readVersionResponse(r: Reader, m: VersionResponse = { version: '', runtimeName: '', runtimeVersion: '', runtimeApiVersion: '' }): VersionResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.version = readString(r); break;
      case 18: m.runtimeName = readString(r); break;
      case 26: m.runtimeVersion = readString(r); break;
      case 34: m.runtimeApiVersion = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeVersionResponse(w: Writer, m: Init<VersionResponse>): void {
  if (m.version) writeString(w.uint32(10), m.version);
  if (m.runtimeName) writeString(w.uint32(18), m.runtimeName);
  if (m.runtimeVersion) writeString(w.uint32(26), m.runtimeVersion);
  if (m.runtimeApiVersion) writeString(w.uint32(34), m.runtimeApiVersion);
}

export interface RunPodSandboxRequest {
  config?: PodSandboxConfig | undefined;
  /** Name of a configured runtime handler; empty is the default one, an unknown one is refused. */
  runtimeHandler: string;
}
function readRunPodSandboxRequest(r: Reader, m: RunPodSandboxRequest = { config: undefined, runtimeHandler: '' }): RunPodSandboxRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.config = nested(r, readPodSandboxConfig, m.config); break;
      case 18: m.runtimeHandler = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeRunPodSandboxRequest(w: Writer, m: Init<RunPodSandboxRequest>): void {
  if (m.config) { w.uint32(10).fork(); writePodSandboxConfig(w, m.config); w.ldelim(); }
  if (m.runtimeHandler) writeString(w.uint32(18), m.runtimeHandler);
}

export interface PodSandboxConfig {
  metadata?: PodSandboxMetadata | undefined;
  /** Empty where the pod uses the host's network; its name is then the host's. */
  hostname: string;
  /** Directory on the host for the logs of the pod's containers; their log_path is relative to it. */
  logDirectory: string;
  /** Replaces resolv.conf as a whole, also where its lists are empty. Absent: the host's. */
  dnsConfig?: DNSConfig | undefined;
  portMappings: PortMapping[];
  /** Of the kubelet; kept and given back, and what filters select by. */
  labels: Record<string, string>;
  /** Given back byte for byte. */
  annotations: Record<string, string>;
  linux?: LinuxPodSandboxConfig | undefined;
  windows?: WindowsPodSandboxConfig | undefined;
}
function readPodSandboxConfig(r: Reader, m: PodSandboxConfig = { metadata: undefined, hostname: '', logDirectory: '', dnsConfig: undefined, portMappings: [], labels: {}, annotations: {}, linux: undefined, windows: undefined }): PodSandboxConfig {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.metadata = nested(r, readPodSandboxMetadata, m.metadata); break;
      case 18: m.hostname = readString(r); break;
      case 26: m.logDirectory = readString(r); break;
      case 34: m.dnsConfig = nested(r, readDNSConfig, m.dnsConfig); break;
      case 42: m.portMappings.push(nested(r, readPortMapping)); break;
      case 50: readEntry(r, m.labels); break;
      case 58: readEntry(r, m.annotations); break;
      case 66: m.linux = nested(r, readLinuxPodSandboxConfig, m.linux); break;
      case 74: m.windows = nested(r, readWindowsPodSandboxConfig, m.windows); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writePodSandboxConfig(w: Writer, m: Init<PodSandboxConfig>): void {
  if (m.metadata) { w.uint32(10).fork(); writePodSandboxMetadata(w, m.metadata); w.ldelim(); }
  if (m.hostname) writeString(w.uint32(18), m.hostname);
  if (m.logDirectory) writeString(w.uint32(26), m.logDirectory);
  if (m.dnsConfig) { w.uint32(34).fork(); writeDNSConfig(w, m.dnsConfig); w.ldelim(); }
  if (m.portMappings) for (const item of m.portMappings) { w.uint32(42).fork(); writePortMapping(w, item); w.ldelim(); }
  writeMap(w, 50, m.labels);
  writeMap(w, 58, m.annotations);
  if (m.linux) { w.uint32(66).fork(); writeLinuxPodSandboxConfig(w, m.linux); w.ldelim(); }
  if (m.windows) { w.uint32(74).fork(); writeWindowsPodSandboxConfig(w, m.windows); w.ldelim(); }
}

/** What a sandbox is known by: all four together name one object. */
export interface PodSandboxMetadata {
  name: string;
  uid: string;
  namespace: string;
  /** Counts up when the kubelet makes the sandbox anew; part of its identity. */
  attempt: number;
}
function readPodSandboxMetadata(r: Reader, m: PodSandboxMetadata = { name: '', uid: '', namespace: '', attempt: 0 }): PodSandboxMetadata {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.name = readString(r); break;
      case 18: m.uid = readString(r); break;
      case 26: m.namespace = readString(r); break;
      case 32: m.attempt = r.uint32(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writePodSandboxMetadata(w: Writer, m: Init<PodSandboxMetadata>): void {
  if (m.name) writeString(w.uint32(10), m.name);
  if (m.uid) writeString(w.uint32(18), m.uid);
  if (m.namespace) writeString(w.uint32(26), m.namespace);
  if (m.attempt) w.uint32(32).uint32(m.attempt);
}

export interface DNSConfig {
  servers: string[];
  searches: string[];
  options: string[];
}
function readDNSConfig(r: Reader, m: DNSConfig = { servers: [], searches: [], options: [] }): DNSConfig {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.servers.push(readString(r)); break;
      case 18: m.searches.push(readString(r)); break;
      case 26: m.options.push(readString(r)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeDNSConfig(w: Writer, m: Init<DNSConfig>): void {
  if (m.servers) for (const item of m.servers) writeString(w.uint32(10), item);
  if (m.searches) for (const item of m.searches) writeString(w.uint32(18), item);
  if (m.options) for (const item of m.options) writeString(w.uint32(26), item);
}

export interface PortMapping {
  protocol: Protocol;
  containerPort: number;
  /** 0 is no mapping. */
  hostPort: number;
  /** Address of the host to listen on; empty is every one. */
  hostIp: string;
}
function readPortMapping(r: Reader, m: PortMapping = { protocol: 0, containerPort: 0, hostPort: 0, hostIp: '' }): PortMapping {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.protocol = r.int32(); break;
      case 16: m.containerPort = r.int32(); break;
      case 24: m.hostPort = r.int32(); break;
      case 34: m.hostIp = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writePortMapping(w: Writer, m: Init<PortMapping>): void {
  if (m.protocol) w.uint32(8).int32(m.protocol);
  if (m.containerPort) w.uint32(16).int32(m.containerPort);
  if (m.hostPort) w.uint32(24).int32(m.hostPort);
  if (m.hostIp) writeString(w.uint32(34), m.hostIp);
}

export interface LinuxPodSandboxConfig {
  /** In the syntax of the cgroup driver: a slice's name or path for systemd, else a path. */
  cgroupParent: string;
  securityContext?: LinuxSandboxSecurityContext | undefined;
  /** Of the sandbox's own namespaces: net.* not with the host's network, those of IPC not with the host's IPC. */
  sysctls: Record<string, string>;
  /** What the sandbox itself is reckoned to need; informative. */
  overhead?: LinuxContainerResources | undefined;
  /** Sum of what the containers ask for; informative. */
  resources?: LinuxContainerResources | undefined;
}
function readLinuxPodSandboxConfig(r: Reader, m: LinuxPodSandboxConfig = { cgroupParent: '', securityContext: undefined, sysctls: {}, overhead: undefined, resources: undefined }): LinuxPodSandboxConfig {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.cgroupParent = readString(r); break;
      case 18: m.securityContext = nested(r, readLinuxSandboxSecurityContext, m.securityContext); break;
      case 26: readEntry(r, m.sysctls); break;
      case 34: m.overhead = nested(r, readLinuxContainerResources, m.overhead); break;
      case 42: m.resources = nested(r, readLinuxContainerResources, m.resources); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeLinuxPodSandboxConfig(w: Writer, m: Init<LinuxPodSandboxConfig>): void {
  if (m.cgroupParent) writeString(w.uint32(10), m.cgroupParent);
  if (m.securityContext) { w.uint32(18).fork(); writeLinuxSandboxSecurityContext(w, m.securityContext); w.ldelim(); }
  writeMap(w, 26, m.sysctls);
  if (m.overhead) { w.uint32(34).fork(); writeLinuxContainerResources(w, m.overhead); w.ldelim(); }
  if (m.resources) { w.uint32(42).fork(); writeLinuxContainerResources(w, m.resources); w.ldelim(); }
}

/** Of the sandbox; containers say their own. */
export interface LinuxSandboxSecurityContext {
  namespaceOptions?: NamespaceOption | undefined;
  selinuxOptions?: SELinuxOption | undefined;
  runAsUser?: Int64Value | undefined;
  readonlyRootfs: boolean;
  supplementalGroups: bigint[];
  /** Whether privileged containers are allowed in this sandbox. */
  privileged: boolean;
  /** Superseded by seccomp, which wins. */
  seccompProfilePath: string;
  /** Must not stand without run_as_user. */
  runAsGroup?: Int64Value | undefined;
  /** Absent: unconfined. */
  seccomp?: SecurityProfile | undefined;
  apparmor?: SecurityProfile | undefined;
  supplementalGroupsPolicy: SupplementalGroupsPolicy;
}
function readLinuxSandboxSecurityContext(r: Reader, m: LinuxSandboxSecurityContext = { namespaceOptions: undefined, selinuxOptions: undefined, runAsUser: undefined, readonlyRootfs: false, supplementalGroups: [], privileged: false, seccompProfilePath: '', runAsGroup: undefined, seccomp: undefined, apparmor: undefined, supplementalGroupsPolicy: 0 }): LinuxSandboxSecurityContext {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.namespaceOptions = nested(r, readNamespaceOption, m.namespaceOptions); break;
      case 18: m.selinuxOptions = nested(r, readSELinuxOption, m.selinuxOptions); break;
      case 26: m.runAsUser = nested(r, readInt64Value, m.runAsUser); break;
      case 32: m.readonlyRootfs = r.bool(); break;
      case 40: m.supplementalGroups.push(readInt64(r)); break;
      case 42: packed(r, () => m.supplementalGroups.push(readInt64(r))); break;
      case 48: m.privileged = r.bool(); break;
      case 58: m.seccompProfilePath = readString(r); break;
      case 66: m.runAsGroup = nested(r, readInt64Value, m.runAsGroup); break;
      case 74: m.seccomp = nested(r, readSecurityProfile, m.seccomp); break;
      case 82: m.apparmor = nested(r, readSecurityProfile, m.apparmor); break;
      case 88: m.supplementalGroupsPolicy = r.int32(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeLinuxSandboxSecurityContext(w: Writer, m: Init<LinuxSandboxSecurityContext>): void {
  if (m.namespaceOptions) { w.uint32(10).fork(); writeNamespaceOption(w, m.namespaceOptions); w.ldelim(); }
  if (m.selinuxOptions) { w.uint32(18).fork(); writeSELinuxOption(w, m.selinuxOptions); w.ldelim(); }
  if (m.runAsUser) { w.uint32(26).fork(); writeInt64Value(w, m.runAsUser); w.ldelim(); }
  if (m.readonlyRootfs) w.uint32(32).bool(m.readonlyRootfs);
  if (m.supplementalGroups?.length) { w.uint32(42).fork(); for (const item of m.supplementalGroups) writeInt64(w, item); w.ldelim(); }
  if (m.privileged) w.uint32(48).bool(m.privileged);
  if (m.seccompProfilePath) writeString(w.uint32(58), m.seccompProfilePath);
  if (m.runAsGroup) { w.uint32(66).fork(); writeInt64Value(w, m.runAsGroup); w.ldelim(); }
  if (m.seccomp) { w.uint32(74).fork(); writeSecurityProfile(w, m.seccomp); w.ldelim(); }
  if (m.apparmor) { w.uint32(82).fork(); writeSecurityProfile(w, m.apparmor); w.ldelim(); }
  if (m.supplementalGroupsPolicy) w.uint32(88).int32(m.supplementalGroupsPolicy);
}

export interface NamespaceOption {
  /** POD or NODE. */
  network: NamespaceMode;
  pid: NamespaceMode;
  /** POD or NODE. */
  ipc: NamespaceMode;
  /** The container whose process namespace an ephemeral one joins; with TARGET only. */
  targetId: string;
  /** Absent, or NODE: no user namespace. */
  usernsOptions?: UserNamespace | undefined;
}
function readNamespaceOption(r: Reader, m: NamespaceOption = { network: 0, pid: 0, ipc: 0, targetId: '', usernsOptions: undefined }): NamespaceOption {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.network = r.int32(); break;
      case 16: m.pid = r.int32(); break;
      case 24: m.ipc = r.int32(); break;
      case 34: m.targetId = readString(r); break;
      case 42: m.usernsOptions = nested(r, readUserNamespace, m.usernsOptions); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeNamespaceOption(w: Writer, m: Init<NamespaceOption>): void {
  if (m.network) w.uint32(8).int32(m.network);
  if (m.pid) w.uint32(16).int32(m.pid);
  if (m.ipc) w.uint32(24).int32(m.ipc);
  if (m.targetId) writeString(w.uint32(34), m.targetId);
  if (m.usernsOptions) { w.uint32(42).fork(); writeUserNamespace(w, m.usernsOptions); w.ldelim(); }
}

/** POD or NODE only, and one mapping of each kind that begins at id 0 in the container. */
export interface UserNamespace {
  /** The same for the sandbox and each of its containers. */
  mode: NamespaceMode;
  uids: IDMapping[];
  gids: IDMapping[];
}
function readUserNamespace(r: Reader, m: UserNamespace = { mode: 0, uids: [], gids: [] }): UserNamespace {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.mode = r.int32(); break;
      case 18: m.uids.push(nested(r, readIDMapping)); break;
      case 26: m.gids.push(nested(r, readIDMapping)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeUserNamespace(w: Writer, m: Init<UserNamespace>): void {
  if (m.mode) w.uint32(8).int32(m.mode);
  if (m.uids) for (const item of m.uids) { w.uint32(18).fork(); writeIDMapping(w, item); w.ldelim(); }
  if (m.gids) for (const item of m.gids) { w.uint32(26).fork(); writeIDMapping(w, item); w.ldelim(); }
}

export interface IDMapping {
  /** First id outside. */
  hostId: number;
  /** First id inside. */
  containerId: number;
  length: number;
}
function readIDMapping(r: Reader, m: IDMapping = { hostId: 0, containerId: 0, length: 0 }): IDMapping {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.hostId = r.uint32(); break;
      case 16: m.containerId = r.uint32(); break;
      case 24: m.length = r.uint32(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeIDMapping(w: Writer, m: Init<IDMapping>): void {
  if (m.hostId) w.uint32(8).uint32(m.hostId);
  if (m.containerId) w.uint32(16).uint32(m.containerId);
  if (m.length) w.uint32(24).uint32(m.length);
}

export interface SELinuxOption {
  user: string;
  role: string;
  type: string;
  level: string;
}
function readSELinuxOption(r: Reader, m: SELinuxOption = { user: '', role: '', type: '', level: '' }): SELinuxOption {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.user = readString(r); break;
      case 18: m.role = readString(r); break;
      case 26: m.type = readString(r); break;
      case 34: m.level = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeSELinuxOption(w: Writer, m: Init<SELinuxOption>): void {
  if (m.user) writeString(w.uint32(10), m.user);
  if (m.role) writeString(w.uint32(18), m.role);
  if (m.type) writeString(w.uint32(26), m.type);
  if (m.level) writeString(w.uint32(34), m.level);
}

export interface Int64Value {
  value: bigint;
}
function readInt64Value(r: Reader, m: Int64Value = { value: 0n }): Int64Value {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.value = readInt64(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeInt64Value(w: Writer, m: Init<Int64Value>): void {
  if (m.value) writeInt64(w.uint32(8), m.value);
}

export interface SecurityProfile {
  profileType: SecurityProfileProfileType;
  /** Of a Localhost profile: a seccomp file's absolute path, or the name of a loaded AppArmor profile. */
  localhostRef: string;
}
function readSecurityProfile(r: Reader, m: SecurityProfile = { profileType: 0, localhostRef: '' }): SecurityProfile {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.profileType = r.int32(); break;
      case 18: m.localhostRef = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeSecurityProfile(w: Writer, m: Init<SecurityProfile>): void {
  if (m.profileType) w.uint32(8).int32(m.profileType);
  if (m.localhostRef) writeString(w.uint32(18), m.localhostRef);
}

/** 0 is "not said" throughout. */
export interface LinuxContainerResources {
  /** Microseconds. */
  cpuPeriod: bigint;
  /** Microseconds a period. */
  cpuQuota: bigint;
  /** Relative weight, 1024 a CPU; the OCI runtime converts it for cgroup v2. */
  cpuShares: bigint;
  /** -1 is no limit. */
  memoryLimitInBytes: bigint;
  /** Always set by the kubelet; 0 is a value, too. */
  oomScoreAdj: bigint;
  cpusetCpus: string;
  cpusetMems: string;
  /** One for every page size of the node, or none. */
  hugepageLimits: HugepageLimit[];
  /** Files of cgroup v2 and what to write to them, such as memory.high. */
  unified: Record<string, string>;
  /** Memory and swap together; equal to the memory limit is no swap. */
  memorySwapLimitInBytes: bigint;
}
function readLinuxContainerResources(r: Reader, m: LinuxContainerResources = { cpuPeriod: 0n, cpuQuota: 0n, cpuShares: 0n, memoryLimitInBytes: 0n, oomScoreAdj: 0n, cpusetCpus: '', cpusetMems: '', hugepageLimits: [], unified: {}, memorySwapLimitInBytes: 0n }): LinuxContainerResources {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.cpuPeriod = readInt64(r); break;
      case 16: m.cpuQuota = readInt64(r); break;
      case 24: m.cpuShares = readInt64(r); break;
      case 32: m.memoryLimitInBytes = readInt64(r); break;
      case 40: m.oomScoreAdj = readInt64(r); break;
      case 50: m.cpusetCpus = readString(r); break;
      case 58: m.cpusetMems = readString(r); break;
      case 66: m.hugepageLimits.push(nested(r, readHugepageLimit)); break;
      case 74: readEntry(r, m.unified); break;
      case 80: m.memorySwapLimitInBytes = readInt64(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeLinuxContainerResources(w: Writer, m: Init<LinuxContainerResources>): void {
  if (m.cpuPeriod) writeInt64(w.uint32(8), m.cpuPeriod);
  if (m.cpuQuota) writeInt64(w.uint32(16), m.cpuQuota);
  if (m.cpuShares) writeInt64(w.uint32(24), m.cpuShares);
  if (m.memoryLimitInBytes) writeInt64(w.uint32(32), m.memoryLimitInBytes);
  if (m.oomScoreAdj) writeInt64(w.uint32(40), m.oomScoreAdj);
  if (m.cpusetCpus) writeString(w.uint32(50), m.cpusetCpus);
  if (m.cpusetMems) writeString(w.uint32(58), m.cpusetMems);
  if (m.hugepageLimits) for (const item of m.hugepageLimits) { w.uint32(66).fork(); writeHugepageLimit(w, item); w.ldelim(); }
  writeMap(w, 74, m.unified);
  if (m.memorySwapLimitInBytes) writeInt64(w.uint32(80), m.memorySwapLimitInBytes);
}

export interface HugepageLimit {
  pageSize: string;
  limit: bigint;
}
function readHugepageLimit(r: Reader, m: HugepageLimit = { pageSize: '', limit: 0n }): HugepageLimit {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.pageSize = readString(r); break;
      case 16: m.limit = readUint64(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeHugepageLimit(w: Writer, m: Init<HugepageLimit>): void {
  if (m.pageSize) writeString(w.uint32(10), m.pageSize);
  if (m.limit) writeUint64(w.uint32(16), m.limit);
}

export interface WindowsPodSandboxConfig {
  securityContext?: WindowsSandboxSecurityContext | undefined;
}
function readWindowsPodSandboxConfig(r: Reader, m: WindowsPodSandboxConfig = { securityContext: undefined }): WindowsPodSandboxConfig {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.securityContext = nested(r, readWindowsSandboxSecurityContext, m.securityContext); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeWindowsPodSandboxConfig(w: Writer, m: Init<WindowsPodSandboxConfig>): void {
  if (m.securityContext) { w.uint32(10).fork(); writeWindowsSandboxSecurityContext(w, m.securityContext); w.ldelim(); }
}

export interface WindowsSandboxSecurityContext {
  runAsUsername: string;
  credentialSpec: string;
  hostProcess: boolean;
  namespaceOptions?: WindowsNamespaceOption | undefined;
}
function readWindowsSandboxSecurityContext(r: Reader, m: WindowsSandboxSecurityContext = { runAsUsername: '', credentialSpec: '', hostProcess: false, namespaceOptions: undefined }): WindowsSandboxSecurityContext {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.runAsUsername = readString(r); break;
      case 18: m.credentialSpec = readString(r); break;
      case 24: m.hostProcess = r.bool(); break;
      case 34: m.namespaceOptions = nested(r, readWindowsNamespaceOption, m.namespaceOptions); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeWindowsSandboxSecurityContext(w: Writer, m: Init<WindowsSandboxSecurityContext>): void {
  if (m.runAsUsername) writeString(w.uint32(10), m.runAsUsername);
  if (m.credentialSpec) writeString(w.uint32(18), m.credentialSpec);
  if (m.hostProcess) w.uint32(24).bool(m.hostProcess);
  if (m.namespaceOptions) { w.uint32(34).fork(); writeWindowsNamespaceOption(w, m.namespaceOptions); w.ldelim(); }
}

export interface WindowsNamespaceOption {
  network: NamespaceMode;
}
function readWindowsNamespaceOption(r: Reader, m: WindowsNamespaceOption = { network: 0 }): WindowsNamespaceOption {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.network = r.int32(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeWindowsNamespaceOption(w: Writer, m: Init<WindowsNamespaceOption>): void {
  if (m.network) w.uint32(8).int32(m.network);
}

export interface RunPodSandboxResponse {
  podSandboxId: string;
}
function readRunPodSandboxResponse(r: Reader, m: RunPodSandboxResponse = { podSandboxId: '' }): RunPodSandboxResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.podSandboxId = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeRunPodSandboxResponse(w: Writer, m: Init<RunPodSandboxResponse>): void {
  if (m.podSandboxId) writeString(w.uint32(10), m.podSandboxId);
}

export interface StopPodSandboxRequest {
  podSandboxId: string;
}
function readStopPodSandboxRequest(r: Reader, m: StopPodSandboxRequest = { podSandboxId: '' }): StopPodSandboxRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.podSandboxId = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeStopPodSandboxRequest(w: Writer, m: Init<StopPodSandboxRequest>): void {
  if (m.podSandboxId) writeString(w.uint32(10), m.podSandboxId);
}

export type StopPodSandboxResponse = NoFields;
const readStopPodSandboxResponse = readNoFields;
const writeStopPodSandboxResponse = writeNoFields;

export interface RemovePodSandboxRequest {
  podSandboxId: string;
}
function readRemovePodSandboxRequest(r: Reader, m: RemovePodSandboxRequest = { podSandboxId: '' }): RemovePodSandboxRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.podSandboxId = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeRemovePodSandboxRequest(w: Writer, m: Init<RemovePodSandboxRequest>): void {
  if (m.podSandboxId) writeString(w.uint32(10), m.podSandboxId);
}

export type RemovePodSandboxResponse = NoFields;
const readRemovePodSandboxResponse = readNoFields;
const writeRemovePodSandboxResponse = writeNoFields;

export interface PodSandboxStatusRequest {
  podSandboxId: string;
  /** Asks for info. */
  verbose: boolean;
}
function readPodSandboxStatusRequest(r: Reader, m: PodSandboxStatusRequest = { podSandboxId: '', verbose: false }): PodSandboxStatusRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.podSandboxId = readString(r); break;
      case 16: m.verbose = r.bool(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writePodSandboxStatusRequest(w: Writer, m: Init<PodSandboxStatusRequest>): void {
  if (m.podSandboxId) writeString(w.uint32(10), m.podSandboxId);
  if (m.verbose) w.uint32(16).bool(m.verbose);
}

export interface PodSandboxStatusResponse {
  status?: PodSandboxStatus | undefined;
  /** For people, by name; JSON where it has structure. */
  info: Record<string, string>;
  /** Of all its containers; read by kubelets that follow events. */
  containersStatuses: ContainerStatus[];
  /** When this state was read. */
  timestamp: bigint;
}
function readPodSandboxStatusResponse(r: Reader, m: PodSandboxStatusResponse = { status: undefined, info: {}, containersStatuses: [], timestamp: 0n }): PodSandboxStatusResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.status = nested(r, readPodSandboxStatus, m.status); break;
      case 18: readEntry(r, m.info); break;
      case 26: m.containersStatuses.push(nested(r, readContainerStatus)); break;
      case 32: m.timestamp = readInt64(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writePodSandboxStatusResponse(w: Writer, m: Init<PodSandboxStatusResponse>): void {
  if (m.status) { w.uint32(10).fork(); writePodSandboxStatus(w, m.status); w.ldelim(); }
  writeMap(w, 18, m.info);
  if (m.containersStatuses) for (const item of m.containersStatuses) { w.uint32(26).fork(); writeContainerStatus(w, item); w.ldelim(); }
  if (m.timestamp) writeInt64(w.uint32(32), m.timestamp);
}

export interface PodSandboxStatus {
  id: string;
  metadata?: PodSandboxMetadata | undefined;
  state: PodSandboxState;
  /** Must not be 0. */
  createdAt: bigint;
  /** Without an address for a pod of its own network the kubelet makes the sandbox anew. */
  network?: PodSandboxNetworkStatus | undefined;
  /** Must name the namespaces as they were asked for: the kubelet compares the network's mode. */
  linux?: LinuxPodSandboxStatus | undefined;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  runtimeHandler: string;
}
function readPodSandboxStatus(r: Reader, m: PodSandboxStatus = { id: '', metadata: undefined, state: 0, createdAt: 0n, network: undefined, linux: undefined, labels: {}, annotations: {}, runtimeHandler: '' }): PodSandboxStatus {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.id = readString(r); break;
      case 18: m.metadata = nested(r, readPodSandboxMetadata, m.metadata); break;
      case 24: m.state = r.int32(); break;
      case 32: m.createdAt = readInt64(r); break;
      case 42: m.network = nested(r, readPodSandboxNetworkStatus, m.network); break;
      case 50: m.linux = nested(r, readLinuxPodSandboxStatus, m.linux); break;
      case 58: readEntry(r, m.labels); break;
      case 66: readEntry(r, m.annotations); break;
      case 74: m.runtimeHandler = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writePodSandboxStatus(w: Writer, m: Init<PodSandboxStatus>): void {
  if (m.id) writeString(w.uint32(10), m.id);
  if (m.metadata) { w.uint32(18).fork(); writePodSandboxMetadata(w, m.metadata); w.ldelim(); }
  if (m.state) w.uint32(24).int32(m.state);
  if (m.createdAt) writeInt64(w.uint32(32), m.createdAt);
  if (m.network) { w.uint32(42).fork(); writePodSandboxNetworkStatus(w, m.network); w.ldelim(); }
  if (m.linux) { w.uint32(50).fork(); writeLinuxPodSandboxStatus(w, m.linux); w.ldelim(); }
  writeMap(w, 58, m.labels);
  writeMap(w, 66, m.annotations);
  if (m.runtimeHandler) writeString(w.uint32(74), m.runtimeHandler);
}

export interface PodSandboxNetworkStatus {
  /** The first address; empty with the host's network. */
  ip: string;
  /** The others, of a pod with two families. */
  additionalIps: PodIP[];
}
function readPodSandboxNetworkStatus(r: Reader, m: PodSandboxNetworkStatus = { ip: '', additionalIps: [] }): PodSandboxNetworkStatus {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.ip = readString(r); break;
      case 18: m.additionalIps.push(nested(r, readPodIP)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writePodSandboxNetworkStatus(w: Writer, m: Init<PodSandboxNetworkStatus>): void {
  if (m.ip) writeString(w.uint32(10), m.ip);
  if (m.additionalIps) for (const item of m.additionalIps) { w.uint32(18).fork(); writePodIP(w, item); w.ldelim(); }
}

export interface PodIP {
  ip: string;
}
function readPodIP(r: Reader, m: PodIP = { ip: '' }): PodIP {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.ip = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writePodIP(w: Writer, m: Init<PodIP>): void {
  if (m.ip) writeString(w.uint32(10), m.ip);
}

export interface LinuxPodSandboxStatus {
  namespaces?: Namespace | undefined;
}
function readLinuxPodSandboxStatus(r: Reader, m: LinuxPodSandboxStatus = { namespaces: undefined }): LinuxPodSandboxStatus {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.namespaces = nested(r, readNamespace, m.namespaces); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeLinuxPodSandboxStatus(w: Writer, m: Init<LinuxPodSandboxStatus>): void {
  if (m.namespaces) { w.uint32(10).fork(); writeNamespace(w, m.namespaces); w.ldelim(); }
}

export interface Namespace {
  options?: NamespaceOption | undefined;
}
function readNamespace(r: Reader, m: Namespace = { options: undefined }): Namespace {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 18: m.options = nested(r, readNamespaceOption, m.options); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeNamespace(w: Writer, m: Init<Namespace>): void {
  if (m.options) { w.uint32(18).fork(); writeNamespaceOption(w, m.options); w.ldelim(); }
}

export interface ContainerStatus {
  id: string;
  metadata?: ContainerMetadata | undefined;
  state: ContainerState;
  /** Must not be 0. */
  createdAt: bigint;
  /** Stays when the container has exited. */
  startedAt: bigint;
  /** Not 0 once there is an exit code. */
  finishedAt: bigint;
  /** 128 and the signal's number where a signal ended it. */
  exitCode: number;
  image?: ImageSpec | undefined;
  /** Must not be empty, nor image. */
  imageRef: string;
  /** One word: Completed, Error, OOMKilled, ... */
  reason: string;
  message: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** As they were asked for, field by field. */
  mounts: Mount[];
  /** Absolute. */
  logPath: string;
  /** Those in force: the kubelet reads back a resize here. */
  resources?: ContainerResources | undefined;
  imageId: string;
  /** Who the first process runs as. */
  user?: ContainerUser | undefined;
  /** The one that a stop will send. */
  stopSignal: Signal;
}
function readContainerStatus(r: Reader, m: ContainerStatus = { id: '', metadata: undefined, state: 0, createdAt: 0n, startedAt: 0n, finishedAt: 0n, exitCode: 0, image: undefined, imageRef: '', reason: '', message: '', labels: {}, annotations: {}, mounts: [], logPath: '', resources: undefined, imageId: '', user: undefined, stopSignal: 0 }): ContainerStatus {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.id = readString(r); break;
      case 18: m.metadata = nested(r, readContainerMetadata, m.metadata); break;
      case 24: m.state = r.int32(); break;
      case 32: m.createdAt = readInt64(r); break;
      case 40: m.startedAt = readInt64(r); break;
      case 48: m.finishedAt = readInt64(r); break;
      case 56: m.exitCode = r.int32(); break;
      case 66: m.image = nested(r, readImageSpec, m.image); break;
      case 74: m.imageRef = readString(r); break;
      case 82: m.reason = readString(r); break;
      case 90: m.message = readString(r); break;
      case 98: readEntry(r, m.labels); break;
      case 106: readEntry(r, m.annotations); break;
      case 114: m.mounts.push(nested(r, readMount)); break;
      case 122: m.logPath = readString(r); break;
      case 130: m.resources = nested(r, readContainerResources, m.resources); break;
      case 138: m.imageId = readString(r); break;
      case 146: m.user = nested(r, readContainerUser, m.user); break;
      case 152: m.stopSignal = r.int32(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeContainerStatus(w: Writer, m: Init<ContainerStatus>): void {
  if (m.id) writeString(w.uint32(10), m.id);
  if (m.metadata) { w.uint32(18).fork(); writeContainerMetadata(w, m.metadata); w.ldelim(); }
  if (m.state) w.uint32(24).int32(m.state);
  if (m.createdAt) writeInt64(w.uint32(32), m.createdAt);
  if (m.startedAt) writeInt64(w.uint32(40), m.startedAt);
  if (m.finishedAt) writeInt64(w.uint32(48), m.finishedAt);
  if (m.exitCode) w.uint32(56).int32(m.exitCode);
  if (m.image) { w.uint32(66).fork(); writeImageSpec(w, m.image); w.ldelim(); }
  if (m.imageRef) writeString(w.uint32(74), m.imageRef);
  if (m.reason) writeString(w.uint32(82), m.reason);
  if (m.message) writeString(w.uint32(90), m.message);
  writeMap(w, 98, m.labels);
  writeMap(w, 106, m.annotations);
  if (m.mounts) for (const item of m.mounts) { w.uint32(114).fork(); writeMount(w, item); w.ldelim(); }
  if (m.logPath) writeString(w.uint32(122), m.logPath);
  if (m.resources) { w.uint32(130).fork(); writeContainerResources(w, m.resources); w.ldelim(); }
  if (m.imageId) writeString(w.uint32(138), m.imageId);
  if (m.user) { w.uint32(146).fork(); writeContainerUser(w, m.user); w.ldelim(); }
  if (m.stopSignal) w.uint32(152).int32(m.stopSignal);
}

/** What a container is known by within its sandbox. */
export interface ContainerMetadata {
  name: string;
  /** Counts up with each restart; part of its identity. */
  attempt: number;
}
function readContainerMetadata(r: Reader, m: ContainerMetadata = { name: '', attempt: 0 }): ContainerMetadata {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.name = readString(r); break;
      case 16: m.attempt = r.uint32(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeContainerMetadata(w: Writer, m: Init<ContainerMetadata>): void {
  if (m.name) writeString(w.uint32(10), m.name);
  if (m.attempt) w.uint32(16).uint32(m.attempt);
}

export interface ImageSpec {
  /** A reference or an image id, as the runtime resolved it. */
  image: string;
  annotations: Record<string, string>;
  /** What the user wrote, before it was resolved. */
  userSpecifiedImage: string;
  /** The handler that the image is for. */
  runtimeHandler: string;
  /** Digest of an image that is mounted as a volume; in answers. */
  imageRef: string;
}
function readImageSpec(r: Reader, m: ImageSpec = { image: '', annotations: {}, userSpecifiedImage: '', runtimeHandler: '', imageRef: '' }): ImageSpec {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.image = readString(r); break;
      case 18: readEntry(r, m.annotations); break;
      case 146: m.userSpecifiedImage = readString(r); break;
      case 154: m.runtimeHandler = readString(r); break;
      case 162: m.imageRef = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeImageSpec(w: Writer, m: Init<ImageSpec>): void {
  if (m.image) writeString(w.uint32(10), m.image);
  writeMap(w, 18, m.annotations);
  if (m.userSpecifiedImage) writeString(w.uint32(146), m.userSpecifiedImage);
  if (m.runtimeHandler) writeString(w.uint32(154), m.runtimeHandler);
  if (m.imageRef) writeString(w.uint32(162), m.imageRef);
}

export interface Mount {
  /** Also how the kubelet finds the termination log in the status. */
  containerPath: string;
  /** Followed where it is a symlink. Empty with an image. */
  hostPath: string;
  readonly: boolean;
  /** Gives the files the container's SELinux label. */
  selinuxRelabel: boolean;
  propagation: MountPropagation;
  /** With gidMappings: the mount is mapped by id. */
  uidMappings: IDMapping[];
  gidMappings: IDMapping[];
  /** Mounts below are read-only as well; needs readonly and PROPAGATION_PRIVATE, and fails where it is not supported. */
  recursiveReadOnly: boolean;
  /** An image to mount in place of host_path; always read-only. */
  image?: ImageSpec | undefined;
  /** A path within that image; it must be there. */
  imageSubPath: string;
  /** More options of mount(8); one that contradicts another replaces it. */
  mountOptions: string[];
}
function readMount(r: Reader, m: Mount = { containerPath: '', hostPath: '', readonly: false, selinuxRelabel: false, propagation: 0, uidMappings: [], gidMappings: [], recursiveReadOnly: false, image: undefined, imageSubPath: '', mountOptions: [] }): Mount {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerPath = readString(r); break;
      case 18: m.hostPath = readString(r); break;
      case 24: m.readonly = r.bool(); break;
      case 32: m.selinuxRelabel = r.bool(); break;
      case 40: m.propagation = r.int32(); break;
      case 50: m.uidMappings.push(nested(r, readIDMapping)); break;
      case 58: m.gidMappings.push(nested(r, readIDMapping)); break;
      case 64: m.recursiveReadOnly = r.bool(); break;
      case 74: m.image = nested(r, readImageSpec, m.image); break;
      case 82: m.imageSubPath = readString(r); break;
      case 90: m.mountOptions.push(readString(r)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeMount(w: Writer, m: Init<Mount>): void {
  if (m.containerPath) writeString(w.uint32(10), m.containerPath);
  if (m.hostPath) writeString(w.uint32(18), m.hostPath);
  if (m.readonly) w.uint32(24).bool(m.readonly);
  if (m.selinuxRelabel) w.uint32(32).bool(m.selinuxRelabel);
  if (m.propagation) w.uint32(40).int32(m.propagation);
  if (m.uidMappings) for (const item of m.uidMappings) { w.uint32(50).fork(); writeIDMapping(w, item); w.ldelim(); }
  if (m.gidMappings) for (const item of m.gidMappings) { w.uint32(58).fork(); writeIDMapping(w, item); w.ldelim(); }
  if (m.recursiveReadOnly) w.uint32(64).bool(m.recursiveReadOnly);
  if (m.image) { w.uint32(74).fork(); writeImageSpec(w, m.image); w.ldelim(); }
  if (m.imageSubPath) writeString(w.uint32(82), m.imageSubPath);
  if (m.mountOptions) for (const item of m.mountOptions) writeString(w.uint32(90), item);
}

export interface ContainerResources {
  linux?: LinuxContainerResources | undefined;
  windows?: WindowsContainerResources | undefined;
}
function readContainerResources(r: Reader, m: ContainerResources = { linux: undefined, windows: undefined }): ContainerResources {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.linux = nested(r, readLinuxContainerResources, m.linux); break;
      case 18: m.windows = nested(r, readWindowsContainerResources, m.windows); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeContainerResources(w: Writer, m: Init<ContainerResources>): void {
  if (m.linux) { w.uint32(10).fork(); writeLinuxContainerResources(w, m.linux); w.ldelim(); }
  if (m.windows) { w.uint32(18).fork(); writeWindowsContainerResources(w, m.windows); w.ldelim(); }
}

export interface WindowsContainerResources {
  cpuShares: bigint;
  cpuCount: bigint;
  cpuMaximum: bigint;
  memoryLimitInBytes: bigint;
  rootfsSizeInBytes: bigint;
  affinityCpus: WindowsCpuGroupAffinity[];
}
function readWindowsContainerResources(r: Reader, m: WindowsContainerResources = { cpuShares: 0n, cpuCount: 0n, cpuMaximum: 0n, memoryLimitInBytes: 0n, rootfsSizeInBytes: 0n, affinityCpus: [] }): WindowsContainerResources {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.cpuShares = readInt64(r); break;
      case 16: m.cpuCount = readInt64(r); break;
      case 24: m.cpuMaximum = readInt64(r); break;
      case 32: m.memoryLimitInBytes = readInt64(r); break;
      case 40: m.rootfsSizeInBytes = readInt64(r); break;
      case 50: m.affinityCpus.push(nested(r, readWindowsCpuGroupAffinity)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeWindowsContainerResources(w: Writer, m: Init<WindowsContainerResources>): void {
  if (m.cpuShares) writeInt64(w.uint32(8), m.cpuShares);
  if (m.cpuCount) writeInt64(w.uint32(16), m.cpuCount);
  if (m.cpuMaximum) writeInt64(w.uint32(24), m.cpuMaximum);
  if (m.memoryLimitInBytes) writeInt64(w.uint32(32), m.memoryLimitInBytes);
  if (m.rootfsSizeInBytes) writeInt64(w.uint32(40), m.rootfsSizeInBytes);
  if (m.affinityCpus) for (const item of m.affinityCpus) { w.uint32(50).fork(); writeWindowsCpuGroupAffinity(w, item); w.ldelim(); }
}

export interface WindowsCpuGroupAffinity {
  cpuMask: bigint;
  cpuGroup: number;
}
function readWindowsCpuGroupAffinity(r: Reader, m: WindowsCpuGroupAffinity = { cpuMask: 0n, cpuGroup: 0 }): WindowsCpuGroupAffinity {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.cpuMask = readUint64(r); break;
      case 16: m.cpuGroup = r.uint32(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeWindowsCpuGroupAffinity(w: Writer, m: Init<WindowsCpuGroupAffinity>): void {
  if (m.cpuMask) writeUint64(w.uint32(8), m.cpuMask);
  if (m.cpuGroup) w.uint32(16).uint32(m.cpuGroup);
}

export interface ContainerUser {
  linux?: LinuxContainerUser | undefined;
}
function readContainerUser(r: Reader, m: ContainerUser = { linux: undefined }): ContainerUser {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.linux = nested(r, readLinuxContainerUser, m.linux); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeContainerUser(w: Writer, m: Init<ContainerUser>): void {
  if (m.linux) { w.uint32(10).fork(); writeLinuxContainerUser(w, m.linux); w.ldelim(); }
}

export interface LinuxContainerUser {
  uid: bigint;
  gid: bigint;
  supplementalGroups: bigint[];
}
function readLinuxContainerUser(r: Reader, m: LinuxContainerUser = { uid: 0n, gid: 0n, supplementalGroups: [] }): LinuxContainerUser {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.uid = readInt64(r); break;
      case 16: m.gid = readInt64(r); break;
      case 24: m.supplementalGroups.push(readInt64(r)); break;
      case 26: packed(r, () => m.supplementalGroups.push(readInt64(r))); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeLinuxContainerUser(w: Writer, m: Init<LinuxContainerUser>): void {
  if (m.uid) writeInt64(w.uint32(8), m.uid);
  if (m.gid) writeInt64(w.uint32(16), m.gid);
  if (m.supplementalGroups?.length) { w.uint32(26).fork(); for (const item of m.supplementalGroups) writeInt64(w, item); w.ldelim(); }
}

export interface ListPodSandboxRequest {
  filter?: PodSandboxFilter | undefined;
}
function readListPodSandboxRequest(r: Reader, m: ListPodSandboxRequest = { filter: undefined }): ListPodSandboxRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.filter = nested(r, readPodSandboxFilter, m.filter); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeListPodSandboxRequest(w: Writer, m: Init<ListPodSandboxRequest>): void {
  if (m.filter) { w.uint32(10).fork(); writePodSandboxFilter(w, m.filter); w.ldelim(); }
}

export interface PodSandboxFilter {
  /** An id or the beginning of one. */
  id: string;
  state?: PodSandboxStateValue | undefined;
  /** All must be equal. */
  labelSelector: Record<string, string>;
}
function readPodSandboxFilter(r: Reader, m: PodSandboxFilter = { id: '', state: undefined, labelSelector: {} }): PodSandboxFilter {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.id = readString(r); break;
      case 18: m.state = nested(r, readPodSandboxStateValue, m.state); break;
      case 26: readEntry(r, m.labelSelector); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writePodSandboxFilter(w: Writer, m: Init<PodSandboxFilter>): void {
  if (m.id) writeString(w.uint32(10), m.id);
  if (m.state) { w.uint32(18).fork(); writePodSandboxStateValue(w, m.state); w.ldelim(); }
  writeMap(w, 26, m.labelSelector);
}

export interface PodSandboxStateValue {
  state: PodSandboxState;
}
function readPodSandboxStateValue(r: Reader, m: PodSandboxStateValue = { state: 0 }): PodSandboxStateValue {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.state = r.int32(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writePodSandboxStateValue(w: Writer, m: Init<PodSandboxStateValue>): void {
  if (m.state) w.uint32(8).int32(m.state);
}

export interface ListPodSandboxResponse {
  items: PodSandbox[];
}
function readListPodSandboxResponse(r: Reader, m: ListPodSandboxResponse = { items: [] }): ListPodSandboxResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.items.push(nested(r, readPodSandbox)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeListPodSandboxResponse(w: Writer, m: Init<ListPodSandboxResponse>): void {
  if (m.items) for (const item of m.items) { w.uint32(10).fork(); writePodSandbox(w, item); w.ldelim(); }
}

export interface PodSandbox {
  id: string;
  metadata?: PodSandboxMetadata | undefined;
  state: PodSandboxState;
  createdAt: bigint;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  runtimeHandler: string;
}
function readPodSandbox(r: Reader, m: PodSandbox = { id: '', metadata: undefined, state: 0, createdAt: 0n, labels: {}, annotations: {}, runtimeHandler: '' }): PodSandbox {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.id = readString(r); break;
      case 18: m.metadata = nested(r, readPodSandboxMetadata, m.metadata); break;
      case 24: m.state = r.int32(); break;
      case 32: m.createdAt = readInt64(r); break;
      case 42: readEntry(r, m.labels); break;
      case 50: readEntry(r, m.annotations); break;
      case 58: m.runtimeHandler = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writePodSandbox(w: Writer, m: Init<PodSandbox>): void {
  if (m.id) writeString(w.uint32(10), m.id);
  if (m.metadata) { w.uint32(18).fork(); writePodSandboxMetadata(w, m.metadata); w.ldelim(); }
  if (m.state) w.uint32(24).int32(m.state);
  if (m.createdAt) writeInt64(w.uint32(32), m.createdAt);
  writeMap(w, 42, m.labels);
  writeMap(w, 50, m.annotations);
  if (m.runtimeHandler) writeString(w.uint32(58), m.runtimeHandler);
}

export interface StreamPodSandboxesRequest {
  filter?: PodSandboxFilter | undefined;
}
function readStreamPodSandboxesRequest(r: Reader, m: StreamPodSandboxesRequest = { filter: undefined }): StreamPodSandboxesRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.filter = nested(r, readPodSandboxFilter, m.filter); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeStreamPodSandboxesRequest(w: Writer, m: Init<StreamPodSandboxesRequest>): void {
  if (m.filter) { w.uint32(10).fork(); writePodSandboxFilter(w, m.filter); w.ldelim(); }
}

export interface StreamPodSandboxesResponse {
  podSandboxes: PodSandbox[];
}
function readStreamPodSandboxesResponse(r: Reader, m: StreamPodSandboxesResponse = { podSandboxes: [] }): StreamPodSandboxesResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.podSandboxes.push(nested(r, readPodSandbox)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeStreamPodSandboxesResponse(w: Writer, m: Init<StreamPodSandboxesResponse>): void {
  if (m.podSandboxes) for (const item of m.podSandboxes) { w.uint32(10).fork(); writePodSandbox(w, item); w.ldelim(); }
}

export interface UpdatePodSandboxResourcesRequest {
  podSandboxId: string;
  overhead?: LinuxContainerResources | undefined;
  resources?: LinuxContainerResources | undefined;
}
function readUpdatePodSandboxResourcesRequest(r: Reader, m: UpdatePodSandboxResourcesRequest = { podSandboxId: '', overhead: undefined, resources: undefined }): UpdatePodSandboxResourcesRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.podSandboxId = readString(r); break;
      case 18: m.overhead = nested(r, readLinuxContainerResources, m.overhead); break;
      case 26: m.resources = nested(r, readLinuxContainerResources, m.resources); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeUpdatePodSandboxResourcesRequest(w: Writer, m: Init<UpdatePodSandboxResourcesRequest>): void {
  if (m.podSandboxId) writeString(w.uint32(10), m.podSandboxId);
  if (m.overhead) { w.uint32(18).fork(); writeLinuxContainerResources(w, m.overhead); w.ldelim(); }
  if (m.resources) { w.uint32(26).fork(); writeLinuxContainerResources(w, m.resources); w.ldelim(); }
}

export type UpdatePodSandboxResourcesResponse = NoFields;
const readUpdatePodSandboxResourcesResponse = readNoFields;
const writeUpdatePodSandboxResourcesResponse = writeNoFields;

export interface CreateContainerRequest {
  podSandboxId: string;
  config?: ContainerConfig | undefined;
  sandboxConfig?: PodSandboxConfig | undefined;
}
function readCreateContainerRequest(r: Reader, m: CreateContainerRequest = { podSandboxId: '', config: undefined, sandboxConfig: undefined }): CreateContainerRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.podSandboxId = readString(r); break;
      case 18: m.config = nested(r, readContainerConfig, m.config); break;
      case 26: m.sandboxConfig = nested(r, readPodSandboxConfig, m.sandboxConfig); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeCreateContainerRequest(w: Writer, m: Init<CreateContainerRequest>): void {
  if (m.podSandboxId) writeString(w.uint32(10), m.podSandboxId);
  if (m.config) { w.uint32(18).fork(); writeContainerConfig(w, m.config); w.ldelim(); }
  if (m.sandboxConfig) { w.uint32(26).fork(); writePodSandboxConfig(w, m.sandboxConfig); w.ldelim(); }
}

export interface ContainerConfig {
  metadata?: ContainerMetadata | undefined;
  /** The image to create from, as PullImage answered it. */
  image?: ImageSpec | undefined;
  /** Replaces the image's entrypoint, and its command with it. */
  command: string[];
  /** Replaces the image's command. */
  args: string[];
  workingDir: string;
  /** Win over the image's. */
  envs: KeyValue[];
  mounts: Mount[];
  devices: Device[];
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** Relative to the sandbox's log_directory. */
  logPath: string;
  stdin: boolean;
  /** Closes standard input when the first attached client leaves. */
  stdinOnce: boolean;
  tty: boolean;
  linux?: LinuxContainerConfig | undefined;
  windows?: WindowsContainerConfig | undefined;
  /** Devices by their names of the Container Device Interface; annotations cdi.k8s.io/ may name some, too. */
  cdiDevices: CDIDevice[];
  /** Wins over the image's. */
  stopSignal: Signal;
}
function readContainerConfig(r: Reader, m: ContainerConfig = { metadata: undefined, image: undefined, command: [], args: [], workingDir: '', envs: [], mounts: [], devices: [], labels: {}, annotations: {}, logPath: '', stdin: false, stdinOnce: false, tty: false, linux: undefined, windows: undefined, cdiDevices: [], stopSignal: 0 }): ContainerConfig {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.metadata = nested(r, readContainerMetadata, m.metadata); break;
      case 18: m.image = nested(r, readImageSpec, m.image); break;
      case 26: m.command.push(readString(r)); break;
      case 34: m.args.push(readString(r)); break;
      case 42: m.workingDir = readString(r); break;
      case 50: m.envs.push(nested(r, readKeyValue)); break;
      case 58: m.mounts.push(nested(r, readMount)); break;
      case 66: m.devices.push(nested(r, readDevice)); break;
      case 74: readEntry(r, m.labels); break;
      case 82: readEntry(r, m.annotations); break;
      case 90: m.logPath = readString(r); break;
      case 96: m.stdin = r.bool(); break;
      case 104: m.stdinOnce = r.bool(); break;
      case 112: m.tty = r.bool(); break;
      case 122: m.linux = nested(r, readLinuxContainerConfig, m.linux); break;
      case 130: m.windows = nested(r, readWindowsContainerConfig, m.windows); break;
      case 138: m.cdiDevices.push(nested(r, readCDIDevice)); break;
      case 144: m.stopSignal = r.int32(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeContainerConfig(w: Writer, m: Init<ContainerConfig>): void {
  if (m.metadata) { w.uint32(10).fork(); writeContainerMetadata(w, m.metadata); w.ldelim(); }
  if (m.image) { w.uint32(18).fork(); writeImageSpec(w, m.image); w.ldelim(); }
  if (m.command) for (const item of m.command) writeString(w.uint32(26), item);
  if (m.args) for (const item of m.args) writeString(w.uint32(34), item);
  if (m.workingDir) writeString(w.uint32(42), m.workingDir);
  if (m.envs) for (const item of m.envs) { w.uint32(50).fork(); writeKeyValue(w, item); w.ldelim(); }
  if (m.mounts) for (const item of m.mounts) { w.uint32(58).fork(); writeMount(w, item); w.ldelim(); }
  if (m.devices) for (const item of m.devices) { w.uint32(66).fork(); writeDevice(w, item); w.ldelim(); }
  writeMap(w, 74, m.labels);
  writeMap(w, 82, m.annotations);
  if (m.logPath) writeString(w.uint32(90), m.logPath);
  if (m.stdin) w.uint32(96).bool(m.stdin);
  if (m.stdinOnce) w.uint32(104).bool(m.stdinOnce);
  if (m.tty) w.uint32(112).bool(m.tty);
  if (m.linux) { w.uint32(122).fork(); writeLinuxContainerConfig(w, m.linux); w.ldelim(); }
  if (m.windows) { w.uint32(130).fork(); writeWindowsContainerConfig(w, m.windows); w.ldelim(); }
  if (m.cdiDevices) for (const item of m.cdiDevices) { w.uint32(138).fork(); writeCDIDevice(w, item); w.ldelim(); }
  if (m.stopSignal) w.uint32(144).int32(m.stopSignal);
}

export interface KeyValue {
  key: string;
  /** Any bytes, not only UTF-8. */
  value: Uint8Array;
}
function readKeyValue(r: Reader, m: KeyValue = { key: '', value: new Uint8Array(0) }): KeyValue {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.key = readString(r); break;
      case 18: m.value = new Uint8Array(r.bytes()); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeKeyValue(w: Writer, m: Init<KeyValue>): void {
  if (m.key) writeString(w.uint32(10), m.key);
  if (m.value?.length) w.uint32(18).bytes(m.value);
}

export interface Device {
  containerPath: string;
  hostPath: string;
  /** Of r, w and m (mknod). */
  permissions: string;
}
function readDevice(r: Reader, m: Device = { containerPath: '', hostPath: '', permissions: '' }): Device {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerPath = readString(r); break;
      case 18: m.hostPath = readString(r); break;
      case 26: m.permissions = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeDevice(w: Writer, m: Init<Device>): void {
  if (m.containerPath) writeString(w.uint32(10), m.containerPath);
  if (m.hostPath) writeString(w.uint32(18), m.hostPath);
  if (m.permissions) writeString(w.uint32(26), m.permissions);
}

export interface LinuxContainerConfig {
  resources?: LinuxContainerResources | undefined;
  securityContext?: LinuxContainerSecurityContext | undefined;
}
function readLinuxContainerConfig(r: Reader, m: LinuxContainerConfig = { resources: undefined, securityContext: undefined }): LinuxContainerConfig {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.resources = nested(r, readLinuxContainerResources, m.resources); break;
      case 18: m.securityContext = nested(r, readLinuxContainerSecurityContext, m.securityContext); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeLinuxContainerConfig(w: Writer, m: Init<LinuxContainerConfig>): void {
  if (m.resources) { w.uint32(10).fork(); writeLinuxContainerResources(w, m.resources); w.ldelim(); }
  if (m.securityContext) { w.uint32(18).fork(); writeLinuxContainerSecurityContext(w, m.securityContext); w.ldelim(); }
}

export interface LinuxContainerSecurityContext {
  /** On top of the default set: first added, then dropped. */
  capabilities?: Capability | undefined;
  /** Every capability, every device, no seccomp, no masked paths; only in a sandbox that allows it. */
  privileged: boolean;
  namespaceOptions?: NamespaceOption | undefined;
  selinuxOptions?: SELinuxOption | undefined;
  runAsUser?: Int64Value | undefined;
  /** Looked up in the image; excludes run_as_user. */
  runAsUsername: string;
  readonlyRootfs: boolean;
  /** On top of the user's first group; see the policy for those of the image. */
  supplementalGroups: bigint[];
  apparmorProfile: string;
  seccompProfilePath: string;
  /** No program gains rights by exec. */
  noNewPrivs: boolean;
  /** Must not stand without a user. */
  runAsGroup?: Int64Value | undefined;
  /** Exactly these; the kubelet sends the defaults, too. */
  maskedPaths: string[];
  /** Exactly these. */
  readonlyPaths: string[];
  /** Wins over seccomp_profile_path. */
  seccomp?: SecurityProfile | undefined;
  /** Wins over apparmor_profile. */
  apparmor?: SecurityProfile | undefined;
  supplementalGroupsPolicy: SupplementalGroupsPolicy;
}
function readLinuxContainerSecurityContext(r: Reader, m: LinuxContainerSecurityContext = { capabilities: undefined, privileged: false, namespaceOptions: undefined, selinuxOptions: undefined, runAsUser: undefined, runAsUsername: '', readonlyRootfs: false, supplementalGroups: [], apparmorProfile: '', seccompProfilePath: '', noNewPrivs: false, runAsGroup: undefined, maskedPaths: [], readonlyPaths: [], seccomp: undefined, apparmor: undefined, supplementalGroupsPolicy: 0 }): LinuxContainerSecurityContext {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.capabilities = nested(r, readCapability, m.capabilities); break;
      case 16: m.privileged = r.bool(); break;
      case 26: m.namespaceOptions = nested(r, readNamespaceOption, m.namespaceOptions); break;
      case 34: m.selinuxOptions = nested(r, readSELinuxOption, m.selinuxOptions); break;
      case 42: m.runAsUser = nested(r, readInt64Value, m.runAsUser); break;
      case 50: m.runAsUsername = readString(r); break;
      case 56: m.readonlyRootfs = r.bool(); break;
      case 64: m.supplementalGroups.push(readInt64(r)); break;
      case 66: packed(r, () => m.supplementalGroups.push(readInt64(r))); break;
      case 74: m.apparmorProfile = readString(r); break;
      case 82: m.seccompProfilePath = readString(r); break;
      case 88: m.noNewPrivs = r.bool(); break;
      case 98: m.runAsGroup = nested(r, readInt64Value, m.runAsGroup); break;
      case 106: m.maskedPaths.push(readString(r)); break;
      case 114: m.readonlyPaths.push(readString(r)); break;
      case 122: m.seccomp = nested(r, readSecurityProfile, m.seccomp); break;
      case 130: m.apparmor = nested(r, readSecurityProfile, m.apparmor); break;
      case 136: m.supplementalGroupsPolicy = r.int32(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeLinuxContainerSecurityContext(w: Writer, m: Init<LinuxContainerSecurityContext>): void {
  if (m.capabilities) { w.uint32(10).fork(); writeCapability(w, m.capabilities); w.ldelim(); }
  if (m.privileged) w.uint32(16).bool(m.privileged);
  if (m.namespaceOptions) { w.uint32(26).fork(); writeNamespaceOption(w, m.namespaceOptions); w.ldelim(); }
  if (m.selinuxOptions) { w.uint32(34).fork(); writeSELinuxOption(w, m.selinuxOptions); w.ldelim(); }
  if (m.runAsUser) { w.uint32(42).fork(); writeInt64Value(w, m.runAsUser); w.ldelim(); }
  if (m.runAsUsername) writeString(w.uint32(50), m.runAsUsername);
  if (m.readonlyRootfs) w.uint32(56).bool(m.readonlyRootfs);
  if (m.supplementalGroups?.length) { w.uint32(66).fork(); for (const item of m.supplementalGroups) writeInt64(w, item); w.ldelim(); }
  if (m.apparmorProfile) writeString(w.uint32(74), m.apparmorProfile);
  if (m.seccompProfilePath) writeString(w.uint32(82), m.seccompProfilePath);
  if (m.noNewPrivs) w.uint32(88).bool(m.noNewPrivs);
  if (m.runAsGroup) { w.uint32(98).fork(); writeInt64Value(w, m.runAsGroup); w.ldelim(); }
  if (m.maskedPaths) for (const item of m.maskedPaths) writeString(w.uint32(106), item);
  if (m.readonlyPaths) for (const item of m.readonlyPaths) writeString(w.uint32(114), item);
  if (m.seccomp) { w.uint32(122).fork(); writeSecurityProfile(w, m.seccomp); w.ldelim(); }
  if (m.apparmor) { w.uint32(130).fork(); writeSecurityProfile(w, m.apparmor); w.ldelim(); }
  if (m.supplementalGroupsPolicy) w.uint32(136).int32(m.supplementalGroupsPolicy);
}

/** Names with or without CAP_, in any case; "ALL" is all. */
export interface Capability {
  addCapabilities: string[];
  dropCapabilities: string[];
  addAmbientCapabilities: string[];
}
function readCapability(r: Reader, m: Capability = { addCapabilities: [], dropCapabilities: [], addAmbientCapabilities: [] }): Capability {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.addCapabilities.push(readString(r)); break;
      case 18: m.dropCapabilities.push(readString(r)); break;
      case 26: m.addAmbientCapabilities.push(readString(r)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeCapability(w: Writer, m: Init<Capability>): void {
  if (m.addCapabilities) for (const item of m.addCapabilities) writeString(w.uint32(10), item);
  if (m.dropCapabilities) for (const item of m.dropCapabilities) writeString(w.uint32(18), item);
  if (m.addAmbientCapabilities) for (const item of m.addAmbientCapabilities) writeString(w.uint32(26), item);
}

export interface WindowsContainerConfig {
  resources?: WindowsContainerResources | undefined;
  securityContext?: WindowsContainerSecurityContext | undefined;
}
function readWindowsContainerConfig(r: Reader, m: WindowsContainerConfig = { resources: undefined, securityContext: undefined }): WindowsContainerConfig {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.resources = nested(r, readWindowsContainerResources, m.resources); break;
      case 18: m.securityContext = nested(r, readWindowsContainerSecurityContext, m.securityContext); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeWindowsContainerConfig(w: Writer, m: Init<WindowsContainerConfig>): void {
  if (m.resources) { w.uint32(10).fork(); writeWindowsContainerResources(w, m.resources); w.ldelim(); }
  if (m.securityContext) { w.uint32(18).fork(); writeWindowsContainerSecurityContext(w, m.securityContext); w.ldelim(); }
}

export interface WindowsContainerSecurityContext {
  runAsUsername: string;
  credentialSpec: string;
  hostProcess: boolean;
}
function readWindowsContainerSecurityContext(r: Reader, m: WindowsContainerSecurityContext = { runAsUsername: '', credentialSpec: '', hostProcess: false }): WindowsContainerSecurityContext {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.runAsUsername = readString(r); break;
      case 18: m.credentialSpec = readString(r); break;
      case 24: m.hostProcess = r.bool(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeWindowsContainerSecurityContext(w: Writer, m: Init<WindowsContainerSecurityContext>): void {
  if (m.runAsUsername) writeString(w.uint32(10), m.runAsUsername);
  if (m.credentialSpec) writeString(w.uint32(18), m.credentialSpec);
  if (m.hostProcess) w.uint32(24).bool(m.hostProcess);
}

export interface CDIDevice {
  name: string;
}
function readCDIDevice(r: Reader, m: CDIDevice = { name: '' }): CDIDevice {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.name = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeCDIDevice(w: Writer, m: Init<CDIDevice>): void {
  if (m.name) writeString(w.uint32(10), m.name);
}

export interface CreateContainerResponse {
  containerId: string;
}
function readCreateContainerResponse(r: Reader, m: CreateContainerResponse = { containerId: '' }): CreateContainerResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerId = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeCreateContainerResponse(w: Writer, m: Init<CreateContainerResponse>): void {
  if (m.containerId) writeString(w.uint32(10), m.containerId);
}

export interface StartContainerRequest {
  containerId: string;
}
function readStartContainerRequest(r: Reader, m: StartContainerRequest = { containerId: '' }): StartContainerRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerId = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeStartContainerRequest(w: Writer, m: Init<StartContainerRequest>): void {
  if (m.containerId) writeString(w.uint32(10), m.containerId);
}

export type StartContainerResponse = NoFields;
const readStartContainerResponse = readNoFields;
const writeStartContainerResponse = writeNoFields;

export interface StopContainerRequest {
  containerId: string;
  /** Seconds before SIGKILL; 0 kills at once. A shorter one in a later call wins. */
  timeout: bigint;
}
function readStopContainerRequest(r: Reader, m: StopContainerRequest = { containerId: '', timeout: 0n }): StopContainerRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerId = readString(r); break;
      case 16: m.timeout = readInt64(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeStopContainerRequest(w: Writer, m: Init<StopContainerRequest>): void {
  if (m.containerId) writeString(w.uint32(10), m.containerId);
  if (m.timeout) writeInt64(w.uint32(16), m.timeout);
}

export type StopContainerResponse = NoFields;
const readStopContainerResponse = readNoFields;
const writeStopContainerResponse = writeNoFields;

export interface RemoveContainerRequest {
  containerId: string;
}
function readRemoveContainerRequest(r: Reader, m: RemoveContainerRequest = { containerId: '' }): RemoveContainerRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerId = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeRemoveContainerRequest(w: Writer, m: Init<RemoveContainerRequest>): void {
  if (m.containerId) writeString(w.uint32(10), m.containerId);
}

export type RemoveContainerResponse = NoFields;
const readRemoveContainerResponse = readNoFields;
const writeRemoveContainerResponse = writeNoFields;

export interface ListContainersRequest {
  filter?: ContainerFilter | undefined;
}
function readListContainersRequest(r: Reader, m: ListContainersRequest = { filter: undefined }): ListContainersRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.filter = nested(r, readContainerFilter, m.filter); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeListContainersRequest(w: Writer, m: Init<ListContainersRequest>): void {
  if (m.filter) { w.uint32(10).fork(); writeContainerFilter(w, m.filter); w.ldelim(); }
}

export interface ContainerFilter {
  /** An id or the beginning of one. */
  id: string;
  state?: ContainerStateValue | undefined;
  /** An id or the beginning of one. */
  podSandboxId: string;
  /** All must be equal. */
  labelSelector: Record<string, string>;
}
function readContainerFilter(r: Reader, m: ContainerFilter = { id: '', state: undefined, podSandboxId: '', labelSelector: {} }): ContainerFilter {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.id = readString(r); break;
      case 18: m.state = nested(r, readContainerStateValue, m.state); break;
      case 26: m.podSandboxId = readString(r); break;
      case 34: readEntry(r, m.labelSelector); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeContainerFilter(w: Writer, m: Init<ContainerFilter>): void {
  if (m.id) writeString(w.uint32(10), m.id);
  if (m.state) { w.uint32(18).fork(); writeContainerStateValue(w, m.state); w.ldelim(); }
  if (m.podSandboxId) writeString(w.uint32(26), m.podSandboxId);
  writeMap(w, 34, m.labelSelector);
}

export interface ContainerStateValue {
  state: ContainerState;
}
function readContainerStateValue(r: Reader, m: ContainerStateValue = { state: 0 }): ContainerStateValue {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.state = r.int32(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeContainerStateValue(w: Writer, m: Init<ContainerStateValue>): void {
  if (m.state) w.uint32(8).int32(m.state);
}

export interface ListContainersResponse {
  containers: Container[];
}
function readListContainersResponse(r: Reader, m: ListContainersResponse = { containers: [] }): ListContainersResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containers.push(nested(r, readContainer)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeListContainersResponse(w: Writer, m: Init<ListContainersResponse>): void {
  if (m.containers) for (const item of m.containers) { w.uint32(10).fork(); writeContainer(w, item); w.ldelim(); }
}

export interface Container {
  id: string;
  podSandboxId: string;
  metadata?: ContainerMetadata | undefined;
  /** What was asked for. */
  image?: ImageSpec | undefined;
  /** As in the status. */
  imageRef: string;
  state: ContainerState;
  createdAt: bigint;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** The image's id as ListImages has it; the kubelet finds images in use by it. */
  imageId: string;
}
function readContainer(r: Reader, m: Container = { id: '', podSandboxId: '', metadata: undefined, image: undefined, imageRef: '', state: 0, createdAt: 0n, labels: {}, annotations: {}, imageId: '' }): Container {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.id = readString(r); break;
      case 18: m.podSandboxId = readString(r); break;
      case 26: m.metadata = nested(r, readContainerMetadata, m.metadata); break;
      case 34: m.image = nested(r, readImageSpec, m.image); break;
      case 42: m.imageRef = readString(r); break;
      case 48: m.state = r.int32(); break;
      case 56: m.createdAt = readInt64(r); break;
      case 66: readEntry(r, m.labels); break;
      case 74: readEntry(r, m.annotations); break;
      case 82: m.imageId = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeContainer(w: Writer, m: Init<Container>): void {
  if (m.id) writeString(w.uint32(10), m.id);
  if (m.podSandboxId) writeString(w.uint32(18), m.podSandboxId);
  if (m.metadata) { w.uint32(26).fork(); writeContainerMetadata(w, m.metadata); w.ldelim(); }
  if (m.image) { w.uint32(34).fork(); writeImageSpec(w, m.image); w.ldelim(); }
  if (m.imageRef) writeString(w.uint32(42), m.imageRef);
  if (m.state) w.uint32(48).int32(m.state);
  if (m.createdAt) writeInt64(w.uint32(56), m.createdAt);
  writeMap(w, 66, m.labels);
  writeMap(w, 74, m.annotations);
  if (m.imageId) writeString(w.uint32(82), m.imageId);
}

export interface StreamContainersRequest {
  filter?: ContainerFilter | undefined;
}
function readStreamContainersRequest(r: Reader, m: StreamContainersRequest = { filter: undefined }): StreamContainersRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.filter = nested(r, readContainerFilter, m.filter); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeStreamContainersRequest(w: Writer, m: Init<StreamContainersRequest>): void {
  if (m.filter) { w.uint32(10).fork(); writeContainerFilter(w, m.filter); w.ldelim(); }
}

export interface StreamContainersResponse {
  containers: Container[];
}
function readStreamContainersResponse(r: Reader, m: StreamContainersResponse = { containers: [] }): StreamContainersResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containers.push(nested(r, readContainer)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeStreamContainersResponse(w: Writer, m: Init<StreamContainersResponse>): void {
  if (m.containers) for (const item of m.containers) { w.uint32(10).fork(); writeContainer(w, item); w.ldelim(); }
}

export interface ContainerStatusRequest {
  containerId: string;
  /** Asks for info. */
  verbose: boolean;
}
function readContainerStatusRequest(r: Reader, m: ContainerStatusRequest = { containerId: '', verbose: false }): ContainerStatusRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerId = readString(r); break;
      case 16: m.verbose = r.bool(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeContainerStatusRequest(w: Writer, m: Init<ContainerStatusRequest>): void {
  if (m.containerId) writeString(w.uint32(10), m.containerId);
  if (m.verbose) w.uint32(16).bool(m.verbose);
}

export interface ContainerStatusResponse {
  status?: ContainerStatus | undefined;
  /** For people, by name; JSON where it has structure. */
  info: Record<string, string>;
}
function readContainerStatusResponse(r: Reader, m: ContainerStatusResponse = { status: undefined, info: {} }): ContainerStatusResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.status = nested(r, readContainerStatus, m.status); break;
      case 18: readEntry(r, m.info); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeContainerStatusResponse(w: Writer, m: Init<ContainerStatusResponse>): void {
  if (m.status) { w.uint32(10).fork(); writeContainerStatus(w, m.status); w.ldelim(); }
  writeMap(w, 18, m.info);
}

export interface UpdateContainerResourcesRequest {
  containerId: string;
  linux?: LinuxContainerResources | undefined;
  windows?: WindowsContainerResources | undefined;
  annotations: Record<string, string>;
}
function readUpdateContainerResourcesRequest(r: Reader, m: UpdateContainerResourcesRequest = { containerId: '', linux: undefined, windows: undefined, annotations: {} }): UpdateContainerResourcesRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerId = readString(r); break;
      case 18: m.linux = nested(r, readLinuxContainerResources, m.linux); break;
      case 26: m.windows = nested(r, readWindowsContainerResources, m.windows); break;
      case 34: readEntry(r, m.annotations); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeUpdateContainerResourcesRequest(w: Writer, m: Init<UpdateContainerResourcesRequest>): void {
  if (m.containerId) writeString(w.uint32(10), m.containerId);
  if (m.linux) { w.uint32(18).fork(); writeLinuxContainerResources(w, m.linux); w.ldelim(); }
  if (m.windows) { w.uint32(26).fork(); writeWindowsContainerResources(w, m.windows); w.ldelim(); }
  writeMap(w, 34, m.annotations);
}

export type UpdateContainerResourcesResponse = NoFields;
const readUpdateContainerResourcesResponse = readNoFields;
const writeUpdateContainerResourcesResponse = writeNoFields;

export interface ReopenContainerLogRequest {
  containerId: string;
}
function readReopenContainerLogRequest(r: Reader, m: ReopenContainerLogRequest = { containerId: '' }): ReopenContainerLogRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerId = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeReopenContainerLogRequest(w: Writer, m: Init<ReopenContainerLogRequest>): void {
  if (m.containerId) writeString(w.uint32(10), m.containerId);
}

export type ReopenContainerLogResponse = NoFields;
const readReopenContainerLogResponse = readNoFields;
const writeReopenContainerLogResponse = writeNoFields;

export interface ExecSyncRequest {
  containerId: string;
  cmd: string[];
  /** Seconds; 0 waits for ever. */
  timeout: bigint;
}
function readExecSyncRequest(r: Reader, m: ExecSyncRequest = { containerId: '', cmd: [], timeout: 0n }): ExecSyncRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerId = readString(r); break;
      case 18: m.cmd.push(readString(r)); break;
      case 24: m.timeout = readInt64(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeExecSyncRequest(w: Writer, m: Init<ExecSyncRequest>): void {
  if (m.containerId) writeString(w.uint32(10), m.containerId);
  if (m.cmd) for (const item of m.cmd) writeString(w.uint32(18), item);
  if (m.timeout) writeInt64(w.uint32(24), m.timeout);
}

export interface ExecSyncResponse {
  /** Cut, not refused, where both together would not fit in a message. */
  stdout: Uint8Array;
  stderr: Uint8Array;
  exitCode: number;
}
function readExecSyncResponse(r: Reader, m: ExecSyncResponse = { stdout: new Uint8Array(0), stderr: new Uint8Array(0), exitCode: 0 }): ExecSyncResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.stdout = new Uint8Array(r.bytes()); break;
      case 18: m.stderr = new Uint8Array(r.bytes()); break;
      case 24: m.exitCode = r.int32(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeExecSyncResponse(w: Writer, m: Init<ExecSyncResponse>): void {
  if (m.stdout?.length) w.uint32(10).bytes(m.stdout);
  if (m.stderr?.length) w.uint32(18).bytes(m.stderr);
  if (m.exitCode) w.uint32(24).int32(m.exitCode);
}

export interface ExecRequest {
  containerId: string;
  cmd: string[];
  /** Excludes stderr: a terminal has one stream. */
  tty: boolean;
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
}
function readExecRequest(r: Reader, m: ExecRequest = { containerId: '', cmd: [], tty: false, stdin: false, stdout: false, stderr: false }): ExecRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerId = readString(r); break;
      case 18: m.cmd.push(readString(r)); break;
      case 24: m.tty = r.bool(); break;
      case 32: m.stdin = r.bool(); break;
      case 40: m.stdout = r.bool(); break;
      case 48: m.stderr = r.bool(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeExecRequest(w: Writer, m: Init<ExecRequest>): void {
  if (m.containerId) writeString(w.uint32(10), m.containerId);
  if (m.cmd) for (const item of m.cmd) writeString(w.uint32(18), item);
  if (m.tty) w.uint32(24).bool(m.tty);
  if (m.stdin) w.uint32(32).bool(m.stdin);
  if (m.stdout) w.uint32(40).bool(m.stdout);
  if (m.stderr) w.uint32(48).bool(m.stderr);
}

export interface ExecResponse {
  url: string;
}
function readExecResponse(r: Reader, m: ExecResponse = { url: '' }): ExecResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.url = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeExecResponse(w: Writer, m: Init<ExecResponse>): void {
  if (m.url) writeString(w.uint32(10), m.url);
}

export interface AttachRequest {
  containerId: string;
  stdin: boolean;
  /** As the container has it. */
  tty: boolean;
  stdout: boolean;
  stderr: boolean;
}
function readAttachRequest(r: Reader, m: AttachRequest = { containerId: '', stdin: false, tty: false, stdout: false, stderr: false }): AttachRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerId = readString(r); break;
      case 16: m.stdin = r.bool(); break;
      case 24: m.tty = r.bool(); break;
      case 32: m.stdout = r.bool(); break;
      case 40: m.stderr = r.bool(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeAttachRequest(w: Writer, m: Init<AttachRequest>): void {
  if (m.containerId) writeString(w.uint32(10), m.containerId);
  if (m.stdin) w.uint32(16).bool(m.stdin);
  if (m.tty) w.uint32(24).bool(m.tty);
  if (m.stdout) w.uint32(32).bool(m.stdout);
  if (m.stderr) w.uint32(40).bool(m.stderr);
}

export interface AttachResponse {
  url: string;
}
function readAttachResponse(r: Reader, m: AttachResponse = { url: '' }): AttachResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.url = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeAttachResponse(w: Writer, m: Init<AttachResponse>): void {
  if (m.url) writeString(w.uint32(10), m.url);
}

export interface PortForwardRequest {
  podSandboxId: string;
  /** Of the sandbox; empty where the client says it in the streams. */
  port: number[];
}
function readPortForwardRequest(r: Reader, m: PortForwardRequest = { podSandboxId: '', port: [] }): PortForwardRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.podSandboxId = readString(r); break;
      case 16: m.port.push(r.int32()); break;
      case 18: packed(r, () => m.port.push(r.int32())); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writePortForwardRequest(w: Writer, m: Init<PortForwardRequest>): void {
  if (m.podSandboxId) writeString(w.uint32(10), m.podSandboxId);
  if (m.port?.length) { w.uint32(18).fork(); for (const item of m.port) w.int32(item); w.ldelim(); }
}

export interface PortForwardResponse {
  url: string;
}
function readPortForwardResponse(r: Reader, m: PortForwardResponse = { url: '' }): PortForwardResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.url = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writePortForwardResponse(w: Writer, m: Init<PortForwardResponse>): void {
  if (m.url) writeString(w.uint32(10), m.url);
}

export interface ContainerStatsRequest {
  containerId: string;
}
function readContainerStatsRequest(r: Reader, m: ContainerStatsRequest = { containerId: '' }): ContainerStatsRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerId = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeContainerStatsRequest(w: Writer, m: Init<ContainerStatsRequest>): void {
  if (m.containerId) writeString(w.uint32(10), m.containerId);
}

export interface ContainerStatsResponse {
  stats?: ContainerStats | undefined;
}
function readContainerStatsResponse(r: Reader, m: ContainerStatsResponse = { stats: undefined }): ContainerStatsResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.stats = nested(r, readContainerStats, m.stats); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeContainerStatsResponse(w: Writer, m: Init<ContainerStatsResponse>): void {
  if (m.stats) { w.uint32(10).fork(); writeContainerStats(w, m.stats); w.ldelim(); }
}

/** Each part has its own timestamp, and is absent where it was not measured. */
export interface ContainerStats {
  attributes?: ContainerAttributes | undefined;
  cpu?: CpuUsage | undefined;
  memory?: MemoryUsage | undefined;
  writableLayer?: FilesystemUsage | undefined;
  swap?: SwapUsage | undefined;
  io?: IoUsage | undefined;
}
function readContainerStats(r: Reader, m: ContainerStats = { attributes: undefined, cpu: undefined, memory: undefined, writableLayer: undefined, swap: undefined, io: undefined }): ContainerStats {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.attributes = nested(r, readContainerAttributes, m.attributes); break;
      case 18: m.cpu = nested(r, readCpuUsage, m.cpu); break;
      case 26: m.memory = nested(r, readMemoryUsage, m.memory); break;
      case 34: m.writableLayer = nested(r, readFilesystemUsage, m.writableLayer); break;
      case 42: m.swap = nested(r, readSwapUsage, m.swap); break;
      case 50: m.io = nested(r, readIoUsage, m.io); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeContainerStats(w: Writer, m: Init<ContainerStats>): void {
  if (m.attributes) { w.uint32(10).fork(); writeContainerAttributes(w, m.attributes); w.ldelim(); }
  if (m.cpu) { w.uint32(18).fork(); writeCpuUsage(w, m.cpu); w.ldelim(); }
  if (m.memory) { w.uint32(26).fork(); writeMemoryUsage(w, m.memory); w.ldelim(); }
  if (m.writableLayer) { w.uint32(34).fork(); writeFilesystemUsage(w, m.writableLayer); w.ldelim(); }
  if (m.swap) { w.uint32(42).fork(); writeSwapUsage(w, m.swap); w.ldelim(); }
  if (m.io) { w.uint32(50).fork(); writeIoUsage(w, m.io); w.ldelim(); }
}

export interface ContainerAttributes {
  id: string;
  metadata?: ContainerMetadata | undefined;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}
function readContainerAttributes(r: Reader, m: ContainerAttributes = { id: '', metadata: undefined, labels: {}, annotations: {} }): ContainerAttributes {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.id = readString(r); break;
      case 18: m.metadata = nested(r, readContainerMetadata, m.metadata); break;
      case 26: readEntry(r, m.labels); break;
      case 34: readEntry(r, m.annotations); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeContainerAttributes(w: Writer, m: Init<ContainerAttributes>): void {
  if (m.id) writeString(w.uint32(10), m.id);
  if (m.metadata) { w.uint32(18).fork(); writeContainerMetadata(w, m.metadata); w.ldelim(); }
  writeMap(w, 26, m.labels);
  writeMap(w, 34, m.annotations);
}

export interface CpuUsage {
  timestamp: bigint;
  /** Since the container was made. */
  usageCoreNanoSeconds?: UInt64Value | undefined;
  /** Over the last sampling interval; the runtime reckons it. */
  usageNanoCores?: UInt64Value | undefined;
  psi?: PsiStats | undefined;
}
function readCpuUsage(r: Reader, m: CpuUsage = { timestamp: 0n, usageCoreNanoSeconds: undefined, usageNanoCores: undefined, psi: undefined }): CpuUsage {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.timestamp = readInt64(r); break;
      case 18: m.usageCoreNanoSeconds = nested(r, readUInt64Value, m.usageCoreNanoSeconds); break;
      case 26: m.usageNanoCores = nested(r, readUInt64Value, m.usageNanoCores); break;
      case 34: m.psi = nested(r, readPsiStats, m.psi); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeCpuUsage(w: Writer, m: Init<CpuUsage>): void {
  if (m.timestamp) writeInt64(w.uint32(8), m.timestamp);
  if (m.usageCoreNanoSeconds) { w.uint32(18).fork(); writeUInt64Value(w, m.usageCoreNanoSeconds); w.ldelim(); }
  if (m.usageNanoCores) { w.uint32(26).fork(); writeUInt64Value(w, m.usageNanoCores); w.ldelim(); }
  if (m.psi) { w.uint32(34).fork(); writePsiStats(w, m.psi); w.ldelim(); }
}

export interface UInt64Value {
  value: bigint;
}
function readUInt64Value(r: Reader, m: UInt64Value = { value: 0n }): UInt64Value {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.value = readUint64(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeUInt64Value(w: Writer, m: Init<UInt64Value>): void {
  if (m.value) writeUint64(w.uint32(8), m.value);
}

export interface PsiStats {
  full?: PsiData | undefined;
  some?: PsiData | undefined;
}
function readPsiStats(r: Reader, m: PsiStats = { full: undefined, some: undefined }): PsiStats {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.full = nested(r, readPsiData, m.full); break;
      case 18: m.some = nested(r, readPsiData, m.some); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writePsiStats(w: Writer, m: Init<PsiStats>): void {
  if (m.full) { w.uint32(10).fork(); writePsiData(w, m.full); w.ldelim(); }
  if (m.some) { w.uint32(18).fork(); writePsiData(w, m.some); w.ldelim(); }
}

/** Pressure stall information of the kernel. */
export interface PsiData {
  /** Nanoseconds of stall so far; the kernel counts microseconds. */
  total: bigint;
  /** Percent of the last 10 seconds. */
  avg10: number;
  avg60: number;
  avg300: number;
}
function readPsiData(r: Reader, m: PsiData = { total: 0n, avg10: 0, avg60: 0, avg300: 0 }): PsiData {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.total = readUint64(r); break;
      case 17: m.avg10 = r.double(); break;
      case 25: m.avg60 = r.double(); break;
      case 33: m.avg300 = r.double(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writePsiData(w: Writer, m: Init<PsiData>): void {
  if (m.total) writeUint64(w.uint32(8), m.total);
  if (m.avg10 !== undefined && !Object.is(m.avg10, 0)) w.uint32(17).double(m.avg10);
  if (m.avg60 !== undefined && !Object.is(m.avg60, 0)) w.uint32(25).double(m.avg60);
  if (m.avg300 !== undefined && !Object.is(m.avg300, 0)) w.uint32(33).double(m.avg300);
}

export interface MemoryUsage {
  timestamp: bigint;
  /** Usage less what the kernel can drop at once. */
  workingSetBytes?: UInt64Value | undefined;
  /** Limit less working set; absent without a limit. */
  availableBytes?: UInt64Value | undefined;
  usageBytes?: UInt64Value | undefined;
  rssBytes?: UInt64Value | undefined;
  pageFaults?: UInt64Value | undefined;
  majorPageFaults?: UInt64Value | undefined;
  psi?: PsiStats | undefined;
}
function readMemoryUsage(r: Reader, m: MemoryUsage = { timestamp: 0n, workingSetBytes: undefined, availableBytes: undefined, usageBytes: undefined, rssBytes: undefined, pageFaults: undefined, majorPageFaults: undefined, psi: undefined }): MemoryUsage {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.timestamp = readInt64(r); break;
      case 18: m.workingSetBytes = nested(r, readUInt64Value, m.workingSetBytes); break;
      case 26: m.availableBytes = nested(r, readUInt64Value, m.availableBytes); break;
      case 34: m.usageBytes = nested(r, readUInt64Value, m.usageBytes); break;
      case 42: m.rssBytes = nested(r, readUInt64Value, m.rssBytes); break;
      case 50: m.pageFaults = nested(r, readUInt64Value, m.pageFaults); break;
      case 58: m.majorPageFaults = nested(r, readUInt64Value, m.majorPageFaults); break;
      case 66: m.psi = nested(r, readPsiStats, m.psi); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeMemoryUsage(w: Writer, m: Init<MemoryUsage>): void {
  if (m.timestamp) writeInt64(w.uint32(8), m.timestamp);
  if (m.workingSetBytes) { w.uint32(18).fork(); writeUInt64Value(w, m.workingSetBytes); w.ldelim(); }
  if (m.availableBytes) { w.uint32(26).fork(); writeUInt64Value(w, m.availableBytes); w.ldelim(); }
  if (m.usageBytes) { w.uint32(34).fork(); writeUInt64Value(w, m.usageBytes); w.ldelim(); }
  if (m.rssBytes) { w.uint32(42).fork(); writeUInt64Value(w, m.rssBytes); w.ldelim(); }
  if (m.pageFaults) { w.uint32(50).fork(); writeUInt64Value(w, m.pageFaults); w.ldelim(); }
  if (m.majorPageFaults) { w.uint32(58).fork(); writeUInt64Value(w, m.majorPageFaults); w.ldelim(); }
  if (m.psi) { w.uint32(66).fork(); writePsiStats(w, m.psi); w.ldelim(); }
}

export interface FilesystemUsage {
  timestamp: bigint;
  fsId?: FilesystemIdentifier | undefined;
  usedBytes?: UInt64Value | undefined;
  inodesUsed?: UInt64Value | undefined;
}
function readFilesystemUsage(r: Reader, m: FilesystemUsage = { timestamp: 0n, fsId: undefined, usedBytes: undefined, inodesUsed: undefined }): FilesystemUsage {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.timestamp = readInt64(r); break;
      case 18: m.fsId = nested(r, readFilesystemIdentifier, m.fsId); break;
      case 26: m.usedBytes = nested(r, readUInt64Value, m.usedBytes); break;
      case 34: m.inodesUsed = nested(r, readUInt64Value, m.inodesUsed); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeFilesystemUsage(w: Writer, m: Init<FilesystemUsage>): void {
  if (m.timestamp) writeInt64(w.uint32(8), m.timestamp);
  if (m.fsId) { w.uint32(18).fork(); writeFilesystemIdentifier(w, m.fsId); w.ldelim(); }
  if (m.usedBytes) { w.uint32(26).fork(); writeUInt64Value(w, m.usedBytes); w.ldelim(); }
  if (m.inodesUsed) { w.uint32(34).fork(); writeUInt64Value(w, m.inodesUsed); w.ldelim(); }
}

export interface FilesystemIdentifier {
  /** A path on the host, the same as in ImageFsInfo. */
  mountpoint: string;
}
function readFilesystemIdentifier(r: Reader, m: FilesystemIdentifier = { mountpoint: '' }): FilesystemIdentifier {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.mountpoint = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeFilesystemIdentifier(w: Writer, m: Init<FilesystemIdentifier>): void {
  if (m.mountpoint) writeString(w.uint32(10), m.mountpoint);
}

export interface SwapUsage {
  timestamp: bigint;
  swapAvailableBytes?: UInt64Value | undefined;
  swapUsageBytes?: UInt64Value | undefined;
}
function readSwapUsage(r: Reader, m: SwapUsage = { timestamp: 0n, swapAvailableBytes: undefined, swapUsageBytes: undefined }): SwapUsage {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.timestamp = readInt64(r); break;
      case 18: m.swapAvailableBytes = nested(r, readUInt64Value, m.swapAvailableBytes); break;
      case 26: m.swapUsageBytes = nested(r, readUInt64Value, m.swapUsageBytes); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeSwapUsage(w: Writer, m: Init<SwapUsage>): void {
  if (m.timestamp) writeInt64(w.uint32(8), m.timestamp);
  if (m.swapAvailableBytes) { w.uint32(18).fork(); writeUInt64Value(w, m.swapAvailableBytes); w.ldelim(); }
  if (m.swapUsageBytes) { w.uint32(26).fork(); writeUInt64Value(w, m.swapUsageBytes); w.ldelim(); }
}

export interface IoUsage {
  timestamp: bigint;
  psi?: PsiStats | undefined;
}
function readIoUsage(r: Reader, m: IoUsage = { timestamp: 0n, psi: undefined }): IoUsage {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.timestamp = readInt64(r); break;
      case 18: m.psi = nested(r, readPsiStats, m.psi); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeIoUsage(w: Writer, m: Init<IoUsage>): void {
  if (m.timestamp) writeInt64(w.uint32(8), m.timestamp);
  if (m.psi) { w.uint32(18).fork(); writePsiStats(w, m.psi); w.ldelim(); }
}

export interface ListContainerStatsRequest {
  filter?: ContainerStatsFilter | undefined;
}
function readListContainerStatsRequest(r: Reader, m: ListContainerStatsRequest = { filter: undefined }): ListContainerStatsRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.filter = nested(r, readContainerStatsFilter, m.filter); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeListContainerStatsRequest(w: Writer, m: Init<ListContainerStatsRequest>): void {
  if (m.filter) { w.uint32(10).fork(); writeContainerStatsFilter(w, m.filter); w.ldelim(); }
}

export interface ContainerStatsFilter {
  id: string;
  podSandboxId: string;
  labelSelector: Record<string, string>;
}
function readContainerStatsFilter(r: Reader, m: ContainerStatsFilter = { id: '', podSandboxId: '', labelSelector: {} }): ContainerStatsFilter {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.id = readString(r); break;
      case 18: m.podSandboxId = readString(r); break;
      case 26: readEntry(r, m.labelSelector); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeContainerStatsFilter(w: Writer, m: Init<ContainerStatsFilter>): void {
  if (m.id) writeString(w.uint32(10), m.id);
  if (m.podSandboxId) writeString(w.uint32(18), m.podSandboxId);
  writeMap(w, 26, m.labelSelector);
}

export interface ListContainerStatsResponse {
  stats: ContainerStats[];
}
function readListContainerStatsResponse(r: Reader, m: ListContainerStatsResponse = { stats: [] }): ListContainerStatsResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.stats.push(nested(r, readContainerStats)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeListContainerStatsResponse(w: Writer, m: Init<ListContainerStatsResponse>): void {
  if (m.stats) for (const item of m.stats) { w.uint32(10).fork(); writeContainerStats(w, item); w.ldelim(); }
}

export interface StreamContainerStatsRequest {
  filter?: ContainerStatsFilter | undefined;
}
function readStreamContainerStatsRequest(r: Reader, m: StreamContainerStatsRequest = { filter: undefined }): StreamContainerStatsRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.filter = nested(r, readContainerStatsFilter, m.filter); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeStreamContainerStatsRequest(w: Writer, m: Init<StreamContainerStatsRequest>): void {
  if (m.filter) { w.uint32(10).fork(); writeContainerStatsFilter(w, m.filter); w.ldelim(); }
}

export interface StreamContainerStatsResponse {
  containerStats: ContainerStats[];
}
function readStreamContainerStatsResponse(r: Reader, m: StreamContainerStatsResponse = { containerStats: [] }): StreamContainerStatsResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerStats.push(nested(r, readContainerStats)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeStreamContainerStatsResponse(w: Writer, m: Init<StreamContainerStatsResponse>): void {
  if (m.containerStats) for (const item of m.containerStats) { w.uint32(10).fork(); writeContainerStats(w, item); w.ldelim(); }
}

export interface PodSandboxStatsRequest {
  podSandboxId: string;
}
function readPodSandboxStatsRequest(r: Reader, m: PodSandboxStatsRequest = { podSandboxId: '' }): PodSandboxStatsRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.podSandboxId = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writePodSandboxStatsRequest(w: Writer, m: Init<PodSandboxStatsRequest>): void {
  if (m.podSandboxId) writeString(w.uint32(10), m.podSandboxId);
}

export interface PodSandboxStatsResponse {
  stats?: PodSandboxStats | undefined;
}
function readPodSandboxStatsResponse(r: Reader, m: PodSandboxStatsResponse = { stats: undefined }): PodSandboxStatsResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.stats = nested(r, readPodSandboxStats, m.stats); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writePodSandboxStatsResponse(w: Writer, m: Init<PodSandboxStatsResponse>): void {
  if (m.stats) { w.uint32(10).fork(); writePodSandboxStats(w, m.stats); w.ldelim(); }
}

export interface PodSandboxStats {
  attributes?: PodSandboxAttributes | undefined;
  linux?: LinuxPodSandboxStats | undefined;
  windows?: WindowsPodSandboxStats | undefined;
}
function readPodSandboxStats(r: Reader, m: PodSandboxStats = { attributes: undefined, linux: undefined, windows: undefined }): PodSandboxStats {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.attributes = nested(r, readPodSandboxAttributes, m.attributes); break;
      case 18: m.linux = nested(r, readLinuxPodSandboxStats, m.linux); break;
      case 26: m.windows = nested(r, readWindowsPodSandboxStats, m.windows); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writePodSandboxStats(w: Writer, m: Init<PodSandboxStats>): void {
  if (m.attributes) { w.uint32(10).fork(); writePodSandboxAttributes(w, m.attributes); w.ldelim(); }
  if (m.linux) { w.uint32(18).fork(); writeLinuxPodSandboxStats(w, m.linux); w.ldelim(); }
  if (m.windows) { w.uint32(26).fork(); writeWindowsPodSandboxStats(w, m.windows); w.ldelim(); }
}

export interface PodSandboxAttributes {
  id: string;
  metadata?: PodSandboxMetadata | undefined;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}
function readPodSandboxAttributes(r: Reader, m: PodSandboxAttributes = { id: '', metadata: undefined, labels: {}, annotations: {} }): PodSandboxAttributes {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.id = readString(r); break;
      case 18: m.metadata = nested(r, readPodSandboxMetadata, m.metadata); break;
      case 26: readEntry(r, m.labels); break;
      case 34: readEntry(r, m.annotations); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writePodSandboxAttributes(w: Writer, m: Init<PodSandboxAttributes>): void {
  if (m.id) writeString(w.uint32(10), m.id);
  if (m.metadata) { w.uint32(18).fork(); writePodSandboxMetadata(w, m.metadata); w.ldelim(); }
  writeMap(w, 26, m.labels);
  writeMap(w, 34, m.annotations);
}

export interface LinuxPodSandboxStats {
  cpu?: CpuUsage | undefined;
  memory?: MemoryUsage | undefined;
  network?: NetworkUsage | undefined;
  process?: ProcessUsage | undefined;
  containers: ContainerStats[];
  io?: IoUsage | undefined;
}
function readLinuxPodSandboxStats(r: Reader, m: LinuxPodSandboxStats = { cpu: undefined, memory: undefined, network: undefined, process: undefined, containers: [], io: undefined }): LinuxPodSandboxStats {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.cpu = nested(r, readCpuUsage, m.cpu); break;
      case 18: m.memory = nested(r, readMemoryUsage, m.memory); break;
      case 26: m.network = nested(r, readNetworkUsage, m.network); break;
      case 34: m.process = nested(r, readProcessUsage, m.process); break;
      case 42: m.containers.push(nested(r, readContainerStats)); break;
      case 50: m.io = nested(r, readIoUsage, m.io); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeLinuxPodSandboxStats(w: Writer, m: Init<LinuxPodSandboxStats>): void {
  if (m.cpu) { w.uint32(10).fork(); writeCpuUsage(w, m.cpu); w.ldelim(); }
  if (m.memory) { w.uint32(18).fork(); writeMemoryUsage(w, m.memory); w.ldelim(); }
  if (m.network) { w.uint32(26).fork(); writeNetworkUsage(w, m.network); w.ldelim(); }
  if (m.process) { w.uint32(34).fork(); writeProcessUsage(w, m.process); w.ldelim(); }
  if (m.containers) for (const item of m.containers) { w.uint32(42).fork(); writeContainerStats(w, item); w.ldelim(); }
  if (m.io) { w.uint32(50).fork(); writeIoUsage(w, m.io); w.ldelim(); }
}

export interface NetworkUsage {
  timestamp: bigint;
  defaultInterface?: NetworkInterfaceUsage | undefined;
  interfaces: NetworkInterfaceUsage[];
}
function readNetworkUsage(r: Reader, m: NetworkUsage = { timestamp: 0n, defaultInterface: undefined, interfaces: [] }): NetworkUsage {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.timestamp = readInt64(r); break;
      case 18: m.defaultInterface = nested(r, readNetworkInterfaceUsage, m.defaultInterface); break;
      case 26: m.interfaces.push(nested(r, readNetworkInterfaceUsage)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeNetworkUsage(w: Writer, m: Init<NetworkUsage>): void {
  if (m.timestamp) writeInt64(w.uint32(8), m.timestamp);
  if (m.defaultInterface) { w.uint32(18).fork(); writeNetworkInterfaceUsage(w, m.defaultInterface); w.ldelim(); }
  if (m.interfaces) for (const item of m.interfaces) { w.uint32(26).fork(); writeNetworkInterfaceUsage(w, item); w.ldelim(); }
}

export interface NetworkInterfaceUsage {
  name: string;
  rxBytes?: UInt64Value | undefined;
  rxErrors?: UInt64Value | undefined;
  txBytes?: UInt64Value | undefined;
  txErrors?: UInt64Value | undefined;
}
function readNetworkInterfaceUsage(r: Reader, m: NetworkInterfaceUsage = { name: '', rxBytes: undefined, rxErrors: undefined, txBytes: undefined, txErrors: undefined }): NetworkInterfaceUsage {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.name = readString(r); break;
      case 18: m.rxBytes = nested(r, readUInt64Value, m.rxBytes); break;
      case 26: m.rxErrors = nested(r, readUInt64Value, m.rxErrors); break;
      case 34: m.txBytes = nested(r, readUInt64Value, m.txBytes); break;
      case 42: m.txErrors = nested(r, readUInt64Value, m.txErrors); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeNetworkInterfaceUsage(w: Writer, m: Init<NetworkInterfaceUsage>): void {
  if (m.name) writeString(w.uint32(10), m.name);
  if (m.rxBytes) { w.uint32(18).fork(); writeUInt64Value(w, m.rxBytes); w.ldelim(); }
  if (m.rxErrors) { w.uint32(26).fork(); writeUInt64Value(w, m.rxErrors); w.ldelim(); }
  if (m.txBytes) { w.uint32(34).fork(); writeUInt64Value(w, m.txBytes); w.ldelim(); }
  if (m.txErrors) { w.uint32(42).fork(); writeUInt64Value(w, m.txErrors); w.ldelim(); }
}

export interface ProcessUsage {
  timestamp: bigint;
  processCount?: UInt64Value | undefined;
}
function readProcessUsage(r: Reader, m: ProcessUsage = { timestamp: 0n, processCount: undefined }): ProcessUsage {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.timestamp = readInt64(r); break;
      case 18: m.processCount = nested(r, readUInt64Value, m.processCount); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeProcessUsage(w: Writer, m: Init<ProcessUsage>): void {
  if (m.timestamp) writeInt64(w.uint32(8), m.timestamp);
  if (m.processCount) { w.uint32(18).fork(); writeUInt64Value(w, m.processCount); w.ldelim(); }
}

export interface WindowsPodSandboxStats {
  cpu?: WindowsCpuUsage | undefined;
  memory?: WindowsMemoryUsage | undefined;
  network?: WindowsNetworkUsage | undefined;
  process?: WindowsProcessUsage | undefined;
  containers: WindowsContainerStats[];
}
function readWindowsPodSandboxStats(r: Reader, m: WindowsPodSandboxStats = { cpu: undefined, memory: undefined, network: undefined, process: undefined, containers: [] }): WindowsPodSandboxStats {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.cpu = nested(r, readWindowsCpuUsage, m.cpu); break;
      case 18: m.memory = nested(r, readWindowsMemoryUsage, m.memory); break;
      case 26: m.network = nested(r, readWindowsNetworkUsage, m.network); break;
      case 34: m.process = nested(r, readWindowsProcessUsage, m.process); break;
      case 42: m.containers.push(nested(r, readWindowsContainerStats)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeWindowsPodSandboxStats(w: Writer, m: Init<WindowsPodSandboxStats>): void {
  if (m.cpu) { w.uint32(10).fork(); writeWindowsCpuUsage(w, m.cpu); w.ldelim(); }
  if (m.memory) { w.uint32(18).fork(); writeWindowsMemoryUsage(w, m.memory); w.ldelim(); }
  if (m.network) { w.uint32(26).fork(); writeWindowsNetworkUsage(w, m.network); w.ldelim(); }
  if (m.process) { w.uint32(34).fork(); writeWindowsProcessUsage(w, m.process); w.ldelim(); }
  if (m.containers) for (const item of m.containers) { w.uint32(42).fork(); writeWindowsContainerStats(w, item); w.ldelim(); }
}

export interface WindowsCpuUsage {
  timestamp: bigint;
  usageCoreNanoSeconds?: UInt64Value | undefined;
  usageNanoCores?: UInt64Value | undefined;
}
function readWindowsCpuUsage(r: Reader, m: WindowsCpuUsage = { timestamp: 0n, usageCoreNanoSeconds: undefined, usageNanoCores: undefined }): WindowsCpuUsage {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.timestamp = readInt64(r); break;
      case 18: m.usageCoreNanoSeconds = nested(r, readUInt64Value, m.usageCoreNanoSeconds); break;
      case 26: m.usageNanoCores = nested(r, readUInt64Value, m.usageNanoCores); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeWindowsCpuUsage(w: Writer, m: Init<WindowsCpuUsage>): void {
  if (m.timestamp) writeInt64(w.uint32(8), m.timestamp);
  if (m.usageCoreNanoSeconds) { w.uint32(18).fork(); writeUInt64Value(w, m.usageCoreNanoSeconds); w.ldelim(); }
  if (m.usageNanoCores) { w.uint32(26).fork(); writeUInt64Value(w, m.usageNanoCores); w.ldelim(); }
}

export interface WindowsMemoryUsage {
  timestamp: bigint;
  workingSetBytes?: UInt64Value | undefined;
  availableBytes?: UInt64Value | undefined;
  pageFaults?: UInt64Value | undefined;
  commitMemoryBytes?: UInt64Value | undefined;
}
function readWindowsMemoryUsage(r: Reader, m: WindowsMemoryUsage = { timestamp: 0n, workingSetBytes: undefined, availableBytes: undefined, pageFaults: undefined, commitMemoryBytes: undefined }): WindowsMemoryUsage {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.timestamp = readInt64(r); break;
      case 18: m.workingSetBytes = nested(r, readUInt64Value, m.workingSetBytes); break;
      case 26: m.availableBytes = nested(r, readUInt64Value, m.availableBytes); break;
      case 34: m.pageFaults = nested(r, readUInt64Value, m.pageFaults); break;
      case 42: m.commitMemoryBytes = nested(r, readUInt64Value, m.commitMemoryBytes); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeWindowsMemoryUsage(w: Writer, m: Init<WindowsMemoryUsage>): void {
  if (m.timestamp) writeInt64(w.uint32(8), m.timestamp);
  if (m.workingSetBytes) { w.uint32(18).fork(); writeUInt64Value(w, m.workingSetBytes); w.ldelim(); }
  if (m.availableBytes) { w.uint32(26).fork(); writeUInt64Value(w, m.availableBytes); w.ldelim(); }
  if (m.pageFaults) { w.uint32(34).fork(); writeUInt64Value(w, m.pageFaults); w.ldelim(); }
  if (m.commitMemoryBytes) { w.uint32(42).fork(); writeUInt64Value(w, m.commitMemoryBytes); w.ldelim(); }
}

export interface WindowsNetworkUsage {
  timestamp: bigint;
  defaultInterface?: WindowsNetworkInterfaceUsage | undefined;
  interfaces: WindowsNetworkInterfaceUsage[];
}
function readWindowsNetworkUsage(r: Reader, m: WindowsNetworkUsage = { timestamp: 0n, defaultInterface: undefined, interfaces: [] }): WindowsNetworkUsage {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.timestamp = readInt64(r); break;
      case 18: m.defaultInterface = nested(r, readWindowsNetworkInterfaceUsage, m.defaultInterface); break;
      case 26: m.interfaces.push(nested(r, readWindowsNetworkInterfaceUsage)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeWindowsNetworkUsage(w: Writer, m: Init<WindowsNetworkUsage>): void {
  if (m.timestamp) writeInt64(w.uint32(8), m.timestamp);
  if (m.defaultInterface) { w.uint32(18).fork(); writeWindowsNetworkInterfaceUsage(w, m.defaultInterface); w.ldelim(); }
  if (m.interfaces) for (const item of m.interfaces) { w.uint32(26).fork(); writeWindowsNetworkInterfaceUsage(w, item); w.ldelim(); }
}

export interface WindowsNetworkInterfaceUsage {
  name: string;
  rxBytes?: UInt64Value | undefined;
  rxPacketsDropped?: UInt64Value | undefined;
  txBytes?: UInt64Value | undefined;
  txPacketsDropped?: UInt64Value | undefined;
}
function readWindowsNetworkInterfaceUsage(r: Reader, m: WindowsNetworkInterfaceUsage = { name: '', rxBytes: undefined, rxPacketsDropped: undefined, txBytes: undefined, txPacketsDropped: undefined }): WindowsNetworkInterfaceUsage {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.name = readString(r); break;
      case 18: m.rxBytes = nested(r, readUInt64Value, m.rxBytes); break;
      case 26: m.rxPacketsDropped = nested(r, readUInt64Value, m.rxPacketsDropped); break;
      case 34: m.txBytes = nested(r, readUInt64Value, m.txBytes); break;
      case 42: m.txPacketsDropped = nested(r, readUInt64Value, m.txPacketsDropped); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeWindowsNetworkInterfaceUsage(w: Writer, m: Init<WindowsNetworkInterfaceUsage>): void {
  if (m.name) writeString(w.uint32(10), m.name);
  if (m.rxBytes) { w.uint32(18).fork(); writeUInt64Value(w, m.rxBytes); w.ldelim(); }
  if (m.rxPacketsDropped) { w.uint32(26).fork(); writeUInt64Value(w, m.rxPacketsDropped); w.ldelim(); }
  if (m.txBytes) { w.uint32(34).fork(); writeUInt64Value(w, m.txBytes); w.ldelim(); }
  if (m.txPacketsDropped) { w.uint32(42).fork(); writeUInt64Value(w, m.txPacketsDropped); w.ldelim(); }
}

export interface WindowsProcessUsage {
  timestamp: bigint;
  processCount?: UInt64Value | undefined;
}
function readWindowsProcessUsage(r: Reader, m: WindowsProcessUsage = { timestamp: 0n, processCount: undefined }): WindowsProcessUsage {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.timestamp = readInt64(r); break;
      case 18: m.processCount = nested(r, readUInt64Value, m.processCount); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeWindowsProcessUsage(w: Writer, m: Init<WindowsProcessUsage>): void {
  if (m.timestamp) writeInt64(w.uint32(8), m.timestamp);
  if (m.processCount) { w.uint32(18).fork(); writeUInt64Value(w, m.processCount); w.ldelim(); }
}

export interface WindowsContainerStats {
  attributes?: ContainerAttributes | undefined;
  cpu?: WindowsCpuUsage | undefined;
  memory?: WindowsMemoryUsage | undefined;
  writableLayer?: WindowsFilesystemUsage | undefined;
}
function readWindowsContainerStats(r: Reader, m: WindowsContainerStats = { attributes: undefined, cpu: undefined, memory: undefined, writableLayer: undefined }): WindowsContainerStats {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.attributes = nested(r, readContainerAttributes, m.attributes); break;
      case 18: m.cpu = nested(r, readWindowsCpuUsage, m.cpu); break;
      case 26: m.memory = nested(r, readWindowsMemoryUsage, m.memory); break;
      case 34: m.writableLayer = nested(r, readWindowsFilesystemUsage, m.writableLayer); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeWindowsContainerStats(w: Writer, m: Init<WindowsContainerStats>): void {
  if (m.attributes) { w.uint32(10).fork(); writeContainerAttributes(w, m.attributes); w.ldelim(); }
  if (m.cpu) { w.uint32(18).fork(); writeWindowsCpuUsage(w, m.cpu); w.ldelim(); }
  if (m.memory) { w.uint32(26).fork(); writeWindowsMemoryUsage(w, m.memory); w.ldelim(); }
  if (m.writableLayer) { w.uint32(34).fork(); writeWindowsFilesystemUsage(w, m.writableLayer); w.ldelim(); }
}

export interface WindowsFilesystemUsage {
  timestamp: bigint;
  fsId?: FilesystemIdentifier | undefined;
  usedBytes?: UInt64Value | undefined;
}
function readWindowsFilesystemUsage(r: Reader, m: WindowsFilesystemUsage = { timestamp: 0n, fsId: undefined, usedBytes: undefined }): WindowsFilesystemUsage {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.timestamp = readInt64(r); break;
      case 18: m.fsId = nested(r, readFilesystemIdentifier, m.fsId); break;
      case 26: m.usedBytes = nested(r, readUInt64Value, m.usedBytes); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeWindowsFilesystemUsage(w: Writer, m: Init<WindowsFilesystemUsage>): void {
  if (m.timestamp) writeInt64(w.uint32(8), m.timestamp);
  if (m.fsId) { w.uint32(18).fork(); writeFilesystemIdentifier(w, m.fsId); w.ldelim(); }
  if (m.usedBytes) { w.uint32(26).fork(); writeUInt64Value(w, m.usedBytes); w.ldelim(); }
}

export interface ListPodSandboxStatsRequest {
  filter?: PodSandboxStatsFilter | undefined;
}
function readListPodSandboxStatsRequest(r: Reader, m: ListPodSandboxStatsRequest = { filter: undefined }): ListPodSandboxStatsRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.filter = nested(r, readPodSandboxStatsFilter, m.filter); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeListPodSandboxStatsRequest(w: Writer, m: Init<ListPodSandboxStatsRequest>): void {
  if (m.filter) { w.uint32(10).fork(); writePodSandboxStatsFilter(w, m.filter); w.ldelim(); }
}

export interface PodSandboxStatsFilter {
  id: string;
  labelSelector: Record<string, string>;
}
function readPodSandboxStatsFilter(r: Reader, m: PodSandboxStatsFilter = { id: '', labelSelector: {} }): PodSandboxStatsFilter {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.id = readString(r); break;
      case 18: readEntry(r, m.labelSelector); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writePodSandboxStatsFilter(w: Writer, m: Init<PodSandboxStatsFilter>): void {
  if (m.id) writeString(w.uint32(10), m.id);
  writeMap(w, 18, m.labelSelector);
}

export interface ListPodSandboxStatsResponse {
  stats: PodSandboxStats[];
}
function readListPodSandboxStatsResponse(r: Reader, m: ListPodSandboxStatsResponse = { stats: [] }): ListPodSandboxStatsResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.stats.push(nested(r, readPodSandboxStats)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeListPodSandboxStatsResponse(w: Writer, m: Init<ListPodSandboxStatsResponse>): void {
  if (m.stats) for (const item of m.stats) { w.uint32(10).fork(); writePodSandboxStats(w, item); w.ldelim(); }
}

export interface StreamPodSandboxStatsRequest {
  filter?: PodSandboxStatsFilter | undefined;
}
function readStreamPodSandboxStatsRequest(r: Reader, m: StreamPodSandboxStatsRequest = { filter: undefined }): StreamPodSandboxStatsRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.filter = nested(r, readPodSandboxStatsFilter, m.filter); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeStreamPodSandboxStatsRequest(w: Writer, m: Init<StreamPodSandboxStatsRequest>): void {
  if (m.filter) { w.uint32(10).fork(); writePodSandboxStatsFilter(w, m.filter); w.ldelim(); }
}

export interface StreamPodSandboxStatsResponse {
  podSandboxStats: PodSandboxStats[];
}
function readStreamPodSandboxStatsResponse(r: Reader, m: StreamPodSandboxStatsResponse = { podSandboxStats: [] }): StreamPodSandboxStatsResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.podSandboxStats.push(nested(r, readPodSandboxStats)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeStreamPodSandboxStatsResponse(w: Writer, m: Init<StreamPodSandboxStatsResponse>): void {
  if (m.podSandboxStats) for (const item of m.podSandboxStats) { w.uint32(10).fork(); writePodSandboxStats(w, item); w.ldelim(); }
}

export type ListMetricDescriptorsRequest = NoFields;
const readListMetricDescriptorsRequest = readNoFields;
const writeListMetricDescriptorsRequest = writeNoFields;

export interface ListMetricDescriptorsResponse {
  descriptors: MetricDescriptor[];
}
function readListMetricDescriptorsResponse(r: Reader, m: ListMetricDescriptorsResponse = { descriptors: [] }): ListMetricDescriptorsResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.descriptors.push(nested(r, readMetricDescriptor)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeListMetricDescriptorsResponse(w: Writer, m: Init<ListMetricDescriptorsResponse>): void {
  if (m.descriptors) for (const item of m.descriptors) { w.uint32(10).fork(); writeMetricDescriptor(w, item); w.ldelim(); }
}

export interface MetricDescriptor {
  name: string;
  help: string;
  /** In the order of a metric's label_values. */
  labelKeys: string[];
}
function readMetricDescriptor(r: Reader, m: MetricDescriptor = { name: '', help: '', labelKeys: [] }): MetricDescriptor {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.name = readString(r); break;
      case 18: m.help = readString(r); break;
      case 26: m.labelKeys.push(readString(r)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeMetricDescriptor(w: Writer, m: Init<MetricDescriptor>): void {
  if (m.name) writeString(w.uint32(10), m.name);
  if (m.help) writeString(w.uint32(18), m.help);
  if (m.labelKeys) for (const item of m.labelKeys) writeString(w.uint32(26), item);
}

export type ListPodSandboxMetricsRequest = NoFields;
const readListPodSandboxMetricsRequest = readNoFields;
const writeListPodSandboxMetricsRequest = writeNoFields;

export interface ListPodSandboxMetricsResponse {
  podMetrics: PodSandboxMetrics[];
}
function readListPodSandboxMetricsResponse(r: Reader, m: ListPodSandboxMetricsResponse = { podMetrics: [] }): ListPodSandboxMetricsResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.podMetrics.push(nested(r, readPodSandboxMetrics)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeListPodSandboxMetricsResponse(w: Writer, m: Init<ListPodSandboxMetricsResponse>): void {
  if (m.podMetrics) for (const item of m.podMetrics) { w.uint32(10).fork(); writePodSandboxMetrics(w, item); w.ldelim(); }
}

export interface PodSandboxMetrics {
  podSandboxId: string;
  metrics: Metric[];
  containerMetrics: ContainerMetrics[];
}
function readPodSandboxMetrics(r: Reader, m: PodSandboxMetrics = { podSandboxId: '', metrics: [], containerMetrics: [] }): PodSandboxMetrics {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.podSandboxId = readString(r); break;
      case 18: m.metrics.push(nested(r, readMetric)); break;
      case 26: m.containerMetrics.push(nested(r, readContainerMetrics)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writePodSandboxMetrics(w: Writer, m: Init<PodSandboxMetrics>): void {
  if (m.podSandboxId) writeString(w.uint32(10), m.podSandboxId);
  if (m.metrics) for (const item of m.metrics) { w.uint32(18).fork(); writeMetric(w, item); w.ldelim(); }
  if (m.containerMetrics) for (const item of m.containerMetrics) { w.uint32(26).fork(); writeContainerMetrics(w, item); w.ldelim(); }
}

export interface Metric {
  name: string;
  /** 0: now. */
  timestamp: bigint;
  metricType: MetricType;
  /** In the order of its descriptor's label_keys. */
  labelValues: string[];
  value?: UInt64Value | undefined;
}
function readMetric(r: Reader, m: Metric = { name: '', timestamp: 0n, metricType: 0, labelValues: [], value: undefined }): Metric {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.name = readString(r); break;
      case 16: m.timestamp = readInt64(r); break;
      case 24: m.metricType = r.int32(); break;
      case 34: m.labelValues.push(readString(r)); break;
      case 42: m.value = nested(r, readUInt64Value, m.value); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeMetric(w: Writer, m: Init<Metric>): void {
  if (m.name) writeString(w.uint32(10), m.name);
  if (m.timestamp) writeInt64(w.uint32(16), m.timestamp);
  if (m.metricType) w.uint32(24).int32(m.metricType);
  if (m.labelValues) for (const item of m.labelValues) writeString(w.uint32(34), item);
  if (m.value) { w.uint32(42).fork(); writeUInt64Value(w, m.value); w.ldelim(); }
}

export interface ContainerMetrics {
  containerId: string;
  metrics: Metric[];
}
function readContainerMetrics(r: Reader, m: ContainerMetrics = { containerId: '', metrics: [] }): ContainerMetrics {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerId = readString(r); break;
      case 18: m.metrics.push(nested(r, readMetric)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeContainerMetrics(w: Writer, m: Init<ContainerMetrics>): void {
  if (m.containerId) writeString(w.uint32(10), m.containerId);
  if (m.metrics) for (const item of m.metrics) { w.uint32(18).fork(); writeMetric(w, item); w.ldelim(); }
}

export type StreamPodSandboxMetricsRequest = NoFields;
const readStreamPodSandboxMetricsRequest = readNoFields;
const writeStreamPodSandboxMetricsRequest = writeNoFields;

export interface StreamPodSandboxMetricsResponse {
  podSandboxMetrics: PodSandboxMetrics[];
}
function readStreamPodSandboxMetricsResponse(r: Reader, m: StreamPodSandboxMetricsResponse = { podSandboxMetrics: [] }): StreamPodSandboxMetricsResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.podSandboxMetrics.push(nested(r, readPodSandboxMetrics)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeStreamPodSandboxMetricsResponse(w: Writer, m: Init<StreamPodSandboxMetricsResponse>): void {
  if (m.podSandboxMetrics) for (const item of m.podSandboxMetrics) { w.uint32(10).fork(); writePodSandboxMetrics(w, item); w.ldelim(); }
}

/** Events from now on, of every container. */
export type GetEventsRequest = NoFields;
const readGetEventsRequest = readNoFields;
const writeGetEventsRequest = writeNoFields;

export interface ContainerEventResponse {
  /** Of a sandbox's infra container, too: then the sandbox's id. */
  containerId: string;
  containerEventType: ContainerEventType;
  createdAt: bigint;
  podSandboxStatus?: PodSandboxStatus | undefined;
  /** Of all containers of the pod. */
  containersStatuses: ContainerStatus[];
}
function readContainerEventResponse(r: Reader, m: ContainerEventResponse = { containerId: '', containerEventType: 0, createdAt: 0n, podSandboxStatus: undefined, containersStatuses: [] }): ContainerEventResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerId = readString(r); break;
      case 16: m.containerEventType = r.int32(); break;
      case 24: m.createdAt = readInt64(r); break;
      case 34: m.podSandboxStatus = nested(r, readPodSandboxStatus, m.podSandboxStatus); break;
      case 42: m.containersStatuses.push(nested(r, readContainerStatus)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeContainerEventResponse(w: Writer, m: Init<ContainerEventResponse>): void {
  if (m.containerId) writeString(w.uint32(10), m.containerId);
  if (m.containerEventType) w.uint32(16).int32(m.containerEventType);
  if (m.createdAt) writeInt64(w.uint32(24), m.createdAt);
  if (m.podSandboxStatus) { w.uint32(34).fork(); writePodSandboxStatus(w, m.podSandboxStatus); w.ldelim(); }
  if (m.containersStatuses) for (const item of m.containersStatuses) { w.uint32(42).fork(); writeContainerStatus(w, item); w.ldelim(); }
}

export interface UpdateRuntimeConfigRequest {
  runtimeConfig?: RuntimeConfig | undefined;
}
function readUpdateRuntimeConfigRequest(r: Reader, m: UpdateRuntimeConfigRequest = { runtimeConfig: undefined }): UpdateRuntimeConfigRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.runtimeConfig = nested(r, readRuntimeConfig, m.runtimeConfig); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeUpdateRuntimeConfigRequest(w: Writer, m: Init<UpdateRuntimeConfigRequest>): void {
  if (m.runtimeConfig) { w.uint32(10).fork(); writeRuntimeConfig(w, m.runtimeConfig); w.ldelim(); }
}

export interface RuntimeConfig {
  networkConfig?: NetworkConfig | undefined;
}
function readRuntimeConfig(r: Reader, m: RuntimeConfig = { networkConfig: undefined }): RuntimeConfig {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.networkConfig = nested(r, readNetworkConfig, m.networkConfig); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeRuntimeConfig(w: Writer, m: Init<RuntimeConfig>): void {
  if (m.networkConfig) { w.uint32(10).fork(); writeNetworkConfig(w, m.networkConfig); w.ldelim(); }
}

export interface NetworkConfig {
  /** One range, or one a family with a comma between. */
  podCidr: string;
}
function readNetworkConfig(r: Reader, m: NetworkConfig = { podCidr: '' }): NetworkConfig {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.podCidr = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeNetworkConfig(w: Writer, m: Init<NetworkConfig>): void {
  if (m.podCidr) writeString(w.uint32(10), m.podCidr);
}

export type UpdateRuntimeConfigResponse = NoFields;
const readUpdateRuntimeConfigResponse = readNoFields;
const writeUpdateRuntimeConfigResponse = writeNoFields;

export type RuntimeConfigRequest = NoFields;
const readRuntimeConfigRequest = readNoFields;
const writeRuntimeConfigRequest = writeNoFields;

export interface RuntimeConfigResponse {
  linux?: LinuxRuntimeConfiguration | undefined;
}
function readRuntimeConfigResponse(r: Reader, m: RuntimeConfigResponse = { linux: undefined }): RuntimeConfigResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.linux = nested(r, readLinuxRuntimeConfiguration, m.linux); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeRuntimeConfigResponse(w: Writer, m: Init<RuntimeConfigResponse>): void {
  if (m.linux) { w.uint32(10).fork(); writeLinuxRuntimeConfiguration(w, m.linux); w.ldelim(); }
}

export interface LinuxRuntimeConfiguration {
  /** Must be the one that the kubelet is to use. */
  cgroupDriver: CgroupDriver;
}
function readLinuxRuntimeConfiguration(r: Reader, m: LinuxRuntimeConfiguration = { cgroupDriver: 0 }): LinuxRuntimeConfiguration {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.cgroupDriver = r.int32(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeLinuxRuntimeConfiguration(w: Writer, m: Init<LinuxRuntimeConfiguration>): void {
  if (m.cgroupDriver) w.uint32(8).int32(m.cgroupDriver);
}

export interface StatusRequest {
  verbose: boolean;
}
function readStatusRequest(r: Reader, m: StatusRequest = { verbose: false }): StatusRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.verbose = r.bool(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeStatusRequest(w: Writer, m: Init<StatusRequest>): void {
  if (m.verbose) w.uint32(8).bool(m.verbose);
}

export interface StatusResponse {
  status?: RuntimeStatus | undefined;
  /** For people, by name; JSON where it has structure. */
  info: Record<string, string>;
  /** One each, and one with an empty name for the default. */
  runtimeHandlers: RuntimeHandler[];
  features?: RuntimeFeatures | undefined;
}
function readStatusResponse(r: Reader, m: StatusResponse = { status: undefined, info: {}, runtimeHandlers: [], features: undefined }): StatusResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.status = nested(r, readRuntimeStatus, m.status); break;
      case 18: readEntry(r, m.info); break;
      case 26: m.runtimeHandlers.push(nested(r, readRuntimeHandler)); break;
      case 34: m.features = nested(r, readRuntimeFeatures, m.features); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeStatusResponse(w: Writer, m: Init<StatusResponse>): void {
  if (m.status) { w.uint32(10).fork(); writeRuntimeStatus(w, m.status); w.ldelim(); }
  writeMap(w, 18, m.info);
  if (m.runtimeHandlers) for (const item of m.runtimeHandlers) { w.uint32(26).fork(); writeRuntimeHandler(w, item); w.ldelim(); }
  if (m.features) { w.uint32(34).fork(); writeRuntimeFeatures(w, m.features); w.ldelim(); }
}

export interface RuntimeStatus {
  /** RuntimeReady and NetworkReady must be among them; others are informative. */
  conditions: RuntimeCondition[];
}
function readRuntimeStatus(r: Reader, m: RuntimeStatus = { conditions: [] }): RuntimeStatus {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.conditions.push(nested(r, readRuntimeCondition)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeRuntimeStatus(w: Writer, m: Init<RuntimeStatus>): void {
  if (m.conditions) for (const item of m.conditions) { w.uint32(10).fork(); writeRuntimeCondition(w, item); w.ldelim(); }
}

export interface RuntimeCondition {
  type: string;
  status: boolean;
  /** One word. */
  reason: string;
  message: string;
}
function readRuntimeCondition(r: Reader, m: RuntimeCondition = { type: '', status: false, reason: '', message: '' }): RuntimeCondition {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.type = readString(r); break;
      case 16: m.status = r.bool(); break;
      case 26: m.reason = readString(r); break;
      case 34: m.message = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeRuntimeCondition(w: Writer, m: Init<RuntimeCondition>): void {
  if (m.type) writeString(w.uint32(10), m.type);
  if (m.status) w.uint32(16).bool(m.status);
  if (m.reason) writeString(w.uint32(26), m.reason);
  if (m.message) writeString(w.uint32(34), m.message);
}

export interface RuntimeHandler {
  name: string;
  features?: RuntimeHandlerFeatures | undefined;
}
function readRuntimeHandler(r: Reader, m: RuntimeHandler = { name: '', features: undefined }): RuntimeHandler {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.name = readString(r); break;
      case 18: m.features = nested(r, readRuntimeHandlerFeatures, m.features); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeRuntimeHandler(w: Writer, m: Init<RuntimeHandler>): void {
  if (m.name) writeString(w.uint32(10), m.name);
  if (m.features) { w.uint32(18).fork(); writeRuntimeHandlerFeatures(w, m.features); w.ldelim(); }
}

/** The kubelet refuses pods that need what is not said here. */
export interface RuntimeHandlerFeatures {
  recursiveReadOnlyMounts: boolean;
  userNamespaces: boolean;
}
function readRuntimeHandlerFeatures(r: Reader, m: RuntimeHandlerFeatures = { recursiveReadOnlyMounts: false, userNamespaces: false }): RuntimeHandlerFeatures {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.recursiveReadOnlyMounts = r.bool(); break;
      case 16: m.userNamespaces = r.bool(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeRuntimeHandlerFeatures(w: Writer, m: Init<RuntimeHandlerFeatures>): void {
  if (m.recursiveReadOnlyMounts) w.uint32(8).bool(m.recursiveReadOnlyMounts);
  if (m.userNamespaces) w.uint32(16).bool(m.userNamespaces);
}

/** Of the runtime itself, whatever the handler. */
export interface RuntimeFeatures {
  supplementalGroupsPolicy: boolean;
  userNamespacesHostNetwork: boolean;
  mountOptions: boolean;
}
function readRuntimeFeatures(r: Reader, m: RuntimeFeatures = { supplementalGroupsPolicy: false, userNamespacesHostNetwork: false, mountOptions: false }): RuntimeFeatures {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.supplementalGroupsPolicy = r.bool(); break;
      case 16: m.userNamespacesHostNetwork = r.bool(); break;
      case 24: m.mountOptions = r.bool(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeRuntimeFeatures(w: Writer, m: Init<RuntimeFeatures>): void {
  if (m.supplementalGroupsPolicy) w.uint32(8).bool(m.supplementalGroupsPolicy);
  if (m.userNamespacesHostNetwork) w.uint32(16).bool(m.userNamespacesHostNetwork);
  if (m.mountOptions) w.uint32(24).bool(m.mountOptions);
}

export interface CheckpointContainerRequest {
  containerId: string;
  /** File to write, on the host. */
  location: string;
  /** Seconds; 0 is the runtime's default. */
  timeout: bigint;
}
function readCheckpointContainerRequest(r: Reader, m: CheckpointContainerRequest = { containerId: '', location: '', timeout: 0n }): CheckpointContainerRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerId = readString(r); break;
      case 18: m.location = readString(r); break;
      case 24: m.timeout = readInt64(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeCheckpointContainerRequest(w: Writer, m: Init<CheckpointContainerRequest>): void {
  if (m.containerId) writeString(w.uint32(10), m.containerId);
  if (m.location) writeString(w.uint32(18), m.location);
  if (m.timeout) writeInt64(w.uint32(24), m.timeout);
}

export type CheckpointContainerResponse = NoFields;
const readCheckpointContainerResponse = readNoFields;
const writeCheckpointContainerResponse = writeNoFields;

export interface CheckpointPodRequest {
  podSandboxId: string;
  /** Directory on the host; nothing is written outside it, and nothing is left in it after a failure. */
  outputPath: string;
  containerIds: string[];
  /** A key that is not known is refused. */
  options: Record<string, string>;
}
function readCheckpointPodRequest(r: Reader, m: CheckpointPodRequest = { podSandboxId: '', outputPath: '', containerIds: [], options: {} }): CheckpointPodRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.podSandboxId = readString(r); break;
      case 18: m.outputPath = readString(r); break;
      case 26: m.containerIds.push(readString(r)); break;
      case 34: readEntry(r, m.options); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeCheckpointPodRequest(w: Writer, m: Init<CheckpointPodRequest>): void {
  if (m.podSandboxId) writeString(w.uint32(10), m.podSandboxId);
  if (m.outputPath) writeString(w.uint32(18), m.outputPath);
  if (m.containerIds) for (const item of m.containerIds) writeString(w.uint32(26), item);
  writeMap(w, 34, m.options);
}

export type CheckpointPodResponse = NoFields;
const readCheckpointPodResponse = readNoFields;
const writeCheckpointPodResponse = writeNoFields;

export interface RestorePodRequest {
  checkpointPath: string;
  config?: PodSandboxConfig | undefined;
  runtimeHandler: string;
  options: Record<string, string>;
  /** By name exactly the containers of the checkpoint. */
  containerConfigs: ContainerConfig[];
}
function readRestorePodRequest(r: Reader, m: RestorePodRequest = { checkpointPath: '', config: undefined, runtimeHandler: '', options: {}, containerConfigs: [] }): RestorePodRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.checkpointPath = readString(r); break;
      case 18: m.config = nested(r, readPodSandboxConfig, m.config); break;
      case 26: m.runtimeHandler = readString(r); break;
      case 34: readEntry(r, m.options); break;
      case 42: m.containerConfigs.push(nested(r, readContainerConfig)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeRestorePodRequest(w: Writer, m: Init<RestorePodRequest>): void {
  if (m.checkpointPath) writeString(w.uint32(10), m.checkpointPath);
  if (m.config) { w.uint32(18).fork(); writePodSandboxConfig(w, m.config); w.ldelim(); }
  if (m.runtimeHandler) writeString(w.uint32(26), m.runtimeHandler);
  writeMap(w, 34, m.options);
  if (m.containerConfigs) for (const item of m.containerConfigs) { w.uint32(42).fork(); writeContainerConfig(w, item); w.ldelim(); }
}

export interface RestorePodResponse {
  podSandboxId: string;
  restoredContainers: RestoredContainer[];
}
function readRestorePodResponse(r: Reader, m: RestorePodResponse = { podSandboxId: '', restoredContainers: [] }): RestorePodResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.podSandboxId = readString(r); break;
      case 18: m.restoredContainers.push(nested(r, readRestoredContainer)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeRestorePodResponse(w: Writer, m: Init<RestorePodResponse>): void {
  if (m.podSandboxId) writeString(w.uint32(10), m.podSandboxId);
  if (m.restoredContainers) for (const item of m.restoredContainers) { w.uint32(18).fork(); writeRestoredContainer(w, item); w.ldelim(); }
}

export interface RestoredContainer {
  name: string;
  containerId: string;
}
function readRestoredContainer(r: Reader, m: RestoredContainer = { name: '', containerId: '' }): RestoredContainer {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.name = readString(r); break;
      case 18: m.containerId = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeRestoredContainer(w: Writer, m: Init<RestoredContainer>): void {
  if (m.name) writeString(w.uint32(10), m.name);
  if (m.containerId) writeString(w.uint32(18), m.containerId);
}

export interface ListImagesRequest {
  filter?: ImageFilter | undefined;
}
function readListImagesRequest(r: Reader, m: ListImagesRequest = { filter: undefined }): ListImagesRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.filter = nested(r, readImageFilter, m.filter); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeListImagesRequest(w: Writer, m: Init<ListImagesRequest>): void {
  if (m.filter) { w.uint32(10).fork(); writeImageFilter(w, m.filter); w.ldelim(); }
}

export interface ImageFilter {
  /** One image to look up. */
  image?: ImageSpec | undefined;
}
function readImageFilter(r: Reader, m: ImageFilter = { image: undefined }): ImageFilter {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.image = nested(r, readImageSpec, m.image); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeImageFilter(w: Writer, m: Init<ImageFilter>): void {
  if (m.image) { w.uint32(10).fork(); writeImageSpec(w, m.image); w.ldelim(); }
}

export interface ListImagesResponse {
  images: Image[];
}
function readListImagesResponse(r: Reader, m: ListImagesResponse = { images: [] }): ListImagesResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.images.push(nested(r, readImage)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeListImagesResponse(w: Writer, m: Init<ListImagesResponse>): void {
  if (m.images) for (const item of m.images) { w.uint32(10).fork(); writeImage(w, item); w.ldelim(); }
}

export interface Image {
  /** Digest of the image's config; what PullImage answers and containers carry. */
  id: string;
  /** Its names with a tag. */
  repoTags: string[];
  /** Its names with a digest. */
  repoDigests: string[];
  /** Bytes; must not be 0. */
  size: bigint;
  /** User the image runs as, where it is a number; else username. */
  uid?: Int64Value | undefined;
  username: string;
  spec?: ImageSpec | undefined;
  /** Must not be removed by the kubelet's clean-up. */
  pinned: boolean;
}
function readImage(r: Reader, m: Image = { id: '', repoTags: [], repoDigests: [], size: 0n, uid: undefined, username: '', spec: undefined, pinned: false }): Image {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.id = readString(r); break;
      case 18: m.repoTags.push(readString(r)); break;
      case 26: m.repoDigests.push(readString(r)); break;
      case 32: m.size = readUint64(r); break;
      case 42: m.uid = nested(r, readInt64Value, m.uid); break;
      case 50: m.username = readString(r); break;
      case 58: m.spec = nested(r, readImageSpec, m.spec); break;
      case 64: m.pinned = r.bool(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeImage(w: Writer, m: Init<Image>): void {
  if (m.id) writeString(w.uint32(10), m.id);
  if (m.repoTags) for (const item of m.repoTags) writeString(w.uint32(18), item);
  if (m.repoDigests) for (const item of m.repoDigests) writeString(w.uint32(26), item);
  if (m.size) writeUint64(w.uint32(32), m.size);
  if (m.uid) { w.uint32(42).fork(); writeInt64Value(w, m.uid); w.ldelim(); }
  if (m.username) writeString(w.uint32(50), m.username);
  if (m.spec) { w.uint32(58).fork(); writeImageSpec(w, m.spec); w.ldelim(); }
  if (m.pinned) w.uint32(64).bool(m.pinned);
}

export interface StreamImagesRequest {
  filter?: ImageFilter | undefined;
}
function readStreamImagesRequest(r: Reader, m: StreamImagesRequest = { filter: undefined }): StreamImagesRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.filter = nested(r, readImageFilter, m.filter); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeStreamImagesRequest(w: Writer, m: Init<StreamImagesRequest>): void {
  if (m.filter) { w.uint32(10).fork(); writeImageFilter(w, m.filter); w.ldelim(); }
}

export interface StreamImagesResponse {
  images: Image[];
}
function readStreamImagesResponse(r: Reader, m: StreamImagesResponse = { images: [] }): StreamImagesResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.images.push(nested(r, readImage)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeStreamImagesResponse(w: Writer, m: Init<StreamImagesResponse>): void {
  if (m.images) for (const item of m.images) { w.uint32(10).fork(); writeImage(w, item); w.ldelim(); }
}

export interface ImageStatusRequest {
  image?: ImageSpec | undefined;
  verbose: boolean;
}
function readImageStatusRequest(r: Reader, m: ImageStatusRequest = { image: undefined, verbose: false }): ImageStatusRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.image = nested(r, readImageSpec, m.image); break;
      case 16: m.verbose = r.bool(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeImageStatusRequest(w: Writer, m: Init<ImageStatusRequest>): void {
  if (m.image) { w.uint32(10).fork(); writeImageSpec(w, m.image); w.ldelim(); }
  if (m.verbose) w.uint32(16).bool(m.verbose);
}

export interface ImageStatusResponse {
  /** Absent where there is no such image. */
  image?: Image | undefined;
  /** For people, by name; JSON where it has structure. */
  info: Record<string, string>;
}
function readImageStatusResponse(r: Reader, m: ImageStatusResponse = { image: undefined, info: {} }): ImageStatusResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.image = nested(r, readImage, m.image); break;
      case 18: readEntry(r, m.info); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeImageStatusResponse(w: Writer, m: Init<ImageStatusResponse>): void {
  if (m.image) { w.uint32(10).fork(); writeImage(w, m.image); w.ldelim(); }
  writeMap(w, 18, m.info);
}

export interface PullImageRequest {
  image?: ImageSpec | undefined;
  auth?: AuthConfig | undefined;
  /** The pod that it is for, where there is one. */
  sandboxConfig?: PodSandboxConfig | undefined;
}
function readPullImageRequest(r: Reader, m: PullImageRequest = { image: undefined, auth: undefined, sandboxConfig: undefined }): PullImageRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.image = nested(r, readImageSpec, m.image); break;
      case 18: m.auth = nested(r, readAuthConfig, m.auth); break;
      case 26: m.sandboxConfig = nested(r, readPodSandboxConfig, m.sandboxConfig); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writePullImageRequest(w: Writer, m: Init<PullImageRequest>): void {
  if (m.image) { w.uint32(10).fork(); writeImageSpec(w, m.image); w.ldelim(); }
  if (m.auth) { w.uint32(18).fork(); writeAuthConfig(w, m.auth); w.ldelim(); }
  if (m.sandboxConfig) { w.uint32(26).fork(); writePodSandboxConfig(w, m.sandboxConfig); w.ldelim(); }
}

/** Credentials of one registry; one of the ways is filled in. */
export interface AuthConfig {
  username: string;
  password: string;
  /** Base64 of user:password, perhaps with zero bytes at its end. */
  auth: string;
  serverAddress: string;
  /** To get an access token with. */
  identityToken: string;
  /** Sent to the registry as it is. */
  registryToken: string;
}
function readAuthConfig(r: Reader, m: AuthConfig = { username: '', password: '', auth: '', serverAddress: '', identityToken: '', registryToken: '' }): AuthConfig {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.username = readString(r); break;
      case 18: m.password = readString(r); break;
      case 26: m.auth = readString(r); break;
      case 34: m.serverAddress = readString(r); break;
      case 42: m.identityToken = readString(r); break;
      case 50: m.registryToken = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeAuthConfig(w: Writer, m: Init<AuthConfig>): void {
  if (m.username) writeString(w.uint32(10), m.username);
  if (m.password) writeString(w.uint32(18), m.password);
  if (m.auth) writeString(w.uint32(26), m.auth);
  if (m.serverAddress) writeString(w.uint32(34), m.serverAddress);
  if (m.identityToken) writeString(w.uint32(42), m.identityToken);
  if (m.registryToken) writeString(w.uint32(50), m.registryToken);
}

export interface PullImageResponse {
  /** The image's id, as in Image.id. */
  imageRef: string;
}
function readPullImageResponse(r: Reader, m: PullImageResponse = { imageRef: '' }): PullImageResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.imageRef = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writePullImageResponse(w: Writer, m: Init<PullImageResponse>): void {
  if (m.imageRef) writeString(w.uint32(10), m.imageRef);
}

export interface RemoveImageRequest {
  image?: ImageSpec | undefined;
}
function readRemoveImageRequest(r: Reader, m: RemoveImageRequest = { image: undefined }): RemoveImageRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.image = nested(r, readImageSpec, m.image); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeRemoveImageRequest(w: Writer, m: Init<RemoveImageRequest>): void {
  if (m.image) { w.uint32(10).fork(); writeImageSpec(w, m.image); w.ldelim(); }
}

export type RemoveImageResponse = NoFields;
const readRemoveImageResponse = readNoFields;
const writeRemoveImageResponse = writeNoFields;

export type ImageFsInfoRequest = NoFields;
const readImageFsInfoRequest = readNoFields;
const writeImageFsInfoRequest = writeNoFields;

export interface ImageFsInfoResponse {
  imageFilesystems: FilesystemUsage[];
  /** Where writable layers are; the same one unless the disks are split. */
  containerFilesystems: FilesystemUsage[];
}
function readImageFsInfoResponse(r: Reader, m: ImageFsInfoResponse = { imageFilesystems: [], containerFilesystems: [] }): ImageFsInfoResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.imageFilesystems.push(nested(r, readFilesystemUsage)); break;
      case 18: m.containerFilesystems.push(nested(r, readFilesystemUsage)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeImageFsInfoResponse(w: Writer, m: Init<ImageFsInfoResponse>): void {
  if (m.imageFilesystems) for (const item of m.imageFilesystems) { w.uint32(10).fork(); writeFilesystemUsage(w, item); w.ldelim(); }
  if (m.containerFilesystems) for (const item of m.containerFilesystems) { w.uint32(18).fork(); writeFilesystemUsage(w, item); w.ldelim(); }
}

/** Every message type, by its name. */
export const messages = {
  VersionRequest: codec(readVersionRequest, writeVersionRequest),
  VersionResponse: codec(readVersionResponse, writeVersionResponse),
  RunPodSandboxRequest: codec(readRunPodSandboxRequest, writeRunPodSandboxRequest),
  PodSandboxConfig: codec(readPodSandboxConfig, writePodSandboxConfig),
  PodSandboxMetadata: codec(readPodSandboxMetadata, writePodSandboxMetadata),
  DNSConfig: codec(readDNSConfig, writeDNSConfig),
  PortMapping: codec(readPortMapping, writePortMapping),
  LinuxPodSandboxConfig: codec(readLinuxPodSandboxConfig, writeLinuxPodSandboxConfig),
  LinuxSandboxSecurityContext: codec(readLinuxSandboxSecurityContext, writeLinuxSandboxSecurityContext),
  NamespaceOption: codec(readNamespaceOption, writeNamespaceOption),
  UserNamespace: codec(readUserNamespace, writeUserNamespace),
  IDMapping: codec(readIDMapping, writeIDMapping),
  SELinuxOption: codec(readSELinuxOption, writeSELinuxOption),
  Int64Value: codec(readInt64Value, writeInt64Value),
  SecurityProfile: codec(readSecurityProfile, writeSecurityProfile),
  LinuxContainerResources: codec(readLinuxContainerResources, writeLinuxContainerResources),
  HugepageLimit: codec(readHugepageLimit, writeHugepageLimit),
  WindowsPodSandboxConfig: codec(readWindowsPodSandboxConfig, writeWindowsPodSandboxConfig),
  WindowsSandboxSecurityContext: codec(readWindowsSandboxSecurityContext, writeWindowsSandboxSecurityContext),
  WindowsNamespaceOption: codec(readWindowsNamespaceOption, writeWindowsNamespaceOption),
  RunPodSandboxResponse: codec(readRunPodSandboxResponse, writeRunPodSandboxResponse),
  StopPodSandboxRequest: codec(readStopPodSandboxRequest, writeStopPodSandboxRequest),
  StopPodSandboxResponse: codec(readStopPodSandboxResponse, writeStopPodSandboxResponse),
  RemovePodSandboxRequest: codec(readRemovePodSandboxRequest, writeRemovePodSandboxRequest),
  RemovePodSandboxResponse: codec(readRemovePodSandboxResponse, writeRemovePodSandboxResponse),
  PodSandboxStatusRequest: codec(readPodSandboxStatusRequest, writePodSandboxStatusRequest),
  PodSandboxStatusResponse: codec(readPodSandboxStatusResponse, writePodSandboxStatusResponse),
  PodSandboxStatus: codec(readPodSandboxStatus, writePodSandboxStatus),
  PodSandboxNetworkStatus: codec(readPodSandboxNetworkStatus, writePodSandboxNetworkStatus),
  PodIP: codec(readPodIP, writePodIP),
  LinuxPodSandboxStatus: codec(readLinuxPodSandboxStatus, writeLinuxPodSandboxStatus),
  Namespace: codec(readNamespace, writeNamespace),
  ContainerStatus: codec(readContainerStatus, writeContainerStatus),
  ContainerMetadata: codec(readContainerMetadata, writeContainerMetadata),
  ImageSpec: codec(readImageSpec, writeImageSpec),
  Mount: codec(readMount, writeMount),
  ContainerResources: codec(readContainerResources, writeContainerResources),
  WindowsContainerResources: codec(readWindowsContainerResources, writeWindowsContainerResources),
  WindowsCpuGroupAffinity: codec(readWindowsCpuGroupAffinity, writeWindowsCpuGroupAffinity),
  ContainerUser: codec(readContainerUser, writeContainerUser),
  LinuxContainerUser: codec(readLinuxContainerUser, writeLinuxContainerUser),
  ListPodSandboxRequest: codec(readListPodSandboxRequest, writeListPodSandboxRequest),
  PodSandboxFilter: codec(readPodSandboxFilter, writePodSandboxFilter),
  PodSandboxStateValue: codec(readPodSandboxStateValue, writePodSandboxStateValue),
  ListPodSandboxResponse: codec(readListPodSandboxResponse, writeListPodSandboxResponse),
  PodSandbox: codec(readPodSandbox, writePodSandbox),
  StreamPodSandboxesRequest: codec(readStreamPodSandboxesRequest, writeStreamPodSandboxesRequest),
  StreamPodSandboxesResponse: codec(readStreamPodSandboxesResponse, writeStreamPodSandboxesResponse),
  UpdatePodSandboxResourcesRequest: codec(readUpdatePodSandboxResourcesRequest, writeUpdatePodSandboxResourcesRequest),
  UpdatePodSandboxResourcesResponse: codec(readUpdatePodSandboxResourcesResponse, writeUpdatePodSandboxResourcesResponse),
  CreateContainerRequest: codec(readCreateContainerRequest, writeCreateContainerRequest),
  ContainerConfig: codec(readContainerConfig, writeContainerConfig),
  KeyValue: codec(readKeyValue, writeKeyValue),
  Device: codec(readDevice, writeDevice),
  LinuxContainerConfig: codec(readLinuxContainerConfig, writeLinuxContainerConfig),
  LinuxContainerSecurityContext: codec(readLinuxContainerSecurityContext, writeLinuxContainerSecurityContext),
  Capability: codec(readCapability, writeCapability),
  WindowsContainerConfig: codec(readWindowsContainerConfig, writeWindowsContainerConfig),
  WindowsContainerSecurityContext: codec(readWindowsContainerSecurityContext, writeWindowsContainerSecurityContext),
  CDIDevice: codec(readCDIDevice, writeCDIDevice),
  CreateContainerResponse: codec(readCreateContainerResponse, writeCreateContainerResponse),
  StartContainerRequest: codec(readStartContainerRequest, writeStartContainerRequest),
  StartContainerResponse: codec(readStartContainerResponse, writeStartContainerResponse),
  StopContainerRequest: codec(readStopContainerRequest, writeStopContainerRequest),
  StopContainerResponse: codec(readStopContainerResponse, writeStopContainerResponse),
  RemoveContainerRequest: codec(readRemoveContainerRequest, writeRemoveContainerRequest),
  RemoveContainerResponse: codec(readRemoveContainerResponse, writeRemoveContainerResponse),
  ListContainersRequest: codec(readListContainersRequest, writeListContainersRequest),
  ContainerFilter: codec(readContainerFilter, writeContainerFilter),
  ContainerStateValue: codec(readContainerStateValue, writeContainerStateValue),
  ListContainersResponse: codec(readListContainersResponse, writeListContainersResponse),
  Container: codec(readContainer, writeContainer),
  StreamContainersRequest: codec(readStreamContainersRequest, writeStreamContainersRequest),
  StreamContainersResponse: codec(readStreamContainersResponse, writeStreamContainersResponse),
  ContainerStatusRequest: codec(readContainerStatusRequest, writeContainerStatusRequest),
  ContainerStatusResponse: codec(readContainerStatusResponse, writeContainerStatusResponse),
  UpdateContainerResourcesRequest: codec(readUpdateContainerResourcesRequest, writeUpdateContainerResourcesRequest),
  UpdateContainerResourcesResponse: codec(readUpdateContainerResourcesResponse, writeUpdateContainerResourcesResponse),
  ReopenContainerLogRequest: codec(readReopenContainerLogRequest, writeReopenContainerLogRequest),
  ReopenContainerLogResponse: codec(readReopenContainerLogResponse, writeReopenContainerLogResponse),
  ExecSyncRequest: codec(readExecSyncRequest, writeExecSyncRequest),
  ExecSyncResponse: codec(readExecSyncResponse, writeExecSyncResponse),
  ExecRequest: codec(readExecRequest, writeExecRequest),
  ExecResponse: codec(readExecResponse, writeExecResponse),
  AttachRequest: codec(readAttachRequest, writeAttachRequest),
  AttachResponse: codec(readAttachResponse, writeAttachResponse),
  PortForwardRequest: codec(readPortForwardRequest, writePortForwardRequest),
  PortForwardResponse: codec(readPortForwardResponse, writePortForwardResponse),
  ContainerStatsRequest: codec(readContainerStatsRequest, writeContainerStatsRequest),
  ContainerStatsResponse: codec(readContainerStatsResponse, writeContainerStatsResponse),
  ContainerStats: codec(readContainerStats, writeContainerStats),
  ContainerAttributes: codec(readContainerAttributes, writeContainerAttributes),
  CpuUsage: codec(readCpuUsage, writeCpuUsage),
  UInt64Value: codec(readUInt64Value, writeUInt64Value),
  PsiStats: codec(readPsiStats, writePsiStats),
  PsiData: codec(readPsiData, writePsiData),
  MemoryUsage: codec(readMemoryUsage, writeMemoryUsage),
  FilesystemUsage: codec(readFilesystemUsage, writeFilesystemUsage),
  FilesystemIdentifier: codec(readFilesystemIdentifier, writeFilesystemIdentifier),
  SwapUsage: codec(readSwapUsage, writeSwapUsage),
  IoUsage: codec(readIoUsage, writeIoUsage),
  ListContainerStatsRequest: codec(readListContainerStatsRequest, writeListContainerStatsRequest),
  ContainerStatsFilter: codec(readContainerStatsFilter, writeContainerStatsFilter),
  ListContainerStatsResponse: codec(readListContainerStatsResponse, writeListContainerStatsResponse),
  StreamContainerStatsRequest: codec(readStreamContainerStatsRequest, writeStreamContainerStatsRequest),
  StreamContainerStatsResponse: codec(readStreamContainerStatsResponse, writeStreamContainerStatsResponse),
  PodSandboxStatsRequest: codec(readPodSandboxStatsRequest, writePodSandboxStatsRequest),
  PodSandboxStatsResponse: codec(readPodSandboxStatsResponse, writePodSandboxStatsResponse),
  PodSandboxStats: codec(readPodSandboxStats, writePodSandboxStats),
  PodSandboxAttributes: codec(readPodSandboxAttributes, writePodSandboxAttributes),
  LinuxPodSandboxStats: codec(readLinuxPodSandboxStats, writeLinuxPodSandboxStats),
  NetworkUsage: codec(readNetworkUsage, writeNetworkUsage),
  NetworkInterfaceUsage: codec(readNetworkInterfaceUsage, writeNetworkInterfaceUsage),
  ProcessUsage: codec(readProcessUsage, writeProcessUsage),
  WindowsPodSandboxStats: codec(readWindowsPodSandboxStats, writeWindowsPodSandboxStats),
  WindowsCpuUsage: codec(readWindowsCpuUsage, writeWindowsCpuUsage),
  WindowsMemoryUsage: codec(readWindowsMemoryUsage, writeWindowsMemoryUsage),
  WindowsNetworkUsage: codec(readWindowsNetworkUsage, writeWindowsNetworkUsage),
  WindowsNetworkInterfaceUsage: codec(readWindowsNetworkInterfaceUsage, writeWindowsNetworkInterfaceUsage),
  WindowsProcessUsage: codec(readWindowsProcessUsage, writeWindowsProcessUsage),
  WindowsContainerStats: codec(readWindowsContainerStats, writeWindowsContainerStats),
  WindowsFilesystemUsage: codec(readWindowsFilesystemUsage, writeWindowsFilesystemUsage),
  ListPodSandboxStatsRequest: codec(readListPodSandboxStatsRequest, writeListPodSandboxStatsRequest),
  PodSandboxStatsFilter: codec(readPodSandboxStatsFilter, writePodSandboxStatsFilter),
  ListPodSandboxStatsResponse: codec(readListPodSandboxStatsResponse, writeListPodSandboxStatsResponse),
  StreamPodSandboxStatsRequest: codec(readStreamPodSandboxStatsRequest, writeStreamPodSandboxStatsRequest),
  StreamPodSandboxStatsResponse: codec(readStreamPodSandboxStatsResponse, writeStreamPodSandboxStatsResponse),
  ListMetricDescriptorsRequest: codec(readListMetricDescriptorsRequest, writeListMetricDescriptorsRequest),
  ListMetricDescriptorsResponse: codec(readListMetricDescriptorsResponse, writeListMetricDescriptorsResponse),
  MetricDescriptor: codec(readMetricDescriptor, writeMetricDescriptor),
  ListPodSandboxMetricsRequest: codec(readListPodSandboxMetricsRequest, writeListPodSandboxMetricsRequest),
  ListPodSandboxMetricsResponse: codec(readListPodSandboxMetricsResponse, writeListPodSandboxMetricsResponse),
  PodSandboxMetrics: codec(readPodSandboxMetrics, writePodSandboxMetrics),
  Metric: codec(readMetric, writeMetric),
  ContainerMetrics: codec(readContainerMetrics, writeContainerMetrics),
  StreamPodSandboxMetricsRequest: codec(readStreamPodSandboxMetricsRequest, writeStreamPodSandboxMetricsRequest),
  StreamPodSandboxMetricsResponse: codec(readStreamPodSandboxMetricsResponse, writeStreamPodSandboxMetricsResponse),
  GetEventsRequest: codec(readGetEventsRequest, writeGetEventsRequest),
  ContainerEventResponse: codec(readContainerEventResponse, writeContainerEventResponse),
  UpdateRuntimeConfigRequest: codec(readUpdateRuntimeConfigRequest, writeUpdateRuntimeConfigRequest),
  RuntimeConfig: codec(readRuntimeConfig, writeRuntimeConfig),
  NetworkConfig: codec(readNetworkConfig, writeNetworkConfig),
  UpdateRuntimeConfigResponse: codec(readUpdateRuntimeConfigResponse, writeUpdateRuntimeConfigResponse),
  RuntimeConfigRequest: codec(readRuntimeConfigRequest, writeRuntimeConfigRequest),
  RuntimeConfigResponse: codec(readRuntimeConfigResponse, writeRuntimeConfigResponse),
  LinuxRuntimeConfiguration: codec(readLinuxRuntimeConfiguration, writeLinuxRuntimeConfiguration),
  StatusRequest: codec(readStatusRequest, writeStatusRequest),
  StatusResponse: codec(readStatusResponse, writeStatusResponse),
  RuntimeStatus: codec(readRuntimeStatus, writeRuntimeStatus),
  RuntimeCondition: codec(readRuntimeCondition, writeRuntimeCondition),
  RuntimeHandler: codec(readRuntimeHandler, writeRuntimeHandler),
  RuntimeHandlerFeatures: codec(readRuntimeHandlerFeatures, writeRuntimeHandlerFeatures),
  RuntimeFeatures: codec(readRuntimeFeatures, writeRuntimeFeatures),
  CheckpointContainerRequest: codec(readCheckpointContainerRequest, writeCheckpointContainerRequest),
  CheckpointContainerResponse: codec(readCheckpointContainerResponse, writeCheckpointContainerResponse),
  CheckpointPodRequest: codec(readCheckpointPodRequest, writeCheckpointPodRequest),
  CheckpointPodResponse: codec(readCheckpointPodResponse, writeCheckpointPodResponse),
  RestorePodRequest: codec(readRestorePodRequest, writeRestorePodRequest),
  RestorePodResponse: codec(readRestorePodResponse, writeRestorePodResponse),
  RestoredContainer: codec(readRestoredContainer, writeRestoredContainer),
  ListImagesRequest: codec(readListImagesRequest, writeListImagesRequest),
  ImageFilter: codec(readImageFilter, writeImageFilter),
  ListImagesResponse: codec(readListImagesResponse, writeListImagesResponse),
  Image: codec(readImage, writeImage),
  StreamImagesRequest: codec(readStreamImagesRequest, writeStreamImagesRequest),
  StreamImagesResponse: codec(readStreamImagesResponse, writeStreamImagesResponse),
  ImageStatusRequest: codec(readImageStatusRequest, writeImageStatusRequest),
  ImageStatusResponse: codec(readImageStatusResponse, writeImageStatusResponse),
  PullImageRequest: codec(readPullImageRequest, writePullImageRequest),
  AuthConfig: codec(readAuthConfig, writeAuthConfig),
  PullImageResponse: codec(readPullImageResponse, writePullImageResponse),
  RemoveImageRequest: codec(readRemoveImageRequest, writeRemoveImageRequest),
  RemoveImageResponse: codec(readRemoveImageResponse, writeRemoveImageResponse),
  ImageFsInfoRequest: codec(readImageFsInfoRequest, writeImageFsInfoRequest),
  ImageFsInfoResponse: codec(readImageFsInfoResponse, writeImageFsInfoResponse),
};

/** The RPCs of both services. */
export const services = {
  /**
   * Sandboxes, containers, streaming, stats and the node's own state. The kubelet repeats calls: Stop and Remove succeed for what
   * is not there, and a create that was asked for before answers with the object that came of it.
   */
  RuntimeService: {
    /** Says who answers. The kubelet refuses a runtime that leaves one of the four answers empty. */
    Version: grpcMethod('/runtime.v1.RuntimeService/Version', false, messages.VersionRequest, messages.VersionResponse),
    /** Makes a sandbox and starts it; it is ready when this answers. The same name, namespace, uid and attempt again give the same id. */
    RunPodSandbox: grpcMethod('/runtime.v1.RuntimeService/RunPodSandbox', false, messages.RunPodSandboxRequest, messages.RunPodSandboxResponse),
    /**
     * Stops the sandbox's containers and gives its network back. Called often, at least once before a remove; works when the network
     * namespace is gone.
     */
    StopPodSandbox: grpcMethod('/runtime.v1.RuntimeService/StopPodSandbox', false, messages.StopPodSandboxRequest, messages.StopPodSandboxResponse),
    /** Removes the sandbox and by force every container of it. */
    RemovePodSandbox: grpcMethod('/runtime.v1.RuntimeService/RemovePodSandbox', false, messages.RemovePodSandboxRequest, messages.RemovePodSandboxResponse),
    /** One sandbox in full; NOT_FOUND where there is none, any other code disturbs the kubelet's relisting. */
    PodSandboxStatus: grpcMethod('/runtime.v1.RuntimeService/PodSandboxStatus', false, messages.PodSandboxStatusRequest, messages.PodSandboxStatusResponse),
    /** The sandboxes that match every part of the filter. */
    ListPodSandbox: grpcMethod('/runtime.v1.RuntimeService/ListPodSandbox', false, messages.ListPodSandboxRequest, messages.ListPodSandboxResponse),
    /** As ListPodSandbox, in pieces that stay under the message limit. On UNIMPLEMENTED the kubelet uses the list. */
    StreamPodSandboxes: grpcMethod('/runtime.v1.RuntimeService/StreamPodSandboxes', true, messages.StreamPodSandboxesRequest, messages.StreamPodSandboxesResponse),
    /** Tells of new resources of the pod, after the kubelet has changed the pod's cgroup; best effort. */
    UpdatePodSandboxResources: grpcMethod('/runtime.v1.RuntimeService/UpdatePodSandboxResources', false, messages.UpdatePodSandboxResourcesRequest, messages.UpdatePodSandboxResourcesResponse),
    /** Makes a container in a sandbox without starting it. The image must be there. The same name and attempt again give the same id. */
    CreateContainer: grpcMethod('/runtime.v1.RuntimeService/CreateContainer', false, messages.CreateContainerRequest, messages.CreateContainerResponse),
    /** Starts a created container. One that cannot be started stays, as exited, with reason and message. */
    StartContainer: grpcMethod('/runtime.v1.RuntimeService/StartContainer', false, messages.StartContainerRequest, messages.StartContainerResponse),
    /** Sends the stop signal, and SIGKILL when the timeout has passed. */
    StopContainer: grpcMethod('/runtime.v1.RuntimeService/StopContainer', false, messages.StopContainerRequest, messages.StopContainerResponse),
    /** Removes a container, by force if it runs. Its log stays: the kubelet owns it. */
    RemoveContainer: grpcMethod('/runtime.v1.RuntimeService/RemoveContainer', false, messages.RemoveContainerRequest, messages.RemoveContainerResponse),
    /** The containers that match every part of the filter. */
    ListContainers: grpcMethod('/runtime.v1.RuntimeService/ListContainers', false, messages.ListContainersRequest, messages.ListContainersResponse),
    /** As ListContainers, in pieces. */
    StreamContainers: grpcMethod('/runtime.v1.RuntimeService/StreamContainers', true, messages.StreamContainersRequest, messages.StreamContainersResponse),
    /** One container in full; NOT_FOUND where there is none. */
    ContainerStatus: grpcMethod('/runtime.v1.RuntimeService/ContainerStatus', false, messages.ContainerStatusRequest, messages.ContainerStatusResponse),
    /** Changes resources of a container at once or not at all; a zero field stays as it is. The status shows the new ones. */
    UpdateContainerResources: grpcMethod('/runtime.v1.RuntimeService/UpdateContainerResources', false, messages.UpdateContainerResourcesRequest, messages.UpdateContainerResourcesResponse),
    /** Has the log written to a new file after a rotation. Of a container that does not run it fails and makes no file. */
    ReopenContainerLog: grpcMethod('/runtime.v1.RuntimeService/ReopenContainerLog', false, messages.ReopenContainerLogRequest, messages.ReopenContainerLogResponse),
    /** Runs a command to its end; the answer has what it wrote and its exit code. */
    ExecSync: grpcMethod('/runtime.v1.RuntimeService/ExecSync', false, messages.ExecSyncRequest, messages.ExecSyncResponse),
    /** Prepares a command with streams; the answer is a URL for one use. */
    Exec: grpcMethod('/runtime.v1.RuntimeService/Exec', false, messages.ExecRequest, messages.ExecResponse),
    /** Prepares streams to a container's own process; the answer is a URL for one use. */
    Attach: grpcMethod('/runtime.v1.RuntimeService/Attach', false, messages.AttachRequest, messages.AttachResponse),
    /** Prepares streams to ports inside a sandbox; the answer is a URL for one use. */
    PortForward: grpcMethod('/runtime.v1.RuntimeService/PortForward', false, messages.PortForwardRequest, messages.PortForwardResponse),
    /** What one container uses. */
    ContainerStats: grpcMethod('/runtime.v1.RuntimeService/ContainerStats', false, messages.ContainerStatsRequest, messages.ContainerStatsResponse),
    /** What the running containers that match the filter use. */
    ListContainerStats: grpcMethod('/runtime.v1.RuntimeService/ListContainerStats', false, messages.ListContainerStatsRequest, messages.ListContainerStatsResponse),
    /** As ListContainerStats, in pieces. */
    StreamContainerStats: grpcMethod('/runtime.v1.RuntimeService/StreamContainerStats', true, messages.StreamContainerStatsRequest, messages.StreamContainerStatsResponse),
    /** What one sandbox and its containers use. */
    PodSandboxStats: grpcMethod('/runtime.v1.RuntimeService/PodSandboxStats', false, messages.PodSandboxStatsRequest, messages.PodSandboxStatsResponse),
    /** What the sandboxes that match the filter use. */
    ListPodSandboxStats: grpcMethod('/runtime.v1.RuntimeService/ListPodSandboxStats', false, messages.ListPodSandboxStatsRequest, messages.ListPodSandboxStatsResponse),
    /** As ListPodSandboxStats, in pieces. */
    StreamPodSandboxStats: grpcMethod('/runtime.v1.RuntimeService/StreamPodSandboxStats', true, messages.StreamPodSandboxStatsRequest, messages.StreamPodSandboxStatsResponse),
    /** The metrics that ListPodSandboxMetrics may give. Asked once: a metric without a descriptor is dropped by the kubelet. */
    ListMetricDescriptors: grpcMethod('/runtime.v1.RuntimeService/ListMetricDescriptors', false, messages.ListMetricDescriptorsRequest, messages.ListMetricDescriptorsResponse),
    /** Metrics of every sandbox, for the kubelet's cAdvisor endpoint. */
    ListPodSandboxMetrics: grpcMethod('/runtime.v1.RuntimeService/ListPodSandboxMetrics', false, messages.ListPodSandboxMetricsRequest, messages.ListPodSandboxMetricsResponse),
    /** As ListPodSandboxMetrics, in pieces. */
    StreamPodSandboxMetrics: grpcMethod('/runtime.v1.RuntimeService/StreamPodSandboxMetrics', true, messages.StreamPodSandboxMetricsRequest, messages.StreamPodSandboxMetricsResponse),
    /** Each creation, start, stop and removal of a container from now on, with the state after it. The stream does not end by itself. */
    GetContainerEvents: grpcMethod('/runtime.v1.RuntimeService/GetContainerEvents', true, messages.GetEventsRequest, messages.ContainerEventResponse),
    /** Tells of the node's pod address ranges. */
    UpdateRuntimeConfig: grpcMethod('/runtime.v1.RuntimeService/UpdateRuntimeConfig', false, messages.UpdateRuntimeConfigRequest, messages.UpdateRuntimeConfigResponse),
    /** Says which cgroup driver is in use. Asked once, at the kubelet's start; kubelets from 1.38 on do not start without it. */
    RuntimeConfig: grpcMethod('/runtime.v1.RuntimeService/RuntimeConfig', false, messages.RuntimeConfigRequest, messages.RuntimeConfigResponse),
    /** Whether the runtime and its network are ready, and what its handlers can do. Asked every few seconds. */
    Status: grpcMethod('/runtime.v1.RuntimeService/Status', false, messages.StatusRequest, messages.StatusResponse),
    /** Writes the state of a running container to an archive; the container runs on. */
    CheckpointContainer: grpcMethod('/runtime.v1.RuntimeService/CheckpointContainer', false, messages.CheckpointContainerRequest, messages.CheckpointContainerResponse),
    /**
     * Writes one consistent state of the listed containers: all are paused before the first is written, and all go on afterwards,
     * also after a failure. A deadline is required.
     */
    CheckpointPod: grpcMethod('/runtime.v1.RuntimeService/CheckpointPod', false, messages.CheckpointPodRequest, messages.CheckpointPodResponse),
    /**
     * Makes a sandbox and its containers from a checkpoint. No restored process runs before its StartContainer; on failure nothing
     * is left.
     */
    RestorePod: grpcMethod('/runtime.v1.RuntimeService/RestorePod', false, messages.RestorePodRequest, messages.RestorePodResponse),
  },
  /** Images on the node: what a container may be created from. */
  ImageService: {
    /** The images there are. */
    ListImages: grpcMethod('/runtime.v1.ImageService/ListImages', false, messages.ListImagesRequest, messages.ListImagesResponse),
    /** As ListImages, in pieces. */
    StreamImages: grpcMethod('/runtime.v1.ImageService/StreamImages', true, messages.StreamImagesRequest, messages.StreamImagesResponse),
    /** One image. Where there is none the answer has no image; that is no error. */
    ImageStatus: grpcMethod('/runtime.v1.ImageService/ImageStatus', false, messages.ImageStatusRequest, messages.ImageStatusResponse),
    /** Fetches an image. It has no fixed deadline; the kubelet cancels it where it sees no need any more. */
    PullImage: grpcMethod('/runtime.v1.ImageService/PullImage', false, messages.PullImageRequest, messages.PullImageResponse),
    /** Removes an image with all its names. One that is not there is already removed. */
    RemoveImage: grpcMethod('/runtime.v1.ImageService/RemoveImage', false, messages.RemoveImageRequest, messages.RemoveImageResponse),
    /** How full the file systems of images and containers are; the kubelet evicts pods by it. */
    ImageFsInfo: grpcMethod('/runtime.v1.ImageService/ImageFsInfo', false, messages.ImageFsInfoRequest, messages.ImageFsInfoResponse),
  },
};
