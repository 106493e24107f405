import type { Link } from '../../src/link/index.ts';

/** A link that agrees to everything, and on which nothing is. */
export const fakeLink = {
  observeLinks: () => [],
  observeAddresses: () => [],
  bindVips: (bindings: readonly unknown[]) =>
    bindings.map((binding) => ({
      binding,
      isChanged: true,
      isForeign: false,
      error: undefined,
      warning: undefined,
    })),
  releaseVips: (bindings: readonly unknown[]) => bindings.map((binding) => ({ binding, error: undefined })),
  observeSysctls: () => new Map(),
  applySysctls: () => ({ previous: new Map(), error: undefined }),
  pollAddressesChanged: () => false,
} as unknown as Link;
