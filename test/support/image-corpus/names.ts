import { paxHeader } from '../tar-blocks.ts';
import { BASE, dir, file, link, member, symlink } from './odd-image.ts';
import type { OddImage, Part } from './odd-image.ts';

/** An entry whose name no header field can hold. */
const named = (name: string, type = '0', data = 'x'): Part[] => [paxHeader('x', [['path', name]]), member('short', type, data)];
const deep = Array.from({ length: 300 }, (_, index) => `d${index}`).join('/');

/** Names, links, and what stands at a name already. */
export const NAMES: readonly OddImage[] = [
  { name: 'a hard link', layers: [[file('a', { uid: 5, mtime: 77 }), link('b', 'a', { uid: 5, mtime: 77 })]] },
  { name: 'a hard link by an absolute name', layers: [[dir('d'), file('d/a'), link('d/b', '/d/a')]] },
  {
    name: 'a hard link to a later file',
    refused: /entry 'b': cannot link to 'a': it is not in this layer before it/,
    layers: [[link('b', 'a'), file('a')]],
  },
  {
    name: 'a hard link to a file of the layer below',
    refused: /entry 'b': cannot link to 'etc\/passwd'/,
    layers: [BASE, [link('b', 'etc/passwd')]],
  },
  {
    name: 'a hard link that leads out',
    refused: /entry '\.\.\/\.\.\/etc\/passwd' has '\.\.' in its name that leads out/,
    layers: [[link('b', '../../etc/passwd')]],
  },
  { name: 'a hard link to a symlink', layers: [[symlink('s', 'a'), link('b', 's')]] },
  {
    name: 'a hard link through a symlink that leads out',
    refused: /entry 'b': cannot link to 's\/passwd'/,
    layers: [[symlink('s', '/../../etc'), link('b', 's/passwd')]],
  },
  { name: 'a hard link through a symlink', layers: [[dir('d'), file('d/a'), symlink('s', 'd'), link('b', 's/a')]] },
  { name: 'a hard link over a directory', layers: [[file('a'), dir('b'), file('b/c'), link('b', 'a')]] },
  { name: 'a hard link to a directory', refused: /entry 'b': cannot link to 'a': it is a directory/, layers: [[dir('a'), link('b', 'a')]] },
  {
    name: 'a hard link to itself',
    containerd: 'refuses',
    why: 'docs/decisions/0003: the file is what the entry asks for',
    layers: [[file('a'), link('a', 'a')]],
  },
  { name: 'a hard link to the root', refused: /entry 'a': cannot link to '\/': it is a directory/, layers: [[link('a', '/')]] },
  {
    name: 'a hard link with another owner and mode',
    why: 'docs/decisions/0003: the file keeps its own',
    differs: { '0/a': /^0644 0:0 /, '0/b': /^0644 0:0 / },
    layers: [[file('a'), link('b', 'a', { uid: 9, mode: 0o600 })]],
  },
  { name: 'a hard link with content', layers: [[file('a'), member('b', '1', '', (block) => block.write('a', 157)), file('c')]] },
  { name: 'a hard link to a FIFO', layers: [[{ path: 'p', kind: 'fifo' }, link('b', 'p')]] },
  {
    name: 'symlinks that leave the root',
    layers: [[symlink('a', '../../../etc/passwd'), symlink('b', '/etc/passwd'), symlink('c', '/proc/1/root')]],
  },
  { name: 'a symlink to nothing', refused: /entry 'a': ENOENT/, layers: [[symlink('a', '')]] },
  { name: 'a symlink of 4095 bytes', layers: [[symlink('a', 'x'.repeat(4095))]] },
  { name: 'a symlink of 4096 bytes', refused: /entry 'a': ENAMETOOLONG/, layers: [[symlink('a', 'x'.repeat(4096))]] },
  {
    name: 'a file through symlinks that leave the root',
    layers: [[symlink('a', '../../../up'), symlink('b', '/abs'), file('a/x'), file('b/y')]],
  },
  {
    name: 'a file through symlinks in a circle',
    refused: /entry 'a\/x': ELOOP/,
    layers: [[symlink('a', 'b'), symlink('b', 'a'), file('a/x')]],
  },
  {
    name: 'a file through a symlink to a file',
    containerd: 'refuses',
    why: 'layer.md: a whiteout is for the layers below, and what is later in an archive wins',
    layers: [[file('f'), symlink('a', 'f'), file('a/x')]],
  },
  { name: 'a file through a symlink of the layer below', layers: [BASE, [file('lib/new')]] },
  {
    name: 'a directory over a symlink',
    why: 'docs/decisions/0003: what this layer replaced must not show through from below',
    differs: { '0/a': / directory trusted\.overlay\.opaque=y$/ },
    layers: [[symlink('a', '/etc'), dir('a'), file('a/x')]],
  },
  { name: 'a file over a symlink', layers: [[symlink('a', '/etc/passwd'), file('a')]] },
  { name: 'a symlink over a directory', layers: [[dir('a'), file('a/x'), dir('b'), symlink('a', 'b'), file('a/y')]] },
  { name: 'names with .. that stay inside', layers: [[file('a/../b'), file('x/y/../../c')]] },
  {
    name: 'a name with .. that leads out',
    refused: /entry '\.\.\/\.\.\/escaped' has '\.\.' in its name/,
    containerd: 'unpacks',
    why: 'docs/decisions/0003: no tool writes it, and whoever does means harm',
    layers: [[file('../../escaped')]],
  },
  { name: 'a name with .. behind a symlink', layers: [[symlink('a', '/x/y'), file('a/../b')]] },
  {
    name: 'the name ..',
    refused: /entry '\.\.\/' has '\.\.' in its name/,
    containerd: 'unpacks',
    why: 'docs/decisions/0003: no tool writes it, and whoever does means harm',
    layers: [[dir('..')]],
  },
  { name: 'absolute names', layers: [[dir('/a'), file('/a/b'), file('//c')]] },
  {
    name: 'an entry for the root',
    why: 'docs/decisions/0003: the root has what its entry says, and lets everybody in',
    differs: { '0/': /^0755 8:0 5\.000000000 directory$/ },
    layers: [[dir('./', { mode: 0o700, uid: 8, mtime: 5 }), file('./a')]],
  },
  { name: 'an entry for the root that is a file', layers: [[file('.'), file('a')]] },
  { name: 'an empty name', layers: [[member('', '0', 'data'), file('a')]] },
  {
    name: 'an empty name of a directory',
    why: 'docs/decisions/0003: the root has what its entry says, and lets everybody in',
    differs: { '0/': /^0755 0:0 0\.000000000 directory$/ },
    layers: [[member('', '5'), file('a')]],
  },
  { name: 'names with dots and slashes too many', layers: [[file('./a//b/./c'), dir('d///'), file('...')]] },
  { name: 'a file whose name ends in a slash', layers: [[member('a/', '0')]] },
  { name: 'names that are no UTF-8', layers: [[member('\xff\xfe', '0', 'x'), ...named('\xe4bc'), file('ä')]] },
  { name: 'names with blanks and control characters', layers: [[file('a\nb'), file(' '), file('\u001b[31m'), file('back\\slash')]] },
  { name: 'names that differ in case', layers: [[file('Name'), file('name'), dir('NAME'), file('NAME/x')]] },
  { name: 'a name of 255 bytes', layers: [[file('n'.repeat(255))]] },
  { name: 'a name of 256 bytes', refused: /entry 'n+\.*': ENAMETOOLONG/, layers: [[file('n'.repeat(256))]] },
  { name: 'a name of 8000 bytes', refused: /entry 'd+\.*': ENAMETOOLONG/, layers: [[file(`${'d'.repeat(200)}/`.repeat(40) + 'f')]] },
  { name: 'directories 300 deep', layers: [[file(`${deep}/f`), dir('d0')]] },
  { name: 'a name with a zero byte', refused: /entry 'a.b': EINVAL/, layers: [named('a\0b')] },
  { name: 'the prefix of ustar', layers: [[member('b', '0', 'x', (block) => block.write('a/prefix', 345))]] },
  { name: 'a file twice', layers: [[file('a', { data: 'first', mode: 0o600 }), file('a', { data: 'second' })]] },
  { name: 'a directory twice', layers: [[dir('a', { mode: 0o700 }), file('a/x'), dir('a', { mode: 0o711, mtime: 9 })]] },
  {
    name: 'a directory over a file',
    why: 'docs/decisions/0003: what this layer replaced must not show through from below',
    differs: { '0/a': / directory trusted\.overlay\.opaque=y$/ },
    layers: [[file('a'), dir('a'), file('a/x')]],
  },
  { name: 'a file over a directory', layers: [[dir('a'), file('a/x'), file('a')]] },
  {
    name: 'a file as the parent of another',
    containerd: 'refuses',
    why: 'layer.md: a whiteout is for the layers below, and what is later in an archive wins',
    layers: [[file('a'), file('a/x')]],
  },
  { name: 'a file over a directory of the layer below', layers: [BASE, [file('opt')]] },
  { name: 'a directory over a file of the layer below', layers: [BASE, [dir('etc'), dir('etc/passwd'), file('etc/passwd/x')]] },
  {
    name: 'directories without entries take what they are below',
    why: 'docs/decisions/0003: a directory without an entry keeps the time that it has below',
    differs: {
      '1/etc': /^0750 3:4 1000\./,
      '1/opt': / 2000\.000000000 directory user\.mark=below$/,
      '1/opt/data': / 2000\.000000000 directory$/,
    },
    layers: [BASE, [file('etc/new'), file('opt/data/new')]],
  },
];
