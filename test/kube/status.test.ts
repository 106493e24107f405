import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isCovered, isEqualJson, isKubeError, KubeClient, StatusWriter } from '../../src/kube/index.ts';
import type { StatusSubject } from '../../src/kube/index.ts';
import { FakeTime, settle } from './fake-time.ts';
import { MemoryTransport, refusal } from './memory-transport.ts';
import type { Answer } from './memory-transport.ts';
import { widget, widgetType } from './objects.ts';

const never = new AbortController().signal;

function subject(version: number, status: unknown, uid = 'uid-a'): StatusSubject {
  return { type: widgetType, metadata: widget('a', version, 1, uid).metadata, status };
}

function openWriter(answer: Answer = () => widget('a', 99)) {
  const transport = new MemoryTransport(answer);
  const time = new FakeTime();
  const client = new KubeClient(transport);
  const writer = new StatusWriter({
    client,
    fieldManager: 'lvs',
    clock: time,
    timers: time,
    random: () => 1,
  });
  return { transport, time, writer };
}

describe('status writer', () => {
  it('applies the status subresource with one field manager and the uid of the object', async () => {
    const { transport, writer } = openWriter();
    assert.equal(await writer.write(subject(5, undefined), { ready: 1 }, never), 'written');
    const [request] = transport.requests;
    assert.equal(request?.method, 'PATCH');
    assert.equal(request?.path, '/apis/example.org/v1/namespaces/default/widgets/a/status');
    assert.equal(request?.contentType, 'application/apply-patch+yaml');
    assert.deepEqual(request?.query, { fieldManager: 'lvs', force: 'true', fieldValidation: 'Strict' });
    assert.deepEqual(request?.body, {
      apiVersion: 'example.org/v1',
      kind: 'Widget',
      metadata: { name: 'a', namespace: 'default', uid: 'uid-a', resourceVersion: '5' },
      status: { ready: 1 },
    });
  });

  const leftovers: [scenario: string, stored: object, patched: object | undefined][] = [
    ['an entry in a list', { list: [{ k: 1 }, { k: 2 }], n: 1 }, { list: [{ k: 1 }], n: 1 }],
    ['a field', { list: [{ k: 1 }], n: 1, theirs: 3 }, { list: [{ k: 1 }], n: 1, theirs: null }],
    ['nothing', { list: [{ k: 1 }], n: 1 }, undefined],
    ['nothing, though the server keeps less than was said', { list: [{ k: 1 }] }, undefined],
  ];
  for (const [scenario, stored, patched] of leftovers) {
    it(`takes away what an apply leaves of others: ${scenario}`, async () => {
      const answer = { metadata: { ...widget('a', 8).metadata }, status: stored };
      const { transport, writer } = openWriter(() => answer);
      assert.equal(await writer.write(subject(5, {}), { list: [{ k: 1 }], n: 1 }, never), 'written');
      const second = transport.requests[1];
      if (patched === undefined) return assert.equal(second, undefined);
      assert.equal(second?.contentType, 'application/merge-patch+json');
      assert.equal(second.path, '/apis/example.org/v1/namespaces/default/widgets/a/status');
      assert.deepEqual(second.body, { metadata: { resourceVersion: '8' }, status: patched });
    });
  }

  it('does not ask when the object has that status', async () => {
    const { transport, writer } = openWriter();
    const status = { ready: 1, list: [{ b: 2, a: 1 }] };
    assert.equal(
      await writer.write(subject(5, { list: [{ a: 1, b: 2 }], ready: 1 }), status, never),
      'unchanged',
    );
    assert.deepEqual(transport.requests, []);
  });

  const sequences: [
    scenario: string,
    writes: [version: number, stored: unknown, wanted: object][],
    requests: number,
  ][] = [
    [
      'a repetition before the store has caught up is not written',
      [
        [5, {}, { n: 1 }],
        [5, {}, { n: 1 }],
      ],
      1,
    ],
    [
      'nor one after it has',
      [
        [5, {}, { n: 1 }],
        [6, { n: 1 }, { n: 1 }],
      ],
      1,
    ],
    [
      'nor one beside the fields of another manager',
      [
        [5, {}, { n: 1 }],
        [6, { n: 1, theirs: 2 }, { n: 1 }],
      ],
      1,
    ],
    [
      'what somebody else changed is written again',
      [
        [5, {}, { n: 1 }],
        [7, { n: 3 }, { n: 1 }],
      ],
      2,
    ],
    [
      'what somebody else removed is written again',
      [
        [5, {}, { n: 1 }],
        [7, {}, { n: 1 }],
      ],
      2,
    ],
    [
      'a new value is written although the store is behind',
      [
        [5, { n: 0 }, { n: 1 }],
        [5, { n: 0 }, { n: 0 }],
      ],
      2,
    ],
    [
      'a field that we no longer name is taken away',
      [
        [5, {}, { n: 1, m: 2 }],
        [6, { n: 1, m: 2 }, { n: 1 }],
      ],
      2,
    ],
    [
      'fields of unknown origin are judged once, at the start',
      [
        [5, { n: 1, old: 2 }, { n: 1 }],
        [6, { n: 1, old: 2 }, { n: 1 }],
      ],
      1,
    ],
  ];
  for (const [scenario, writes, requests] of sequences) {
    it(scenario, async () => {
      const { transport, writer } = openWriter();
      for (const [version, stored, wanted] of writes)
        await writer.write(subject(version, stored), wanted, never);
      assert.equal(transport.requests.length, requests);
    });
  }

  const made: [scenario: string, stored: object][] = [
    ['a set in an order of its own', { set: ['b', 'a'], n: 1 }],
    ['a set that became empty left out', { n: 1 }],
  ];
  for (const [scenario, stored] of made) {
    it(`does not write for ever what the API server keeps in its way: ${scenario}`, async () => {
      const wanted = { set: scenario.includes('empty') ? [] : ['a', 'b'], n: 1 };
      const { transport, writer } = openWriter(() => ({ ...widget('a', 6), status: stored }));
      await writer.write(subject(5, { n: 0 }), wanted, never);
      assert.equal(await writer.write(subject(6, stored), wanted, never), 'unchanged');
      assert.equal(await writer.write(subject(7, { ...stored, n: 2 }), wanted, never), 'written');
      assert.equal(transport.requests.length, 2);
    });
  }

  it('begins anew with an object that was made anew', async () => {
    const { transport, writer } = openWriter();
    await writer.write(subject(5, {}, 'old'), { n: 1 }, never);
    await writer.write(subject(5, {}, 'new'), { n: 1 }, never);
    assert.equal(transport.requests.length, 2);
  });

  it('has nothing to write to when the object is gone', async () => {
    const { writer } = openWriter(() => {
      throw refusal(404, 'NotFound');
    });
    assert.equal(await writer.write(subject(5, {}), { n: 1 }, never), 'gone');
  });

  it('nor when a namesake has taken its place', async () => {
    const { transport, writer } = openWriter(({ method }) => {
      if (method === 'PATCH') throw refusal(409, 'Conflict');
      return widget('a', 9, 1, 'another');
    });
    assert.equal(await writer.write(subject(5, {}), { n: 1 }, never), 'gone');
    assert.deepEqual(transport.methods, ['PATCH', 'GET']);
  });

  it('tries again after a conflict that is only a race', async () => {
    let conflicts = 2;
    const { transport, time, writer } = openWriter(({ method }) => {
      if (method === 'PATCH' && conflicts-- > 0) throw refusal(409, 'Conflict');
      return widget('a', 9);
    });
    const outcome = writer.write(subject(5, {}), { n: 1 }, never);
    await time.advanceUntil(() => transport.methods.filter((method) => method === 'PATCH').length === 3, 50);
    assert.equal(await outcome, 'written');
  });

  it('builds on the version that a conflict has shown, and on its own last write', async () => {
    const { transport, writer } = openWriter(({ method, body }) => {
      if (method === 'GET') return widget('a', 9);
      const { metadata } = body as { metadata: { resourceVersion: string } };
      if (metadata.resourceVersion === '5') throw refusal(409, 'Conflict');
      return widget('a', Number(metadata.resourceVersion) + 1);
    });
    assert.equal(await writer.write(subject(5, {}), { n: 1 }, never), 'written');
    assert.equal(await writer.write(subject(5, {}), { n: 2 }, never), 'written');
    assert.equal(await writer.write(subject(20, { n: 2 }), { n: 3 }, never), 'written');
    const versions = transport.requests
      .filter(({ method }) => method === 'PATCH')
      .map(({ body }) => (body as { metadata: { resourceVersion: string } }).metadata.resourceVersion);
    assert.deepEqual(versions, ['5', '9', '10', '20']);
  });

  it('but not for ever', async () => {
    const { transport, time, writer } = openWriter(({ method }) => {
      if (method === 'PATCH') throw refusal(409, 'Conflict');
      return widget('a', 9);
    });
    const outcome = assert.rejects(writer.write(subject(5, {}), { n: 1 }, never), (error) =>
      isKubeError(error, 'LVS_KUBE_CONFLICT'),
    );
    for (let i = 0; i < 60; i++) {
      time.advance(100);
      await settle(1);
    }
    await outcome;
    assert.equal(transport.methods.filter((method) => method === 'PATCH').length, 5);
  });

  it('does not remember a write that failed', async () => {
    let isDown = true;
    const { transport, writer } = openWriter(() => {
      if (isDown) throw refusal(500, 'InternalError');
      return widget('a', 9);
    });
    await assert.rejects(writer.write(subject(5, {}), { n: 1 }, never), /InternalError/);
    isDown = false;
    assert.equal(await writer.write(subject(5, {}), { n: 1 }, never), 'written');
    assert.equal(transport.requests.length, 2);
  });
});

describe('equality of JSON', () => {
  const table: [a: unknown, b: unknown, isEqual: boolean, isACoveredByB: boolean][] = [
    [{ a: 1, b: 2 }, { b: 2, a: 1 }, true, true],
    [{ a: 1, b: undefined }, { a: 1 }, true, true],
    [{ a: 1 }, { a: 1, b: 2 }, false, true],
    [{ a: 1, b: 2 }, { a: 1 }, false, false],
    [[1, 2], [2, 1], false, false],
    [[1], [1, 2], false, false],
    [[{ a: 1 }], [{ a: 1, b: 2 }], false, false],
    [{ a: null }, {}, false, false],
    [{ a: [] }, { a: {} }, false, false],
    ['1', 1, false, false],
    [null, null, true, true],
  ];
  for (const [a, b, isEqual, isACoveredByB] of table) {
    it(`${JSON.stringify(a)} and ${JSON.stringify(b)}`, () => {
      assert.deepEqual([isEqualJson(a, b), isCovered(a, b)], [isEqual, isACoveredByB]);
    });
  }
});
