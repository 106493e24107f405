import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EventLoopWatch } from '../../src/endpoint/index.ts';
import { FakeTime } from '../kube/fake-time.ts';

describe('the watch over the event loop', () => {
  it('counts a hold-up while it lasts, remembers it for ten seconds, and then forgets it', async () => {
    const time = new FakeTime();
    const lags: number[] = [];
    const watch = new EventLoopWatch({ clock: time, timers: time }, (lag) => lags.push(lag));
    watch.start();
    time.advance(5000);
    assert.equal(watch.longestPauseMs(), 0);
    time.pause();
    time.advance(7000);
    assert.equal(watch.longestPauseMs(), 6500, 'the beat of half a second later has not come');
    await time.resume();
    time.advance(10_000);
    assert.equal(watch.longestPauseMs(), 6500);
    time.advance(1000);
    assert.equal(watch.longestPauseMs(), 0);
    assert.equal(Math.max(...lags), 6.5);
    watch.stop();
    time.advance(60_000);
    assert.equal(watch.longestPauseMs(), 0, 'a heart that was stopped says nothing');
    assert.deepEqual(time.delaysMs, []);
  });
});
