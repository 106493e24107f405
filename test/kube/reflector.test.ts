import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { settle, until } from './fake-time.ts';
import { widget, widgetList } from './objects.ts';
import { startReflector } from './reflector-rig.ts';
import { statusObject } from './scripted-server.ts';
import type { ScriptedReply } from './scripted-server.ts';

/** A watch that stays open and says nothing. */
const quiet = (reply: ScriptedReply): void => void reply.open();
const bookmark = (version: number): unknown => ({
  kind: 'Widget',
  metadata: { resourceVersion: String(version) },
});

describe('reflector', () => {
  it('lists page by page and watches from the version of the list', async (t) => {
    const rig = await startReflector(
      t,
      {
        list: (reply, number) =>
          number === 0
            ? reply.json(widgetList(10, [widget('a', 1), widget('b', 2)], 'next'))
            : reply.json(widgetList(10, [widget('c', 3)])),
        watch: quiet,
      },
      { pageSize: 2 },
    );
    await until(() => rig.watches.length === 1);
    assert.deepEqual(rig.contents(), ['a=1', 'b=1', 'c=1']);
    assert.deepEqual(
      rig.lists.map(({ query }) => query.toString()),
      ['limit=2', 'limit=2&continue=next'],
    );
    const { query } = rig.watches[0] ?? assert.fail();
    assert.equal(query.get('resourceVersion'), '10');
    assert.equal(query.get('allowWatchBookmarks'), 'true');
    assert.equal(query.get('timeoutSeconds'), '450');
    assert.deepEqual(rig.changes, ['added default/a', 'added default/b', 'added default/c', 'listed 10']);
  });

  it('knows nothing until the last page is here', async (t) => {
    let hold: ScriptedReply | undefined;
    const rig = await startReflector(t, {
      list: (reply, number) => {
        if (number === 0) reply.json(widgetList(10, [widget('a', 1)], 'next'));
        else hold = reply;
      },
      watch: quiet,
    });
    await until(() => hold !== undefined);
    assert.deepEqual(rig.store.state, { kind: 'unsynced' });
    assert.equal(rig.store.size, 0);
    hold?.json(widgetList(10, []));
    await rig.store.whenSynced();
    assert.deepEqual(rig.contents(), ['a=1']);
  });

  it('tells an empty cluster from one it has not seen', async (t) => {
    const rig = await startReflector(t, { list: (reply) => reply.json(widgetList(5, [])), watch: quiet });
    assert.deepEqual(rig.store.state, { kind: 'unsynced' });
    await until(() => rig.store.state.kind === 'synced');
    assert.deepEqual(rig.store.state, { kind: 'synced', resourceVersion: '5', lists: 1 });
  });

  it('follows events, and hears of each object once', async (t) => {
    const rig = await startReflector(t, {
      list: (reply) => reply.json(widgetList(10, [widget('a', 1), widget('b', 2)])),
      watch: (reply) => {
        reply.open().event('ADDED', widget('c', 11, 3));
        reply.event('MODIFIED', widget('a', 12, 7)).event('DELETED', widget('b', 13));
        reply.event('MODIFIED', widget('a', 12, 7));
      },
    });
    await until(() => rig.changes.length === 6);
    await settle();
    assert.deepEqual(rig.contents(), ['a=7', 'c=3']);
    assert.deepEqual(rig.changes.slice(3), ['added default/c', 'changed default/a', 'removed default/b']);
    assert.deepEqual(
      rig.store.byIndex('size', '7').map(({ name }) => name),
      ['a'],
    );
  });

  it('reads events that come in pieces, cut in a line and in a character', async (t) => {
    const line = Buffer.from(`${JSON.stringify({ type: 'ADDED', object: widget('ł🐧', 11, 4) })}\n`);
    const rig = await startReflector(t, {
      list: (reply) => reply.json(widgetList(10, [])),
      watch: (reply) => {
        reply.open();
        void (async () => {
          for (let i = 0; i < line.length; i += 5) {
            reply.raw(line.subarray(i, i + 5));
            await settle(1);
          }
        })();
      },
    });
    await until(() => rig.store.size === 1);
    assert.deepEqual(rig.contents(), ['ł🐧=4']);
  });

  it('resumes after a reset in the middle of a line, from the last whole event', async (t) => {
    const rig = await startReflector(t, {
      list: (reply) => reply.json(widgetList(10, [widget('a', 1)])),
      watch: (reply, number) => {
        reply.open();
        if (number > 0) return void reply.event('MODIFIED', widget('a', 12, 5));
        reply.event('MODIFIED', widget('a', 11, 2)).raw('{"type":"MODIFIED","object":{"meta');
        setTimeout(() => reply.reset(), 20);
      },
    });
    await rig.time.advanceUntil(() => rig.contents()[0] === 'a=5');
    assert.equal(rig.lists.length, 1, 'a reset is no reason to list');
    assert.deepEqual(
      rig.watches.map(({ query }) => query.get('resourceVersion')),
      ['10', '11'],
    );
    assert.equal(rig.reflector.health.kind, 'healthy');
  });

  it('resumes at once when the server ends a watch that lived', async (t) => {
    let first: ScriptedReply | undefined;
    const rig = await startReflector(t, {
      list: (reply) => reply.json(widgetList(10, [])),
      watch: (reply, number) => {
        reply.open();
        if (number === 0) first = reply;
      },
    });
    await until(() => first !== undefined);
    await settle();
    rig.time.advance(300_000);
    first?.end();
    await until(() => rig.watches.length === 2);
    assert.equal(rig.lists.length, 1);
  });

  it('resumes at once when a watch was short but brought something', async (t) => {
    const rig = await startReflector(t, {
      list: (reply) => reply.json(widgetList(10, [])),
      watch: (reply, number) => {
        reply.open();
        if (number === 0) reply.event('ADDED', widget('a', 11)).end();
      },
    });
    await until(() => rig.watches.length === 2);
    assert.equal(rig.watches[1]?.query.get('resourceVersion'), '11');
  });

  it('does not spin on a server that ends every watch at once', async (t) => {
    const rig = await startReflector(t, {
      list: (reply) => reply.json(widgetList(10, [])),
      watch: (reply) => reply.open().end(),
    });
    const startMs = rig.time.monotonicMs();
    await rig.time.advanceUntil(() => rig.time.monotonicMs() - startMs > 60_000, 500);
    assert.ok(
      rig.watches.length >= 4 && rig.watches.length <= 10,
      `${rig.watches.length} watches in a minute`,
    );
  });

  it('gives up a watch that fell silent without a FIN, once bookmarks were seen', async (t) => {
    const rig = await startReflector(t, {
      list: (reply) => reply.json(widgetList(10, [])),
      watch: (reply, number) => {
        reply.open();
        if (number === 0) reply.event('BOOKMARK', bookmark(50));
      },
    });
    await until(() => rig.time.delaysMs.includes(120_000));
    rig.time.advance(119_000);
    await settle();
    assert.equal(rig.watches.length, 1);
    await rig.time.advanceUntil(() => rig.watches.length === 2);
    assert.deepEqual(rig.watches[1]?.query.get('resourceVersion'), '50', 'the bookmark is where it goes on');
    assert.equal(rig.lists.length, 1);
  });

  it('gives up a silent watch at the latest when the server should have ended it', async (t) => {
    const rig = await startReflector(t, { list: (reply) => reply.json(widgetList(10, [])), watch: quiet });
    await until(() => rig.watches.length === 1 && rig.reflector.health.kind === 'healthy');
    await settle();
    rig.time.advance(459_000);
    await settle();
    assert.equal(rig.watches.length, 1);
    await rig.time.advanceUntil(() => rig.watches.length === 2);
  });

  it('lists again after 410, as a status or as an event, and finds what it missed', async (t) => {
    const rig = await startReflector(t, {
      list: (reply, number) => {
        if (number === 0) reply.json(widgetList(10, [widget('a', 1), widget('b', 2), widget('c', 3)]));
        else reply.json(widgetList(100 + number, [widget('a', 1), widget('b', 90, 5), widget('d', 91)]));
      },
      watch: (reply, number) => {
        if (number === 0) reply.refuse(410, 'Expired');
        else if (number === 1) reply.open().event('ERROR', statusObject(410, 'Expired'));
        else quiet(reply);
      },
    });
    const before = await first(rig.store.whenSynced(), () => rig.store.get('default/a'));
    await rig.time.advanceUntil(() => rig.watches.length === 3);
    assert.deepEqual(rig.contents(), ['a=1', 'b=5', 'd=1']);
    assert.equal(rig.store.get('default/a'), before, 'what did not change is the same object');
    assert.deepEqual(rig.parsed, ['a', 'b', 'c', 'b', 'd'], 'and is not parsed again');
    assert.deepEqual(rig.changes.slice(4), [
      'changed default/b',
      'added default/d',
      'removed default/c by absence',
      'listed 101',
      'listed 102',
    ]);
  });

  it('backs off from a storm of 410', async (t) => {
    const rig = await startReflector(t, {
      list: (reply, number) => reply.json(widgetList(10 + number, [widget('a', 1)])),
      watch: (reply) => reply.refuse(410, 'Expired'),
    });
    const startMs = rig.time.monotonicMs();
    await rig.time.advanceUntil(() => rig.time.monotonicMs() - startMs > 120_000, 500);
    assert.ok(rig.lists.length >= 6 && rig.lists.length <= 12, `${rig.lists.length} lists in two minutes`);
    assert.deepEqual(rig.contents(), ['a=1']);
  });

  it('waits as long as 429 asks, and keeps what it knew through 500s', async (t) => {
    const rig = await startReflector(t, {
      list: (reply) => reply.json(widgetList(10, [widget('a', 1)])),
      watch: (reply, number) => {
        if (number === 0) reply.refuse(429, 'TooManyRequests', { 'retry-after': '20' });
        else if (number < 4) reply.refuse(500, 'InternalError');
        else quiet(reply);
      },
    });
    await until(() => rig.reflector.health.kind === 'degraded');
    await until(() => rig.time.delaysMs.length > 0);
    assert.deepEqual(rig.time.delaysMs, [20_000]);
    await rig.time.advanceUntil(() => rig.reflector.health.kind === 'healthy');
    assert.equal(rig.watches.length, 5);
    assert.equal(rig.lists.length, 1);
    assert.deepEqual(rig.contents(), ['a=1']);
  });

  it('lists in spite of a server that fails, refuses and is not there', async (t) => {
    const rig = await startReflector(t, {
      list: (reply, number) => {
        if (number === 0) reply.refuse(503, 'ServiceUnavailable');
        else if (number === 1) reply.refuse(403, 'Forbidden');
        else if (number < 4) reply.reset();
        else if (number === 4) reply.response.writeHead(200).end('<html>a proxy</html>');
        else if (number === 5) reply.json({ kind: 'WidgetList', metadata: {}, items: [] });
        else if (number === 6) reply.json({ kind: 'Status' });
        else if (number === 7) reply.json({ kind: 'WidgetList', metadata: { resourceVersion: '10' } });
        else if (number === 8) reply.json({ metadata: { resourceVersion: '' }, items: [] });
        else reply.json(widgetList(10, [widget('a', 1)]));
      },
      watch: quiet,
    });
    await rig.time.advanceUntil(() => rig.store.state.kind === 'synced');
    assert.equal(rig.lists.length, 10);
    assert.deepEqual(rig.contents(), ['a=1']);
    assert.deepEqual(rig.changes, ['added default/a', 'listed 10']);
  });

  it('never takes a list whose later pages fail', async (t) => {
    let isBroken = false;
    const rig = await startReflector(t, {
      list: (reply, number, { query }) => {
        if (number === 0) reply.json(widgetList(10, [widget('a', 1), widget('b', 2)]));
        else if (query.has('continue')) reply.refuse(isBroken ? 500 : 410, 'InternalError');
        else reply.json(widgetList(20, [widget('a', 1)], 'next'));
      },
      watch: (reply, number) => {
        isBroken = true;
        if (number === 0) reply.refuse(410, 'Expired');
        else quiet(reply);
      },
    });
    await rig.time.advanceUntil(() => rig.lists.length > 6);
    assert.deepEqual(rig.contents(), ['a=1', 'b=1']);
    assert.equal(rig.reflector.health.kind, 'degraded');
  });

  it('begins again when a continue token expired, and then asks for all at once', async (t) => {
    const rig = await startReflector(t, {
      list: (reply, _, { query }) => {
        if (query.has('continue')) reply.refuse(410, 'Expired');
        else if (query.has('limit')) reply.json(widgetList(20, [widget('a', 1)], 'old'));
        else reply.json(widgetList(30, [widget('a', 1), widget('b', 2)]));
      },
      watch: quiet,
    });
    await rig.time.advanceUntil(() => rig.store.state.kind === 'synced');
    assert.deepEqual(rig.contents(), ['a=1', 'b=1']);
    assert.deepEqual(
      rig.lists.map(({ query }) => query.toString()),
      ['limit=500', 'limit=500&continue=old', 'limit=500', 'limit=500&continue=old', ''],
    );
  });

  it('keeps the last good form of an object that cannot be parsed, and watches on', async (t) => {
    const rig = await startReflector(t, {
      list: (reply) => reply.json(widgetList(10, [widget('a', 1), widget('b', 2, 'big')])),
      watch: (reply) => {
        reply
          .open()
          .event('MODIFIED', widget('a', 11, null))
          .event('ADDED', widget('c', 12));
      },
    });
    await until(() => rig.store.get('default/c') !== undefined);
    assert.deepEqual(rig.contents(), ['a=1', 'c=1']);
    assert.deepEqual(
      [...rig.store.malformed.values()].map(({ key, resourceVersion, message }) => [
        key,
        resourceVersion,
        message,
      ]),
      [
        ['default/b', '2', 'size is "big"'],
        ['default/a', '11', 'size is null'],
      ],
    );
    assert.equal(rig.watches.length, 1);
  });

  it('removes nothing by a list with something in it that has no name', async (t) => {
    const rig = await startReflector(t, {
      list: (reply, number) =>
        number === 0
          ? reply.json(widgetList(10, [widget('a', 1), widget('b', 2)]))
          : reply.json(widgetList(20, [widget('a', 1), { spec: {} }])),
      watch: (reply, number) => (number === 0 ? reply.refuse(410, 'Expired') : quiet(reply)),
    });
    await rig.time.advanceUntil(() => rig.watches.length === 2);
    assert.deepEqual(rig.contents(), ['a=1', 'b=1']);
  });

  const unreadable: [what: string, line: string][] = [
    ['is not JSON', '{"type":"ADDED","obj\n'],
    ['has no object', '{"type":"ADDED"}\n'],
    ['has an object without a name', '{"type":"ADDED","object":{"metadata":{}}}\n'],
    ['has a type nobody knows', `${JSON.stringify({ type: 'MOVED', object: widget('a', 11) })}\n`],
  ];
  for (const [what, line] of unreadable) {
    it(`lists again when an event ${what}: a change may be lost`, async (t) => {
      const rig = await startReflector(t, {
        list: (reply, number) => reply.json(widgetList(10 + number, [widget('a', 1 + number)])),
        watch: (reply, number) => (number === 0 ? void reply.open().raw(line) : quiet(reply)),
      });
      await rig.time.advanceUntil(() => rig.watches.length === 2);
      assert.equal(rig.lists.length, 2);
      assert.equal(rig.store.entry('default/a')?.resourceVersion, '2');
    });
  }

  it('refuses an older list from a second API server, but not for ever', async (t) => {
    const rig = await startReflector(t, {
      list: (reply, number) =>
        number === 0
          ? reply.json(widgetList(100, [widget('a', 90), widget('b', 95)]))
          : reply.json(widgetList(50, [widget('a', 40)])),
      watch: (reply, number) => (number === 0 ? reply.refuse(410, 'Expired') : quiet(reply)),
    });
    await rig.time.advanceUntil(() => rig.lists.length === 4);
    assert.deepEqual(rig.contents(), ['a=1', 'b=1']);
    assert.equal(rig.reflector.health.kind, 'degraded');
    // A restored backup of etcd says the same again and again, and is right.
    await rig.time.advanceUntil(() => rig.store.size === 1);
    assert.equal(rig.lists.length, 8);
    assert.equal(rig.store.entry('default/a')?.resourceVersion, '40');
  });

  it('takes an object that was made anew under its name for another one', async (t) => {
    const rig = await startReflector(t, {
      list: (reply, number) =>
        reply.json(widgetList(10 + number, [widget('a', 1 + number, 1, number === 0 ? 'old' : 'new')])),
      watch: (reply, number) => (number === 0 ? reply.refuse(410, 'Expired') : quiet(reply)),
    });
    await rig.time.advanceUntil(() => rig.watches.length === 2);
    assert.deepEqual(rig.changes.slice(2), ['removed default/a', 'added default/a', 'listed 11']);
  });

  it('survives a listener that throws', async (t) => {
    const rig = await startReflector(t, {
      list: (reply) => reply.json(widgetList(10, [widget('a', 1)])),
      watch: (reply) => void reply.open().event('ADDED', widget('b', 11)),
    });
    rig.store.subscribe(() => {
      throw new Error('not my day');
    });
    await until(() => rig.store.size === 2);
    assert.equal(rig.listenerErrors.length, 3);
  });

  it('opens nothing any more after stop, whatever it was doing', async (t) => {
    for (const moment of ['list', 'watch', 'backoff'] as const) {
      let held: ScriptedReply | undefined;
      const rig = await startReflector(t, {
        list: (reply) => {
          if (moment === 'backoff') reply.refuse(500, 'InternalError');
          else if (moment === 'list') held = reply;
          else reply.json(widgetList(10, []));
        },
        watch: (reply) => {
          held = reply.open();
        },
      });
      await until(() => (moment === 'backoff' ? rig.time.delaysMs.length > 0 : held !== undefined));
      await rig.reflector.stop();
      await until(() => held?.isClosed !== false);
      const requests = rig.server.requests.length;
      rig.time.advance(600_000);
      await settle(20);
      assert.equal(rig.server.requests.length, requests, moment);
      assert.deepEqual(rig.time.delaysMs, [], `${moment}: no timer is left`);
    }
  });
});

/** The value at the moment when the promise is done. */
async function first<T>(promise: Promise<unknown>, value: () => T): Promise<T> {
  await promise;
  return value();
}
