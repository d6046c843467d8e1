import { paxHeader } from '../tar-blocks.ts';
import { BASE, dir, file, link, symlink, white } from './odd-image.ts';
import type { OddImage } from './odd-image.ts';

const long = 'n'.repeat(200);

/** Whiteouts: OCI image spec, layer.md. */
export const WHITEOUTS: readonly OddImage[] = [
  { name: 'a whiteout', layers: [BASE, [dir('etc', { mode: 0o750 }), white('etc/.wh.passwd')]] },
  {
    name: 'a whiteout below a directory without an entry',
    why: 'docs/decisions/0003: a directory without an entry keeps the time that it has below',
    differs: { '1/opt': / 2000\.000000000 directory user\.mark=below$/ },
    layers: [BASE, [white('opt/.wh.data')]],
  },
  { name: 'an opaque directory', layers: [BASE, [dir('etc'), white('etc/.wh..wh..opq'), file('etc/new')]] },
  { name: 'an opaque mark after the files', layers: [BASE, [dir('etc'), file('etc/new'), white('etc/.wh..wh..opq')]] },
  { name: 'an opaque mark twice', layers: [BASE, [dir('etc'), white('etc/.wh..wh..opq'), white('etc/.wh..wh..opq')]] },
  { name: 'an opaque root', layers: [BASE, [white('.wh..wh..opq'), file('new')]] },
  {
    name: 'a whiteout of a directory and the directory',
    why: 'docs/decisions/0003: what this layer replaced must not show through from below',
    differs: { '1/opt/data': / directory trusted\.overlay\.opaque=y$/ },
    layers: [BASE, [dir('opt'), white('opt/.wh.data'), dir('opt/data')]],
  },
  {
    name: 'a whiteout of a directory and a file in it',
    containerd: 'refuses',
    why: 'layer.md: a whiteout is for the layers below, and what is later in an archive wins',
    layers: [BASE, [dir('opt'), white('opt/.wh.data'), file('opt/data/new')]],
  },
  { name: 'a whiteout and a file of its name', layers: [BASE, [dir('etc'), white('etc/.wh.passwd'), file('etc/passwd')]] },
  {
    name: 'a file and a whiteout of its name',
    containerd: 'refuses',
    why: 'layer.md: a whiteout is for the layers below, and what is later in an archive wins',
    layers: [BASE, [dir('etc'), file('etc/passwd'), white('etc/.wh.passwd')]],
  },
  {
    name: 'a directory and a whiteout of its name',
    containerd: 'refuses',
    why: 'layer.md: a whiteout is for the layers below, and what is later in an archive wins',
    layers: [BASE, [dir('opt/data'), file('opt/data/new'), white('opt/.wh.data')]],
  },
  {
    name: 'a whiteout twice',
    containerd: 'refuses',
    why: 'layer.md: a whiteout is for the layers below, and what is later in an archive wins',
    layers: [BASE, [white('etc/.wh.passwd'), white('etc/.wh.passwd')]],
  },
  { name: 'a whiteout of nothing', layers: [BASE, [dir('etc'), white('etc/.wh.never')]] },
  { name: 'a whiteout that is a directory', layers: [BASE, [dir('etc'), dir('etc/.wh.passwd')]] },
  { name: 'a whiteout that is a symlink', layers: [BASE, [dir('etc'), symlink('etc/.wh.passwd', '/')]] },
  { name: 'a whiteout with content and an owner', layers: [BASE, [dir('etc'), file('etc/.wh.passwd', { uid: 7, mode: 0o777 })]] },
  { name: 'a whiteout of no name', refused: /entry 'etc\/\.wh\.' hides no name/, layers: [BASE, [white('etc/.wh.')]] },
  { name: 'a whiteout of the directory itself', refused: /entry 'etc\/\.wh\.\.' hides no name/, layers: [BASE, [white('etc/.wh..')]] },
  { name: 'a whiteout of the directory above', refused: /entry 'etc\/\.wh\.\.\.' hides no name/, layers: [BASE, [white('etc/.wh...')]] },
  { name: 'a whiteout of a long name', layers: [BASE, [paxHeader('x', [['path', `.wh.${long}`]]), white('short')]] },
  {
    name: 'a whiteout of a whiteout',
    why: 'docs/decisions/0003: marks of AUFS say nothing to others, and no layer has what they would hide',
    differs: { '1/etc/.wh.passwd': undefined },
    layers: [BASE, [dir('etc'), white('etc/.wh..wh.passwd')]],
  },
  {
    name: 'a whiteout through a symlink',
    layers: [BASE, [dir('usr'), dir('usr/lib'), symlink('lib', 'usr/lib'), white('lib/.wh.library')]],
  },
  {
    name: 'the marks of AUFS',
    why: 'docs/decisions/0003: marks of AUFS say nothing to others, and no layer has what they would hide',
    differs: { '1/.wh.aufs': undefined, '1/.wh.orph': undefined, '1/.wh.plnk': undefined },
    layers: [BASE, [white('.wh..wh.aufs'), dir('.wh..wh.orph'), dir('.wh..wh.plnk')]],
  },
  {
    name: 'pseudo links of AUFS',
    why: 'docs/decisions/0003: marks of AUFS say nothing to others, and no layer has what they would hide',
    differs: { '1/.wh.plnk': undefined },
    layers: [BASE, [dir('.wh..wh.plnk'), file('.wh..wh.plnk/12.34'), link('a', '.wh..wh.plnk/12.34')]],
  },
  { name: 'a hard link to a whiteout', layers: [BASE, [dir('etc'), white('etc/.wh.passwd'), link('a', 'etc/passwd')]] },
  {
    name: 'a hard link to the entry of a whiteout',
    refused: /entry 'a': cannot link to 'etc\/\.wh\.passwd'/,
    layers: [BASE, [dir('etc'), white('etc/.wh.passwd'), link('a', 'etc/.wh.passwd')]],
  },
];
