/** What the daemon does with each field of each request of the CRI: docs/fields.md is printed from it. */
import type { ContainerFilter, ContainerStatsFilter, ImageSpec, PodSandboxFilter, PodSandboxStatsFilter } from '../../api/cri/runtime.ts';
import { containerConfig, imageSpecRows, updatedResources } from './container-rows.ts';
import { accepted, honoured, refused, whole, type Fields, type NamedTest, type RequestTable, type Row } from './row.ts';
import { runtimeHandler, sandboxConfig, toldResources } from './sandbox-rows.ts';
import {
  attachStreams,
  checkpoints,
  containers,
  execStreams,
  execSync,
  imagePull,
  images,
  limits,
  lists,
  node,
  pods,
  podCheckpoints,
  portForward,
  pull,
  requestFields,
  stats,
  streams,
  verboseStatus,
} from './tests.ts';

const BY_PREFIX = lists('every call that names one container or sandbox takes a unique prefix of its id');
const GONE = node('what is not there: status calls answer NOT_FOUND, stop and remove succeed');
const named = honoured('an id, or the beginning of one that is unique', BY_PREFIX, GONE);

const AND = lists('filters are joined by "and": each must hold');
const STREAMED = lists('streams give what lists give, filtered alike, and end; an empty one has no message');
const selected = (...tests: [NamedTest, ...NamedTest[]]): Row => honoured('', ...tests);

const PODS = pods('ListPodSandbox filters by id prefix, state and labels; a strange id gives an empty list');
const podFilter: Fields<PodSandboxFilter> = {
  id: selected(PODS, STREAMED),
  state: { state: selected(PODS, STREAMED) },
  labelSelector: selected(PODS, AND, STREAMED),
};

const CONTAINERS = containers('ListContainers filters by id prefix, state, pod and labels');
const containerFilter: Fields<ContainerFilter> = {
  id: selected(CONTAINERS, STREAMED),
  state: { state: selected(CONTAINERS, STREAMED) },
  podSandboxId: selected(CONTAINERS, STREAMED),
  labelSelector: selected(CONTAINERS, AND, STREAMED),
};

const CONTAINER_STATS = stats('ListContainerStats gives running containers only, by id prefix, pod and labels');
const containerStatsFilter: Fields<ContainerStatsFilter> = {
  id: selected(CONTAINER_STATS),
  podSandboxId: selected(CONTAINER_STATS),
  labelSelector: selected(CONTAINER_STATS),
};

const POD_STATS = stats('ListPodSandboxStats gives ready pods only, by id prefix and labels');
const podStatsFilter: Fields<PodSandboxStatsFilter> = { id: selected(POD_STATS), labelSelector: selected(POD_STATS) };

const PULL_NO_EFFECT = pull('what a pull may say without effect changes nothing of it');
const imageFilter: Fields<ImageSpec> = imageSpecRows(
  'the one image to list',
  images('ListImages lists all, or the one of its filter'),
  PULL_NO_EFFECT,
);

const ARCHIVE = checkpoints('a checkpoint is an archive of the format of CRI-O, for root alone, and its container counts on');
const BAD_CHECKPOINT = checkpoints('a checkpoint that must not be is refused by its field, and the container counts on');

const OF_ONE_MOMENT = podCheckpoints(
  'the states of a pod are of one moment, and another pod goes on from there, with its shared memory and its own name',
);
const BAD_POD_CHECKPOINT = podCheckpoints('a checkpoint of a pod that must not be is refused by its field, and nothing is written');
const BAD_POD_RESTORE = podCheckpoints('a restore that is not of its checkpoint is refused by its field, and nothing is made');

const EXEC = execStreams('exec over SPDY ${protocol} hands out both outputs and the exit code');
const ATTACH = attachStreams('attach carries input and output, and ends with the container, over both transports');
const NO_STREAM = streams('one stream at least must be asked for');
const TTY = streams('a terminal has no stderr of its own');
const CREDENTIALS = imagePull('credentials of every kind are taken, wrong ones refused');
const UPDATED = requestFields(
  'resources and overhead of a pod are kept and shown, and those of an update in their place, also after kill -9',
);
const NO_EFFECT = requestFields('what a container may say without effect changes nothing of its spec');

export const REQUESTS: RequestTable = {
  VersionRequest: {
    version: accepted(
      'there is one version of the CRI here, and the answer names it',
      'neither reads it',
      node('Version names the runtime in all four fields'),
    ),
  },
  RunPodSandboxRequest: { config: sandboxConfig, runtimeHandler },
  StopPodSandboxRequest: { podSandboxId: named },
  RemovePodSandboxRequest: { podSandboxId: named },
  PodSandboxStatusRequest: {
    podSandboxId: named,
    verbose: honoured('', verboseStatus('verbose status has a runtimeSpec with the path of the network namespace, and no marks of ours')),
  },
  ListPodSandboxRequest: { filter: podFilter },
  StreamPodSandboxesRequest: { filter: podFilter },
  UpdatePodSandboxResourcesRequest: {
    podSandboxId: named,
    overhead: toldResources('overhead', UPDATED),
    resources: toldResources('resources', UPDATED),
  },
  CreateContainerRequest: {
    podSandboxId: named,
    config: containerConfig,
    sandboxConfig: whole(
      accepted(
        'a container is in the sandbox as RunPodSandbox made it; of this copy the names alone go into the annotations of the spec',
        'both read it where we read the record: of the kubelet it is the same',
        NO_EFFECT,
      ),
    ),
  },
  StartContainerRequest: { containerId: named },
  StopContainerRequest: {
    containerId: named,
    timeout: honoured(
      'seconds',
      containers('StopContainer kills after its timeout, and at once with timeout 0'),
      containers('a shorter later timeout wins'),
    ),
  },
  RemoveContainerRequest: { containerId: named },
  ListContainersRequest: { filter: containerFilter },
  StreamContainersRequest: { filter: containerFilter },
  ContainerStatusRequest: {
    containerId: named,
    verbose: honoured('', containers('the status returns metadata, labels, annotations, mounts and the log path as they were asked for')),
  },
  UpdateContainerResourcesRequest: {
    containerId: named,
    linux: updatedResources,
    annotations: accepted(
      'none has a meaning to a runtime in the CRI, and the status goes on to tell those of the creation',
      'neither reads them; NRI has no place for them in its own request',
      limits('an update leaves the OOM score as it was, in the kernel and in the status'),
    ),
  },
  ReopenContainerLogRequest: { containerId: named },
  ExecSyncRequest: {
    containerId: named,
    cmd: honoured('', execSync('ExecSync gives the code and both outputs apart')),
    timeout: honoured('seconds; 0 is without end', execSync('a timeout ends the call and the whole group of the command')),
  },
  ExecRequest: {
    containerId: named,
    cmd: honoured('', EXEC),
    tty: honoured('', execStreams('exec on a terminal starts with the size the client tells, follows it, and echoes'), TTY),
    stdin: honoured('', execStreams('exec carries 30 MB in and back byte for byte over SPDY'), NO_STREAM),
    stdout: honoured('', EXEC, NO_STREAM),
    stderr: honoured('', EXEC, NO_STREAM, TTY),
  },
  AttachRequest: {
    containerId: named,
    stdin: honoured('', ATTACH, NO_STREAM),
    tty: honoured('', attachStreams("attach by Kubernetes' client: sizes arrive, and output goes on when its input has ended"), TTY),
    stdout: honoured('', ATTACH, NO_STREAM),
    stderr: honoured('', ATTACH, NO_STREAM, TTY),
  },
  PortForwardRequest: {
    podSandboxId: named,
    port: honoured(
      'of a client of WebSocket channels; over SPDY the streams say it',
      portForward('port-forward by WebSocket channels, ${protocol}: a pair of channels for each port, which begin with it'),
    ),
  },
  ContainerStatsRequest: { containerId: named },
  ListContainerStatsRequest: { filter: containerStatsFilter },
  StreamContainerStatsRequest: { filter: containerStatsFilter },
  PodSandboxStatsRequest: { podSandboxId: named },
  ListPodSandboxStatsRequest: { filter: podStatsFilter },
  StreamPodSandboxStatsRequest: { filter: podStatsFilter },
  ListMetricDescriptorsRequest: {},
  ListPodSandboxMetricsRequest: {},
  StreamPodSandboxMetricsRequest: {},
  GetEventsRequest: {},
  UpdateRuntimeConfigRequest: {
    runtimeConfig: {
      networkConfig: {
        podCidr: accepted(
          'the configuration of CNI is the network plugin’s own affair, nothing is derived from the address range',
          'CRI-O does nothing either; containerd fills it into `conf_template`, where one is configured',
          node('RuntimeConfig names the cgroup driver, UpdateRuntimeConfig takes a pod CIDR'),
        ),
      },
    },
  },
  RuntimeConfigRequest: {},
  StatusRequest: { verbose: honoured('', node('Status verbose carries JSON')) },
  CheckpointContainerRequest: {
    containerId: named,
    location: honoured('an archive of the format of CRI-O, which replaces what is there', ARCHIVE, BAD_CHECKPOINT),
    timeout: honoured('seconds; 0 is `timeouts.checkpoint`', checkpoints('a checkpoint that takes too long ends at its time, and its container counts on'), BAD_CHECKPOINT),
  }, // prettier-ignore
  CheckpointPodRequest: {
    podSandboxId: honoured('', OF_ONE_MOMENT, BAD_POD_CHECKPOINT),
    outputPath: honoured(
      'an empty directory; nothing is written outside of it, and nothing half stays in it',
      OF_ONE_MOMENT,
      BAD_POD_CHECKPOINT,
    ),
    containerIds: honoured(
      'running ones of the pod, each once; all are frozen before the first is written',
      OF_ONE_MOMENT,
      BAD_POD_CHECKPOINT,
    ),
    options: refused('which is not known, must be empty', 'no key is known here', BAD_POD_CHECKPOINT),
  },
  RestorePodRequest: {
    checkpointPath: honoured('what CheckpointPod has written; it is copied, and never changed', OF_ONE_MOMENT, BAD_POD_RESTORE),
    config: whole(honoured('as for RunPodSandbox', OF_ONE_MOMENT, BAD_POD_RESTORE)),
    runtimeHandler: honoured('one whose program is that of the checkpoint', OF_ONE_MOMENT, BAD_POD_RESTORE),
    options: refused('which is not known, must be empty', 'no key is known here', BAD_POD_RESTORE),
    containerConfigs: whole(
      honoured(
        'as for CreateContainer; image, command, arguments, directory, environment and security context must be those of the checkpoint',
        OF_ONE_MOMENT,
        BAD_POD_RESTORE,
      ),
    ),
  },
  ListImagesRequest: { filter: { image: imageFilter } },
  StreamImagesRequest: { filter: { image: imageFilter } },
  ImageStatusRequest: {
    image: imageSpecRows(
      'a name, an id or the beginning of one, a digest',
      images('a loaded image is known by its name, its id, a prefix of its id and its digest'),
      PULL_NO_EFFECT,
    ),
    verbose: honoured('', images('ImageStatus verbose carries the config of the image')),
  },
  PullImageRequest: {
    image: imageSpecRows(
      'a name with a tag, a digest or neither',
      pull('an image (${form}) is pulled by tag and by digest, runs, and has one id everywhere'),
      PULL_NO_EFFECT,
    ),
    auth: {
      username: honoured('', CREDENTIALS),
      password: honoured('', CREDENTIALS),
      auth: honoured('', CREDENTIALS),
      serverAddress: honoured('the only registry that gets them', pull('a private image is refused with ${what}, also while it is here')),
      identityToken: honoured('', CREDENTIALS),
      registryToken: honoured('', CREDENTIALS),
    },
    sandboxConfig: whole(
      accepted(
        'but for metadata.namespace, by which credentials of the namespace are found (image.namespaced_auth_dir): an image is the same for every pod',
        'CRI-O reads the namespace for credentials and policies of its own and the cgroup for `separate_pull_cgroup`; containerd the runtime handler’s annotation for a snapshotter',
        PULL_NO_EFFECT,
      ),
    ),
  },
  RemoveImageRequest: {
    image: imageSpecRows(
      'any name or id of it',
      images('RemoveImage by id takes all names and layers; five at once all succeed; loaded again it runs again'),
      PULL_NO_EFFECT,
    ),
  },
  ImageFsInfoRequest: {},
};
