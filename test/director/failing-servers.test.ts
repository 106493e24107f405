import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { HealthRig } from './health-rig.ts';

/** What a director makes of servers that fail: few of them, and thousands in one moment. */

let rig: HealthRig;
afterEach(() => rig.close());

describe('a server that fails', () => {
  const service = 'TCP 192.0.2.1:80';
  const [one, two, three] = ['10.1.0.1:80', '10.1.0.2:80', '10.1.0.3:80'] as const;
  const weights = () =>
    [one, two, three].map((key) => rig.table().get(service)?.realServers.get(key)?.config.weight);

  it('keeps connections that were opened after the table was read, though another one fails right after it', async () => {
    rig = new HealthRig([['10.1.0.1', '10.1.0.2', '10.1.0.3']]);
    for (let pass = 0; pass < 3; pass++) await rig.agent.pass();
    // The director learns of connections only when it counts them.
    rig.connections = new Map([[one, 50]]);
    const failed = new Set<string>([one]);
    rig.isDown = (_, server) => failed.has(server);
    rig.nowMs += 100;
    await rig.agent.pass(false);
    assert.deepEqual(weights(), [0, 100, 100]);
    failed.add(two);
    rig.nowMs += 100;
    await rig.agent.pass(false);
    assert.equal(weights()[0], 0, 'it is still there');
    assert.equal(weights()[2], 100);
    rig.connections.clear();
    rig.nowMs += 1000;
    await rig.agent.pass(false);
    assert.deepEqual(weights(), [undefined, undefined, 100], 'without connections they leave');
  });
});

describe('servers that fail one after another', () => {
  it('are counted once each as they begin to drain, however often others wake the director', async () => {
    rig = new HealthRig(Array.from({ length: 50 }, (_, n) => [`10.1.${n}.1`, `10.1.${n}.2`]));
    for (let pass = 0; pass < 3; pass++) await rig.agent.pass();
    rig.connections = new Map(Array.from({ length: 50 }, (_, n) => [`10.1.${n}.1:80`, 5]));
    let failing = 0;
    rig.isDown = (_, server) => server.endsWith('.1:80') && Number(server.split('.')[2]) < failing;
    const messages: number[] = [];
    while (failing < 20) {
      failing++;
      rig.kernel.sent.length = 0;
      rig.nowMs += 10;
      await rig.agent.pass(false);
      messages.push(rig.kernel.sent.length);
    }
    assert.ok(Math.max(...messages) <= 2, `the write, and the count of the one before: ${messages.join()}`);
    const gone = [...rig.table().values()].filter(({ realServers }) => realServers.size < 2);
    assert.equal(gone.length, 0);
  });
});

/** Half of the services lose all of their servers: one more, and the director would rather take itself for cut off. */
const servicesCount = 100;
const failing = 10_000;
const isOdd = (n: number) => n % 2 === 1;
const sizeOf = (n: number) => (isOdd(n) ? (2 * failing) / servicesCount : 4);
const total = Array.from({ length: servicesCount }, (_, n) => sizeOf(n)).reduce((a, b) => a + b);

interface Work {
  /** Of this thread, so that a machine that is busy with others changes nothing. */
  readonly cpuMs: number;
  /** The longest piece after which everybody else got a turn. */
  readonly longestMs: number;
  readonly pieces: number;
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** A pass, measured by somebody who wants a turn of the event loop whenever there is one. */
async function measuredPass(): Promise<Work> {
  let isOver = false;
  let pieces = 0;
  let longestMs = 0;
  let lastMs = cpuMs();
  const beganMs = lastMs;
  const turn = (): void => {
    const nowMs = cpuMs();
    longestMs = Math.max(longestMs, nowMs - lastMs);
    lastMs = nowMs;
    pieces++;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  await rig.agent.pass(false);
  isOver = true;
  turn();
  return { cpuMs: lastMs - beganMs, longestMs, pieces };
}

describe(`${failing} real servers of ${total} that fail in one moment`, () => {
  const serving = () => {
    let count = 0;
    for (const { realServers } of rig.table().values())
      for (const { config } of realServers.values()) if (config.weight > 0) count++;
    return count;
  };

  it('are taken out in one pass, in batches between which the event loop turns, and come back so', async () => {
    rig = new HealthRig(
      Array.from({ length: servicesCount }, (_, n) =>
        Array.from({ length: sizeOf(n) }, (_each, server) => `10.1.${n}.${server + 1}`),
      ),
    );
    for (let pass = 0; pass < 3; pass++) await rig.agent.pass();
    assert.equal(serving(), total);
    for (const isDown of [true, false]) {
      rig.log.length = 0;
      rig.kernel.sent.length = 0;
      const told = rig.statuses.length;
      rig.isDown = (service) => isDown && isOdd(Number(/\.(\d+):/.exec(service)?.[1]) - 1);
      rig.nowMs += 100;
      const { cpuMs: all, longestMs, pieces } = await measuredPass();
      console.log(
        `${isDown ? 'down' : 'up'}: ${all.toFixed(0)} ms of CPU in ${pieces} turns of the event loop, the longest ` +
          `${longestMs.toFixed(0)} ms; ${rig.kernel.sent.length} messages to the kernel`,
      );
      assert.equal(serving(), isDown ? total - failing : total);
      const [applied = {}, ...others] = rig.applied();
      assert.deepEqual(
        [applied[isDown ? 'Quiesced' : 'Restored'], others],
        [failing, []],
        'one line in the log',
      );
      assert.ok(rig.statuses.length - told <= 1, 'one status');
      assert.ok(pieces > failing / 200, `${pieces} turns`);
      assert.ok(longestMs < all / 2, 'no single piece is most of the work');
    }
  });
});
