// Generated from api.proto by scripts/generate-codec.ts (`npm run generate`). Not to be edited.
import type { Reader, Writer } from 'protobufjs/minimal.js';
import { codec, int32Part, messagePart, nested, packed, readNoFields, readEntry, readEntryOf, readInt64, readString, readUint64, textPart, writeNoFields, writeInt64, writeMap, writeMapOf, writeString, writeUint64 } from '../codec.ts';
import type { Init, NoFields } from '../codec.ts';
import type {
  ContainerState,
  Event,
  IOPrioClass,
  LinuxSchedulerFlag,
  LinuxSchedulerPolicy,
  LogRequestLevel,
  MpolFlag,
  MpolMode,
  SecurityProfileProfileType,
} from './enums.ts';
export * from './enums.ts';
export type * from '../codec.ts';

export interface RegisterPluginRequest {
  pluginName: string;
  /** Two digits. Plugins are called in this order. */
  pluginIdx: string;
  /** The version of the NRI module that the plugin was built with; empty before 0.9. */
  nriVersion: string;
}
function readRegisterPluginRequest(r: Reader, m: RegisterPluginRequest = { pluginName: '', pluginIdx: '', nriVersion: '' }): RegisterPluginRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.pluginName = readString(r); break;
      case 18: m.pluginIdx = readString(r); break;
      case 26: m.nriVersion = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeRegisterPluginRequest(w: Writer, m: Init<RegisterPluginRequest>): void {
  if (m.pluginName) writeString(w.uint32(10), m.pluginName);
  if (m.pluginIdx) writeString(w.uint32(18), m.pluginIdx);
  if (m.nriVersion) writeString(w.uint32(26), m.nriVersion);
}

export interface UpdateContainersRequest {
  update: ContainerUpdate[];
  evict: ContainerEviction[];
}
function readUpdateContainersRequest(r: Reader, m: UpdateContainersRequest = { update: [], evict: [] }): UpdateContainersRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.update.push(nested(r, readContainerUpdate)); break;
      case 18: m.evict.push(nested(r, readContainerEviction)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeUpdateContainersRequest(w: Writer, m: Init<UpdateContainersRequest>): void {
  if (m.update) for (const item of m.update) { w.uint32(10).fork(); writeContainerUpdate(w, item); w.ldelim(); }
  if (m.evict) for (const item of m.evict) { w.uint32(18).fork(); writeContainerEviction(w, item); w.ldelim(); }
}

export interface UpdateContainersResponse {
  /** Those of the updates that the runtime could not make. */
  failed: ContainerUpdate[];
}
function readUpdateContainersResponse(r: Reader, m: UpdateContainersResponse = { failed: [] }): UpdateContainersResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.failed.push(nested(r, readContainerUpdate)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeUpdateContainersResponse(w: Writer, m: Init<UpdateContainersResponse>): void {
  if (m.failed) for (const item of m.failed) { w.uint32(10).fork(); writeContainerUpdate(w, item); w.ldelim(); }
}

export interface LogRequest {
  msg: string;
  level: LogRequestLevel;
}
function readLogRequest(r: Reader, m: LogRequest = { msg: '', level: 0 }): LogRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.msg = readString(r); break;
      case 16: m.level = r.int32(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeLogRequest(w: Writer, m: Init<LogRequest>): void {
  if (m.msg) writeString(w.uint32(10), m.msg);
  if (m.level) w.uint32(16).int32(m.level);
}

export interface ConfigureRequest {
  /** The plugin's configuration file, as it is. */
  config: string;
  runtimeName: string;
  runtimeVersion: string;
  /** Milliseconds that the plugin has to be configured and synchronized. */
  registrationTimeout: bigint;
  /** Milliseconds that the plugin has for each event. */
  requestTimeout: bigint;
  /** The version of NRI that the runtime speaks. */
  nriVersion: string;
}
function readConfigureRequest(r: Reader, m: ConfigureRequest = { config: '', runtimeName: '', runtimeVersion: '', registrationTimeout: 0n, requestTimeout: 0n, nriVersion: '' }): ConfigureRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.config = readString(r); break;
      case 18: m.runtimeName = readString(r); break;
      case 26: m.runtimeVersion = readString(r); break;
      case 32: m.registrationTimeout = readInt64(r); break;
      case 40: m.requestTimeout = readInt64(r); break;
      case 50: m.nriVersion = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeConfigureRequest(w: Writer, m: Init<ConfigureRequest>): void {
  if (m.config) writeString(w.uint32(10), m.config);
  if (m.runtimeName) writeString(w.uint32(18), m.runtimeName);
  if (m.runtimeVersion) writeString(w.uint32(26), m.runtimeVersion);
  if (m.registrationTimeout) writeInt64(w.uint32(32), m.registrationTimeout);
  if (m.requestTimeout) writeInt64(w.uint32(40), m.requestTimeout);
  if (m.nriVersion) writeString(w.uint32(50), m.nriVersion);
}

export interface ConfigureResponse {
  /** Bit N-1 is set where the plugin wants event number N. */
  events: number;
}
function readConfigureResponse(r: Reader, m: ConfigureResponse = { events: 0 }): ConfigureResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 16: m.events = r.int32(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeConfigureResponse(w: Writer, m: Init<ConfigureResponse>): void {
  if (m.events) w.uint32(16).int32(m.events);
}

export interface SynchronizeRequest {
  pods: PodSandbox[];
  containers: Container[];
  /** This is a part, and others follow. */
  more: boolean;
}
function readSynchronizeRequest(r: Reader, m: SynchronizeRequest = { pods: [], containers: [], more: false }): SynchronizeRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.pods.push(nested(r, readPodSandbox)); break;
      case 18: m.containers.push(nested(r, readContainer)); break;
      case 24: m.more = r.bool(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeSynchronizeRequest(w: Writer, m: Init<SynchronizeRequest>): void {
  if (m.pods) for (const item of m.pods) { w.uint32(10).fork(); writePodSandbox(w, item); w.ldelim(); }
  if (m.containers) for (const item of m.containers) { w.uint32(18).fork(); writeContainer(w, item); w.ldelim(); }
  if (m.more) w.uint32(24).bool(m.more);
}

export interface SynchronizeResponse {
  /** With the last part only. */
  update: ContainerUpdate[];
  /** The plugin understands parts; the answer to each but the last. */
  more: boolean;
}
function readSynchronizeResponse(r: Reader, m: SynchronizeResponse = { update: [], more: false }): SynchronizeResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.update.push(nested(r, readContainerUpdate)); break;
      case 16: m.more = r.bool(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeSynchronizeResponse(w: Writer, m: Init<SynchronizeResponse>): void {
  if (m.update) for (const item of m.update) { w.uint32(10).fork(); writeContainerUpdate(w, item); w.ldelim(); }
  if (m.more) w.uint32(16).bool(m.more);
}

export interface RunPodSandboxRequest {
  pod?: PodSandbox | undefined;
}
function readRunPodSandboxRequest(r: Reader, m: RunPodSandboxRequest = { pod: undefined }): RunPodSandboxRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.pod = nested(r, readPodSandbox, m.pod); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeRunPodSandboxRequest(w: Writer, m: Init<RunPodSandboxRequest>): void {
  if (m.pod) { w.uint32(10).fork(); writePodSandbox(w, m.pod); w.ldelim(); }
}

export type RunPodSandboxResponse = NoFields;
const readRunPodSandboxResponse = readNoFields;
const writeRunPodSandboxResponse = writeNoFields;

export interface UpdatePodSandboxRequest {
  pod?: PodSandbox | undefined;
  /** What the pod itself takes beside its containers. */
  overheadLinuxResources?: LinuxResources | undefined;
  /** The sum of its containers. */
  linuxResources?: LinuxResources | undefined;
}
function readUpdatePodSandboxRequest(r: Reader, m: UpdatePodSandboxRequest = { pod: undefined, overheadLinuxResources: undefined, linuxResources: undefined }): UpdatePodSandboxRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.pod = nested(r, readPodSandbox, m.pod); break;
      case 18: m.overheadLinuxResources = nested(r, readLinuxResources, m.overheadLinuxResources); break;
      case 26: m.linuxResources = nested(r, readLinuxResources, m.linuxResources); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeUpdatePodSandboxRequest(w: Writer, m: Init<UpdatePodSandboxRequest>): void {
  if (m.pod) { w.uint32(10).fork(); writePodSandbox(w, m.pod); w.ldelim(); }
  if (m.overheadLinuxResources) { w.uint32(18).fork(); writeLinuxResources(w, m.overheadLinuxResources); w.ldelim(); }
  if (m.linuxResources) { w.uint32(26).fork(); writeLinuxResources(w, m.linuxResources); w.ldelim(); }
}

export type UpdatePodSandboxResponse = NoFields;
const readUpdatePodSandboxResponse = readNoFields;
const writeUpdatePodSandboxResponse = writeNoFields;

export interface PostUpdatePodSandboxRequest {
  pod?: PodSandbox | undefined;
}
function readPostUpdatePodSandboxRequest(r: Reader, m: PostUpdatePodSandboxRequest = { pod: undefined }): PostUpdatePodSandboxRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.pod = nested(r, readPodSandbox, m.pod); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writePostUpdatePodSandboxRequest(w: Writer, m: Init<PostUpdatePodSandboxRequest>): void {
  if (m.pod) { w.uint32(10).fork(); writePodSandbox(w, m.pod); w.ldelim(); }
}

export type PostUpdatePodSandboxResponse = NoFields;
const readPostUpdatePodSandboxResponse = readNoFields;
const writePostUpdatePodSandboxResponse = writeNoFields;

export interface StopPodSandboxRequest {
  pod?: PodSandbox | undefined;
}
function readStopPodSandboxRequest(r: Reader, m: StopPodSandboxRequest = { pod: undefined }): StopPodSandboxRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.pod = nested(r, readPodSandbox, m.pod); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeStopPodSandboxRequest(w: Writer, m: Init<StopPodSandboxRequest>): void {
  if (m.pod) { w.uint32(10).fork(); writePodSandbox(w, m.pod); w.ldelim(); }
}

export type StopPodSandboxResponse = NoFields;
const readStopPodSandboxResponse = readNoFields;
const writeStopPodSandboxResponse = writeNoFields;

export interface RemovePodSandboxRequest {
  pod?: PodSandbox | undefined;
}
function readRemovePodSandboxRequest(r: Reader, m: RemovePodSandboxRequest = { pod: undefined }): RemovePodSandboxRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.pod = nested(r, readPodSandbox, m.pod); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeRemovePodSandboxRequest(w: Writer, m: Init<RemovePodSandboxRequest>): void {
  if (m.pod) { w.uint32(10).fork(); writePodSandbox(w, m.pod); w.ldelim(); }
}

export type RemovePodSandboxResponse = NoFields;
const readRemovePodSandboxResponse = readNoFields;
const writeRemovePodSandboxResponse = writeNoFields;

export interface CreateContainerRequest {
  pod?: PodSandbox | undefined;
  /** As plugins with a lower index want it. */
  container?: Container | undefined;
}
function readCreateContainerRequest(r: Reader, m: CreateContainerRequest = { pod: undefined, container: undefined }): CreateContainerRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.pod = nested(r, readPodSandbox, m.pod); break;
      case 18: m.container = nested(r, readContainer, m.container); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeCreateContainerRequest(w: Writer, m: Init<CreateContainerRequest>): void {
  if (m.pod) { w.uint32(10).fork(); writePodSandbox(w, m.pod); w.ldelim(); }
  if (m.container) { w.uint32(18).fork(); writeContainer(w, m.container); w.ldelim(); }
}

export interface CreateContainerResponse {
  adjust?: ContainerAdjustment | undefined;
  /** Of other containers. */
  update: ContainerUpdate[];
  evict: ContainerEviction[];
}
function readCreateContainerResponse(r: Reader, m: CreateContainerResponse = { adjust: undefined, update: [], evict: [] }): CreateContainerResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.adjust = nested(r, readContainerAdjustment, m.adjust); break;
      case 18: m.update.push(nested(r, readContainerUpdate)); break;
      case 26: m.evict.push(nested(r, readContainerEviction)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeCreateContainerResponse(w: Writer, m: Init<CreateContainerResponse>): void {
  if (m.adjust) { w.uint32(10).fork(); writeContainerAdjustment(w, m.adjust); w.ldelim(); }
  if (m.update) for (const item of m.update) { w.uint32(18).fork(); writeContainerUpdate(w, item); w.ldelim(); }
  if (m.evict) for (const item of m.evict) { w.uint32(26).fork(); writeContainerEviction(w, item); w.ldelim(); }
}

export interface PostCreateContainerRequest {
  pod?: PodSandbox | undefined;
  container?: Container | undefined;
}
function readPostCreateContainerRequest(r: Reader, m: PostCreateContainerRequest = { pod: undefined, container: undefined }): PostCreateContainerRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.pod = nested(r, readPodSandbox, m.pod); break;
      case 18: m.container = nested(r, readContainer, m.container); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writePostCreateContainerRequest(w: Writer, m: Init<PostCreateContainerRequest>): void {
  if (m.pod) { w.uint32(10).fork(); writePodSandbox(w, m.pod); w.ldelim(); }
  if (m.container) { w.uint32(18).fork(); writeContainer(w, m.container); w.ldelim(); }
}

export type PostCreateContainerResponse = NoFields;
const readPostCreateContainerResponse = readNoFields;
const writePostCreateContainerResponse = writeNoFields;

export interface StartContainerRequest {
  pod?: PodSandbox | undefined;
  container?: Container | undefined;
}
function readStartContainerRequest(r: Reader, m: StartContainerRequest = { pod: undefined, container: undefined }): StartContainerRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.pod = nested(r, readPodSandbox, m.pod); break;
      case 18: m.container = nested(r, readContainer, m.container); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeStartContainerRequest(w: Writer, m: Init<StartContainerRequest>): void {
  if (m.pod) { w.uint32(10).fork(); writePodSandbox(w, m.pod); w.ldelim(); }
  if (m.container) { w.uint32(18).fork(); writeContainer(w, m.container); w.ldelim(); }
}

export type StartContainerResponse = NoFields;
const readStartContainerResponse = readNoFields;
const writeStartContainerResponse = writeNoFields;

export interface PostStartContainerRequest {
  pod?: PodSandbox | undefined;
  container?: Container | undefined;
}
function readPostStartContainerRequest(r: Reader, m: PostStartContainerRequest = { pod: undefined, container: undefined }): PostStartContainerRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.pod = nested(r, readPodSandbox, m.pod); break;
      case 18: m.container = nested(r, readContainer, m.container); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writePostStartContainerRequest(w: Writer, m: Init<PostStartContainerRequest>): void {
  if (m.pod) { w.uint32(10).fork(); writePodSandbox(w, m.pod); w.ldelim(); }
  if (m.container) { w.uint32(18).fork(); writeContainer(w, m.container); w.ldelim(); }
}

export type PostStartContainerResponse = NoFields;
const readPostStartContainerResponse = readNoFields;
const writePostStartContainerResponse = writeNoFields;

export interface UpdateContainerRequest {
  pod?: PodSandbox | undefined;
  container?: Container | undefined;
  /** What it shall have, as plugins with a lower index want it. */
  linuxResources?: LinuxResources | undefined;
}
function readUpdateContainerRequest(r: Reader, m: UpdateContainerRequest = { pod: undefined, container: undefined, linuxResources: undefined }): UpdateContainerRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.pod = nested(r, readPodSandbox, m.pod); break;
      case 18: m.container = nested(r, readContainer, m.container); break;
      case 26: m.linuxResources = nested(r, readLinuxResources, m.linuxResources); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeUpdateContainerRequest(w: Writer, m: Init<UpdateContainerRequest>): void {
  if (m.pod) { w.uint32(10).fork(); writePodSandbox(w, m.pod); w.ldelim(); }
  if (m.container) { w.uint32(18).fork(); writeContainer(w, m.container); w.ldelim(); }
  if (m.linuxResources) { w.uint32(26).fork(); writeLinuxResources(w, m.linuxResources); w.ldelim(); }
}

export interface UpdateContainerResponse {
  /** Of this container and of others. */
  update: ContainerUpdate[];
  evict: ContainerEviction[];
}
function readUpdateContainerResponse(r: Reader, m: UpdateContainerResponse = { update: [], evict: [] }): UpdateContainerResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.update.push(nested(r, readContainerUpdate)); break;
      case 18: m.evict.push(nested(r, readContainerEviction)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeUpdateContainerResponse(w: Writer, m: Init<UpdateContainerResponse>): void {
  if (m.update) for (const item of m.update) { w.uint32(10).fork(); writeContainerUpdate(w, item); w.ldelim(); }
  if (m.evict) for (const item of m.evict) { w.uint32(18).fork(); writeContainerEviction(w, item); w.ldelim(); }
}

export interface PostUpdateContainerRequest {
  pod?: PodSandbox | undefined;
  container?: Container | undefined;
}
function readPostUpdateContainerRequest(r: Reader, m: PostUpdateContainerRequest = { pod: undefined, container: undefined }): PostUpdateContainerRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.pod = nested(r, readPodSandbox, m.pod); break;
      case 18: m.container = nested(r, readContainer, m.container); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writePostUpdateContainerRequest(w: Writer, m: Init<PostUpdateContainerRequest>): void {
  if (m.pod) { w.uint32(10).fork(); writePodSandbox(w, m.pod); w.ldelim(); }
  if (m.container) { w.uint32(18).fork(); writeContainer(w, m.container); w.ldelim(); }
}

export type PostUpdateContainerResponse = NoFields;
const readPostUpdateContainerResponse = readNoFields;
const writePostUpdateContainerResponse = writeNoFields;

export interface StopContainerRequest {
  pod?: PodSandbox | undefined;
  container?: Container | undefined;
}
function readStopContainerRequest(r: Reader, m: StopContainerRequest = { pod: undefined, container: undefined }): StopContainerRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.pod = nested(r, readPodSandbox, m.pod); break;
      case 18: m.container = nested(r, readContainer, m.container); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeStopContainerRequest(w: Writer, m: Init<StopContainerRequest>): void {
  if (m.pod) { w.uint32(10).fork(); writePodSandbox(w, m.pod); w.ldelim(); }
  if (m.container) { w.uint32(18).fork(); writeContainer(w, m.container); w.ldelim(); }
}

export interface StopContainerResponse {
  /** Of others. */
  update: ContainerUpdate[];
}
function readStopContainerResponse(r: Reader, m: StopContainerResponse = { update: [] }): StopContainerResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.update.push(nested(r, readContainerUpdate)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeStopContainerResponse(w: Writer, m: Init<StopContainerResponse>): void {
  if (m.update) for (const item of m.update) { w.uint32(10).fork(); writeContainerUpdate(w, item); w.ldelim(); }
}

export interface RemoveContainerRequest {
  pod?: PodSandbox | undefined;
  container?: Container | undefined;
}
function readRemoveContainerRequest(r: Reader, m: RemoveContainerRequest = { pod: undefined, container: undefined }): RemoveContainerRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.pod = nested(r, readPodSandbox, m.pod); break;
      case 18: m.container = nested(r, readContainer, m.container); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeRemoveContainerRequest(w: Writer, m: Init<RemoveContainerRequest>): void {
  if (m.pod) { w.uint32(10).fork(); writePodSandbox(w, m.pod); w.ldelim(); }
  if (m.container) { w.uint32(18).fork(); writeContainer(w, m.container); w.ldelim(); }
}

export type RemoveContainerResponse = NoFields;
const readRemoveContainerResponse = readNoFields;
const writeRemoveContainerResponse = writeNoFields;

export interface StateChangeEvent {
  event: Event;
  /** The pod that it is about, or that of the container. */
  pod?: PodSandbox | undefined;
  /** Absent where the event is a pod's. */
  container?: Container | undefined;
}
function readStateChangeEvent(r: Reader, m: StateChangeEvent = { event: 0, pod: undefined, container: undefined }): StateChangeEvent {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.event = r.int32(); break;
      case 18: m.pod = nested(r, readPodSandbox, m.pod); break;
      case 26: m.container = nested(r, readContainer, m.container); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeStateChangeEvent(w: Writer, m: Init<StateChangeEvent>): void {
  if (m.event) w.uint32(8).int32(m.event);
  if (m.pod) { w.uint32(18).fork(); writePodSandbox(w, m.pod); w.ldelim(); }
  if (m.container) { w.uint32(26).fork(); writeContainer(w, m.container); w.ldelim(); }
}

export interface ValidateContainerAdjustmentRequest {
  pod?: PodSandbox | undefined;
  /** As it was before any plugin. */
  container?: Container | undefined;
  /** What all plugins want done to it. */
  adjust?: ContainerAdjustment | undefined;
  /** What they want done to others. */
  update: ContainerUpdate[];
  /** Who wants what of this. */
  owners?: OwningPlugins | undefined;
  /** All that were asked. */
  plugins: PluginInstance[];
}
function readValidateContainerAdjustmentRequest(r: Reader, m: ValidateContainerAdjustmentRequest = { pod: undefined, container: undefined, adjust: undefined, update: [], owners: undefined, plugins: [] }): ValidateContainerAdjustmentRequest {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.pod = nested(r, readPodSandbox, m.pod); break;
      case 18: m.container = nested(r, readContainer, m.container); break;
      case 26: m.adjust = nested(r, readContainerAdjustment, m.adjust); break;
      case 34: m.update.push(nested(r, readContainerUpdate)); break;
      case 42: m.owners = nested(r, readOwningPlugins, m.owners); break;
      case 50: m.plugins.push(nested(r, readPluginInstance)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeValidateContainerAdjustmentRequest(w: Writer, m: Init<ValidateContainerAdjustmentRequest>): void {
  if (m.pod) { w.uint32(10).fork(); writePodSandbox(w, m.pod); w.ldelim(); }
  if (m.container) { w.uint32(18).fork(); writeContainer(w, m.container); w.ldelim(); }
  if (m.adjust) { w.uint32(26).fork(); writeContainerAdjustment(w, m.adjust); w.ldelim(); }
  if (m.update) for (const item of m.update) { w.uint32(34).fork(); writeContainerUpdate(w, item); w.ldelim(); }
  if (m.owners) { w.uint32(42).fork(); writeOwningPlugins(w, m.owners); w.ldelim(); }
  if (m.plugins) for (const item of m.plugins) { w.uint32(50).fork(); writePluginInstance(w, item); w.ldelim(); }
}

export interface PluginInstance {
  name: string;
  index: string;
}
function readPluginInstance(r: Reader, m: PluginInstance = { name: '', index: '' }): PluginInstance {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.name = readString(r); break;
      case 18: m.index = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writePluginInstance(w: Writer, m: Init<PluginInstance>): void {
  if (m.name) writeString(w.uint32(10), m.name);
  if (m.index) writeString(w.uint32(18), m.index);
}

export interface ValidateContainerAdjustmentResponse {
  reject: boolean;
  reason: string;
}
function readValidateContainerAdjustmentResponse(r: Reader, m: ValidateContainerAdjustmentResponse = { reject: false, reason: '' }): ValidateContainerAdjustmentResponse {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.reject = r.bool(); break;
      case 18: m.reason = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeValidateContainerAdjustmentResponse(w: Writer, m: Init<ValidateContainerAdjustmentResponse>): void {
  if (m.reject) w.uint32(8).bool(m.reject);
  if (m.reason) writeString(w.uint32(18), m.reason);
}

export type Empty = NoFields;
const readEmpty = readNoFields;
const writeEmpty = writeNoFields;

export interface PodSandbox {
  id: string;
  name: string;
  /** That of the pod in the API server. */
  uid: string;
  namespace: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  runtimeHandler: string;
  linux?: LinuxPodSandbox | undefined;
  /** Of the process that holds the pod's namespaces; 0 where there is none. */
  pid: number;
  /** The first is the pod's own in the API. None in the network of the node. */
  ips: string[];
}
function readPodSandbox(r: Reader, m: PodSandbox = { id: '', name: '', uid: '', namespace: '', labels: {}, annotations: {}, runtimeHandler: '', linux: undefined, pid: 0, ips: [] }): PodSandbox {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.id = readString(r); break;
      case 18: m.name = readString(r); break;
      case 26: m.uid = readString(r); break;
      case 34: m.namespace = readString(r); break;
      case 42: readEntry(r, m.labels); break;
      case 50: readEntry(r, m.annotations); break;
      case 58: m.runtimeHandler = readString(r); break;
      case 66: m.linux = nested(r, readLinuxPodSandbox, m.linux); break;
      case 72: m.pid = r.uint32(); break;
      case 82: m.ips.push(readString(r)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writePodSandbox(w: Writer, m: Init<PodSandbox>): void {
  if (m.id) writeString(w.uint32(10), m.id);
  if (m.name) writeString(w.uint32(18), m.name);
  if (m.uid) writeString(w.uint32(26), m.uid);
  if (m.namespace) writeString(w.uint32(34), m.namespace);
  writeMap(w, 42, m.labels);
  writeMap(w, 50, m.annotations);
  if (m.runtimeHandler) writeString(w.uint32(58), m.runtimeHandler);
  if (m.linux) { w.uint32(66).fork(); writeLinuxPodSandbox(w, m.linux); w.ldelim(); }
  if (m.pid) w.uint32(72).uint32(m.pid);
  if (m.ips) for (const item of m.ips) writeString(w.uint32(82), item);
}

export interface LinuxPodSandbox {
  podOverhead?: LinuxResources | undefined;
  /** The sum of its containers. */
  podResources?: LinuxResources | undefined;
  cgroupParent: string;
  /** As the OCI specification has it, of the container that holds the pod's namespaces, with its namespaces and resources. */
  cgroupsPath: string;
  namespaces: LinuxNamespace[];
  resources?: LinuxResources | undefined;
}
function readLinuxPodSandbox(r: Reader, m: LinuxPodSandbox = { podOverhead: undefined, podResources: undefined, cgroupParent: '', cgroupsPath: '', namespaces: [], resources: undefined }): LinuxPodSandbox {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.podOverhead = nested(r, readLinuxResources, m.podOverhead); break;
      case 18: m.podResources = nested(r, readLinuxResources, m.podResources); break;
      case 26: m.cgroupParent = readString(r); break;
      case 34: m.cgroupsPath = readString(r); break;
      case 42: m.namespaces.push(nested(r, readLinuxNamespace)); break;
      case 50: m.resources = nested(r, readLinuxResources, m.resources); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeLinuxPodSandbox(w: Writer, m: Init<LinuxPodSandbox>): void {
  if (m.podOverhead) { w.uint32(10).fork(); writeLinuxResources(w, m.podOverhead); w.ldelim(); }
  if (m.podResources) { w.uint32(18).fork(); writeLinuxResources(w, m.podResources); w.ldelim(); }
  if (m.cgroupParent) writeString(w.uint32(26), m.cgroupParent);
  if (m.cgroupsPath) writeString(w.uint32(34), m.cgroupsPath);
  if (m.namespaces) for (const item of m.namespaces) { w.uint32(42).fork(); writeLinuxNamespace(w, item); w.ldelim(); }
  if (m.resources) { w.uint32(50).fork(); writeLinuxResources(w, m.resources); w.ldelim(); }
}

export interface Container {
  id: string;
  podSandboxId: string;
  name: string;
  state: ContainerState;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  args: string[];
  /** NAME=VALUE. */
  env: string[];
  mounts: Mount[];
  hooks?: Hooks | undefined;
  linux?: LinuxContainer | undefined;
  /** 0 before it runs. */
  pid: number;
  rlimits: POSIXRlimit[];
  /** Nanoseconds since 1970, 0 where it is not so far; the two below too. */
  createdAt: bigint;
  startedAt: bigint;
  finishedAt: bigint;
  exitCode: number;
  /** A word and a sentence of why it has ended. */
  statusReason: string;
  statusMessage: string;
  cdiDevices: CDIDevice[];
  /** Who its process runs as. */
  user?: User | undefined;
}
function readContainer(r: Reader, m: Container = { id: '', podSandboxId: '', name: '', state: 0, labels: {}, annotations: {}, args: [], env: [], mounts: [], hooks: undefined, linux: undefined, pid: 0, rlimits: [], createdAt: 0n, startedAt: 0n, finishedAt: 0n, exitCode: 0, statusReason: '', statusMessage: '', cdiDevices: [], user: undefined }): Container {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.id = readString(r); break;
      case 18: m.podSandboxId = readString(r); break;
      case 26: m.name = readString(r); break;
      case 32: m.state = r.int32(); break;
      case 42: readEntry(r, m.labels); break;
      case 50: readEntry(r, m.annotations); break;
      case 58: m.args.push(readString(r)); break;
      case 66: m.env.push(readString(r)); break;
      case 74: m.mounts.push(nested(r, readMount)); break;
      case 82: m.hooks = nested(r, readHooks, m.hooks); break;
      case 90: m.linux = nested(r, readLinuxContainer, m.linux); break;
      case 96: m.pid = r.uint32(); break;
      case 106: m.rlimits.push(nested(r, readPOSIXRlimit)); break;
      case 112: m.createdAt = readInt64(r); break;
      case 120: m.startedAt = readInt64(r); break;
      case 128: m.finishedAt = readInt64(r); break;
      case 136: m.exitCode = r.int32(); break;
      case 146: m.statusReason = readString(r); break;
      case 154: m.statusMessage = readString(r); break;
      case 162: m.cdiDevices.push(nested(r, readCDIDevice)); break;
      case 170: m.user = nested(r, readUser, m.user); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeContainer(w: Writer, m: Init<Container>): void {
  if (m.id) writeString(w.uint32(10), m.id);
  if (m.podSandboxId) writeString(w.uint32(18), m.podSandboxId);
  if (m.name) writeString(w.uint32(26), m.name);
  if (m.state) w.uint32(32).int32(m.state);
  writeMap(w, 42, m.labels);
  writeMap(w, 50, m.annotations);
  if (m.args) for (const item of m.args) writeString(w.uint32(58), item);
  if (m.env) for (const item of m.env) writeString(w.uint32(66), item);
  if (m.mounts) for (const item of m.mounts) { w.uint32(74).fork(); writeMount(w, item); w.ldelim(); }
  if (m.hooks) { w.uint32(82).fork(); writeHooks(w, m.hooks); w.ldelim(); }
  if (m.linux) { w.uint32(90).fork(); writeLinuxContainer(w, m.linux); w.ldelim(); }
  if (m.pid) w.uint32(96).uint32(m.pid);
  if (m.rlimits) for (const item of m.rlimits) { w.uint32(106).fork(); writePOSIXRlimit(w, item); w.ldelim(); }
  if (m.createdAt) writeInt64(w.uint32(112), m.createdAt);
  if (m.startedAt) writeInt64(w.uint32(120), m.startedAt);
  if (m.finishedAt) writeInt64(w.uint32(128), m.finishedAt);
  if (m.exitCode) w.uint32(136).int32(m.exitCode);
  if (m.statusReason) writeString(w.uint32(146), m.statusReason);
  if (m.statusMessage) writeString(w.uint32(154), m.statusMessage);
  if (m.cdiDevices) for (const item of m.cdiDevices) { w.uint32(162).fork(); writeCDIDevice(w, item); w.ldelim(); }
  if (m.user) { w.uint32(170).fork(); writeUser(w, m.user); w.ldelim(); }
}

export interface Mount {
  destination: string;
  type: string;
  source: string;
  options: string[];
}
function readMount(r: Reader, m: Mount = { destination: '', type: '', source: '', options: [] }): Mount {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.destination = readString(r); break;
      case 18: m.type = readString(r); break;
      case 26: m.source = readString(r); break;
      case 34: m.options.push(readString(r)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeMount(w: Writer, m: Init<Mount>): void {
  if (m.destination) writeString(w.uint32(10), m.destination);
  if (m.type) writeString(w.uint32(18), m.type);
  if (m.source) writeString(w.uint32(26), m.source);
  if (m.options) for (const item of m.options) writeString(w.uint32(34), item);
}

/** By the OCI specification's names. */
export interface Hooks {
  prestart: Hook[];
  createRuntime: Hook[];
  createContainer: Hook[];
  startContainer: Hook[];
  poststart: Hook[];
  poststop: Hook[];
}
function readHooks(r: Reader, m: Hooks = { prestart: [], createRuntime: [], createContainer: [], startContainer: [], poststart: [], poststop: [] }): Hooks {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.prestart.push(nested(r, readHook)); break;
      case 18: m.createRuntime.push(nested(r, readHook)); break;
      case 26: m.createContainer.push(nested(r, readHook)); break;
      case 34: m.startContainer.push(nested(r, readHook)); break;
      case 42: m.poststart.push(nested(r, readHook)); break;
      case 50: m.poststop.push(nested(r, readHook)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeHooks(w: Writer, m: Init<Hooks>): void {
  if (m.prestart) for (const item of m.prestart) { w.uint32(10).fork(); writeHook(w, item); w.ldelim(); }
  if (m.createRuntime) for (const item of m.createRuntime) { w.uint32(18).fork(); writeHook(w, item); w.ldelim(); }
  if (m.createContainer) for (const item of m.createContainer) { w.uint32(26).fork(); writeHook(w, item); w.ldelim(); }
  if (m.startContainer) for (const item of m.startContainer) { w.uint32(34).fork(); writeHook(w, item); w.ldelim(); }
  if (m.poststart) for (const item of m.poststart) { w.uint32(42).fork(); writeHook(w, item); w.ldelim(); }
  if (m.poststop) for (const item of m.poststop) { w.uint32(50).fork(); writeHook(w, item); w.ldelim(); }
}

export interface Hook {
  path: string;
  args: string[];
  env: string[];
  /** Seconds. */
  timeout?: OptionalInt | undefined;
}
function readHook(r: Reader, m: Hook = { path: '', args: [], env: [], timeout: undefined }): Hook {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.path = readString(r); break;
      case 18: m.args.push(readString(r)); break;
      case 26: m.env.push(readString(r)); break;
      case 34: m.timeout = nested(r, readOptionalInt, m.timeout); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeHook(w: Writer, m: Init<Hook>): void {
  if (m.path) writeString(w.uint32(10), m.path);
  if (m.args) for (const item of m.args) writeString(w.uint32(18), item);
  if (m.env) for (const item of m.env) writeString(w.uint32(26), item);
  if (m.timeout) { w.uint32(34).fork(); writeOptionalInt(w, m.timeout); w.ldelim(); }
}

export interface LinuxContainer {
  namespaces: LinuxNamespace[];
  devices: LinuxDevice[];
  resources?: LinuxResources | undefined;
  oomScoreAdj?: OptionalInt | undefined;
  cgroupsPath: string;
  ioPriority?: LinuxIOPriority | undefined;
  seccompProfile?: SecurityProfile | undefined;
  seccompPolicy?: LinuxSeccomp | undefined;
  sysctl: Record<string, string>;
  /** By their names on the node. */
  netDevices: Record<string, LinuxNetDevice>;
  scheduler?: LinuxScheduler | undefined;
  rdt?: LinuxRdt | undefined;
}
function readLinuxContainer(r: Reader, m: LinuxContainer = { namespaces: [], devices: [], resources: undefined, oomScoreAdj: undefined, cgroupsPath: '', ioPriority: undefined, seccompProfile: undefined, seccompPolicy: undefined, sysctl: {}, netDevices: {}, scheduler: undefined, rdt: undefined }): LinuxContainer {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.namespaces.push(nested(r, readLinuxNamespace)); break;
      case 18: m.devices.push(nested(r, readLinuxDevice)); break;
      case 26: m.resources = nested(r, readLinuxResources, m.resources); break;
      case 34: m.oomScoreAdj = nested(r, readOptionalInt, m.oomScoreAdj); break;
      case 42: m.cgroupsPath = readString(r); break;
      case 50: m.ioPriority = nested(r, readLinuxIOPriority, m.ioPriority); break;
      case 58: m.seccompProfile = nested(r, readSecurityProfile, m.seccompProfile); break;
      case 66: m.seccompPolicy = nested(r, readLinuxSeccomp, m.seccompPolicy); break;
      case 74: readEntry(r, m.sysctl); break;
      case 82: readEntryOf(r, m.netDevices, textPart, messagePart(readLinuxNetDevice, writeLinuxNetDevice)); break;
      case 90: m.scheduler = nested(r, readLinuxScheduler, m.scheduler); break;
      case 98: m.rdt = nested(r, readLinuxRdt, m.rdt); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeLinuxContainer(w: Writer, m: Init<LinuxContainer>): void {
  if (m.namespaces) for (const item of m.namespaces) { w.uint32(10).fork(); writeLinuxNamespace(w, item); w.ldelim(); }
  if (m.devices) for (const item of m.devices) { w.uint32(18).fork(); writeLinuxDevice(w, item); w.ldelim(); }
  if (m.resources) { w.uint32(26).fork(); writeLinuxResources(w, m.resources); w.ldelim(); }
  if (m.oomScoreAdj) { w.uint32(34).fork(); writeOptionalInt(w, m.oomScoreAdj); w.ldelim(); }
  if (m.cgroupsPath) writeString(w.uint32(42), m.cgroupsPath);
  if (m.ioPriority) { w.uint32(50).fork(); writeLinuxIOPriority(w, m.ioPriority); w.ldelim(); }
  if (m.seccompProfile) { w.uint32(58).fork(); writeSecurityProfile(w, m.seccompProfile); w.ldelim(); }
  if (m.seccompPolicy) { w.uint32(66).fork(); writeLinuxSeccomp(w, m.seccompPolicy); w.ldelim(); }
  writeMap(w, 74, m.sysctl);
  writeMapOf(w, 82, m.netDevices, textPart, messagePart(readLinuxNetDevice, writeLinuxNetDevice));
  if (m.scheduler) { w.uint32(90).fork(); writeLinuxScheduler(w, m.scheduler); w.ldelim(); }
  if (m.rdt) { w.uint32(98).fork(); writeLinuxRdt(w, m.rdt); w.ldelim(); }
}

export interface LinuxNamespace {
  /** As the OCI specification has it: "network", "mount" ... */
  type: string;
  /** Empty: one of its own. */
  path: string;
}
function readLinuxNamespace(r: Reader, m: LinuxNamespace = { type: '', path: '' }): LinuxNamespace {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.type = readString(r); break;
      case 18: m.path = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeLinuxNamespace(w: Writer, m: Init<LinuxNamespace>): void {
  if (m.type) writeString(w.uint32(10), m.type);
  if (m.path) writeString(w.uint32(18), m.path);
}

export interface LinuxDevice {
  path: string;
  /** "c", "b", "u" or "p". */
  type: string;
  major: bigint;
  minor: bigint;
  fileMode?: OptionalFileMode | undefined;
  uid?: OptionalUInt32 | undefined;
  gid?: OptionalUInt32 | undefined;
}
function readLinuxDevice(r: Reader, m: LinuxDevice = { path: '', type: '', major: 0n, minor: 0n, fileMode: undefined, uid: undefined, gid: undefined }): LinuxDevice {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.path = readString(r); break;
      case 18: m.type = readString(r); break;
      case 24: m.major = readInt64(r); break;
      case 32: m.minor = readInt64(r); break;
      case 42: m.fileMode = nested(r, readOptionalFileMode, m.fileMode); break;
      case 50: m.uid = nested(r, readOptionalUInt32, m.uid); break;
      case 58: m.gid = nested(r, readOptionalUInt32, m.gid); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeLinuxDevice(w: Writer, m: Init<LinuxDevice>): void {
  if (m.path) writeString(w.uint32(10), m.path);
  if (m.type) writeString(w.uint32(18), m.type);
  if (m.major) writeInt64(w.uint32(24), m.major);
  if (m.minor) writeInt64(w.uint32(32), m.minor);
  if (m.fileMode) { w.uint32(42).fork(); writeOptionalFileMode(w, m.fileMode); w.ldelim(); }
  if (m.uid) { w.uint32(50).fork(); writeOptionalUInt32(w, m.uid); w.ldelim(); }
  if (m.gid) { w.uint32(58).fork(); writeOptionalUInt32(w, m.gid); w.ldelim(); }
}

/** A rule of which devices may be used. */
export interface LinuxDeviceCgroup {
  allow: boolean;
  type: string;
  /** Absent: any; minor too. */
  major?: OptionalInt64 | undefined;
  minor?: OptionalInt64 | undefined;
  /** Some of "rwm". */
  access: string;
}
function readLinuxDeviceCgroup(r: Reader, m: LinuxDeviceCgroup = { allow: false, type: '', major: undefined, minor: undefined, access: '' }): LinuxDeviceCgroup {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.allow = r.bool(); break;
      case 18: m.type = readString(r); break;
      case 26: m.major = nested(r, readOptionalInt64, m.major); break;
      case 34: m.minor = nested(r, readOptionalInt64, m.minor); break;
      case 42: m.access = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeLinuxDeviceCgroup(w: Writer, m: Init<LinuxDeviceCgroup>): void {
  if (m.allow) w.uint32(8).bool(m.allow);
  if (m.type) writeString(w.uint32(18), m.type);
  if (m.major) { w.uint32(26).fork(); writeOptionalInt64(w, m.major); w.ldelim(); }
  if (m.minor) { w.uint32(34).fork(); writeOptionalInt64(w, m.minor); w.ldelim(); }
  if (m.access) writeString(w.uint32(42), m.access);
}

export interface CDIDevice {
  /** VENDOR/CLASS=DEVICE. */
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

export interface User {
  uid: number;
  gid: number;
  additionalGids: number[];
}
function readUser(r: Reader, m: User = { uid: 0, gid: 0, additionalGids: [] }): User {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.uid = r.uint32(); break;
      case 16: m.gid = r.uint32(); break;
      case 24: m.additionalGids.push(r.uint32()); break;
      case 26: packed(r, () => m.additionalGids.push(r.uint32())); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeUser(w: Writer, m: Init<User>): void {
  if (m.uid) w.uint32(8).uint32(m.uid);
  if (m.gid) w.uint32(16).uint32(m.gid);
  if (m.additionalGids?.length) { w.uint32(26).fork(); for (const item of m.additionalGids) w.uint32(item); w.ldelim(); }
}

export interface LinuxResources {
  memory?: LinuxMemory | undefined;
  cpu?: LinuxCPU | undefined;
  hugepageLimits: HugepageLimit[];
  /** A class that the runtime's own configuration explains. */
  blockioClass?: OptionalString | undefined;
  rdtClass?: OptionalString | undefined;
  /** Files of cgroup v2 and what to write there. */
  unified: Record<string, string>;
  devices: LinuxDeviceCgroup[];
  pids?: LinuxPids | undefined;
}
function readLinuxResources(r: Reader, m: LinuxResources = { memory: undefined, cpu: undefined, hugepageLimits: [], blockioClass: undefined, rdtClass: undefined, unified: {}, devices: [], pids: undefined }): LinuxResources {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.memory = nested(r, readLinuxMemory, m.memory); break;
      case 18: m.cpu = nested(r, readLinuxCPU, m.cpu); break;
      case 26: m.hugepageLimits.push(nested(r, readHugepageLimit)); break;
      case 34: m.blockioClass = nested(r, readOptionalString, m.blockioClass); break;
      case 42: m.rdtClass = nested(r, readOptionalString, m.rdtClass); break;
      case 50: readEntry(r, m.unified); break;
      case 58: m.devices.push(nested(r, readLinuxDeviceCgroup)); break;
      case 66: m.pids = nested(r, readLinuxPids, m.pids); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeLinuxResources(w: Writer, m: Init<LinuxResources>): void {
  if (m.memory) { w.uint32(10).fork(); writeLinuxMemory(w, m.memory); w.ldelim(); }
  if (m.cpu) { w.uint32(18).fork(); writeLinuxCPU(w, m.cpu); w.ldelim(); }
  if (m.hugepageLimits) for (const item of m.hugepageLimits) { w.uint32(26).fork(); writeHugepageLimit(w, item); w.ldelim(); }
  if (m.blockioClass) { w.uint32(34).fork(); writeOptionalString(w, m.blockioClass); w.ldelim(); }
  if (m.rdtClass) { w.uint32(42).fork(); writeOptionalString(w, m.rdtClass); w.ldelim(); }
  writeMap(w, 50, m.unified);
  if (m.devices) for (const item of m.devices) { w.uint32(58).fork(); writeLinuxDeviceCgroup(w, item); w.ldelim(); }
  if (m.pids) { w.uint32(66).fork(); writeLinuxPids(w, m.pids); w.ldelim(); }
}

/** Bytes, but for the last three. */
export interface LinuxMemory {
  limit?: OptionalInt64 | undefined;
  reservation?: OptionalInt64 | undefined;
  /** Memory and swap together, as in the OCI specification. */
  swap?: OptionalInt64 | undefined;
  kernel?: OptionalInt64 | undefined;
  kernelTcp?: OptionalInt64 | undefined;
  /** 0 to 100. */
  swappiness?: OptionalUInt64 | undefined;
  disableOomKiller?: OptionalBool | undefined;
  useHierarchy?: OptionalBool | undefined;
}
function readLinuxMemory(r: Reader, m: LinuxMemory = { limit: undefined, reservation: undefined, swap: undefined, kernel: undefined, kernelTcp: undefined, swappiness: undefined, disableOomKiller: undefined, useHierarchy: undefined }): LinuxMemory {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.limit = nested(r, readOptionalInt64, m.limit); break;
      case 18: m.reservation = nested(r, readOptionalInt64, m.reservation); break;
      case 26: m.swap = nested(r, readOptionalInt64, m.swap); break;
      case 34: m.kernel = nested(r, readOptionalInt64, m.kernel); break;
      case 42: m.kernelTcp = nested(r, readOptionalInt64, m.kernelTcp); break;
      case 50: m.swappiness = nested(r, readOptionalUInt64, m.swappiness); break;
      case 58: m.disableOomKiller = nested(r, readOptionalBool, m.disableOomKiller); break;
      case 66: m.useHierarchy = nested(r, readOptionalBool, m.useHierarchy); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeLinuxMemory(w: Writer, m: Init<LinuxMemory>): void {
  if (m.limit) { w.uint32(10).fork(); writeOptionalInt64(w, m.limit); w.ldelim(); }
  if (m.reservation) { w.uint32(18).fork(); writeOptionalInt64(w, m.reservation); w.ldelim(); }
  if (m.swap) { w.uint32(26).fork(); writeOptionalInt64(w, m.swap); w.ldelim(); }
  if (m.kernel) { w.uint32(34).fork(); writeOptionalInt64(w, m.kernel); w.ldelim(); }
  if (m.kernelTcp) { w.uint32(42).fork(); writeOptionalInt64(w, m.kernelTcp); w.ldelim(); }
  if (m.swappiness) { w.uint32(50).fork(); writeOptionalUInt64(w, m.swappiness); w.ldelim(); }
  if (m.disableOomKiller) { w.uint32(58).fork(); writeOptionalBool(w, m.disableOomKiller); w.ldelim(); }
  if (m.useHierarchy) { w.uint32(66).fork(); writeOptionalBool(w, m.useHierarchy); w.ldelim(); }
}

/** Times are microseconds. */
export interface LinuxCPU {
  shares?: OptionalUInt64 | undefined;
  quota?: OptionalInt64 | undefined;
  period?: OptionalUInt64 | undefined;
  realtimeRuntime?: OptionalInt64 | undefined;
  realtimePeriod?: OptionalUInt64 | undefined;
  /** Lists such as 0-3,7; empty leaves the value alone. */
  cpus: string;
  mems: string;
}
function readLinuxCPU(r: Reader, m: LinuxCPU = { shares: undefined, quota: undefined, period: undefined, realtimeRuntime: undefined, realtimePeriod: undefined, cpus: '', mems: '' }): LinuxCPU {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.shares = nested(r, readOptionalUInt64, m.shares); break;
      case 18: m.quota = nested(r, readOptionalInt64, m.quota); break;
      case 26: m.period = nested(r, readOptionalUInt64, m.period); break;
      case 34: m.realtimeRuntime = nested(r, readOptionalInt64, m.realtimeRuntime); break;
      case 42: m.realtimePeriod = nested(r, readOptionalUInt64, m.realtimePeriod); break;
      case 50: m.cpus = readString(r); break;
      case 58: m.mems = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeLinuxCPU(w: Writer, m: Init<LinuxCPU>): void {
  if (m.shares) { w.uint32(10).fork(); writeOptionalUInt64(w, m.shares); w.ldelim(); }
  if (m.quota) { w.uint32(18).fork(); writeOptionalInt64(w, m.quota); w.ldelim(); }
  if (m.period) { w.uint32(26).fork(); writeOptionalUInt64(w, m.period); w.ldelim(); }
  if (m.realtimeRuntime) { w.uint32(34).fork(); writeOptionalInt64(w, m.realtimeRuntime); w.ldelim(); }
  if (m.realtimePeriod) { w.uint32(42).fork(); writeOptionalUInt64(w, m.realtimePeriod); w.ldelim(); }
  if (m.cpus) writeString(w.uint32(50), m.cpus);
  if (m.mems) writeString(w.uint32(58), m.mems);
}

export interface HugepageLimit {
  /** "2MB". */
  pageSize: string;
  /** Bytes. */
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

export interface SecurityProfile {
  profileType: SecurityProfileProfileType;
  /** Names the profile where it is LOCALHOST. */
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

export interface POSIXRlimit {
  /** "RLIMIT_NOFILE". */
  type: string;
  hard: bigint;
  soft: bigint;
}
function readPOSIXRlimit(r: Reader, m: POSIXRlimit = { type: '', hard: 0n, soft: 0n }): POSIXRlimit {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.type = readString(r); break;
      case 16: m.hard = readUint64(r); break;
      case 24: m.soft = readUint64(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writePOSIXRlimit(w: Writer, m: Init<POSIXRlimit>): void {
  if (m.type) writeString(w.uint32(10), m.type);
  if (m.hard) writeUint64(w.uint32(16), m.hard);
  if (m.soft) writeUint64(w.uint32(24), m.soft);
}

export interface LinuxPids {
  limit: bigint;
}
function readLinuxPids(r: Reader, m: LinuxPids = { limit: 0n }): LinuxPids {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.limit = readInt64(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeLinuxPids(w: Writer, m: Init<LinuxPids>): void {
  if (m.limit) writeInt64(w.uint32(8), m.limit);
}

export interface LinuxIOPriority {
  class: IOPrioClass;
  /** 0 is the highest, 7 the lowest. */
  priority: number;
}
function readLinuxIOPriority(r: Reader, m: LinuxIOPriority = { class: 0, priority: 0 }): LinuxIOPriority {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.class = r.int32(); break;
      case 16: m.priority = r.int32(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeLinuxIOPriority(w: Writer, m: Init<LinuxIOPriority>): void {
  if (m.class) w.uint32(8).int32(m.class);
  if (m.priority) w.uint32(16).int32(m.priority);
}

export interface LinuxNetDevice {
  /** Its name in the container. */
  name: string;
}
function readLinuxNetDevice(r: Reader, m: LinuxNetDevice = { name: '' }): LinuxNetDevice {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.name = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeLinuxNetDevice(w: Writer, m: Init<LinuxNetDevice>): void {
  if (m.name) writeString(w.uint32(10), m.name);
}

/** sched_setattr(2); times are nanoseconds. */
export interface LinuxScheduler {
  policy: LinuxSchedulerPolicy;
  nice: number;
  priority: number;
  flags: LinuxSchedulerFlag[];
  runtime: bigint;
  deadline: bigint;
  period: bigint;
}
function readLinuxScheduler(r: Reader, m: LinuxScheduler = { policy: 0, nice: 0, priority: 0, flags: [], runtime: 0n, deadline: 0n, period: 0n }): LinuxScheduler {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.policy = r.int32(); break;
      case 16: m.nice = r.int32(); break;
      case 24: m.priority = r.int32(); break;
      case 32: m.flags.push(r.int32()); break;
      case 34: packed(r, () => m.flags.push(r.int32())); break;
      case 40: m.runtime = readUint64(r); break;
      case 48: m.deadline = readUint64(r); break;
      case 56: m.period = readUint64(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeLinuxScheduler(w: Writer, m: Init<LinuxScheduler>): void {
  if (m.policy) w.uint32(8).int32(m.policy);
  if (m.nice) w.uint32(16).int32(m.nice);
  if (m.priority) w.uint32(24).int32(m.priority);
  if (m.flags?.length) { w.uint32(34).fork(); for (const item of m.flags) w.int32(item); w.ldelim(); }
  if (m.runtime) writeUint64(w.uint32(40), m.runtime);
  if (m.deadline) writeUint64(w.uint32(48), m.deadline);
  if (m.period) writeUint64(w.uint32(56), m.period);
}

/** What a plugin wants done to a container that is being created. Field 1 is not used. */
export interface ContainerAdjustment {
  annotations: Record<string, string>;
  mounts: Mount[];
  env: KeyValue[];
  /** These are added; none can be taken away. */
  hooks?: Hooks | undefined;
  linux?: LinuxContainerAdjustment | undefined;
  rlimits: POSIXRlimit[];
  cdiDevices: CDIDevice[];
  /** The whole command line; a first word that is empty says that another plugin's may be replaced. */
  args: string[];
}
function readContainerAdjustment(r: Reader, m: ContainerAdjustment = { annotations: {}, mounts: [], env: [], hooks: undefined, linux: undefined, rlimits: [], cdiDevices: [], args: [] }): ContainerAdjustment {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 18: readEntry(r, m.annotations); break;
      case 26: m.mounts.push(nested(r, readMount)); break;
      case 34: m.env.push(nested(r, readKeyValue)); break;
      case 42: m.hooks = nested(r, readHooks, m.hooks); break;
      case 50: m.linux = nested(r, readLinuxContainerAdjustment, m.linux); break;
      case 58: m.rlimits.push(nested(r, readPOSIXRlimit)); break;
      case 66: m.cdiDevices.push(nested(r, readCDIDevice)); break;
      case 74: m.args.push(readString(r)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeContainerAdjustment(w: Writer, m: Init<ContainerAdjustment>): void {
  writeMap(w, 18, m.annotations);
  if (m.mounts) for (const item of m.mounts) { w.uint32(26).fork(); writeMount(w, item); w.ldelim(); }
  if (m.env) for (const item of m.env) { w.uint32(34).fork(); writeKeyValue(w, item); w.ldelim(); }
  if (m.hooks) { w.uint32(42).fork(); writeHooks(w, m.hooks); w.ldelim(); }
  if (m.linux) { w.uint32(50).fork(); writeLinuxContainerAdjustment(w, m.linux); w.ldelim(); }
  if (m.rlimits) for (const item of m.rlimits) { w.uint32(58).fork(); writePOSIXRlimit(w, item); w.ldelim(); }
  if (m.cdiDevices) for (const item of m.cdiDevices) { w.uint32(66).fork(); writeCDIDevice(w, item); w.ldelim(); }
  if (m.args) for (const item of m.args) writeString(w.uint32(74), item);
}

export interface LinuxContainerAdjustment {
  devices: LinuxDevice[];
  resources?: LinuxResources | undefined;
  cgroupsPath: string;
  oomScoreAdj?: OptionalInt | undefined;
  ioPriority?: LinuxIOPriority | undefined;
  seccompPolicy?: LinuxSeccomp | undefined;
  namespaces: LinuxNamespace[];
  sysctl: Record<string, string>;
  netDevices: Record<string, LinuxNetDevice>;
  scheduler?: LinuxScheduler | undefined;
  rdt?: LinuxRdt | undefined;
  memoryPolicy?: LinuxMemoryPolicy | undefined;
}
function readLinuxContainerAdjustment(r: Reader, m: LinuxContainerAdjustment = { devices: [], resources: undefined, cgroupsPath: '', oomScoreAdj: undefined, ioPriority: undefined, seccompPolicy: undefined, namespaces: [], sysctl: {}, netDevices: {}, scheduler: undefined, rdt: undefined, memoryPolicy: undefined }): LinuxContainerAdjustment {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.devices.push(nested(r, readLinuxDevice)); break;
      case 18: m.resources = nested(r, readLinuxResources, m.resources); break;
      case 26: m.cgroupsPath = readString(r); break;
      case 34: m.oomScoreAdj = nested(r, readOptionalInt, m.oomScoreAdj); break;
      case 42: m.ioPriority = nested(r, readLinuxIOPriority, m.ioPriority); break;
      case 50: m.seccompPolicy = nested(r, readLinuxSeccomp, m.seccompPolicy); break;
      case 58: m.namespaces.push(nested(r, readLinuxNamespace)); break;
      case 66: readEntry(r, m.sysctl); break;
      case 74: readEntryOf(r, m.netDevices, textPart, messagePart(readLinuxNetDevice, writeLinuxNetDevice)); break;
      case 82: m.scheduler = nested(r, readLinuxScheduler, m.scheduler); break;
      case 90: m.rdt = nested(r, readLinuxRdt, m.rdt); break;
      case 98: m.memoryPolicy = nested(r, readLinuxMemoryPolicy, m.memoryPolicy); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeLinuxContainerAdjustment(w: Writer, m: Init<LinuxContainerAdjustment>): void {
  if (m.devices) for (const item of m.devices) { w.uint32(10).fork(); writeLinuxDevice(w, item); w.ldelim(); }
  if (m.resources) { w.uint32(18).fork(); writeLinuxResources(w, m.resources); w.ldelim(); }
  if (m.cgroupsPath) writeString(w.uint32(26), m.cgroupsPath);
  if (m.oomScoreAdj) { w.uint32(34).fork(); writeOptionalInt(w, m.oomScoreAdj); w.ldelim(); }
  if (m.ioPriority) { w.uint32(42).fork(); writeLinuxIOPriority(w, m.ioPriority); w.ldelim(); }
  if (m.seccompPolicy) { w.uint32(50).fork(); writeLinuxSeccomp(w, m.seccompPolicy); w.ldelim(); }
  if (m.namespaces) for (const item of m.namespaces) { w.uint32(58).fork(); writeLinuxNamespace(w, item); w.ldelim(); }
  writeMap(w, 66, m.sysctl);
  writeMapOf(w, 74, m.netDevices, textPart, messagePart(readLinuxNetDevice, writeLinuxNetDevice));
  if (m.scheduler) { w.uint32(82).fork(); writeLinuxScheduler(w, m.scheduler); w.ldelim(); }
  if (m.rdt) { w.uint32(90).fork(); writeLinuxRdt(w, m.rdt); w.ldelim(); }
  if (m.memoryPolicy) { w.uint32(98).fork(); writeLinuxMemoryPolicy(w, m.memoryPolicy); w.ldelim(); }
}

/** As the OCI specification has it, with its words. */
export interface LinuxSeccomp {
  defaultAction: string;
  defaultErrno?: OptionalUInt32 | undefined;
  architectures: string[];
  flags: string[];
  listenerPath: string;
  listenerMetadata: string;
  syscalls: LinuxSyscall[];
}
function readLinuxSeccomp(r: Reader, m: LinuxSeccomp = { defaultAction: '', defaultErrno: undefined, architectures: [], flags: [], listenerPath: '', listenerMetadata: '', syscalls: [] }): LinuxSeccomp {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.defaultAction = readString(r); break;
      case 18: m.defaultErrno = nested(r, readOptionalUInt32, m.defaultErrno); break;
      case 26: m.architectures.push(readString(r)); break;
      case 34: m.flags.push(readString(r)); break;
      case 42: m.listenerPath = readString(r); break;
      case 50: m.listenerMetadata = readString(r); break;
      case 58: m.syscalls.push(nested(r, readLinuxSyscall)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeLinuxSeccomp(w: Writer, m: Init<LinuxSeccomp>): void {
  if (m.defaultAction) writeString(w.uint32(10), m.defaultAction);
  if (m.defaultErrno) { w.uint32(18).fork(); writeOptionalUInt32(w, m.defaultErrno); w.ldelim(); }
  if (m.architectures) for (const item of m.architectures) writeString(w.uint32(26), item);
  if (m.flags) for (const item of m.flags) writeString(w.uint32(34), item);
  if (m.listenerPath) writeString(w.uint32(42), m.listenerPath);
  if (m.listenerMetadata) writeString(w.uint32(50), m.listenerMetadata);
  if (m.syscalls) for (const item of m.syscalls) { w.uint32(58).fork(); writeLinuxSyscall(w, item); w.ldelim(); }
}

export interface LinuxSyscall {
  names: string[];
  action: string;
  errnoRet?: OptionalUInt32 | undefined;
  args: LinuxSeccompArg[];
}
function readLinuxSyscall(r: Reader, m: LinuxSyscall = { names: [], action: '', errnoRet: undefined, args: [] }): LinuxSyscall {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.names.push(readString(r)); break;
      case 18: m.action = readString(r); break;
      case 26: m.errnoRet = nested(r, readOptionalUInt32, m.errnoRet); break;
      case 34: m.args.push(nested(r, readLinuxSeccompArg)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeLinuxSyscall(w: Writer, m: Init<LinuxSyscall>): void {
  if (m.names) for (const item of m.names) writeString(w.uint32(10), item);
  if (m.action) writeString(w.uint32(18), m.action);
  if (m.errnoRet) { w.uint32(26).fork(); writeOptionalUInt32(w, m.errnoRet); w.ldelim(); }
  if (m.args) for (const item of m.args) { w.uint32(34).fork(); writeLinuxSeccompArg(w, item); w.ldelim(); }
}

export interface LinuxSeccompArg {
  index: number;
  value: bigint;
  valueTwo: bigint;
  op: string;
}
function readLinuxSeccompArg(r: Reader, m: LinuxSeccompArg = { index: 0, value: 0n, valueTwo: 0n, op: '' }): LinuxSeccompArg {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.index = r.uint32(); break;
      case 16: m.value = readUint64(r); break;
      case 24: m.valueTwo = readUint64(r); break;
      case 34: m.op = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeLinuxSeccompArg(w: Writer, m: Init<LinuxSeccompArg>): void {
  if (m.index) w.uint32(8).uint32(m.index);
  if (m.value) writeUint64(w.uint32(16), m.value);
  if (m.valueTwo) writeUint64(w.uint32(24), m.valueTwo);
  if (m.op) writeString(w.uint32(34), m.op);
}

/** set_mempolicy(2). */
export interface LinuxMemoryPolicy {
  mode: MpolMode;
  /** A list such as 0-1. */
  nodes: string;
  flags: MpolFlag[];
}
function readLinuxMemoryPolicy(r: Reader, m: LinuxMemoryPolicy = { mode: 0, nodes: '', flags: [] }): LinuxMemoryPolicy {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.mode = r.int32(); break;
      case 18: m.nodes = readString(r); break;
      case 24: m.flags.push(r.int32()); break;
      case 26: packed(r, () => m.flags.push(r.int32())); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeLinuxMemoryPolicy(w: Writer, m: Init<LinuxMemoryPolicy>): void {
  if (m.mode) w.uint32(8).int32(m.mode);
  if (m.nodes) writeString(w.uint32(18), m.nodes);
  if (m.flags?.length) { w.uint32(26).fork(); for (const item of m.flags) w.int32(item); w.ldelim(); }
}

/** What a plugin wants done to a container that is there. */
export interface ContainerUpdate {
  containerId: string;
  linux?: LinuxContainerUpdate | undefined;
  /** The event does not fail where this does. */
  ignoreFailure: boolean;
}
function readContainerUpdate(r: Reader, m: ContainerUpdate = { containerId: '', linux: undefined, ignoreFailure: false }): ContainerUpdate {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerId = readString(r); break;
      case 18: m.linux = nested(r, readLinuxContainerUpdate, m.linux); break;
      case 24: m.ignoreFailure = r.bool(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeContainerUpdate(w: Writer, m: Init<ContainerUpdate>): void {
  if (m.containerId) writeString(w.uint32(10), m.containerId);
  if (m.linux) { w.uint32(18).fork(); writeLinuxContainerUpdate(w, m.linux); w.ldelim(); }
  if (m.ignoreFailure) w.uint32(24).bool(m.ignoreFailure);
}

export interface LinuxContainerUpdate {
  resources?: LinuxResources | undefined;
}
function readLinuxContainerUpdate(r: Reader, m: LinuxContainerUpdate = { resources: undefined }): LinuxContainerUpdate {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.resources = nested(r, readLinuxResources, m.resources); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeLinuxContainerUpdate(w: Writer, m: Init<LinuxContainerUpdate>): void {
  if (m.resources) { w.uint32(10).fork(); writeLinuxResources(w, m.resources); w.ldelim(); }
}

/** A container to stop. */
export interface ContainerEviction {
  containerId: string;
  reason: string;
}
function readContainerEviction(r: Reader, m: ContainerEviction = { containerId: '', reason: '' }): ContainerEviction {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.containerId = readString(r); break;
      case 18: m.reason = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeContainerEviction(w: Writer, m: Init<ContainerEviction>): void {
  if (m.containerId) writeString(w.uint32(10), m.containerId);
  if (m.reason) writeString(w.uint32(18), m.reason);
}

/** Intel RDT, as the OCI specification has it. */
export interface LinuxRdt {
  closId?: OptionalString | undefined;
  schemata?: OptionalRepeatedString | undefined;
  enableMonitoring?: OptionalBool | undefined;
  /** Takes away what the container had. */
  remove: boolean;
}
function readLinuxRdt(r: Reader, m: LinuxRdt = { closId: undefined, schemata: undefined, enableMonitoring: undefined, remove: false }): LinuxRdt {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.closId = nested(r, readOptionalString, m.closId); break;
      case 18: m.schemata = nested(r, readOptionalRepeatedString, m.schemata); break;
      case 26: m.enableMonitoring = nested(r, readOptionalBool, m.enableMonitoring); break;
      case 32: m.remove = r.bool(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeLinuxRdt(w: Writer, m: Init<LinuxRdt>): void {
  if (m.closId) { w.uint32(10).fork(); writeOptionalString(w, m.closId); w.ldelim(); }
  if (m.schemata) { w.uint32(18).fork(); writeOptionalRepeatedString(w, m.schemata); w.ldelim(); }
  if (m.enableMonitoring) { w.uint32(26).fork(); writeOptionalBool(w, m.enableMonitoring); w.ldelim(); }
  if (m.remove) w.uint32(32).bool(m.remove);
}

/** A variable of the environment. */
export interface KeyValue {
  key: string;
  value: string;
}
function readKeyValue(r: Reader, m: KeyValue = { key: '', value: '' }): KeyValue {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.key = readString(r); break;
      case 18: m.value = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeKeyValue(w: Writer, m: Init<KeyValue>): void {
  if (m.key) writeString(w.uint32(10), m.key);
  if (m.value) writeString(w.uint32(18), m.value);
}

export interface OptionalString {
  value: string;
}
function readOptionalString(r: Reader, m: OptionalString = { value: '' }): OptionalString {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.value = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeOptionalString(w: Writer, m: Init<OptionalString>): void {
  if (m.value) writeString(w.uint32(10), m.value);
}

export interface OptionalRepeatedString {
  value: string[];
}
function readOptionalRepeatedString(r: Reader, m: OptionalRepeatedString = { value: [] }): OptionalRepeatedString {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.value.push(readString(r)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeOptionalRepeatedString(w: Writer, m: Init<OptionalRepeatedString>): void {
  if (m.value) for (const item of m.value) writeString(w.uint32(10), item);
}

export interface OptionalInt {
  value: bigint;
}
function readOptionalInt(r: Reader, m: OptionalInt = { value: 0n }): OptionalInt {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.value = readInt64(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeOptionalInt(w: Writer, m: Init<OptionalInt>): void {
  if (m.value) writeInt64(w.uint32(8), m.value);
}

export interface OptionalInt32 {
  value: number;
}
function readOptionalInt32(r: Reader, m: OptionalInt32 = { value: 0 }): OptionalInt32 {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.value = r.int32(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeOptionalInt32(w: Writer, m: Init<OptionalInt32>): void {
  if (m.value) w.uint32(8).int32(m.value);
}

export interface OptionalUInt32 {
  value: number;
}
function readOptionalUInt32(r: Reader, m: OptionalUInt32 = { value: 0 }): OptionalUInt32 {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.value = r.uint32(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeOptionalUInt32(w: Writer, m: Init<OptionalUInt32>): void {
  if (m.value) w.uint32(8).uint32(m.value);
}

export interface OptionalInt64 {
  value: bigint;
}
function readOptionalInt64(r: Reader, m: OptionalInt64 = { value: 0n }): OptionalInt64 {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.value = readInt64(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeOptionalInt64(w: Writer, m: Init<OptionalInt64>): void {
  if (m.value) writeInt64(w.uint32(8), m.value);
}

export interface OptionalUInt64 {
  value: bigint;
}
function readOptionalUInt64(r: Reader, m: OptionalUInt64 = { value: 0n }): OptionalUInt64 {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.value = readUint64(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeOptionalUInt64(w: Writer, m: Init<OptionalUInt64>): void {
  if (m.value) writeUint64(w.uint32(8), m.value);
}

export interface OptionalBool {
  value: boolean;
}
function readOptionalBool(r: Reader, m: OptionalBool = { value: false }): OptionalBool {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.value = r.bool(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeOptionalBool(w: Writer, m: Init<OptionalBool>): void {
  if (m.value) w.uint32(8).bool(m.value);
}

export interface OptionalFileMode {
  /** chmod(2). */
  value: number;
}
function readOptionalFileMode(r: Reader, m: OptionalFileMode = { value: 0 }): OptionalFileMode {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.value = r.uint32(); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeOptionalFileMode(w: Writer, m: Init<OptionalFileMode>): void {
  if (m.value) w.uint32(8).uint32(m.value);
}

/** Which plugin has set each entry of a field, by the entry's key: an annotation, a mount's destination, a device's path ... */
export interface CompoundFieldOwners {
  owners: Record<string, string>;
}
function readCompoundFieldOwners(r: Reader, m: CompoundFieldOwners = { owners: {} }): CompoundFieldOwners {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: readEntry(r, m.owners); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeCompoundFieldOwners(w: Writer, m: Init<CompoundFieldOwners>): void {
  writeMap(w, 10, m.owners);
}

/** Which plugin has set each field of one container, by the numbers of Field. */
export interface FieldOwners {
  simple: Record<number, string>;
  /** Of the fields that plugins set entry by entry. */
  compound: Record<number, CompoundFieldOwners>;
}
function readFieldOwners(r: Reader, m: FieldOwners = { simple: {}, compound: {} }): FieldOwners {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: readEntryOf(r, m.simple, int32Part, textPart); break;
      case 18: readEntryOf(r, m.compound, int32Part, messagePart(readCompoundFieldOwners, writeCompoundFieldOwners)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeFieldOwners(w: Writer, m: Init<FieldOwners>): void {
  writeMapOf(w, 10, m.simple, int32Part, textPart);
  writeMapOf(w, 18, m.compound, int32Part, messagePart(readCompoundFieldOwners, writeCompoundFieldOwners));
}

/** By ids of containers. */
export interface OwningPlugins {
  owners: Record<string, FieldOwners>;
}
function readOwningPlugins(r: Reader, m: OwningPlugins = { owners: {} }): OwningPlugins {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: readEntryOf(r, m.owners, textPart, messagePart(readFieldOwners, writeFieldOwners)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeOwningPlugins(w: Writer, m: Init<OwningPlugins>): void {
  writeMapOf(w, 10, m.owners, textPart, messagePart(readFieldOwners, writeFieldOwners));
}

/** Every message type, by its name. */
export const messages = {
  RegisterPluginRequest: codec(readRegisterPluginRequest, writeRegisterPluginRequest),
  UpdateContainersRequest: codec(readUpdateContainersRequest, writeUpdateContainersRequest),
  UpdateContainersResponse: codec(readUpdateContainersResponse, writeUpdateContainersResponse),
  LogRequest: codec(readLogRequest, writeLogRequest),
  ConfigureRequest: codec(readConfigureRequest, writeConfigureRequest),
  ConfigureResponse: codec(readConfigureResponse, writeConfigureResponse),
  SynchronizeRequest: codec(readSynchronizeRequest, writeSynchronizeRequest),
  SynchronizeResponse: codec(readSynchronizeResponse, writeSynchronizeResponse),
  RunPodSandboxRequest: codec(readRunPodSandboxRequest, writeRunPodSandboxRequest),
  RunPodSandboxResponse: codec(readRunPodSandboxResponse, writeRunPodSandboxResponse),
  UpdatePodSandboxRequest: codec(readUpdatePodSandboxRequest, writeUpdatePodSandboxRequest),
  UpdatePodSandboxResponse: codec(readUpdatePodSandboxResponse, writeUpdatePodSandboxResponse),
  PostUpdatePodSandboxRequest: codec(readPostUpdatePodSandboxRequest, writePostUpdatePodSandboxRequest),
  PostUpdatePodSandboxResponse: codec(readPostUpdatePodSandboxResponse, writePostUpdatePodSandboxResponse),
  StopPodSandboxRequest: codec(readStopPodSandboxRequest, writeStopPodSandboxRequest),
  StopPodSandboxResponse: codec(readStopPodSandboxResponse, writeStopPodSandboxResponse),
  RemovePodSandboxRequest: codec(readRemovePodSandboxRequest, writeRemovePodSandboxRequest),
  RemovePodSandboxResponse: codec(readRemovePodSandboxResponse, writeRemovePodSandboxResponse),
  CreateContainerRequest: codec(readCreateContainerRequest, writeCreateContainerRequest),
  CreateContainerResponse: codec(readCreateContainerResponse, writeCreateContainerResponse),
  PostCreateContainerRequest: codec(readPostCreateContainerRequest, writePostCreateContainerRequest),
  PostCreateContainerResponse: codec(readPostCreateContainerResponse, writePostCreateContainerResponse),
  StartContainerRequest: codec(readStartContainerRequest, writeStartContainerRequest),
  StartContainerResponse: codec(readStartContainerResponse, writeStartContainerResponse),
  PostStartContainerRequest: codec(readPostStartContainerRequest, writePostStartContainerRequest),
  PostStartContainerResponse: codec(readPostStartContainerResponse, writePostStartContainerResponse),
  UpdateContainerRequest: codec(readUpdateContainerRequest, writeUpdateContainerRequest),
  UpdateContainerResponse: codec(readUpdateContainerResponse, writeUpdateContainerResponse),
  PostUpdateContainerRequest: codec(readPostUpdateContainerRequest, writePostUpdateContainerRequest),
  PostUpdateContainerResponse: codec(readPostUpdateContainerResponse, writePostUpdateContainerResponse),
  StopContainerRequest: codec(readStopContainerRequest, writeStopContainerRequest),
  StopContainerResponse: codec(readStopContainerResponse, writeStopContainerResponse),
  RemoveContainerRequest: codec(readRemoveContainerRequest, writeRemoveContainerRequest),
  RemoveContainerResponse: codec(readRemoveContainerResponse, writeRemoveContainerResponse),
  StateChangeEvent: codec(readStateChangeEvent, writeStateChangeEvent),
  ValidateContainerAdjustmentRequest: codec(readValidateContainerAdjustmentRequest, writeValidateContainerAdjustmentRequest),
  PluginInstance: codec(readPluginInstance, writePluginInstance),
  ValidateContainerAdjustmentResponse: codec(readValidateContainerAdjustmentResponse, writeValidateContainerAdjustmentResponse),
  Empty: codec(readEmpty, writeEmpty),
  PodSandbox: codec(readPodSandbox, writePodSandbox),
  LinuxPodSandbox: codec(readLinuxPodSandbox, writeLinuxPodSandbox),
  Container: codec(readContainer, writeContainer),
  Mount: codec(readMount, writeMount),
  Hooks: codec(readHooks, writeHooks),
  Hook: codec(readHook, writeHook),
  LinuxContainer: codec(readLinuxContainer, writeLinuxContainer),
  LinuxNamespace: codec(readLinuxNamespace, writeLinuxNamespace),
  LinuxDevice: codec(readLinuxDevice, writeLinuxDevice),
  LinuxDeviceCgroup: codec(readLinuxDeviceCgroup, writeLinuxDeviceCgroup),
  CDIDevice: codec(readCDIDevice, writeCDIDevice),
  User: codec(readUser, writeUser),
  LinuxResources: codec(readLinuxResources, writeLinuxResources),
  LinuxMemory: codec(readLinuxMemory, writeLinuxMemory),
  LinuxCPU: codec(readLinuxCPU, writeLinuxCPU),
  HugepageLimit: codec(readHugepageLimit, writeHugepageLimit),
  SecurityProfile: codec(readSecurityProfile, writeSecurityProfile),
  POSIXRlimit: codec(readPOSIXRlimit, writePOSIXRlimit),
  LinuxPids: codec(readLinuxPids, writeLinuxPids),
  LinuxIOPriority: codec(readLinuxIOPriority, writeLinuxIOPriority),
  LinuxNetDevice: codec(readLinuxNetDevice, writeLinuxNetDevice),
  LinuxScheduler: codec(readLinuxScheduler, writeLinuxScheduler),
  ContainerAdjustment: codec(readContainerAdjustment, writeContainerAdjustment),
  LinuxContainerAdjustment: codec(readLinuxContainerAdjustment, writeLinuxContainerAdjustment),
  LinuxSeccomp: codec(readLinuxSeccomp, writeLinuxSeccomp),
  LinuxSyscall: codec(readLinuxSyscall, writeLinuxSyscall),
  LinuxSeccompArg: codec(readLinuxSeccompArg, writeLinuxSeccompArg),
  LinuxMemoryPolicy: codec(readLinuxMemoryPolicy, writeLinuxMemoryPolicy),
  ContainerUpdate: codec(readContainerUpdate, writeContainerUpdate),
  LinuxContainerUpdate: codec(readLinuxContainerUpdate, writeLinuxContainerUpdate),
  ContainerEviction: codec(readContainerEviction, writeContainerEviction),
  LinuxRdt: codec(readLinuxRdt, writeLinuxRdt),
  KeyValue: codec(readKeyValue, writeKeyValue),
  OptionalString: codec(readOptionalString, writeOptionalString),
  OptionalRepeatedString: codec(readOptionalRepeatedString, writeOptionalRepeatedString),
  OptionalInt: codec(readOptionalInt, writeOptionalInt),
  OptionalInt32: codec(readOptionalInt32, writeOptionalInt32),
  OptionalUInt32: codec(readOptionalUInt32, writeOptionalUInt32),
  OptionalInt64: codec(readOptionalInt64, writeOptionalInt64),
  OptionalUInt64: codec(readOptionalUInt64, writeOptionalUInt64),
  OptionalBool: codec(readOptionalBool, writeOptionalBool),
  OptionalFileMode: codec(readOptionalFileMode, writeOptionalFileMode),
  CompoundFieldOwners: codec(readCompoundFieldOwners, writeCompoundFieldOwners),
  FieldOwners: codec(readFieldOwners, writeFieldOwners),
  OwningPlugins: codec(readOwningPlugins, writeOwningPlugins),
};

export const RUNTIME_SERVICE = 'nri.pkg.api.v1alpha1.Runtime';
/** What a plugin asks of the runtime. */
export const RuntimeMethods = {
  /** The plugin's first call, once a connection. */
  RegisterPlugin: { request: messages.RegisterPluginRequest, response: messages.Empty },
  /** Changes containers, or stops some, outside of any event. */
  UpdateContainers: { request: messages.UpdateContainersRequest, response: messages.UpdateContainersResponse },
} as const;

export const PLUGIN_SERVICE = 'nri.pkg.api.v1alpha1.Plugin';
/** What the runtime asks of a plugin. An event is the call of its name; the plugin gets those that its answer to Configure names. */
export const PluginMethods = {
  /** Hands the plugin its configuration; the answer subscribes it to events. */
  Configure: { request: messages.ConfigureRequest, response: messages.ConfigureResponse },
  /** All pods and containers that are there, in parts where they do not fit into one message. Events follow. */
  Synchronize: { request: messages.SynchronizeRequest, response: messages.SynchronizeResponse },
  /** The runtime is going down. */
  Shutdown: { request: messages.Empty, response: messages.Empty },
  /** A pod has its network and is about to be ready. */
  RunPodSandbox: { request: messages.RunPodSandboxRequest, response: messages.RunPodSandboxResponse },
  /** A pod's resources are about to change. */
  UpdatePodSandbox: { request: messages.UpdatePodSandboxRequest, response: messages.UpdatePodSandboxResponse },
  /** They have changed. */
  PostUpdatePodSandbox: { request: messages.PostUpdatePodSandboxRequest, response: messages.PostUpdatePodSandboxResponse },
  /** A pod has been stopped. */
  StopPodSandbox: { request: messages.StopPodSandboxRequest, response: messages.StopPodSandboxResponse },
  /** A pod is being removed. */
  RemovePodSandbox: { request: messages.RemovePodSandboxRequest, response: messages.RemovePodSandboxResponse },
  /** A container is about to be made; the plugin may adjust it, and update or evict others. */
  CreateContainer: { request: messages.CreateContainerRequest, response: messages.CreateContainerResponse },
  /** It has been made, as the request says. */
  PostCreateContainer: { request: messages.PostCreateContainerRequest, response: messages.PostCreateContainerResponse },
  /** A container is about to be started. */
  StartContainer: { request: messages.StartContainerRequest, response: messages.StartContainerResponse },
  /** It runs. */
  PostStartContainer: { request: messages.PostStartContainerRequest, response: messages.PostStartContainerResponse },
  /** A container's resources are about to change; the plugin may change them in another way, and update or evict others. */
  UpdateContainer: { request: messages.UpdateContainerRequest, response: messages.UpdateContainerResponse },
  /** They have changed, as the request says. */
  PostUpdateContainer: { request: messages.PostUpdateContainerRequest, response: messages.PostUpdateContainerResponse },
  /** A container has ended; the plugin may update others. */
  StopContainer: { request: messages.StopContainerRequest, response: messages.StopContainerResponse },
  /** A container is being removed. */
  RemoveContainer: { request: messages.RemoveContainerRequest, response: messages.RemoveContainerResponse },
  /** Events that have no call of their own; how older plugins get all that wants no answer. */
  StateChange: { request: messages.StateChangeEvent, response: messages.Empty },
  /** Whether a container may be made with what all plugins together want done to it. */
  ValidateContainerAdjustment: { request: messages.ValidateContainerAdjustmentRequest, response: messages.ValidateContainerAdjustmentResponse },
} as const;

export const HOST_FUNCTIONS_SERVICE = 'nri.pkg.api.v1alpha1.HostFunctions';
/** What a plugin that is a WebAssembly module may call in the runtime. */
export const HostFunctionsMethods = {
  /** Writes to the runtime's log. */
  Log: { request: messages.LogRequest, response: messages.Empty },
} as const;
