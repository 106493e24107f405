/** A list that lacks most of what is known is no deletion before a second one agrees. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { settle, until } from './fake-time.ts';
import { widget, widgetList } from './objects.ts';
import { startReflector } from './reflector-rig.ts';
import type { ReflectorRig } from './reflector-rig.ts';
import type { ScriptedReply } from './scripted-server.ts';

const held = 'warn a list lacks most of what is known; nothing goes before a second list agrees';
const told = 'info a second list tells what is gone';

/** Widgets `w0` and up. */
const widgets = (count: number, from = 0): unknown[] =>
  Array.from({ length: count }, (_, index) => widget(`w${from + index}`, 1));

/**
 * A reflector that has listed the first of these; its first watch is expired, so that the next list follows at once, and
 * all later watches stay open and say nothing. Undefined: the same as the list before.
 */
async function startWith(
  t: TestContext,
  lists: readonly (readonly unknown[])[],
  onWatch: (reply: ScriptedReply, number: number) => void = (reply) => void reply.open(),
): Promise<ReflectorRig> {
  const rig = await startReflector(t, {
    list: (reply, number) => reply.json(widgetList(100 + number * 10, lists[number] ?? lists.at(-1) ?? [])),
    watch: (reply, number) => (number === 0 ? reply.refuse(410, 'Expired') : onWatch(reply, number)),
  });
  await rig.time.advanceUntil(() => rig.watches.length === 2);
  return rig;
}

const absenceLog = (rig: ReflectorRig): string[] =>
  rig.logger.lines.filter((line) => line === held || line === told);

describe('reflector and lists that lack too much', () => {
  for (const [what, known, second] of [
    ['an empty list', widgets(3), []],
    ['less than half a list', widgets(30), widgets(12)],
  ] as const) {
    it(`holds what ${what} lacks, and lists again by itself`, async (t) => {
      const rig = await startWith(t, [known, second]);
      assert.equal(rig.store.size, known.length);
      assert.equal(rig.reflector.heldAbsences, known.length - second.length);
      assert.equal(rig.store.observedVersion, '100', 'what is held is not taken in');
      await settle();
      const listedMs = rig.time.monotonicMs();
      await rig.time.advanceUntil(() => rig.lists.length === 3, 100);
      assert.ok(rig.time.monotonicMs() - listedMs >= 4900, 'not before 5 s');
      await until(() => rig.watches.length === 3);
      assert.equal(rig.store.size, second.length, 'the second list agreed');
      assert.equal(rig.reflector.heldAbsences, 0);
      assert.equal(rig.store.observedVersion, '120');
      assert.deepEqual(absenceLog(rig), [held, told]);
      await settle();
      rig.time.advance(60_000);
      await settle();
      assert.equal(rig.lists.length, 3, 'and then it only watches');
    });
  }

  it('takes in at once what such a list adds and changes', async (t) => {
    const rig = await startWith(t, [widgets(30), [widget('w0', 105, 7), widget('new', 106)]]);
    assert.equal(rig.store.size, 31);
    assert.ok(rig.contents().includes('w0=7'));
  });

  it('keeps everything when the next list has it again', async (t) => {
    const rig = await startWith(t, [widgets(30), [], widgets(30)]);
    await rig.time.advanceUntil(() => rig.watches.length === 3);
    assert.equal(rig.store.size, 30);
    assert.equal(rig.reflector.heldAbsences, 0);
    assert.deepEqual(
      rig.changes.filter((change) => change.startsWith('removed')),
      [],
    );
  });

  it('removes of what was held only what the second list lacks too', async (t) => {
    const rig = await startWith(t, [widgets(30), [], widgets(2)]);
    await rig.time.advanceUntil(() => rig.watches.length === 3);
    assert.deepEqual(rig.contents(), ['w0=1', 'w1=1']);
  });

  it('waits anew when lists contradict each other', async (t) => {
    const rig = await startWith(t, [widgets(40), widgets(15), widgets(15, 20), widgets(15, 20)]);
    await rig.time.advanceUntil(() => rig.watches.length === 3);
    assert.equal(rig.store.size, 40, 'the second list lacked others than the first');
    await rig.time.advanceUntil(() => rig.watches.length === 4);
    assert.equal(rig.store.size, 15, 'the third agreed with the second');
    assert.deepEqual(absenceLog(rig), [held, told], 'said once');
  });

  it('takes deletions that are told at once, held or not', async (t) => {
    let watch: ScriptedReply | undefined;
    const rig = await startWith(t, [widgets(30), []], (reply) => (watch = reply.open()));
    for (let index = 0; index < 29; index++) watch?.event('DELETED', widget(`w${index}`, 200 + index));
    await until(() => rig.store.size === 1);
    assert.equal(rig.reflector.heldAbsences, 1);
    assert.equal(rig.store.observedVersion, '100', 'one absence is still open');
    watch?.event('MODIFIED', widget('w29', 300, 5));
    await until(() => rig.reflector.heldAbsences === 0);
    assert.equal(rig.store.observedVersion, '300');
    assert.deepEqual(rig.contents(), ['w29=5']);
  });

  it('is confirmed by a list that was asked for 5 s later, not by one in between', async (t) => {
    // Every watch is expired, so that lists come as fast as the backoff allows.
    const rig = await startWith(t, [widgets(30), []], (reply) => reply.refuse(410, 'Expired'));
    const heldMs = rig.time.monotonicMs();
    await rig.time.advanceUntil(() => rig.time.monotonicMs() - heldMs >= 4800, 100);
    assert.ok(rig.lists.length >= 4, `only ${rig.lists.length} lists`);
    assert.equal(rig.store.size, 30);
    await rig.time.advanceUntil(() => rig.store.size === 0);
  });

  it('is neither confirmed nor answered by an API server that lags behind', async (t) => {
    const rig = await startReflector(t, {
      list: (reply, number) => {
        if (number === 0) reply.json(widgetList(100, widgets(30)));
        else if (number === 1) reply.json(widgetList(110, []));
        else if (number < 4) reply.json(widgetList(90, []));
        else reply.json(widgetList(120, widgets(30)));
      },
      watch: (reply, number) => (number === 0 ? reply.refuse(410, 'Expired') : void reply.open()),
    });
    await rig.time.advanceUntil(() => rig.lists.length === 5);
    await until(() => rig.watches.length === 3);
    assert.equal(rig.store.size, 30);
    assert.equal(rig.reflector.heldAbsences, 0);
  });

  it('does not spin on lists in which something has no name', async (t) => {
    const broken = [{ spec: {} }];
    const rig = await startWith(t, [widgets(30), [], broken]);
    const startMs = rig.time.monotonicMs();
    await rig.time.advanceUntil(() => rig.time.monotonicMs() - startMs > 60_000, 500);
    assert.equal(rig.store.size, 30);
    assert.ok(rig.lists.length < 12, `${rig.lists.length} lists in a minute`);
  });

  it('believes an empty first list at once, unless there is other evidence', async (t) => {
    for (const isExpected of [false, true]) {
      const rig = await startReflector(
        t,
        { list: (reply) => reply.json(widgetList(100, [])), watch: (reply) => void reply.open() },
        { expectsEntries: () => isExpected },
      );
      await until(() => rig.lists.length === 1);
      await settle(20);
      assert.equal(rig.store.state.kind, isExpected ? 'unsynced' : 'synced');
      const startMs = rig.time.monotonicMs();
      await rig.time.advanceUntil(() => rig.store.state.kind === 'synced');
      if (isExpected) assert.ok(rig.time.monotonicMs() - startMs >= 5000);
      assert.equal(rig.lists.length, isExpected ? 2 : 1);
      assert.equal(rig.store.observedVersion, '100');
    }
  });

  it('takes a first list that has something, whatever was expected', async (t) => {
    const rig = await startReflector(
      t,
      {
        list: (reply, number) => reply.json(widgetList(100 + number, number === 0 ? [] : widgets(2))),
        watch: (reply) => void reply.open(),
      },
      { expectsEntries: () => true },
    );
    await rig.time.advanceUntil(() => rig.store.state.kind === 'synced');
    assert.deepEqual(rig.contents(), ['w0=1', 'w1=1']);
    assert.equal(rig.lists.length, 2);
  });
});
