import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LvsError } from '../base/index.ts';
import type { SysctlProfile } from './types.ts';

export interface SysctlOutcome {
  /** What was there before, for every value that was changed, in the order of the changes. */
  readonly previous: SysctlProfile;
  /** LVS_SYSCTL_READ_ONLY, naming every value that could not be set. */
  readonly error: LvsError | undefined;
}

const ipv6Forwarding = 'net/ipv6/conf/all/forwarding';

/** Sysctls below a folder: `/proc/sys`, or where a container finds the host's. */
export class SysctlFolder {
  readonly #root: string;

  constructor(root = '/proc/sys') {
    this.#root = root;
  }

  /** The current values; a sysctl that does not exist is absent. */
  read(paths: Iterable<string>): SysctlProfile {
    const values = new Map<string, string>();
    for (const path of paths) {
      const value = this.#read(path);
      if (value !== undefined) values.set(path, value);
    }
    return values;
  }

  /** Writes what differs, in the order of the profile. One that cannot be written does not stop the others. */
  apply(profile: SysctlProfile): SysctlOutcome {
    const previous = new Map<string, string>();
    const failures: string[] = [];
    let cause: unknown;
    for (const [path, value] of this.#withPrecautions(profile)) {
      const was = this.#read(path);
      if (was === value) continue;
      try {
        // Read, compare, write: opened without creating, so that a wrong root gets no stray files.
        writeFileSync(join(this.#root, path), `${value}\n`, { flag: 'r+' });
        if (was !== undefined) previous.set(path, was);
      } catch (error) {
        cause ??= error;
        failures.push(
          `${path.replaceAll('/', '.')} = ${value}${was === undefined ? ' (missing)' : ` (is ${was})`}`,
        );
      }
    }
    return { previous, error: failures.length === 0 ? undefined : readOnlyError(failures, cause) };
  }

  /**
   * IPv6 forwarding makes an interface deaf to router advertisements, and the host loses its default route when the
   * last one expires, unless accept_ra is 2 (ip-sysctl.rst). Where it listened before, it goes on listening.
   */
  #withPrecautions(profile: SysctlProfile): [string, string][] {
    return [...profile].flatMap(([path, value]): [string, string][] => {
      if (path !== ipv6Forwarding || value === '0' || this.#read(path) === value) return [[path, value]];
      const listening = this.#listInterfaces()
        .map((name) => `net/ipv6/conf/${name}/accept_ra`)
        .filter((acceptRa) => this.#read(acceptRa) === '1');
      return [...listening.map((acceptRa): [string, string] => [acceptRa, '2']), [path, value]];
    });
  }

  #listInterfaces(): string[] {
    try {
      return readdirSync(join(this.#root, 'net/ipv6/conf')).filter(
        (name) => name !== 'all' && name !== 'default',
      );
    } catch {
      return [];
    }
  }

  #read(path: string): string | undefined {
    try {
      return readFileSync(join(this.#root, path), 'utf8').trim().replaceAll(/\s+/g, ' ');
    } catch {
      return undefined;
    }
  }
}

function readOnlyError(failures: readonly string[], cause: unknown): LvsError {
  return new LvsError('LVS_SYSCTL_READ_ONLY', `These sysctls could not be set: ${failures.join(', ')}.`, {
    cause,
    hint: 'Set them from outside (sysctl -w on the host, or the pod’s securityContext.sysctls), or set sysctlRoot in the configuration to a writable /proc/sys.',
  });
}
