import { formatErrorForPeople } from '../base/index.ts';
import type { Logger } from '../base/index.ts';
import { isKubeError } from '../kube/index.ts';
import type { KubeError } from '../kube/index.ts';

/**
 * Says what goes wrong with writing, once for each kind of object and each way of going wrong, and once that it is over.
 * A thousand statuses that may not be written are one mistake in one role.
 */
export class FailureReports {
  readonly #logger: Logger;
  /** Codes that were reported, by kind of object. */
  readonly #reported = new Map<string, Set<string>>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** @param key `VirtualService default/web` */
  failed(key: string, error: unknown): void {
    // Ordinary at the end of a term, and nothing that anybody could mend.
    if (isKubeError(error, 'LVS_KUBE_NOT_LEADER')) return;
    const kind = kindOf(key);
    const code = isKubeError(error) ? error.code : String(error);
    const codes = this.#reported.get(kind) ?? new Set<string>();
    if (codes.has(code)) return;
    this.#reported.set(kind, codes.add(code));
    const keys = { object: key, reason: formatErrorForPeople(error) };
    if (!isKubeError(error)) this.#logger.error('cannot reconcile; trying again', { ...keys, error });
    else this.#logger.warn(adviceFor(error), keys);
  }

  succeeded(key: string): void {
    const kind = kindOf(key);
    if (!this.#reported.delete(kind)) return;
    this.#logger.info('can be written again', { kind });
  }
}

function kindOf(key: string): string {
  return key.slice(0, key.indexOf(' '));
}

function adviceFor({ code }: KubeError): string {
  if (code === 'LVS_KUBE_DENIED')
    return 'not allowed by the API server; compare the role of the controller with the one in the documentation';
  if (code === 'LVS_KUBE_REFUSED')
    return 'refused by the API server; do its CustomResourceDefinitions belong to this version?';
  return 'cannot be written; trying again';
}
