import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { describe, it } from 'node:test';
import { Metrics, labels, metricGroups, withLabels } from '../../src/metrics/index.ts';
import type { MetricDefinitions } from '../../src/metrics/index.ts';
import { parseExposition } from './exposition.ts';

const definitions = {
  plain_total: { type: 'counter', help: 'Plain.' },
  seeded_total: {
    type: 'counter',
    help: 'Seeded.',
    labels: ['code'],
    seeds: [{ code: 'a' }, { code: 'b' }],
  },
  open_total: { type: 'counter', help: 'Not known before.', labels: ['name'] },
  level: { type: 'gauge', help: 'A level\\ of "water".' },
  levels: { type: 'gauge', help: 'Levels.', labels: ['where', 'what'] },
  took_seconds: { type: 'histogram', help: 'Time.', buckets: [0.1, 1] },
  each_seconds: { type: 'histogram', help: 'Time.', labels: ['kind'], seeds: [{ kind: 'x' }], buckets: [1] },
} as const satisfies MetricDefinitions;

async function read(metrics: Metrics<typeof definitions>): Promise<string> {
  let text = '';
  for await (const part of metrics.text()) text += part;
  return text;
}

describe('metrics', () => {
  it('of errors are at zero from the start, and gauges that nobody knows are absent', async () => {
    const text = await read(new Metrics(definitions));
    assert.deepEqual(
      [...parseExposition(text).samples],
      [
        ['plain_total', 0],
        ['seeded_total{code="a"}', 0],
        ['seeded_total{code="b"}', 0],
        ['took_seconds_bucket{le="0.1"}', 0],
        ['took_seconds_bucket{le="1"}', 0],
        ['took_seconds_bucket{le="+Inf"}', 0],
        ['took_seconds_sum', 0],
        ['took_seconds_count', 0],
        ['each_seconds_bucket{kind="x",le="1"}', 0],
        ['each_seconds_bucket{kind="x",le="+Inf"}', 0],
        ['each_seconds_sum{kind="x"}', 0],
        ['each_seconds_count{kind="x"}', 0],
      ],
    );
  });

  it('are what was counted, observed and provided', async () => {
    const metrics = new Metrics(definitions);
    metrics.count('plain_total', {});
    metrics.count('plain_total', {}, 2);
    metrics.count('seeded_total', { code: 'b' });
    metrics.count('seeded_total', { code: 'new' });
    metrics.count('open_total', { name: 'x' });
    for (const seconds of [0.05, 0.1, 0.5, 7]) metrics.observe('took_seconds', {}, seconds);
    metrics.provideValue('level', () => Number.POSITIVE_INFINITY);
    metrics.provide('levels', () => [
      [labels({ where: 'here', what: 'a "b" \\ \n c' }), 1.5],
      [labels({ where: 'there', what: '' }), 2n ** 63n],
    ]);
    const { samples, types, help } = parseExposition(await read(metrics));
    assert.equal(samples.get('plain_total'), 3);
    assert.equal(samples.get('seeded_total{code="a"}'), 0);
    assert.equal(samples.get('seeded_total{code="b"}'), 1);
    assert.equal(samples.get('seeded_total{code="new"}'), 1);
    assert.equal(samples.get('open_total{name="x"}'), 1);
    assert.equal(samples.get('took_seconds_bucket{le="0.1"}'), 2);
    assert.equal(samples.get('took_seconds_bucket{le="1"}'), 3);
    assert.equal(samples.get('took_seconds_bucket{le="+Inf"}'), 4);
    assert.equal(samples.get('took_seconds_sum'), 7.65);
    assert.equal(samples.get('level'), Number.POSITIVE_INFINITY);
    assert.equal(samples.get('levels{where="here",what="a \\"b\\" \\\\ \\n c"}'), 1.5);
    assert.equal(samples.get('levels{where="there",what=""}'), 2 ** 63);
    assert.equal(types.get('took_seconds'), 'histogram');
    assert.equal(help.get('level'), 'A level\\\\ of "water".');
  });

  it('that are provided take the place of the zero they began at', async () => {
    const metrics = new Metrics(definitions);
    metrics.provide('seeded_total', () => [[labels({ code: 'a' }), 7]]);
    metrics.provideValue('plain_total', () => 5);
    const { samples } = parseExposition(await read(metrics));
    assert.deepEqual(
      [
        samples.get('seeded_total{code="a"}'),
        samples.get('seeded_total{code="b"}'),
        samples.get('plain_total'),
      ],
      [7, 0, 5],
    );
  });

  it('end with what they are about', async () => {
    const metrics = new Metrics(definitions);
    let there = ['a', 'b'];
    metrics.provide('levels', () => there.map((where) => [labels({ where, what: 'x' }), 1]));
    assert.match(await read(metrics), /where="b"/);
    there = ['a'];
    assert.doesNotMatch(await read(metrics), /where="b"/);
  });

  it('are prepared before each reading; what goes wrong then ends it', async () => {
    const metrics = new Metrics(definitions);
    let prepared = 0;
    metrics.prepare(async () => {
      await Promise.resolve();
      prepared++;
    });
    metrics.provideValue('level', () => prepared);
    await read(metrics);
    assert.equal(parseExposition(await read(metrics)).samples.get('level'), 2);
    metrics.prepare(() => Promise.reject(new Error('no')));
    await assert.rejects(read(metrics), /^Error: no$/);
  });

  it('of ten thousand things are told in slices that hold up the event loop for a moment only', async () => {
    const metrics = new Metrics(definitions);
    const texts = Array.from({ length: 80_000 }, (_, number) =>
      withLabels(labels({ where: `TCP 192.0.2.10:${number}` }), { what: `198.51.100.1:${number}` }),
    );
    metrics.provide('levels', () => texts.map((text, value) => [text, value]));
    let longestMs = 0;
    let parts = 0;
    let length = 0;
    let fromMs = performance.now();
    for await (const part of metrics.text()) {
      longestMs = Math.max(longestMs, performance.now() - fromMs);
      parts++;
      length += part.length;
      fromMs = performance.now();
    }
    assert.ok(parts > 100, String(parts));
    assert.ok(length > 4_000_000, String(length));
    // A second is what one that does not yield takes here.
    assert.ok(longestMs < 250, `${longestMs} ms`);
  });
});

describe('the definitions', () => {
  const all = metricGroups.flatMap(({ metrics }) => Object.entries(metrics));

  it('are unique, and explained in a sentence', () => {
    assert.ok(all.length > 60);
    assert.equal(new Set(all.map(([name]) => name)).size, all.length);
    for (const [name, { help }] of all) assert.match(help, /^[A-Z0-9'].*[.]$/, name);
  });

  it('follow the conventions of Prometheus', () => {
    for (const [name, { type, labels: names = [], buckets, seeds = [] }] of all) {
      assert.match(name, /^(?:lvs_(?:director|controller|operator)|process|nodejs)_[a-z0-9_]+[a-z]$/);
      assert.equal(name.endsWith('_total'), type === 'counter', name);
      assert.doesNotMatch(name, /_(?:ms|milliseconds|minutes|kb|percent|count|sum|bucket)(?:_|$)/, name);
      for (const label of names) assert.match(label, /^[a-z][a-z_]*$/, name);
      assert.equal(buckets !== undefined, type === 'histogram', name);
      assert.deepEqual(
        buckets,
        buckets?.toSorted((a, b) => a - b),
      );
      for (const seed of seeds) assert.deepEqual(Object.keys(seed), names, name);
    }
  });

  it('are those that docs/metrics.md lists', () => {
    const text = readFileSync('docs/metrics.md', 'utf8');
    const listed = [...text.matchAll(/^\| `([a-z_]+)` \| (counter|gauge|histogram) \|/gm)].map(
      ([, name, type]) => [name, type],
    );
    assert.deepEqual(
      listed,
      all.map(([name, { type }]) => [name, type]),
    );
  });
});
