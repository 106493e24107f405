import { defaultTunnel } from '../api/index.ts';
import type { Forwarding, ForwardingOverride } from '../api/index.ts';
import type { RealServerConfig, Tunnel } from '../ipvs/pure.ts';

/** How packets reach a server in the kernel: by its own word, else by that of its VirtualService. */
export function forwardingConfig(
  own: ForwardingOverride | undefined,
  inherited: Forwarding,
): Pick<RealServerConfig, 'forwarding' | 'tunnel'> {
  const method = own?.method ?? inherited.method;
  // A tunnel of the VirtualService says how its TUN servers are wrapped, also for those that ask for TUN themselves.
  const tunnel = own?.tunnel ?? (inherited.method === 'TUN' ? inherited.tunnel : undefined);
  return {
    forwarding: method,
    tunnel: method === 'TUN' ? tunnelOf(tunnel ?? defaultTunnel) : undefined,
  };
}

function tunnelOf({ type, port, checksum }: typeof defaultTunnel): Tunnel {
  return { type, port: port ?? 0, checksum };
}
