import { formatObjectRef } from '../api/index.ts';
import type { ObjectRef } from '../api/index.ts';
import type { Refusal } from './types.ts';

/** Gathers refusals during one computation and knows which objects are out. */
export class RefusalList {
  readonly #list: Refusal[] = [];
  readonly #refused = new Set<string>();

  /** The object is not served. */
  refuse(refusal: Omit<Refusal, 'severity'>): void {
    this.#list.push({ ...refusal, severity: 'error' });
    this.#refused.add(formatObjectRef(refusal.object));
  }

  /** The object is served; the person should know. */
  warn(refusal: Omit<Refusal, 'severity'>): void {
    this.#list.push({ ...refusal, severity: 'warning' });
  }

  isRefused(object: ObjectRef): boolean {
    return this.#refused.has(formatObjectRef(object));
  }

  get list(): readonly Refusal[] {
    return this.#list;
  }
}
