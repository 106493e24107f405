import type { Link, ObservedAddress, VipBinding } from '../../src/link/index.ts';

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

/** The same with a memory, so that passes come to an end. */
export function rememberingLink(): Link {
  const addresses: ObservedAddress[] = [];
  const sysctls = new Map<string, string>();
  let isChanged = false;
  return {
    ...fakeLink,
    observeAddresses: () => [...addresses],
    pollAddressesChanged: () => {
      const wasChanged = isChanged;
      isChanged = false;
      return wasChanged;
    },
    bindVips: (bindings: readonly VipBinding[]) => {
      isChanged = true;
      for (const { vip: ip, device } of bindings)
        addresses.push({ ip, device, prefixLength: 32, family: 'IPv4', protocol: 0x4c, isTentative: false });
      return fakeLink.bindVips(bindings);
    },
    observeSysctls: (paths: Iterable<string>) => new Map([...paths].map((path) => [path, sysctls.get(path)])),
    applySysctls: (values: Iterable<readonly [string, string]>) => {
      for (const [path, value] of values) sysctls.set(path, value);
      return { previous: new Map(), error: undefined };
    },
  } as unknown as Link;
}
