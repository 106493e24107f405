import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { defaultDirectorConfiguration } from '../../src/api/index.ts';
import type { Logger } from '../../src/base/index.ts';
import { DirectorAgent } from '../../src/director/agent.ts';
import { LastGoodStore } from '../../src/director/last-good.ts';
import { LedgerStore } from '../../src/director/ledger.ts';
import { ManifestSource } from '../../src/director/manifest-source.ts';
import { openHost } from '../../src/director/open-host.ts';
import { StatusBoard } from '../../src/director/status-board.ts';
import { openManifestFolder } from '../../src/manifests/index.ts';
import { NETLINK_GENERIC, NETLINK_ROUTE, loadLibc } from '../../src/netlink/index.ts';
import type { Libc } from '../../src/netlink/index.ts';
import { layOutNetwork } from '../lab/network.ts';
import type { LabNetwork } from '../lab/network.ts';
import { file, labPool, realServer, virtualService } from './director-objects.ts';
import { linesOf } from './director-eyes.ts';

/**
 * A director that dies after each single netlink operation of a pass: its successor must reach the goal, touch nothing
 * of others, and never delete a service to make it anew.
 *
 * This file is both the test and, when started with DIRECTOR_FOLDER, the program that lives and dies on the director's
 * host: agents one after the other, which share nothing but the state directory and the kernel. Death is a C library
 * that lets so many changes through and then answers nothing any more. (A process for each would take the lab minutes;
 * `director-crash.test.ts` kills real ones.)
 */

interface Budget {
  left: number;
  isDead: boolean;
}

class Death extends Error {}

/** What the program prints as its last line. */
interface Report {
  readonly points: number;
  /** Text of the goal with its packet rules, and of what was found instead after a crash. */
  readonly goal: string;
  readonly strays: readonly { readonly point: number; readonly text: string; readonly goal: string }[];
  /** Requests that delete a service, on the way to the goal. */
  readonly deletions: readonly string[];
}

/** One life of a director: the parts that `runDirector` puts together, without timers. */
class Life {
  readonly deletions: string[] = [];
  readonly budget: Budget;
  readonly #agent: DirectorAgent;
  readonly #host: ReturnType<typeof openHost>;
  readonly #lastGood: LastGoodStore;

  readonly #hasPacketRules: boolean;

  constructor(
    folder: string,
    { limit = Number.POSITIVE_INFINITY, hasPacketRules }: { limit?: number; hasPacketRules: boolean },
  ) {
    this.#hasPacketRules = hasPacketRules;
    this.budget = { left: Number.POSITIVE_INFINITY, isDead: false };
    const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
    const silent = (): void => {};
    const logger: Logger = { debug: silent, info: silent, warn: silent, error: silent, child: () => logger };
    const stateDirectory = join(folder, 'state');
    const netfilter = hasPacketRules ? 'Auto' : 'Off';
    const configuration = { ...defaultDirectorConfiguration(), netfilter } as const;
    const ledgerStore = new LedgerStore(stateDirectory);
    this.#host = openHost({
      configuration,
      logger,
      netlinkDebug: (line) => line.startsWith('> IPVS_CMD_DEL_SERVICE') && this.deletions.push(line),
      libc: mortalLibc(this.budget),
    });
    this.#lastGood = new LastGoodStore(stateDirectory, logger);
    const path = join(folder, 'manifests');
    const source = new ManifestSource({
      folder: openManifestFolder(path),
      path,
      loadLastGood: () => this.#lastGood.load().objects,
      clock,
      logger,
    });
    source.refresh();
    const kernel = this.#host.readKernelFacts();
    this.#agent = new DirectorAgent({
      source,
      host: this.#host,
      ledgerStore,
      lastGood: this.#lastGood,
      board: new StatusBoard({ version: 'test', pid: process.pid, kernel, clock, write: silent }),
      configuration,
      clock,
      logger,
    });
    this.budget.left = limit;
  }

  /** Passes until the drains are through. @returns whether it lived to see the end. */
  async live(): Promise<boolean> {
    try {
      for (let pass = 0; pass < 3; pass++) await this.#agent.pass();
      return true;
    } catch (error) {
      if (!this.budget.isDead) throw error;
      return false;
    }
  }

  /** All that a director is there for. */
  hostText(): string {
    this.#host.observe({ isFull: true });
    const { state } = this.#host;
    const addresses = state.addresses.map(({ ip, device, protocol }) => `${ip} on ${device} (${protocol})`);
    const rules = this.#hasPacketRules ? [JSON.stringify(state.packetRules)] : [];
    const expire = readFileSync('/proc/sys/net/ipv4/vs/expire_nodest_conn', 'utf8');
    return [...linesOf(state.table), ...addresses.toSorted(), expire, ...rules].join('\n');
  }

  /** Leaves the kernel and the disk as they are. */
  end(): void {
    this.#host.close();
  }
}

/** Runs on the director's host; prints a `Report`. */
async function dieAtEveryPoint(folder: string): Promise<void> {
  const show = (name: string): void =>
    renameSync(copyOf(join(folder, name), join(folder, 'next')), join(folder, 'manifests', 'all.yaml'));
  // iptables is a program, hence slow here, and no netlink operation: it takes part in every tenth death.
  const hasPacketRulesAt = (point: number): boolean => point % 10 === 4;
  const reach = async (name: string, hasPacketRules: boolean): Promise<Life> => {
    show(name);
    const life = new Life(folder, { hasPacketRules });
    assert.ok(await life.live());
    return life;
  };
  const goals = new Map<boolean, string>();
  for (const hasPacketRules of [false, true]) {
    (await reach('before.yaml', hasPacketRules)).end();
    const reference = await reach('goal.yaml', hasPacketRules);
    goals.set(hasPacketRules, reference.hostText());
    reference.end();
  }
  const strays: { point: number; text: string; goal: string }[] = [];
  const deletions: string[] = [];
  let point = 0;
  for (; ; point++) {
    const hasPacketRules = hasPacketRulesAt(point);
    (await reach('before.yaml', hasPacketRules)).end();
    show('goal.yaml');
    const mortal = new Life(folder, { limit: point, hasPacketRules });
    const isAlive = await mortal.live();
    mortal.end();
    deletions.push(...mortal.deletions);
    if (isAlive) break;
    const successor = await reach('goal.yaml', hasPacketRules);
    const text = successor.hostText();
    const goal = goals.get(hasPacketRules) ?? '';
    if (text !== goal) strays.push({ point: point + 1, text, goal });
    deletions.push(...successor.deletions);
    successor.end();
    process.stderr.write(`died at operation ${point + 1}, ${Math.round(performance.now())} ms\n`);
  }
  const goal = goals.get(true) ?? '';
  const report: Report = { points: point, goal, strays, deletions };
  process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
}

function copyOf(from: string, to: string): string {
  writeFileSync(to, readFileSync(from));
  return to;
}

/** Lets changes through one by one, cutting a batch in the middle. From the first too many on, every call throws. */
function mortalLibc(budget: Budget): Libc {
  const libc = loadLibc();
  const protocols = new Map<number, number>();
  return {
    ...libc,
    socket: (domain, type, protocol) => {
      const fd = libc.socket(domain, type, protocol);
      protocols.set(fd, protocol);
      return fd;
    },
    send: (fd, bytes, length, flags) => {
      if (budget.isDead) throw new Death();
      const allowed = cutAfterChanges(bytes.subarray(0, length), protocols.get(fd), budget);
      const sent = allowed === 0 ? 0 : libc.send(fd, bytes, allowed, flags);
      if (allowed === length) return sent;
      budget.isDead = true;
      throw new Death();
    },
    recv: (...received) => {
      if (budget.isDead) throw new Death();
      return libc.recv(...received);
    },
  };
}

/** @returns how many bytes of a datagram may go. */
function cutAfterChanges(bytes: Uint8Array, protocol: number | undefined, budget: Budget): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + 16 <= bytes.length;) {
    const length = view.getUint32(at, true);
    if (isChange(bytes.subarray(at, at + length), protocol)) {
      if (budget.left === 0) return at;
      budget.left--;
    }
    at += (length + 3) & ~3;
  }
  return bytes.length;
}

/** RTM_NEWLINK … RTM_DELADDR, and IPVS_CMD_NEW_SERVICE … DEL_DEST without the two GETs and the scheduler probe. */
function isChange(message: Uint8Array, protocol: number | undefined): boolean {
  const type = new DataView(message.buffer, message.byteOffset, message.length).getUint16(4, true);
  if (protocol === NETLINK_ROUTE) return [16, 17, 20, 21].includes(type);
  if (protocol !== NETLINK_GENERIC || type <= 0x10) return false;
  return (
    [1, 2, 3, 5, 6, 7].includes(message[16] ?? 0) && !Buffer.from(message).includes('ff0f564c', 0, 'hex')
  );
}

function defineTests(): void {
  describe('a director that dies after each single netlink operation', () => {
    it('is followed by one that reaches the goal', { timeout: 800_000 }, async () => {
      const network = await layOutNetwork({ realServers: 0 });
      const report = await runProgram(network);
      await network.remove();
      console.log(`died after each of ${report.points} operations`);
      assert.ok(report.points >= 15, `the pass has many operations: ${report.points}`);
      for (const { point, text, goal } of report.strays) {
        assert.deepEqual(text.split('\n'), goal.split('\n'), `after a death at operation ${point}`);
      }
      for (const part of ['203.0.113.1 on lvs0 (76)', ':9999 > 198.51.100.77:99', 'mark 0x4d']) {
        assert.ok(report.goal.includes(part), `${part} is there: ${report.goal}`);
      }
      assert.ok(report.deletions.length > 0);
      assert.deepEqual(
        report.deletions.filter((line) => !line.includes(`ADDR=${network.vip4(1)} `)),
        [],
        'only the removed service is ever deleted',
      );
    });
  });
}

/** Lays out the manifests before and after a pass that does something of every kind, and starts the program. */
async function runProgram(network: LabNetwork): Promise<Report> {
  const [kept, removed, added] = [network.vip4(0), network.vip4(1), network.vip4(2)];
  const atOnce = { drain: { timeoutSeconds: 0 } };
  const folder = mkdtempSync(join(process.env['LAB_SCRATCH'] ?? tmpdir(), 'points-'));
  if (!existsSync(join(folder, 'manifests'))) mkdirSync(join(folder, 'manifests'));
  writeFileSync(
    join(folder, 'before.yaml'),
    file(
      labPool,
      virtualService('web', kept, atOnce),
      realServer('web', ['198.51.100.11', '198.51.100.12']),
      virtualService('old', removed, atOnce),
      realServer('old', '198.51.100.11'),
    ),
  );
  writeFileSync(
    join(folder, 'goal.yaml'),
    file(
      labPool,
      virtualService('web', kept, { scheduler: 'mh' }),
      realServer('web', '198.51.100.11', { weight: 200 }),
      realServer('web', '198.51.100.14'),
      virtualService('new', added, atOnce),
      realServer('new', ['198.51.100.11', '198.51.100.12']),
      virtualService('routed', network.routedVip4(0), atOnce),
      realServer('routed', '198.51.100.11'),
      virtualService('six', network.vip6(0), atOnce),
      realServer('six', '2001:db8:5::11'),
    ),
  );
  const foreign = [`-A -t ${kept}:9999 -s lc`, `-a -t ${kept}:9999 -r 198.51.100.77:99 -m`, '-A -f 77 -s rr'];
  await network.director.check(['ipvsadm', '-R'], { input: `${foreign.join('\n')}\n` });
  const program = network.director.spawn([process.execPath, '--enable-source-maps', import.meta.filename], {
    env: { DIRECTOR_FOLDER: folder },
  });
  let output = '';
  program.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
  program.stderr?.setEncoding('utf8').on('data', (text: string) => console.log(text));
  const [code] = (await once(program, 'close')) as [number | null];
  assert.equal(code, 0, 'the program ran to its end');
  return JSON.parse(output.trim().split('\n').at(-1) ?? '') as Report;
}

const folderOfProgram = process.env['DIRECTOR_FOLDER'];
if (folderOfProgram === undefined) defineTests();
else await dieAtEveryPoint(folderOfProgram);
