import { LvsError } from '../base/index.ts';

/** @param source for people: whom we asked */
export function loadError(source: string, what: string, cause?: unknown): LvsError {
  const options = { subject: source, ...(cause === undefined ? {} : { cause }) };
  return new LvsError('LVS_LOAD_SOURCE', `${source} ${what}.`, options);
}
