import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { LvsError } from '../../src/base/index.ts';
import { LedgerStore, decodeLedger, emptyLedger, encodeLedger } from '../../src/director/ledger.ts';
import type { Ledger } from '../../src/director/ledger.ts';

const ledger: Ledger = {
  ...emptyLedger,
  services: ['TCP 192.0.2.10:80', 'UDP 192.0.2.10:53'],
  drains: [
    {
      service: 'TCP 192.0.2.10:80',
      realServer: '198.51.100.11:80',
      sinceMs: 1_000,
      deadlineMs: 301_000,
      idleSinceMs: undefined,
      settings: { timeoutMs: 300_000, settleMs: 120_000, udpMs: 0 },
      reason: 'Drained',
    },
  ],
  sysctlsBefore: { 'net/ipv4/vs/conntrack': '0' },
  hasPacketRules: true,
};

describe('ledger text', () => {
  it('comes back as it was written', () => {
    const read = decodeLedger(encodeLedger(ledger));
    assert.deepEqual(read.services, ledger.services);
    assert.equal(read.drains[0]?.deadlineMs, 301_000);
    assert.deepEqual(read.sysctlsBefore, ledger.sysctlsBefore);
  });

  it('does not depend on the order of the services', () => {
    const reversed = { ...ledger, services: ledger.services.toReversed() };
    assert.equal(encodeLedger(reversed), encodeLedger(ledger));
  });

  const damages: readonly [name: string, damage: (text: string) => string, message: RegExp][] = [
    ['cut short', (text) => text.slice(0, -20), /not valid JSON/],
    [
      'one flipped character in the body',
      (text) => text.replace('192.0.2.10:80', '192.0.2.11:80'),
      /checksum/,
    ],
    ['a newer schema', (text) => text.replace('"schemaVersion":1', '"schemaVersion":2'), /schema version 2/],
    ['no body', () => '{}', /no body/],
  ];
  for (const [name, damage, message] of damages) {
    it(`is refused with a reason: ${name}`, () => {
      assert.throws(
        () => decodeLedger(damage(encodeLedger(ledger))),
        (error) =>
          error instanceof LvsError && error.code === 'LVS_LEDGER_INVALID' && message.test(error.message),
      );
    });
  }
});

describe('ledger store', () => {
  let directory = '';
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'lvs-ledger-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('starts empty, creates its folder, and leaves no test file', () => {
    const store = new LedgerStore(join(directory, 'new', 'folder'));
    assert.deepEqual(store.read(), { ledger: emptyLedger, damage: undefined });
    assert.ok(!existsSync(join(directory, 'new', 'folder', '.write-test')));
  });

  it('does not touch the disk when nothing differs', () => {
    const store = new LedgerStore(directory);
    store.write(ledger);
    const path = join(directory, 'ledger.json');
    const before = statSync(path).ino;
    store.write({ ...ledger });
    assert.equal(statSync(path).ino, before);
    store.write({ ...ledger, hasPacketRules: false });
    assert.notEqual(statSync(path).ino, before);
  });

  const drained: Ledger = { ...ledger, drains: [] };
  const readBack = (): Ledger => new LedgerStore(directory).read().ledger;
  const noEnd = (): void => assert.fail('the write was overtaken');

  it('writes what drains have moved a little later, and tells when that is on disk', async () => {
    const store = new LedgerStore(directory);
    store.write(ledger);
    const end = new Promise((resolve) => {
      store.writeSoon(drained, resolve);
    });
    assert.deepEqual(readBack(), decodeLedger(encodeLedger(ledger)));
    assert.equal(await end, undefined);
    assert.deepEqual(readBack(), decodeLedger(encodeLedger(drained)));
    assert.deepEqual(readdirSync(directory), ['ledger.json']);
  });

  it('never lets a write that waited replace one that did not', async () => {
    const store = new LedgerStore(directory);
    const owned = { ...ledger, services: ['TCP 192.0.2.99:80'] };
    store.writeSoon(ledger, noEnd);
    const settled = store.settle();
    store.write(owned);
    await settled;
    assert.deepEqual(readBack().services, owned.services);
    assert.deepEqual(readdirSync(directory), ['ledger.json']);
  });

  it('writes what waits when it is asked to settle', async () => {
    const store = new LedgerStore(directory);
    const ends: unknown[] = [];
    store.writeSoon(ledger, () => assert.fail('only the newest is written'));
    store.writeSoon(drained, (error) => ends.push(error));
    await store.settle();
    assert.deepEqual(ends, [undefined]);
    assert.deepEqual(readBack(), decodeLedger(encodeLedger(drained)));
  });

  it('tells why a write that waited went wrong', async () => {
    const store = new LedgerStore(directory);
    mkdirSync(join(directory, 'ledger.json'));
    let told: unknown;
    store.writeSoon(ledger, (error) => (told = error));
    await store.settle();
    assert.match(String(told), /EISDIR|ENOTEMPTY|EEXIST/);
  });

  it('sets a damaged file aside instead of refusing to serve', () => {
    const path = join(directory, 'ledger.json');
    writeFileSync(path, 'not a ledger');
    const { ledger: read, damage } = new LedgerStore(directory).read();
    assert.deepEqual(read, emptyLedger);
    assert.match(damage ?? '', /moved to/);
    assert.equal(readFileSync(`${path}.unreadable`, 'utf8'), 'not a ledger');
  });

  it('says which folder cannot be written and what to do', () => {
    assert.throws(
      () => new LedgerStore('/proc/nowhere'),
      (error) =>
        error instanceof LvsError &&
        error.code === 'LVS_CONFIG_INVALID' &&
        /--state-dir/.test(error.hint ?? ''),
    );
  });
});
