import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LvsError } from '../../src/base/index.ts';
import type { IpAddress } from '../../src/base/index.ts';
import { applyChanges } from '../../src/director/apply.ts';
import type { Hands } from '../../src/director/apply.ts';
import { RetryGate } from '../../src/director/retry-gate.ts';
import { serviceFlags } from '../../src/ipvs/index.ts';
import type {
  IpvsOperation,
  OperationOutcome,
  RealServerConfig,
  VirtualServiceKey,
} from '../../src/ipvs/index.ts';
import type { Change, ChangeReason, DesiredState } from '../../src/plan/index.ts';

const service: VirtualServiceKey = {
  kind: 'address',
  protocol: 'TCP',
  vip: '192.0.2.1' as IpAddress,
  port: 80,
};
const otherService: VirtualServiceKey = { ...service, port: 81 };

function config(weight: number): RealServerConfig {
  return { forwarding: 'NAT', tunnel: undefined, weight, upperThreshold: 0, lowerThreshold: 0 };
}

function ipvs(operation: IpvsOperation, reason: ChangeReason = 'Changed'): Change {
  return { type: 'ipvs', operation, reason, owner: undefined };
}

function server(
  type: 'addRealServer' | 'editRealServer' | 'deleteRealServer',
  port: number,
  weight = 100,
  of = service,
): Change {
  const realServer = { rip: '198.51.100.1' as IpAddress, port };
  return ipvs(
    type === 'deleteRealServer'
      ? { type, service: of, realServer }
      : { type, service: of, realServer, config: config(weight) },
  );
}

function relaxedService(): Change {
  const relaxed = {
    scheduler: 'mh',
    flags: 0,
    persistenceTimeoutSeconds: 0,
    persistencePrefixLength: 32,
    persistenceEngine: undefined,
  };
  return ipvs({ type: 'editVirtualService', service, config: relaxed }, 'FallbackWhileQuiesced');
}

/** Does everything but what `isRefused` names, and tells what it was asked. */
function fakeHands(isRefused: (operation: IpvsOperation) => boolean) {
  const asked: string[] = [];
  const refuse = (): OperationOutcome => new LvsError('LVS_KERNEL_REFUSED', 'no');
  const hands: Hands = {
    writeSysctls: (profile) => {
      asked.push(...[...profile].map(([path, value]) => `${path}=${value}`));
      return [...profile].map(() => 'done' as const);
    },
    applyPacketRules: () => void asked.push('rules'),
    bindVips: (bindings) => bindings.map(() => 'done' as const),
    releaseVips: (bindings) => bindings.map(() => 'done' as const),
    applyOperations: (operations) => {
      asked.push(
        ...operations.map((operation) =>
          'realServer' in operation ? `${operation.type} ${operation.realServer.port}` : operation.type,
        ),
      );
      return Promise.resolve(operations.map((operation) => (isRefused(operation) ? refuse() : 'done')));
    },
  };
  return { hands, asked };
}

function goal(...realServerPorts: readonly number[]): Pick<DesiredState, 'services'> {
  const realServers = new Map(realServerPorts.map((port) => [`198.51.100.1:${port}`, {}]));
  return { services: new Map([['TCP 192.0.2.1:80', { realServers }]]) } as unknown as DesiredState;
}

const isAddition = (operation: IpvsOperation): boolean => operation.type === 'addRealServer';

/** 8080 replaces 80: the remap of a port. */
const replacement: readonly Change[] = [
  server('addRealServer', 8080),
  server('editRealServer', 80, 0),
  server('deleteRealServer', 79),
  relaxedService(),
];

describe('a change that was refused', () => {
  it('waits for its next try, unless people ask for something else meanwhile', async () => {
    const { hands, asked } = fakeHands(
      (operation) => 'config' in operation && 'weight' in operation.config && operation.config.weight === 7,
    );
    const gate = new RetryGate();
    const apply = async (change: Change, nowMs: number) =>
      applyChanges([change], { hands, gate, nowMs, desired: goal(80) });
    assert.equal((await apply(server('editRealServer', 80, 7), 0)).failures.length, 1);
    assert.equal((await apply(server('editRealServer', 80, 7), 500)).waiting, 1);
    assert.equal((await apply(server('editRealServer', 80, 8), 500)).applied.length, 1);
    assert.equal(asked.length, 2);
  });
});

describe('changes of a service', () => {
  it('are made in their order when all is well', async () => {
    const { hands, asked } = fakeHands(() => false);
    const result = await applyChanges(replacement, {
      hands,
      gate: new RetryGate(),
      nowMs: 0,
      desired: goal(8080),
    });
    assert.deepEqual(asked, [
      'addRealServer 8080',
      'editRealServer 80',
      'deleteRealServer 79',
      'editVirtualService',
    ]);
    assert.deepEqual([result.applied.length, result.failures.length, result.waiting], [4, 0, 0]);
  });

  it('stop before anything leaves when an addition is refused, and while it waits for its next try', async () => {
    const gate = new RetryGate();
    const { hands, asked } = fakeHands(isAddition);
    const options = { hands, gate, desired: goal(8080) };
    const first = await applyChanges(replacement, { ...options, nowMs: 0 });
    assert.deepEqual(asked, ['addRealServer 8080']);
    assert.deepEqual([first.applied.length, first.failures.length, first.waiting], [0, 1, 3]);
    const second = await applyChanges(replacement, { ...options, nowMs: 500 });
    assert.deepEqual(asked, ['addRealServer 8080'], 'held back by the gate');
    assert.deepEqual([second.failures.length, second.waiting], [0, 4]);
  });

  it('stop when the fallback that quiescing needs is refused', async () => {
    const { hands, asked } = fakeHands((operation) => operation.type === 'editVirtualService');
    const fallback = ipvs(
      {
        type: 'editVirtualService',
        service,
        config: {
          scheduler: 'mh',
          flags: serviceFlags.SCHED1,
          persistenceTimeoutSeconds: 0,
          persistencePrefixLength: 32,
          persistenceEngine: undefined,
        },
      },
      'FallbackWhileQuiesced',
    );
    await applyChanges([fallback, server('editRealServer', 80, 0)], {
      hands,
      gate: new RetryGate(),
      nowMs: 0,
      desired: goal(),
    });
    assert.deepEqual(asked, ['editVirtualService']);
  });

  it('go on for what an object drains by name, whatever else is refused', async () => {
    const { hands, asked } = fakeHands(isAddition);
    await applyChanges(replacement, { hands, gate: new RetryGate(), nowMs: 0, desired: goal(8080, 80) });
    assert.deepEqual(asked, ['addRealServer 8080', 'editRealServer 80']);
  });

  it('go on in other services', async () => {
    const { hands, asked } = fakeHands(isAddition);
    const changes = [...replacement, server('deleteRealServer', 99, 0, otherService)];
    await applyChanges(changes, { hands, gate: new RetryGate(), nowMs: 0, desired: goal() });
    assert.deepEqual(asked, ['addRealServer 8080', 'deleteRealServer 99']);
  });
});
