import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defaultDirectorConfiguration, parseDirectorConfiguration } from '../../src/api/index.ts';
import { apiVersion } from './objects.ts';

const head = { apiVersion, kind: 'DirectorConfiguration' };

describe('director configuration', () => {
  it('without a word it is the default', () => {
    assert.deepEqual(parseDirectorConfiguration(head), { ok: true, value: defaultDirectorConfiguration() });
    assert.deepEqual(defaultDirectorConfiguration(), {
      reservedCIDRs: [],
      timeouts: {},
      netfilter: 'Auto',
      sysctls: 'Manage',
      sysctlRoot: '/proc/sys',
      driftCheckSeconds: 1,
      fullCheckSeconds: 30,
      massRemoval: { fraction: 0.5, entries: 10, confirmSeconds: 5 },
    });
  });

  it('reads every field', () => {
    const written = {
      uplinks: [{ interface: 'eth0' }, { interface: 'bond0.100', cidrs: ['192.0.2.0/24'] }],
      reservedCIDRs: ['10.96.0.0/12'],
      timeouts: { tcpSeconds: 1800, tcpFinSeconds: 60, udpSeconds: 120 },
      netfilter: 'Nft',
      sysctls: 'Report',
      sysctlRoot: '/host/proc/sys',
      driftCheckSeconds: 2,
      fullCheckSeconds: 60,
      massRemoval: { fraction: 0.25, entries: 0, confirmSeconds: 0 },
    };
    const network = (address: string, prefixLength: number) => ({ address, prefixLength });
    assert.deepEqual(parseDirectorConfiguration({ ...head, ...written }), {
      ok: true,
      value: {
        ...written,
        uplinks: [{ interface: 'eth0' }, { interface: 'bond0.100', cidrs: [network('192.0.2.0', 24)] }],
        reservedCIDRs: [network('10.96.0.0', 12)],
      },
    });
  });

  const bad: readonly [what: string, written: unknown, problem: string][] = [
    ['nothing', null, 'the object must be a mapping of fields, not empty (null)'],
    ['no version', { kind: head.kind }, `apiVersion must be ${apiVersion}`],
    ['another kind', { ...head, kind: 'AddressPool' }, 'kind must be DirectorConfiguration'],
    ['a misspelt field', { ...head, uplink: [] }, 'uplink is not a field here; did you mean "uplinks"?'],
    [
      'an uplink twice',
      { ...head, uplinks: [{ interface: 'eth0' }, { interface: 'eth0' }] },
      'uplinks[1].interface repeats eth0 of entry 0; write it once',
    ],
    [
      'an interface name with a slash',
      { ...head, uplinks: [{ interface: 'a/b' }] },
      'uplinks[0].interface must be the name of a network interface, not "a/b"',
    ],
    [
      'an interface name of 16 characters',
      { ...head, uplinks: [{ interface: 'a'.repeat(16) }] },
      `uplinks[0].interface must be the name of a network interface, not "${'a'.repeat(16)}"`,
    ],
    [
      'a timeout of 0',
      { ...head, timeouts: { tcpSeconds: 0 } },
      'timeouts.tcpSeconds must be a whole number from 1 to 604800, not 0',
    ],
    [
      'a relative root',
      { ...head, sysctlRoot: 'proc/sys' },
      'sysctlRoot must be an absolute path, not "proc/sys"',
    ],
    [
      'a share above 1',
      { ...head, massRemoval: { fraction: 50 } },
      'massRemoval.fraction must be a number from 0 to 1, not 50',
    ],
    [
      'a full check that is faster than the cheap one',
      { ...head, driftCheckSeconds: 60 },
      'fullCheckSeconds is 30, below driftCheckSeconds 60; it must be at least as long',
    ],
  ];
  for (const [what, written, problem] of bad) {
    it(`refuses ${what}`, () => {
      const result = parseDirectorConfiguration(written);
      assert.deepEqual(result.ok ? [] : result.problems.map(({ message }) => message), [problem]);
    });
  }
});
