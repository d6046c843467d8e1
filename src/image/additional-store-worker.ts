// Entry of the process that reads an additional store, started by additional-stores.ts: a line of JSON for each image, and {"is":"end"}.
import { messageOf } from '../base/errors.ts';
import { readAdditionalStore } from './read-additional-store.ts';

try {
  for await (const found of readAdditionalStore(process.argv[2] ?? '')) process.stdout.write(`${JSON.stringify(found)}\n`);
  process.stdout.write('{"is":"end"}\n');
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 1;
}
