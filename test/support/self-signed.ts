import { join } from 'node:path';
import { execa } from 'execa';

/** Makes `NAME.crt`, which signs itself and is for 127.0.0.1, and `NAME.key` in a directory. */
export async function makeSelfSigned(directory: string, name: string): Promise<void> {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', join(directory, `${name}.key`)];
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'];
  await execa('openssl', ['req', '-x509', '-days', '2', ...key, ...subject, '-out', join(directory, `${name}.crt`)]);
}
