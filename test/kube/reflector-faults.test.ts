import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { settle } from './fake-time.ts';
import { statusObject } from './scripted-server.ts';
import type { ScriptedReply, ScriptedRequest } from './scripted-server.ts';
import { startReflector } from './reflector-rig.ts';
import { widget } from './objects.ts';

/** A small generator of numbers in 0..1 (mulberry32): a run that failed is run again by its seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface LogEntry {
  readonly version: number;
  readonly type: string;
  readonly object: ReturnType<typeof widget>;
}

/** An API server for widgets with a history, pages and a watch window, that fails as often as it is told to. */
class FaultyServer {
  readonly #random: () => number;
  readonly #objects = new Map<string, ReturnType<typeof widget>>();
  readonly #log: LogEntry[] = [];
  readonly #watches = new Set<ScriptedReply>();
  /** What was ever deleted, as `name uid`. */
  readonly deleted = new Set<string>();
  #version = 100;
  /** Watches from before this version are expired. */
  #oldest = 100;
  #uids = 0;
  faults = 0.4;

  constructor(random: () => number) {
    this.#random = random;
  }

  get contents(): string[] {
    return [...this.#objects.values()]
      .map(({ metadata, spec }) => `${metadata.name}=${String(spec.size)}`)
      .toSorted();
  }

  /** Somebody makes, changes or deletes a widget. */
  write(): void {
    const name = `w${Math.floor(this.#random() * 8)}`;
    const last = this.#objects.get(name);
    const version = ++this.#version;
    const uid = last?.metadata.uid ?? `uid-${++this.#uids}`;
    const object = widget(name, version, Math.floor(this.#random() * 1000), uid);
    const isDeleted = last !== undefined && this.#random() < 0.3;
    if (isDeleted) {
      this.#objects.delete(name);
      this.deleted.add(uid);
    } else this.#objects.set(name, object);
    const entry = {
      version,
      type: isDeleted ? 'DELETED' : last === undefined ? 'ADDED' : 'MODIFIED',
      object,
    };
    this.#log.push(entry);
    for (const watch of this.#watches) this.#send(watch, entry);
    if (this.#random() < 0.05) this.#oldest = version - 2;
  }

  list(reply: ScriptedReply, request: ScriptedRequest): void {
    if (this.#random() < this.faults) return this.#fail(reply);
    const all = [...this.#objects.values()].toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
    const after = request.query.get('continue') ?? '';
    const [tokenVersion, name = ''] = after.split(' ');
    if (after !== '' && Number(tokenVersion) < this.#version) return reply.refuse(410, 'Expired');
    const rest = all.filter(({ metadata }) => metadata.name > name);
    const limit = Number(request.query.get('limit') ?? rest.length);
    const items = rest.slice(0, limit);
    const next = rest.length > limit ? { continue: `${this.#version} ${items.at(-1)?.metadata.name}` } : {};
    reply.json({ metadata: { resourceVersion: String(this.#version), ...next }, items });
  }

  watch(reply: ScriptedReply, request: ScriptedRequest): void {
    const from = Number(request.query.get('resourceVersion'));
    if (this.#random() < this.faults) return this.#fail(reply);
    reply.open();
    if (from < this.#oldest) return reply.event('ERROR', statusObject(410, 'Expired')).end();
    this.#watches.add(reply);
    for (const entry of this.#log) {
      if (entry.version > from) this.#send(reply, entry);
      // What a dead watch did not say it does not say later.
      if (!this.#watches.has(reply)) return;
    }
    reply.event('BOOKMARK', { metadata: { resourceVersion: String(this.#version) } });
  }

  #send(watch: ScriptedReply, entry: LogEntry): void {
    const line = `${JSON.stringify({ type: entry.type, object: entry.object })}\n`;
    const luck = this.#random() / this.faults;
    if (luck > 0.5) return void watch.raw(line);
    // Dead without a word, dead in the middle of a line, ended, or torn by somebody in between.
    this.#watches.delete(watch);
    if (luck > 0.4) watch.raw(line.slice(0, line.length / 2)).reset();
    else if (luck > 0.3) watch.end();
    else if (luck > 0.2) watch.raw('{"type":\n');
  }

  #fail(reply: ScriptedReply): void {
    const faults = [
      () => reply.refuse(429, 'TooManyRequests', { 'retry-after': '2' }),
      () => reply.refuse(500, 'InternalError'),
      () => reply.refuse(410, 'Expired'),
      () => reply.reset(),
      () => reply.open().raw('{"metadata":').reset(),
      () => reply.open().end(),
    ];
    faults[Math.floor(this.#random() * faults.length)]?.();
  }
}

async function survive(t: TestContext, seed: number): Promise<number> {
  const random = randomFrom(seed);
  const server = new FaultyServer(random);
  for (let i = 0; i < 5; i++) server.write();
  const rig = await startReflector(
    t,
    {
      list: (reply, _, request) => server.list(reply, request),
      watch: (reply, _, request) => server.watch(reply, request),
    },
    { pageSize: 3 },
  );
  const uids = new Map<string, string>();
  rig.store.subscribe((change) => {
    if (change.kind === 'added') uids.set(change.key, rig.store.entry(change.key)?.uid ?? '');
    if (change.kind === 'removed') {
      const uid = uids.get(change.key) ?? '';
      assert.ok(
        server.deleted.has(uid),
        `seed ${seed}: ${change.key} was removed, and nobody had deleted it`,
      );
    }
  });
  for (let i = 0; i < 120; i++) {
    server.write();
    if (random() < 0.3) await settle(2);
    rig.time.advance(random() * 3000);
    await settle(1);
  }
  server.faults = 0;
  const isEqual = (): boolean => rig.contents().join() === server.contents.join();
  await rig.time.advanceUntil(isEqual, 1000).catch(() => {
    assert.fail(`seed ${seed}: the store has ${rig.contents().join()}, the server ${server.contents.join()}`);
  });
  assert.deepEqual(rig.listenerErrors, [], `seed ${seed}`);
  assert.equal(rig.store.malformed.size, 0);
  return rig.server.requests.length;
}

describe('reflector under faults', () => {
  it('removes nothing that nobody deleted, and ends up with what the server has', async (t) => {
    let requests = 0;
    for (let seed = 1; seed <= 12; seed++) requests += await survive(t, seed);
    assert.ok(requests > 200, `${requests} requests are too few to have met the faults`);
  });
});
