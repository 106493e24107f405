/** Milliseconds of the monotonic clock that all threads of a process share; `performance` begins anew in each. */
export function sharedNowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
