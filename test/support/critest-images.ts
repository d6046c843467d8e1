/**
 * The images that critest (kubernetes-sigs/cri-tools, pkg/validate and pkg/framework/util.go) looks for, made of Debian's
 * busybox. Their names, users, ports and commands are what its specs check; what is in them is ours.
 */
import { readFile } from 'node:fs/promises';
import { busyboxLayer, findBusybox, librariesOf, makeLayer } from '../../scripts/make-demo-image.ts';
import type { ImageLayer, ImageRunConfig } from '../../scripts/make-demo-image.ts';
import type { ManifestForm } from '../../scripts/push-image.ts';
import type { TarEntry } from '../../scripts/tar-writer.ts';
import { pauseProgram } from '../../src/podsandbox/pause-program.ts';
import type { TestRegistry } from './registry.ts';

/** Registries of critest's image names. */
export const CRITEST_REGISTRIES = ['registry.k8s.io', 'gcr.io', 'k8s.gcr.io', 'public.ecr.aws'] as const;
/** The image that critest asks for by a fixed digest: {@link pushCritestImages} gives ours. */
const DIGEST_REPOSITORY = 'k8s-staging-cri-tools/test-image-digest';

const E2E = 'e2e-test-images';
const OWN = 'k8s-staging-cri-tools';
/** The "host network" server's port, which the spec asks on the node. */
const HOST_NETWORK_PORT = 12003;

interface CritestImage {
  readonly repository: string;
  readonly tags: readonly string[];
  readonly form: ManifestForm;
  readonly layers: readonly ImageLayer[];
  readonly config: ImageRunConfig;
}

const file = (path: string, data: string | Uint8Array, mode = 0o644): TarEntry => ({ path, kind: 'file', data, mode });
const directory = (path: string): TarEntry => ({ path, kind: 'directory' });

const PASSWD = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
`;
const GROUP = 'root:x:0:\ndaemon:x:1:\nwww-data:x:33:\nnogroup:x:65534:\n';

/** Debian's busybox has no pgrep: prints the pids whose command name has the word in it. */
const PGREP = `#!/bin/sh
status=1
for process in /proc/[0-9]*; do
  read -r name <"$process/comm" || continue
  pid=\${process##*/}
  case "$name" in
    *"$1"*) [ "$pid" = "$$" ] || { echo "$pid"; status=0; } ;;
  esac
done 2>/dev/null
exit $status
`;
/** Nor ipcs: shows the shared memory segments. */
const IPCS = '#!/bin/sh\nexec cat /proc/sysvipc/shm\n';

/** What the specs want of their busybox besides Debian's. */
async function baseLayers(): Promise<ImageLayer[]> {
  const additions = [
    file('bin/pgrep', PGREP, 0o755),
    file('bin/ipcs', IPCS, 0o755),
    file('etc/passwd', PASSWD),
    file('etc/group', GROUP),
    directory('usr/sbin'),
    directory('usr/local/bin'),
    directory('var/www/html'),
    file('var/www/html/index.html', '<html><body>served from inside the pod</body></html>\n'),
  ];
  return [await busyboxLayer(), await makeLayer(additions)];
}

/** Serves pages as NAME on PORT until told to end, with its pid in a file. */
const SERVE = `#!/bin/sh
name=$1 port=$2
echo "$name listens on $port"
echo $$ >"/var/run/$name.pid"
httpd -f -h /var/www/html -p "$port" &
server=$!
trap 'kill "$server"; exit 0' INT QUIT TERM
wait "$server"
`;

/**
 * The server, and a program whose command name is "nginx". It is the dynamic loader under that name, which runs busybox; a shell
 * script would be shown as "sh" by the kernel.
 */
async function serverLayer(): Promise<ImageLayer> {
  const busybox = await findBusybox();
  try {
    const loader = busybox.libraries.find((library) => library.includes('/ld-linux'));
    if (loader === undefined) throw new Error(`critest images: ${busybox.path} has no loader among ${busybox.libraries.join(', ')}`);
    return await makeLayer([file('usr/sbin/nginx', await readFile(loader), 0o755), file('usr/sbin/serve', SERVE, 0o755)]);
  } finally {
    await busybox.release();
  }
}

/** The command line that specs look for in the list of processes. */
function nginx(port: number): ImageRunConfig {
  const title = 'nginx: master process nginx -g daemon off;';
  return {
    Cmd: ['/bin/sh', '-c', `exec -a "${title}" /usr/sbin/nginx /bin/busybox sh /usr/sbin/serve nginx ${port}`],
    ExposedPorts: { [`${port}/tcp`]: {} },
    StopSignal: 'SIGQUIT',
  };
}

/** A set-uid id(1), busybox's own gives its rights up: it tells whether no_new_privs holds. */
async function setUidLayer(): Promise<ImageLayer> {
  const program = '/usr/bin/id';
  const libraries = await Promise.all((await librariesOf(program)).map(async (path) => file(path.slice(1), await readFile(path), 0o755)));
  return makeLayer([
    ...libraries,
    file('usr/local/bin/id-of-root', await readFile(program), 0o4755),
    file('usr/local/bin/nnp', '#!/bin/sh\necho "Effective uid: $(/usr/local/bin/id-of-root -u)"\n', 0o755),
  ]);
}

const markerLayer = async (name: string): Promise<ImageLayer> => makeLayer([file(name, '')]);

/** Two versions that are two images: one is removed by id while the other must stay. */
async function pauseImages(): Promise<CritestImage[]> {
  const pause = async (version: string, tags: readonly string[], form: ManifestForm): Promise<CritestImage> => ({
    repository: 'pause',
    tags,
    form,
    layers: [await makeLayer([file('pause', pauseProgram(process.arch), 0o555), file('version', version)])],
    config: { Entrypoint: ['/pause'], User: '65535:65535' },
  });
  return [await pause('3.9', ['3.9'], 'oci-index'), await pause('3.10', ['3.10', '3.10.1'], 'docker-list')];
}

/** Images that specs run. */
async function programImages(base: readonly ImageLayer[]): Promise<CritestImage[]> {
  const web = [...base, await serverLayer()];
  const image = (name: string, form: ManifestForm, layers: readonly ImageLayer[], config: ImageRunConfig): CritestImage => {
    const [repository = '', tag = ''] = name.split(':');
    return { repository, tags: [tag], form, layers, config };
  };
  return [
    image(`${E2E}/busybox:1.29-2`, 'oci', base, { Cmd: ['sh'] }),
    image(`${E2E}/nginx:1.14-2`, 'docker', web, nginx(80)),
    image(`${E2E}/httpd:2.4.39-4`, 'docker-list', web, { Cmd: ['/usr/sbin/serve', 'httpd', '80'], ExposedPorts: { '80/tcp': {} } }),
    image(`${E2E}/nonewprivs:1.3`, 'oci', [...base, await setUidLayer()], { Entrypoint: ['/usr/local/bin/nnp'] }),
    image(`${OWN}/hostnet-nginx-amd64:latest`, 'docker', web, nginx(HOST_NETWORK_PORT)),
  ];
}

/** Images that specs only pull, list and remove. */
async function testImages(base: readonly ImageLayer[]): Promise<CritestImage[]> {
  const sh = { Cmd: ['sh'] };
  const marked = async (name: string, tags: readonly string[], marker: string, form: ManifestForm): Promise<CritestImage> => ({
    repository: `${OWN}/${name}`,
    tags,
    form,
    layers: [...base, await markerLayer(marker)],
    config: sh,
  });
  const user = (name: string, User: string): CritestImage => ({
    repository: `${OWN}/test-image-user-${name}`,
    tags: ['latest'],
    form: 'docker-list',
    layers: base,
    config: { ...sh, User },
  });
  const groups = [
    file('etc/passwd', `${PASSWD}default-user:x:1000:1000::/home/default-user:/bin/sh\n`),
    file('etc/group', `${GROUP}default-user:x:1000:\ngroup-defined-in-image:x:50000:default-user\n`),
    directory('home/default-user'),
  ];
  const names = ['test-image-1', 'test-image-2', 'test-image-3', 'test-image-latest'];
  return [
    ...(await Promise.all(names.map(async (name) => marked(name, ['latest'], name, 'docker-list')))),
    // One manifest without an index: the spec wants just one digest of it.
    await marked('test-image-digest', ['latest'], 'test-image-digest', 'docker'),
    await marked('test-image-tags', ['1', '2', '3'], 'one-image', 'docker-list'),
    await marked('test-image-tag', ['test'], 'tag-test', 'docker-list'),
    await marked('test-image-tag', ['all'], 'tag-all', 'docker-list'),
    user('uid', '1002'),
    user('username', 'www-data'),
    user('uid-group', '1003:1004'),
    user('username-group', 'www-data:1004'),
    {
      repository: `${OWN}/test-image-predefined-group`,
      tags: ['latest'],
      form: 'docker-list',
      layers: [...base, await makeLayer(groups)],
      config: { ...sh, User: '1000' },
    },
  ];
}

/** What the benchmark specs pull (`-benchmark`). */
async function benchmarkImages(base: readonly ImageLayer[]): Promise<CritestImage[]> {
  const tags = ['1', '1-glibc', '1-musl', '1-uclibc', '1.35.0-glibc'];
  return Promise.all(
    tags.map(async (tag): Promise<CritestImage> => ({
      repository: 'docker/library/busybox',
      tags: [tag],
      form: 'oci-index',
      layers: [...base, await markerLayer(`busybox-${tag}`)],
      config: { Cmd: ['sh'] },
    })),
  );
}

/**
 * Makes every image of critest and pushes it.
 * @returns how many, and the digest of the one that critest asks for by digest.
 */
export async function pushCritestImages(registry: TestRegistry): Promise<{ readonly count: number; readonly digest: string }> {
  const base = await baseLayers();
  const images = [...(await programImages(base)), ...(await pauseImages()), ...(await testImages(base)), ...(await benchmarkImages(base))];
  let digest: string | undefined;
  for (const { repository, tags, form, layers, config } of images) {
    const Env = ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'];
    const pushed = await registry.push({ layers, config: { Env, ...config } }, repository, tags, form);
    if (repository === DIGEST_REPOSITORY) ({ digest } = pushed);
  }
  if (digest === undefined) throw new Error(`critest images: ${DIGEST_REPOSITORY} is not among them`);
  return { count: images.length, digest };
}
