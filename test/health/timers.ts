import type { Timers } from '../../src/base/index.ts';

/** Timers of this process, for tests with real sockets. */
export const realTimers: Timers = {
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};
