import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { History } from './history.ts';

const vip = '192.0.2.10';
const ask = { addresses: [{ ip: vip }] };

/** Two directors that hold the VIP of a VirtualService which has just been deleted. */
function released({ isWritten = true } = {}): History {
  const history = new History();
  history.pool('public', [`${vip}/32`]);
  history.director('a');
  history.director('b');
  history.service('old', ask);
  history.settle({ directors: ['a', 'b'] });
  history.remove('VirtualService', 'shop/old');
  if (isWritten) history.settle();
  return history;
}

function quarantined(history: History): string {
  return JSON.stringify(history.poolStatus('public')['quarantined']);
}

describe('an address that was let go of', () => {
  it('is in the status of its pool, with the directors that hold it', () => {
    const history = released();
    assert.match(quarantined(history), /"ip":"192\.0\.2\.10".*"waitingFor":\["a","b"\]/);
    history.director('a');
    history.settle();
    assert.match(quarantined(history), /"waitingFor":\["b"\]/);
    history.director('b');
    history.settle();
    assert.equal(quarantined(history), '[]');
  });

  it('goes to nobody else before each director has let go of it', () => {
    const history = released();
    history.service('new', ask);
    history.settle();
    assert.deepEqual(history.vips('new'), []);
    assert.equal(history.condition('new', 'Accepted'), 'False AddressQuarantined');
    assert.equal(history.condition('new', 'Reconciling'), 'True AddressQuarantined');
    history.director('a', { releasing: [vip] });
    history.director('b');
    history.settle();
    assert.deepEqual(history.vips('new'), [], 'a has heard of it and still holds it');
    history.director('a');
    history.settle();
    assert.deepEqual(history.vips('new'), [vip]);
    assert.equal(quarantined(history), '[]');
  });

  it('is not handed out by a pool either, which has others', () => {
    const history = released();
    history.pool('public', ['192.0.2.10-192.0.2.11']);
    history.service('new');
    history.settle();
    assert.deepEqual(history.vips('new'), ['192.0.2.11']);
  });

  it('is waited for where a pool has no other', () => {
    const history = released();
    history.service('new');
    history.settle();
    assert.equal(history.condition('new', 'Accepted'), 'False PoolExhausted');
    history.settle({ directors: ['a', 'b'] });
    assert.deepEqual(history.vips('new'), [vip]);
  });

  it('may go back at once to the VirtualService of the same name', () => {
    for (const spec of [ask, {}]) {
      const history = released();
      history.service('old', spec);
      history.settle();
      assert.deepEqual(history.vips('old'), [vip]);
      assert.equal(quarantined(history), '[]');
    }
  });

  it('is not waited for where no director is live', () => {
    const history = released();
    history.node('a', false);
    history.removeNode('b');
    history.service('new', ask);
    history.settle();
    assert.deepEqual(history.vips('new'), [vip]);
  });

  it('is held as long as a director holds more than it can list', () => {
    const history = released();
    history.service('new', ask);
    history.director('a', { releasing: ['192.0.2.99'], releasingCount: 250 });
    history.director('b');
    history.settle();
    assert.deepEqual(history.vips('new'), []);
  });

  it('waits for the status that still claims it, and only then for the directors', () => {
    const history = new History();
    history.pool('public', ['192.0.2.10-192.0.2.11']);
    history.director('a');
    history.service('old', ask);
    history.settle({ directors: ['a'] });
    history.service('old', { addresses: [{ ip: '192.0.2.11' }] });
    history.service('new', ask);
    const decisions = history.decide();
    history.write(decisions, (id) => id.startsWith('AddressPool'));
    assert.match(quarantined(history), /192\.0\.2\.10/, 'in quarantine before it is given up');
    history.director('a');
    history.write(history.decide(), (id) => !id.endsWith('shop/old'));
    assert.deepEqual(history.vips('new'), [], 'directors still serve it for the old one');
    history.settle();
    assert.deepEqual(history.vips('new'), [], 'the director has not seen it given up');
    history.settle({ directors: ['a'] });
    assert.deepEqual(history.vips('new'), [vip]);
    assert.deepEqual(history.vips('old'), ['192.0.2.11']);
  });

  it('lets a VirtualService go on with what it has while it waits', () => {
    const history = released();
    history.pool('public', ['192.0.2.10-192.0.2.11']);
    history.service('new', { addresses: [{ ip: '192.0.2.11' }] });
    history.settle();
    history.service('new', ask);
    history.settle();
    assert.deepEqual(history.vips('new'), ['192.0.2.11']);
    assert.equal(history.condition('new', 'Accepted'), 'False AddressQuarantined');
    assert.equal(history.condition('new', 'AddressAssigned'), 'True Assigned');
    history.settle({ directors: ['a', 'b'] });
    assert.deepEqual(history.vips('new'), [vip]);
  });
});

describe('a controller that begins anew', () => {
  it('finds the quarantine in the pool, and knows at rest when it is over', () => {
    const history = released();
    history.failOver();
    history.service('new', ask);
    history.settle();
    assert.deepEqual(history.vips('new'), []);
    history.director('a');
    history.director('b');
    history.settle();
    assert.deepEqual(history.vips('new'), [vip]);
  });

  it('hands out nothing that was let go of before it began and that nobody wrote down', () => {
    const history = released({ isWritten: false });
    history.failOver();
    history.service('new', ask);
    history.settle();
    assert.deepEqual(history.vips('new'), [], 'no director has come as far as the deletion');
    history.director('a', { releasing: [vip] });
    history.director('b');
    history.settle();
    assert.deepEqual(history.vips('new'), [], 'a says that it holds it');
    history.settle({ directors: ['a', 'b'] });
    assert.deepEqual(history.vips('new'), [vip]);
  });

  it('does not wait for ever for a director that says nothing', () => {
    const history = released({ isWritten: false });
    history.failOver();
    history.service('new', ask);
    const { wakeAtMs } = history.settle();
    assert.ok(wakeAtMs !== undefined && wakeAtMs > history.nowMs);
    history.nowMs = wakeAtMs;
    history.settle();
    assert.deepEqual(history.vips('new'), [vip]);
  });

  it('keeps from others what an object has that it cannot read, and gives it back', () => {
    const history = new History();
    history.pool('public', [`${vip}/32`]);
    history.director('a');
    history.service('old', ask);
    history.settle({ directors: ['a'] });
    history.makeUnreadable('old');
    history.failOver();
    history.service('new', ask);
    history.settle({ directors: ['a'] });
    assert.deepEqual(history.vips('new'), []);
    assert.equal(history.condition('new', 'Accepted'), 'False AddressQuarantined');
    history.makeReadable('old', ask);
    history.settle({ directors: ['a'] });
    assert.deepEqual(history.vips('old'), [vip]);
    assert.equal(history.condition('old', 'Accepted'), 'True Accepted');
    assert.equal(history.condition('new', 'Accepted'), 'False Conflicted');
  });

  it('does not wait for directors that hold no VIP at all', () => {
    const history = new History();
    history.pool('public', [`${vip}/32`]);
    history.director('a', { vips: 0 });
    history.service('new', ask);
    history.failOver();
    history.settle();
    assert.deepEqual(history.vips('new'), [vip]);
  });
});

describe('a controller that dies between two writes', () => {
  /** Every subset of the statuses that a decision changes may be what was written. */
  for (const lost of [
    'VirtualService shop/old',
    'VirtualService shop/new',
    'AddressPool public',
    'everything',
  ]) {
    it(`gives an address to two VirtualServices never, with ${lost} unwritten`, () => {
      const history = new History();
      history.pool('public', ['192.0.2.10-192.0.2.11']);
      history.director('a');
      history.service('old', ask);
      history.settle({ directors: ['a'] });
      history.service('old', { addresses: [{ ip: '192.0.2.11' }] });
      history.service('new', ask);
      for (let round = 0; round < 6; round++) {
        const decisions = history.decide();
        history.write(decisions, (id) => id !== lost && lost !== 'everything');
        history.failOver();
        const claims = [...history.vips('old'), ...history.vips('new')];
        assert.equal(new Set(claims).size, claims.length, claims.join());
        history.director('a', round < 3 ? { releasing: [vip] } : {});
      }
      history.settle({ directors: ['a'] });
      assert.deepEqual([history.vips('old'), history.vips('new')], [['192.0.2.11'], [vip]]);
    });
  }
});
