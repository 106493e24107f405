import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Condition } from '../../src/api/index.ts';
import { TurnEvents } from '../../src/controller/turn-events.ts';

describe('events of a service', () => {
  const regarding = { apiVersion: 'v1', kind: 'VirtualService', name: 'web', uid: '1' };
  const of = (type: string, status: 'True' | 'False', reason: string): Condition => ({
    type,
    status,
    reason,
    message: reason,
    lastTransitionTime: '2026-01-01T00:00:00Z',
  });
  const health = (status: 'True' | 'False', reason: string) => [of('RealServersAvailable', status, reason)];
  const serving = health('True', 'Serving');
  const degraded = health('True', 'Degraded');
  const nobody = health('False', 'NoneUp');

  let told: string[];
  let settle: () => void;
  let events: TurnEvents;
  beforeEach(() => {
    told = [];
    const due: (() => void)[] = [];
    settle = () => {
      for (const callback of due.splice(0)) callback();
    };
    events = new TurnEvents(
      { record: ({ type, reason, note }) => void told.push(`${type} ${reason}: ${note}`) },
      { after: (_, callback) => (due.push(callback), () => {}) },
    );
  });

  it('are one when all of its servers fail, though they are found out one after another', () => {
    events.tell(regarding, serving, degraded);
    events.tell(regarding, degraded, health('False', 'QuorumLost'));
    events.tell(regarding, health('False', 'QuorumLost'), nobody);
    assert.deepEqual(told, []);
    settle();
    assert.deepEqual(told, ['Warning RealServersUnavailable: NoneUp']);
    events.tell(regarding, nobody, serving);
    assert.deepEqual(told.slice(1), ['Normal RealServersAvailable: Serving'], 'what is good is told at once');
  });

  it('are none when it was over at once', () => {
    events.tell(regarding, serving, degraded);
    events.tell(regarding, degraded, serving);
    settle();
    assert.deepEqual(told, []);
  });

  it('are two when it gets worse later', () => {
    events.tell(regarding, serving, degraded);
    settle();
    events.tell(regarding, degraded, nobody);
    settle();
    assert.deepEqual(told, [
      'Warning RealServersFailing: Degraded',
      'Warning RealServersUnavailable: NoneUp',
    ]);
  });

  it('wait for nothing when they are about something else', () => {
    events.tell(regarding, [], [of('Programmed', 'True', 'Programmed'), ...nobody]);
    assert.deepEqual(told, ['Normal Programmed: Programmed']);
  });
});
