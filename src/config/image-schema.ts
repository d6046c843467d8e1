import { MINUTE_MS, anyText, duration, layerStore, listOf, optionalPath, paths, platform, trueOrFalse, wholeNumber } from './kinds.ts';
import { key, section } from './schema-nodes.ts';
import { trustKeys } from './trust-schema.ts';

/** Images: how they are pulled, whom they come from, what is kept of them. */
export const imageSection = section('Images.', {
  platform: key(platform, '', "The platform of images that are pulled or loaded; empty: this machine's."),
  maxParallelDownloads: key(wholeNumber(1, 64), 3, 'Downloads of one image at once: layers, and ranges of large layers.', {
    reloadable: true,
  }),
  maxParallelDownloadsPerNode: key(wholeNumber(1, 1024), 12, 'Downloads of all images at once. Further layers wait for their turn.', {
    reloadable: true,
  }),
  downloadRangeMib: key(
    wholeNumber(0, 4096),
    16,
    'Layers of at least twice so many MiB come in ranges of this size, several side by side where downloads are free and the registry ' +
      'knows ranges; 0: each layer is one stream.',
    { reloadable: true },
  ),
  authFiles: key(
    paths,
    ['/run/containers/0/auth.json', '/etc/containers/auth.json', '/root/.config/containers/auth.json', '/root/.docker/config.json'],
    "The node's own credentials for registries and mirrors: files as containers-auth.json(5) and docker have them, the first that has something " +
      "for a repository decides. Each may be missing. Read when a registry asks. A pod's own pull secrets win, and no mirror gets those.",
    { reloadable: true },
  ),
  namespacedAuthDir: key(
    optionalPath,
    '',
    'Where auth files for one pull of one namespace are, as crio-credential-provider writes them for mirrors; empty: nowhere. Its own is /etc/crio/auth. ' +
      'Such a file counts in place of image.auth_files, and is removed when a pull has taken it.',
    { reloadable: true },
  ),
  pinned: key(
    listOf(anyText, 'a list of image names'),
    [],
    'Images that the kubelet must not remove: names, with * for any text. One with an @ is of digests: NAME@* for what was pulled by digest.',
    {
      reloadable: true,
    },
  ),
  discardBlobs: key(
    trueOrFalse,
    false,
    'Drop the compressed form of each layer once it is unpacked, also of images that are here: a quarter to a half less disk, but no `image save`.',
    { reloadable: true },
  ),
  reuseChunks: key(
    trueOrFalse,
    true,
    'Where image.discard_blobs is set: of a zstd:chunked layer, fetch only the chunks that no layer here has. What is checked of such a layer is then ' +
      'the diff id, as ever, and the digest of each chunk; the digest of the blob, which is never here, is not.',
    { reloadable: true },
  ),
  additionalStores: key(
    paths,
    [],
    'Directories with images that others have filled, read-only, in the order in which they are looked through: the additionalimagestores of ' +
      'containers-storage.conf(5), with the driver overlay. Each may be missing.',
    { reloadable: true },
  ),
  additionalLayerStores: key(
    listOf(layerStore, 'a list of absolute paths, each with ":ref" behind it or not'),
    [],
    'Where file systems of lazy-loading layer stores are mounted, which show a layer before it is whole: the additionallayerstores of ' +
      'containers-storage.conf(5). With ":ref" the store wants the name of the image, as that of stargz-snapshotter does.',
    { reloadable: true },
  ),
  ...trustKeys,
  pullProgressTimeoutMs: key(
    duration(1000),
    5 * MINUTE_MS,
    'A pull that receives nothing for so long, or less than 256 bytes a second, fails.',
    { reloadable: true },
  ),
  connectTimeoutMs: key(duration(100), 30_000, "How long a connection to a registry may take, a proxy's answer for it in that."),
  responseHeaderTimeoutMs: key(
    duration(1000),
    5 * MINUTE_MS,
    'How long a registry may take to begin an answer. Caches that fetch a whole layer first need minutes. With n endpoints for an ' +
      'image none has more than the n-th part of pull_progress_timeout.',
    { reloadable: true },
  ),
});
