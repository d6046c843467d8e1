import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { configSources, orConfigError } from './config-options.ts';
import type { Options } from './config-options.ts';
import { CriError, connect } from './cri-client.ts';
import type { CriClient } from './cri-client.ts';
import { CliError, EXIT } from './exit-codes.ts';

/** A command's work with the CRI of the daemon that has this configuration. What the daemon refuses ends it with its own words. */
export async function withCri(options: Options, work: (cri: CriClient, config: Config) => Promise<void>): Promise<void> {
  const { config } = await orConfigError(loadConfig(configSources(options)));
  const cri = connect(config.listenPath);
  try {
    await work(cri, config);
  } catch (error) {
    throw error instanceof CriError ? cliError(error, config.listenPath) : error;
  } finally {
    cri.close();
  }
}

/** What gRPC says where there is no connection, or no longer; Unavailable alone may be the daemon's own word. */
const NO_CONNECTION = /^No connection established|^Connection dropped|connect E|ECONNRESET/;

function cliError(error: CriError, socket: string): CliError {
  if (error.code !== 'UNAVAILABLE' || !NO_CONNECTION.test(error.details)) return new CliError(EXIT.failed, error.details, { cause: error });
  if (error.details.includes('EACCES')) return new CliError(EXIT.failed, `${socket} is open to root only`, { cause: error });
  return new CliError(EXIT.noDaemon, `no daemon answers on ${socket}: is "podwright serve" running, with this run_dir?`, { cause: error });
}
