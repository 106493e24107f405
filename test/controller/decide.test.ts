import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { History } from './history.ts';

/** A pool, a director and a VirtualService with real servers. */
function served(): History {
  const history = new History();
  history.pool('public', ['192.0.2.10-192.0.2.12']);
  history.director('a', { vips: 0 });
  history.service('web');
  history.realServer('web', 'web', 2);
  return history;
}

function claim(ip: string, port = 80) {
  return { addresses: [{ ip }], ports: [{ port }] };
}

describe('a VirtualService', () => {
  it('is in progress until its director has it, and then ready', () => {
    const history = served();
    history.write(history.decide());
    assert.deepEqual(history.vips('web'), ['192.0.2.10']);
    assert.equal(history.condition('web', 'Accepted'), 'True Accepted');
    assert.equal(history.condition('web', 'AddressAssigned'), 'True Assigned');
    assert.equal(history.condition('web', 'Programmed'), 'False DirectorsPending');
    assert.equal(history.condition('web', 'RealServersAvailable'), 'True Serving');
    assert.equal(history.condition('web', 'Ready'), 'False DirectorsPending');
    assert.equal(history.condition('web', 'Reconciling'), 'True DirectorsPending');
    assert.equal(history.condition('web', 'Stalled'), undefined);
    history.director('a');
    history.write(history.decide());
    assert.equal(history.condition('web', 'Ready'), 'True Ready');
    assert.equal(history.condition('web', 'Reconciling'), undefined);
    const { observedGeneration, realServersReady, directorsReady, portList } = history.status('web');
    assert.deepEqual(
      [observedGeneration, realServersReady, directorsReady, portList],
      [1, '2/2', '1/1', '80/TCP'],
    );
  });

  it('is left alone once it is ready, whatever its status was written for', () => {
    const history = served();
    history.settle({ directors: ['a'] });
    assert.equal(history.write(history.decide()), 0);
  });

  it('stays programmed while endpoints come and go', () => {
    const history = served();
    history.settle({ directors: ['a'] });
    history.realServer('web', 'web', 3, 1);
    history.write(history.decide());
    assert.equal(history.condition('web', 'Ready'), 'True Ready');
    assert.equal(history.status('web').realServersReady, '3/4');
  });

  it('is programmed anew with each new spec', () => {
    const history = served();
    history.settle({ directors: ['a'] });
    history.service('web', { ports: [{ port: 8080 }] });
    history.write(history.decide());
    assert.equal(history.condition('web', 'Programmed'), 'False DirectorsPending');
    assert.equal(history.status('web').portList, '8080/TCP');
    history.director('a');
    history.write(history.decide());
    assert.equal(history.condition('web', 'Ready'), 'True Ready');
  });

  it('waits for every live director, and for none that is down', () => {
    const history = served();
    history.director('b');
    history.settle({ directors: ['a', 'b'] });
    history.service('web', { scheduler: 'rr' });
    history.settle();
    history.director('a');
    history.write(history.decide());
    assert.equal(history.condition('web', 'Programmed'), 'False DirectorsPending');
    assert.equal(history.status('web').directorsReady, '1/2');
    history.node('b', false);
    history.write(history.decide());
    assert.equal(history.condition('web', 'Programmed'), 'True Programmed');
    assert.equal(history.status('web').directorsReady, '1/1');
  });

  it('is not rewritten because a director joins that has yet to report', () => {
    const history = served();
    history.settle({ directors: ['a'] });
    history.node('b');
    history.put('Director', 'b', {});
    assert.equal(history.write(history.decide()), 0);
    history.director('b');
    history.write(history.decide());
    assert.equal(history.status('web').directorsReady, '2/2');
  });

  const obstacles: [scenario: string, prepare: (history: History) => void, ready: string, kstatus: string][] =
    [
      ['no director', (history) => history.removeNode('a'), 'False NoDirectors', 'Reconciling'],
      [
        'no real server',
        (history) => history.realServer('web', 'web', 0),
        'False NoRealServers',
        'Reconciling',
      ],
      [
        'real servers that all have weight 0',
        (history) =>
          history.put('RealServer', 'shop/web', {
            virtualServiceRef: { name: 'web' },
            podSelector: { matchLabels: { app: 'web' } },
            weight: 0,
          }),
        'False NoneServing',
        'Reconciling',
      ],
      [
        'a director that refuses it',
        (history) =>
          history.director('a', {
            refused: [{ object: 'VirtualService shop/web', reason: 'SchedulerUnavailable', message: 'No.' }],
          }),
        'False SchedulerUnavailable',
        'Stalled',
      ],
      [
        'an address in no pool',
        (history) => history.service('web', claim('203.0.113.1')),
        'False AddressNotInPool',
        'Stalled',
      ],
    ];
  for (const [scenario, prepare, ready, kstatus] of obstacles) {
    it(`with ${scenario} says so, to people and to tools`, () => {
      const history = served();
      history.settle({ directors: ['a'] });
      prepare(history);
      history.write(history.decide());
      assert.equal(history.condition('web', 'Ready'), ready);
      assert.equal(history.condition('web', kstatus), ready.replace('False', 'True'));
      const other = kstatus === 'Stalled' ? 'Reconciling' : 'Stalled';
      assert.equal(history.condition('web', other), undefined);
    });
  }

  it('keeps what was accepted when its new spec is refused, and finds its address again', () => {
    const history = served();
    history.settle({ directors: ['a'] });
    history.service('blocker', claim('192.0.2.11', 443));
    history.settle({ directors: ['a'] });
    history.service('web', claim('192.0.2.11', 443));
    history.settle({ directors: ['a'] });
    assert.equal(history.condition('web', 'Accepted'), 'False Conflicted');
    assert.equal(history.condition('web', 'Stalled'), 'True Conflicted');
    assert.deepEqual(history.vips('web'), ['192.0.2.10']);
    assert.equal(history.status('web').portList, '80/TCP');
    history.failOver();
    history.settle({ directors: ['a'] });
    assert.deepEqual(history.vips('web'), ['192.0.2.10']);
    history.service('web', { ports: [{ port: 81 }] });
    history.settle({ directors: ['a'] });
    assert.equal(history.condition('web', 'Ready'), 'True Ready');
    assert.deepEqual(history.vips('web'), ['192.0.2.10'], 'from the pool again, and the same');
    assert.equal(history.status('web').portList, '81/TCP');
  });

  it('loses what it had when the right to it is withdrawn', () => {
    const history = served();
    history.settle({ directors: ['a'] });
    history.pool('public', ['192.0.2.10-192.0.2.12'], { namespaces: ['other'], default: true });
    history.settle({ directors: ['a'] });
    assert.deepEqual(history.vips('web'), []);
    assert.equal(history.condition('web', 'AddressAssigned'), 'False NoDefaultPool');
  });

  it('keeps its address when the pool shrinks under it, and both say so', () => {
    const history = served();
    history.settle({ directors: ['a'] });
    history.pool('public', ['192.0.2.100-192.0.2.101']);
    history.settle({ directors: ['a'] });
    assert.deepEqual(history.vips('web'), ['192.0.2.10']);
    assert.equal(history.condition('web', 'AddressAssigned'), 'True OutsidePool');
    const outside = JSON.stringify(history.poolStatus('public'));
    assert.match(outside, /"type":"OutsidePool","status":"True"/);
    assert.match(outside, /192\.0\.2\.10 \(shop\/web\)/);
    history.failOver();
    history.settle({ directors: ['a'] });
    assert.deepEqual(history.vips('web'), ['192.0.2.10']);
    history.pool('public', ['192.0.2.10-192.0.2.12']);
    history.settle({ directors: ['a'] });
    assert.doesNotMatch(JSON.stringify(history.poolStatus('public')), /OutsidePool/);
    assert.equal(history.condition('web', 'AddressAssigned'), 'True Assigned');
  });

  it('tells how many addresses a pool has and has given', () => {
    const history = served();
    history.pool('public', ['192.0.2.10-192.0.2.12', '192.0.2.12/31', '2001:db8::/64']);
    history.settle({ directors: ['a'] });
    assert.deepEqual(history.poolStatus('public')['counts'], {
      addresses: String(4n + 2n ** 64n),
      allocated: 1,
      quarantined: 0,
    });
  });

  it('is not given what a tenant wrote into its status', () => {
    const history = served();
    history.settle({ directors: ['a'] });
    history.service('thief', claim('192.0.2.12'));
    history.settle({ directors: ['a'] });
    const forged = history.status('thief');
    history.setStatus('VirtualService', 'shop/thief', {
      ...forged,
      addresses: [{ ip: '192.0.2.10', since: '2020-01-01T00:00:00Z' }],
    });
    history.settle({ directors: ['a'] });
    assert.deepEqual(history.vips('thief'), ['192.0.2.12']);
    assert.deepEqual(history.vips('web'), ['192.0.2.10']);
  });
});

describe('two VirtualServices that want one VIP and port', () => {
  it('are settled by age, then uid, and the loser learns who has it', () => {
    const history = new History();
    history.pool('public', ['192.0.2.10']);
    history.director('a');
    history.nowMs += 5000;
    history.service('younger', claim('192.0.2.10'));
    history.nowMs -= 5000;
    history.service('older', claim('192.0.2.10'));
    history.settle({ directors: ['a'] });
    assert.equal(history.condition('older', 'Accepted'), 'True Accepted');
    assert.equal(history.condition('younger', 'Accepted'), 'False Conflicted');
    const message = history.status('younger').conditions.find(({ type }) => type === 'Accepted')?.message;
    assert.match(message ?? '', /shop\/older/);
  });

  it('leave it with the incumbent, through a failover too', () => {
    const history = new History();
    history.pool('public', ['192.0.2.10']);
    history.director('a');
    history.nowMs += 5000;
    history.service('incumbent', claim('192.0.2.10'));
    history.settle({ directors: ['a'] });
    history.nowMs -= 5000;
    history.service('older', claim('192.0.2.10'));
    history.settle({ directors: ['a'] });
    history.failOver();
    history.settle({ directors: ['a'] });
    assert.equal(history.condition('incumbent', 'Accepted'), 'True Accepted');
    assert.equal(history.condition('older', 'Accepted'), 'False Conflicted');
  });

  it('pass it on when the holder goes, without anybody touching the other', () => {
    const history = new History();
    history.pool('public', ['192.0.2.10']);
    history.director('a');
    history.service('first', claim('192.0.2.10'));
    history.service('second', claim('192.0.2.10'));
    history.settle({ directors: ['a'] });
    history.remove('VirtualService', 'shop/first');
    history.settle({ directors: ['a'] });
    assert.deepEqual(history.vips('second'), ['192.0.2.10']);
    assert.equal(history.condition('second', 'Accepted'), 'True Accepted');
  });

  it('share the address when their ports differ, at once', () => {
    const history = served();
    history.service('one', claim('192.0.2.12', 80));
    history.settle({ directors: ['a'] });
    history.service('two', claim('192.0.2.12', 443));
    history.write(history.decide());
    assert.deepEqual(history.vips('two'), ['192.0.2.12']);
  });
});
