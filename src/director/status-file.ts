import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../base/index.ts';
import type { DirectorStatus } from './status.ts';

/** `status.json` in the state directory. Replaced as a whole; not synced, as it is worth nothing after a crash. */
export class StatusFile {
  readonly #path: string;
  readonly #logger: Logger;
  #isFailing = false;

  constructor(stateDirectory: string, logger: Logger) {
    this.#path = join(stateDirectory, 'status.json');
    this.#logger = logger;
  }

  /** A status that cannot be written never stops a director; it is logged once. */
  write(status: DirectorStatus): void {
    try {
      writeFileSync(`${this.#path}.new`, `${JSON.stringify(status, undefined, 1)}\n`, { mode: 0o644 });
      renameSync(`${this.#path}.new`, this.#path);
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) this.#logger.warn('status file not written', { error });
      this.#isFailing = true;
    }
  }
}
