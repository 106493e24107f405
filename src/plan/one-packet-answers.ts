import type { RefusalList } from './refusals.ts';
import type { VirtualServiceDraft } from './service-draft.ts';

/**
 * NAT rewrites an answer by the connection that its request made, and with onePacket that connection is gone before
 * the answer comes (ip_vs_conn_put() expires it at once): the client sees the address of the real server, and drops
 * what it did not ask. The same with sourceNAT. Measured on 6.1. Right for what nobody answers (syslog, statsd), hence
 * no refusal.
 */
export function warnOfOnePacketAnswers(draft: VirtualServiceDraft, refusals: RefusalList): void {
  if (!draft.resource.spec.onePacket) return;
  const hasNat = draft.services.some(({ service }) =>
    [...service.realServers.values()].some(({ config }) => config.forwarding === 'NAT'),
  );
  if (!hasNat) return;
  refusals.warn({
    object: draft.owner,
    path: ['spec', 'onePacket'],
    reason: 'OnePacketAnswers',
    message:
      'With NAT and onePacket, answers reach clients from the address of the real server, not from the virtual one, and ' +
      'are lost on most. Use DR or TUN, unless clients expect no answer.',
  });
}
