import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LvsError } from '../../src/base/index.ts';
import type { IpAddress } from '../../src/base/index.ts';
import { KernelTable } from '../../src/director/kernel-table.ts';
import type {
  IpvsClient,
  IpvsOperation,
  IpvsTable,
  ObservedVirtualService,
  OperationOutcome,
} from '../../src/ipvs/index.ts';

const key = { kind: 'address', protocol: 'TCP', vip: '192.0.2.1' as IpAddress, port: 80 } as const;
const config = {
  scheduler: 'rr',
  flags: 0,
  persistenceTimeoutSeconds: 0,
  persistencePrefixLength: 32,
  persistenceEngine: undefined,
};
const there: ObservedVirtualService = { key, config, stats: undefined, realServers: new Map() };
const add: IpvsOperation = { type: 'addVirtualService', service: { ...key, port: 81 }, config };

/** A kernel with one service, whose dumps fail and whose answers are lost on request. */
function fakeKernel() {
  const kernel = {
    dumps: 0,
    fingerprint: 'a' as string | undefined,
    failure: undefined as LvsError | undefined,
    outcome: 'done' as OperationOutcome,
  };
  const client = {
    observeTable: (): IpvsTable => {
      kernel.dumps++;
      if (kernel.failure !== undefined) throw kernel.failure;
      return new Map([['TCP 192.0.2.1:80', there]]);
    },
    applyYielding: (operations: readonly IpvsOperation[]) =>
      Promise.resolve(operations.map(() => kernel.outcome)),
  } as unknown as IpvsClient;
  return { kernel, table: new KernelTable(client, () => kernel.fingerprint) };
}

describe('the believed table', () => {
  it('is read again only when the fingerprint moved', () => {
    const { kernel, table } = fakeKernel();
    assert.equal(table.loadIfDrifted(), true);
    assert.equal(table.loadIfDrifted(), false);
    kernel.fingerprint = 'b';
    assert.equal(table.loadIfDrifted(), true);
    assert.equal(kernel.dumps, 2);
  });

  it('is read every time where there is no fingerprint', () => {
    const { kernel, table } = fakeKernel();
    kernel.fingerprint = undefined;
    table.loadIfDrifted();
    assert.equal(table.loadIfDrifted(), true);
  });

  it('is not forgotten for empty when a dump fails, and is read again before it is trusted', () => {
    const { kernel, table } = fakeKernel();
    table.load();
    kernel.failure = new LvsError('LVS_NETLINK_INTERRUPTED', 'interrupted');
    assert.throws(() => table.load(), kernel.failure);
    assert.equal(table.table.size, 1);
    kernel.failure = undefined;
    assert.equal(table.loadIfDrifted(), true, 'although the fingerprint is the same');
  });

  it('takes in what was done, and nothing that was refused', async () => {
    const { kernel, table } = fakeKernel();
    table.load();
    kernel.outcome = new LvsError('LVS_KERNEL_REFUSED', 'no');
    await table.apply([add]);
    assert.equal(table.table.has('TCP 192.0.2.1:81'), false);
    kernel.outcome = 'done';
    await table.apply([add]);
    assert.equal(table.table.has('TCP 192.0.2.1:81'), true);
    assert.equal(table.loadIfDrifted(), false);
  });

  it('is read again when an answer was lost', async () => {
    const { kernel, table } = fakeKernel();
    table.load();
    kernel.outcome = new LvsError('LVS_NETLINK_NO_ANSWER', 'silence');
    await table.apply([add]);
    assert.equal(table.loadIfDrifted(), true);
  });
});
