import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { desire, realServer, virtualService } from './world.ts';

describe('onePacket: who is warned that answers do not come from the VIP', () => {
  const datagrams = [{ port: 53, protocol: 'UDP' }];
  const scenarios: readonly (readonly [string, Record<string, unknown>, Record<string, unknown>, boolean])[] =
    [
      ['NAT', { onePacket: true }, {}, true],
      ['NAT with sourceNAT', { onePacket: true, forwarding: { sourceNAT: true } }, {}, true],
      ['DR', { onePacket: true, forwarding: { method: 'DR' } }, {}, false],
      [
        'one NAT real server behind DR',
        { onePacket: true, forwarding: { method: 'DR' } },
        { forwarding: { method: 'NAT' } },
        true,
      ],
      ['NAT that remembers flows', {}, {}, false],
    ];
  for (const [name, spec, realServerSpec, isWarned] of scenarios) {
    it(name, () => {
      const state = desire({
        virtualServices: [virtualService('web', { ports: datagrams, ...spec })],
        realServers: [realServer('a', 'web', ['10.0.0.5', '10.0.0.6'], realServerSpec)],
      });
      assert.deepEqual(
        state.refusals.map(({ reason, severity }) => `${severity} ${reason}`),
        isWarned ? ['warning OnePacketAnswers'] : [],
      );
      assert.equal(state.services.size, 1, 'it is served in any case');
    });
  }
});
