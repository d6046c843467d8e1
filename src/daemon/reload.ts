import { messageOf } from '../base/errors.ts';
import type { PinoLog } from '../base/pino-log.ts';
import type { DaemonParts } from './build.ts';

/**
 * Reads the configuration again at SIGHUP. All files are read before anything changes, so that a fault in any of them changes
 * nothing. Reloads come one after the other; a signal during one, or before the daemon has started, brings one after it.
 */
export class Reloads {
  #isAsked = false;
  #isRunning = false;
  #reload: (() => Promise<void>) | undefined;

  constructor() {
    // From here on the signal no longer ends the daemon.
    process.on('SIGHUP', () => {
      this.#isAsked = true;
      void this.#run();
    });
  }

  follow({ config, storage }: DaemonParts, log: PinoLog): void {
    this.#reload = async () => {
      try {
        const next = await config.read();
        const useStorage = await storage.read(next.config);
        // Between these nothing is awaited, and nothing throws.
        next.use();
        useStorage();
        log.setLevel(next.config.log.level);
        log.info('configuration read again', { changes: next.changes });
      } catch (error) {
        log.error('the new configuration is wrong; the old one stays in force', { error: messageOf(error) });
      }
    };
    void this.#run();
  }

  async #run(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    while (this.#isAsked && this.#reload !== undefined) {
      this.#isAsked = false;
      await this.#reload();
    }
    this.#isRunning = false;
  }
}
