import type { Refusal } from './types.ts';

/** Gathers refusals during one computation. */
export class RefusalList {
  readonly #list: Refusal[] = [];

  /** The object, or the endpoint that is named, is not served. */
  refuse(refusal: Omit<Refusal, 'severity'>): void {
    this.#list.push({ ...refusal, severity: 'error' });
  }

  /** The object is served; the person should know. */
  warn(refusal: Omit<Refusal, 'severity'>): void {
    this.#list.push({ ...refusal, severity: 'warning' });
  }

  get list(): readonly Refusal[] {
    return this.#list;
  }
}
