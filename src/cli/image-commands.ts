import { Option } from 'commander';
import type { Command } from 'commander';
import type { ArchiveFormat } from '../admin/reports.ts';
import { clientCommand, connect } from './client-command.ts';
import type { Options } from './config-options.ts';
import { HeldArgument } from './held-argument.ts';
import { jsonText } from './io.ts';
import type { CliIo } from './io.ts';

/** `podwright image ...`. What a command prints is loaded when it is run. */
export function addImage(podwright: Command, io: CliIo): void {
  const image = podwright.command('image').description('images on this node');
  addPulls(image, io);
  addStored(image, io);
  addArchives(image, io);
}

function addPulls(image: Command, io: CliIo): void {
  clientCommand(image, 'pull')
    .description("pull an image as the kubelet would, with the node's own credentials; shows how far each layer is")
    .addArgument(new HeldArgument('<REF>', 'the name as a pod has it', ['image']))
    .option('--json', 'print what happens as lines of JSON')
    .action(async (reference: string, options: Options) => {
      const { pullImage } = await import('./pull.ts');
      await pullImage(await connect(options), reference, options['json'] === true, io);
    });
  clientCommand(image, 'pulls')
    .description('print the pulls under way, also those of the kubelet')
    .option('-f, --follow', 'go on with it until interrupted')
    .option('--json', 'print them as JSON; with --follow a line for each change')
    .action(async (options: Options) => {
      const { showPulls } = await import('./pull.ts');
      await showPulls(await connect(options), { follow: options['follow'] === true, json: options['json'] === true }, io);
    });
  clientCommand(image, 'resolve')
    .description('print where an image would be pulled from, in order, and why')
    .addArgument(new HeldArgument('<REF>', 'the name as a pod has it', ['image']))
    .option('--json', 'print it as JSON')
    .action(async (name: string, options: Options) => {
      const report = await (await connect(options)).resolveImage(name);
      io.stdout.write(options['json'] === true ? jsonText(report) : (await import('./resolve.ts')).resolveText(report));
    });
}

function addStored(image: Command, io: CliIo): void {
  clientCommand(image, 'ls')
    .alias('list')
    .description('print the images')
    .option('--json', 'print them as JSON')
    .action(async (options: Options) => {
      const images = await (await connect(options)).images();
      io.stdout.write(options['json'] === true ? jsonText(images) : (await import('./images.ts')).imagesText(images));
    });
  clientCommand(image, 'inspect')
    .description('print what is known of an image: names, digests, config, layers, the containers that use it')
    .addArgument(new HeldArgument('<REF>', 'a name, an id or a digest', ['image']))
    .option('--json', 'print all of it as JSON')
    .action(async (reference: string, options: Options) => {
      const report = await (await connect(options)).inspectImage(reference);
      io.stdout.write(options['json'] === true ? jsonText(report) : (await import('./stored-images.ts')).inspectText(report));
    });
  clientCommand(image, 'rm')
    .description('remove images with all their names; one that a container uses is refused')
    .addArgument(new HeldArgument('<REF...>', 'names, ids or digests', ['image']))
    .action(async (references: string[], options: Options) => {
      await (await import('./stored-images.ts')).removeImages(await connect(options), references, io);
    });
  clientCommand(image, 'prune')
    .description('remove the images that no container uses and that are not pinned')
    .option('--dry-run', 'only print which')
    .option('--json', 'print it as JSON')
    .action(async (options: Options) => {
      const report = await (await connect(options)).pruneImages(options['dryRun'] === true);
      (await import('./stored-images.ts')).tellPruned(report, options['json'] === true, io);
    });
  clientCommand(image, 'verify')
    .description('compare what is stored of images with what was recorded, layer by layer')
    .addArgument(new HeldArgument('[REF]', 'one image; all where not given', ['image']))
    .option('--repair', 'mend what is damaged, from what is here or by pulling it again')
    .option('--json', 'print all findings as JSON')
    .action(async (reference: string | undefined, options: Options) => {
      const findings = await (await connect(options)).verifyImages(reference, options['repair'] === true);
      (await import('./stored-images.ts')).tellFindings(findings, options['json'] === true, io);
    });
}

function addArchives(image: Command, io: CliIo): void {
  clientCommand(image, 'load')
    .description('load the images of an OCI or Docker archive, plain or compressed')
    .argument('<FILE>', 'the archive, or - for standard input')
    .action(async (file: string, options: Options) => {
      await (await import('./images.ts')).loadImages(await connect(options), file, io);
    });
  clientCommand(image, 'save')
    .description('write images to one archive')
    .addArgument(new HeldArgument('<REF...>', 'names, ids or digests', ['image']))
    .option('-o, --output <FILE>', 'where to write it (default: standard output)')
    .addOption(new Option('--format <FORMAT>', 'the layout of the archive').choices(['oci', 'docker']).default('oci'))
    .action(async (references: string[], options: { format: ArchiveFormat; output?: string }) => {
      await (await import('./images.ts')).saveImages(await connect({ ...options }), references, options.format, options.output, io);
    });
}
