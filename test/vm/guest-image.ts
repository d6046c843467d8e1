/**
 * The machines that the VM test runs on: Debian 13, or 12, with systemd as process 1 and cgroup v2 alone, each built once by debootstrap
 * and kept in a cache under a name that changes with the recipe. Root.
 */
import { createHash } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureDir, outputFile, pathExists, remove } from 'fs-extra/esm';
import { bootstrapArm64, makeInitrdArm64 } from './arm64-tree.ts';
import { runProgram } from './programs.ts';

const SUITE = 'trixie';
const MIRROR = process.env['PODWRIGHT_VM_MIRROR'] ?? 'http://deb.debian.org/debian';

const PACKAGES = [
  'systemd', 'systemd-sysv', 'dbus', 'udev', 'kmod', 'procps', 'iproute2', 'iptables', 'ca-certificates',
  'linux-image-cloud-amd64', 'initramfs-tools', 'runc', 'crun', 'conmon', 'containernetworking-plugins',
  'apparmor', 'sudo', 'criu', 'libcriu2',
]; // prettier-ignore

/** What only takes time in a machine that lives for minutes and has no network of its own. */
const MASKED = [
  'serial-getty@ttyS0.service', 'getty@tty1.service', 'systemd-timesyncd.service', 'systemd-networkd.service', 'networking.service',
  'apt-daily.timer', 'apt-daily-upgrade.timer', 'dpkg-db-backup.timer', 'e2scrub_all.timer', 'e2scrub_reap.service', 'fstrim.timer',
  'systemd-tmpfiles-clean.timer', 'systemd-pcrphase-sysinit.service', 'systemd-udev-settle.service', 'systemd-hwdb-update.service',
  'systemd-logind.service', 'systemd-user-sessions.service', 'modprobe@.service', 'kmod-static-nodes.service', 'dev-hugepages.mount',
  'dev-mqueue.mount', 'sys-kernel-debug.mount', 'sys-kernel-tracing.mount', 'systemd-update-utmp.service', 'systemd-journal-flush.service',
  'apparmor.service', // it compiles a hundred profiles at each boot; those that matter here, the test loads
]; // prettier-ignore

/** Files of the image, besides the packages'. */
const FILES: Readonly<Record<string, string>> = {
  'etc/hostname': 'podwright-vm\n',
  'etc/hosts': '127.0.0.1 localhost podwright-vm\n',
  'etc/machine-id': '0123456789abcdef0123456789abcdef\n', // an empty one means "first boot", with questions to ask
  'etc/fstab': '/dev/vda / ext4 rw,noatime 0 0\n/dev/vdb /payload ext4 ro 0 0\n',
  // A hard end must not lose the lines before it, and the machine has no other use for its console.
  'etc/systemd/journald.conf.d/vm.conf': '[Journal]\nStorage=volatile\n',
  'etc/systemd/system.conf.d/vm.conf': '[Manager]\nDefaultTimeoutStopSec=60s\n',
  'etc/systemd/system/vm-test.service': `[Unit]
Description=Test from the payload disk
RequiresMountsFor=/payload
After=multi-user.target
[Service]
ExecStart=/bin/sh /payload/start
StandardOutput=journal+console
StandardError=journal+console
[Install]
WantedBy=multi-user.target
`,
  // The disk controller and the file system are all that an initramfs is for here.
  'etc/initramfs-tools/initramfs.conf': 'MODULES=list\nBUSYBOX=n\nCOMPRESS=zstd\nRUNSIZE=10%\n',
  'etc/initramfs-tools/modules': 'virtio_pci\nvirtio_blk\next4\n',
};

/** The security module that a guest has on, and what it needs for that. */
export type SecurityModule = 'apparmor' | 'selinux';
/** Debian 13 on x86-64 with one of the two on, or on arm64, or Debian 12 on x86-64. */
export type MachineKind = SecurityModule | 'arm64' | 'bookworm';

/** The policy is compiled into one binary and the tree is labelled while the image is made: both take very long in the machine. */
const SELINUX_PACKAGES = ['selinux-policy-default', 'selinux-utils', 'policycoreutils'];
const SELINUX_FILES: Readonly<Record<string, string>> = {
  'etc/selinux/config': 'SELINUX=enforcing\nSELINUXTYPE=default\n',
  // The payload is made where there is no SELinux: it has no labels.
  'etc/fstab': '/dev/vda / ext4 rw,noatime 0 0\n/dev/vdb /payload ext4 ro,context=system_u:object_r:iso9660_t:s0 0 0\n',
};
/** What is not needed there goes: each program that a package's script runs is emulated. The image of containers is made in the machine itself, of busybox. */
const ARM64_PACKAGES = [
  ...PACKAGES.map((name) => name.replace('-amd64', '-arm64')).filter((name) => !['criu', 'libcriu2', 'sudo', 'ca-certificates'].includes(name)),
  'busybox', 'libstdc++6', 'zstd',
]; // prettier-ignore
/** Checkpoints are no part of what is tried there, and it has no libcriu of that name. */
const BOOKWORM_PACKAGES = PACKAGES.filter((name) => !['criu', 'libcriu2'].includes(name));
const ARM64_FILES: Readonly<Record<string, string>> = {
  // The most that can be gained is seconds of a boot, and the emulated compressor takes minutes.
  'etc/initramfs-tools/conf.d/level': 'COMPRESSLEVEL=1\n',
  'etc/systemd/system/serial-getty@ttyAMA0.service.d/off.conf': '[Unit]\nConditionPathExists=/nowhere\n',
};

const FILE_CONTEXTS = '/etc/selinux/default/contexts/files/file_contexts';
const POLICY_MODULE = join(import.meta.dirname, '../../deploy/selinux/podwright.cil');
/** The test itself is a program of Node, started by systemd without a domain of its own. */
const TEST_MODULE = '(allow initrc_t self (process (execmem)))\n';

/** Room on the disk beside the packages, for images and containers. */
const DISK_SIZE = '3G';

export interface GuestImage {
  readonly disk: string;
  readonly kernel: string;
  readonly initrd: string;
}

/** The image from the cache; the first time it is built, which takes some minutes. Older recipes' images are removed. */
export async function guestImage(cache: string, kind: MachineKind, tell: (line: string) => void): Promise<GuestImage> {
  const selinux =
    kind === 'selinux'
      ? { SELINUX_PACKAGES, SELINUX_FILES, TEST_MODULE, policy: await readFile(POLICY_MODULE, 'utf8'), build: 1 }
      : undefined;
  const recipe = JSON.stringify({
    SUITE: suiteOf(kind),
    PACKAGES: kind === 'bookworm' ? BOOKWORM_PACKAGES : PACKAGES,
    MASKED,
    FILES,
    DISK_SIZE,
    build: 1,
    selinux,
    ...(kind === 'arm64' && { ARM64_PACKAGES, ARM64_FILES }),
  });
  const prefix = { apparmor: 'guest-', selinux: 'selinux-', arm64: 'arm64-', bookworm: 'bookworm-' }[kind];
  const name = `${prefix}${createHash('sha256').update(recipe).digest('hex').slice(0, 16)}`;
  const directory = join(cache, name);
  const image = { disk: join(directory, 'disk.img'), kernel: join(directory, 'vmlinuz'), initrd: join(directory, 'initrd.img') };
  if (await pathExists(directory)) {
    tell(`guest: ${directory}`);
    return image;
  }
  await ensureDir(cache);
  const begun = Date.now();
  tell(`guest: building ${directory} (some minutes, once)`);
  const work = await mkdtemp(join(cache, 'building-'));
  try {
    await build(work, kind);
    await rename(join(work, 'image'), directory);
  } finally {
    await remove(work);
  }
  for (const other of await readdir(cache)) {
    if (other.startsWith(prefix) && other !== name) await remove(join(cache, other));
  }
  tell(`guest: built in ${Math.round((Date.now() - begun) / 1000)} s`);
  return image;
}

function suiteOf(kind: MachineKind): string {
  return kind === 'bookworm' ? 'bookworm' : SUITE;
}

async function build(work: string, kind: MachineKind): Promise<void> {
  const tree = join(work, 'tree');
  const image = join(work, 'image');
  await mkdir(image);
  const packages = kind === 'bookworm' ? BOOKWORM_PACKAGES : [...PACKAGES, ...(kind === 'selinux' ? SELINUX_PACKAGES : [])];
  if (kind === 'arm64') await bootstrapArm64(tree, ARM64_PACKAGES, SUITE, MIRROR);
  else
    await runProgram('debootstrap', ['--variant=minbase', `--include=${packages.join(',')}`, suiteOf(kind), tree, MIRROR], {
      timeoutMs: 25 * 60_000,
    });
  await fill(tree, kind);
  if (kind === 'arm64') await makeInitrdArm64(tree);
  else await runProgram('chroot', [tree, 'update-initramfs', '-u', '-k', 'all'], { timeoutMs: 5 * 60_000 });
  for (const entry of await readdir(join(tree, 'boot'))) {
    if (entry.startsWith('vmlinuz-')) await copyFile(join(tree, 'boot', entry), join(image, 'vmlinuz'));
    if (entry.startsWith('initrd.img-')) await copyFile(join(tree, 'boot', entry), join(image, 'initrd.img'));
  }
  for (const path of ['var/cache/apt', 'var/lib/apt/lists', 'usr/share/doc', 'usr/share/man', 'usr/share/locale']) {
    await remove(join(tree, path));
  }
  if (kind === 'selinux') await runProgram('chroot', [tree, 'setfiles', '-F', FILE_CONTEXTS, '/'], { timeoutMs: 5 * 60_000 });
  await makeDisk(join(image, 'disk.img'), tree, DISK_SIZE);
}

/** Puts into the tree what the packages do not bring. */
async function fill(tree: string, kind: MachineKind): Promise<void> {
  const files = { ...FILES, ...(kind === 'selinux' && SELINUX_FILES), ...(kind === 'arm64' && ARM64_FILES) };
  for (const [path, text] of Object.entries(files)) await outputFile(join(tree, path), text);
  for (const unit of MASKED) {
    await remove(join(tree, 'etc/systemd/system', unit));
    await symlink('/dev/null', join(tree, 'etc/systemd/system', unit));
  }
  await mkdir(join(tree, 'payload'));
  const wants = join(tree, 'etc/systemd/system/multi-user.target.wants');
  await ensureDir(wants);
  await symlink('/etc/systemd/system/vm-test.service', join(wants, 'vm-test.service'));
  if (kind !== 'selinux') return;
  await copyFile(POLICY_MODULE, join(tree, 'root/podwright.cil'));
  await outputFile(join(tree, 'root/vm-test.cil'), TEST_MODULE);
  await runProgram('chroot', [tree, 'semodule', '-n', '-i', '/root/podwright.cil', '/root/vm-test.cil'], { timeoutMs: 15 * 60_000 });
}

/** An ext4 file system of a directory's content, as a sparse file. */
export async function makeDisk(file: string, content: string, size: string): Promise<void> {
  await remove(file);
  await runProgram('mke2fs', ['-q', '-t', 'ext4', '-E', 'lazy_itable_init=1,nodiscard', '-d', content, file, size], {
    timeoutMs: 5 * 60_000,
  });
}
