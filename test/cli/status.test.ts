import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it } from 'node:test';
import type { DirectorStatus } from '../../src/director/index.ts';
import { temporaryFolder } from '../manifests/temporary-folder.ts';
import { runProduct } from './run-product.ts';

const instant = '2026-01-02T03:04:05Z';

function statusOf(change: Partial<DirectorStatus> = {}): DirectorStatus {
  return {
    version: '1.2.3',
    pid: process.pid,
    startedAt: instant,
    updatedAt: instant,
    kernel: { release: '6.1.0', ipvsVersion: '1.2.1', connectionTableSize: 4096 },
    conditions: [
      { type: 'Ready', status: 'True', reason: 'Served', message: 'fine', lastTransitionTime: instant },
    ],
    source: { description: 'folder examples', listNumber: 7, isComplete: true, readAt: instant },
    virtualServices: [],
    drains: [],
    failing: [],
    problems: [],
    held: undefined,
    counts: {
      virtualServices: 0,
      services: 0,
      realServers: 0,
      drains: 0,
      checked: 0,
      failing: 0,
      problems: 0,
      foreignServices: 0,
    },
    counters: { passes: 1, changes: 2, driftRepairs: 3, refusedOperations: 4 },
    ...change,
  };
}

const web: DirectorStatus['virtualServices'][number] = {
  object: { kind: 'VirtualService', namespace: 'shop', name: 'web' },
  addresses: ['192.0.2.10', '2001:db8::10'],
  ports: ['80/TCP', '443/TCP'],
  scheduler: 'wlc',
  ready: true,
  reason: 'Serving',
  message: '',
  realServers: { serving: 3, quiesced: 1, failing: 0 },
};

async function show(status: DirectorStatus, ...flags: readonly string[]) {
  using folder = temporaryFolder({ 'status.json': JSON.stringify(status) });
  const { code, stdout, stderr } = await runProduct(['status', '--state-dir', folder.path, ...flags]);
  assert.equal(stderr, '');
  return { code, stdout };
}

describe('status', { concurrency: 2 }, () => {
  it('shows one screen and succeeds when everything is served', async () => {
    const counts = { ...statusOf().counts, virtualServices: 2, services: 4, realServers: 12 };
    const { code, stdout } = await show(statusOf({ virtualServices: [web], counts }));
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`^lvs-operator 1\\.2\\.3 director, running as pid ${process.pid}, `));
    assert.match(stdout, /^from folder examples, list 7$/m);
    assert.match(
      stdout,
      /^shop\/web +192\.0\.2\.10,2001:db8::10 +80\/TCP,443\/TCP +wlc +3 \(\+1 quiesced\) +Serving$/m,
    );
    assert.match(stdout, /^ {2}… and 1 more$/m);
    assert.doesNotMatch(stdout, /undefined|Problems/);
  });

  it('lists who fails, since when, and why', async () => {
    const { stdout } = await show(
      statusOf({
        virtualServices: [
          { ...web, reason: 'Degraded', realServers: { serving: 2, quiesced: 1, failing: 1 } },
        ],
        failing: [
          {
            service: 'TCP 192.0.2.10:80',
            realServer: '198.51.100.11:80',
            object: 'RealServer shop/web-1',
            reason: 'ConnectTimeout',
            since: instant,
          },
        ],
        counts: { ...statusOf().counts, virtualServices: 1, failing: 3 },
      }),
    );
    assert.match(stdout, / 2 \(\+1 failing, 1 quiesced\) +Degraded$/m);
    assert.match(stdout, /^198\.51\.100\.11:80 +TCP 192\.0\.2\.10:80 +shop\/web-1 +ConnectTimeout +2026-01/m);
    assert.match(stdout, /^ {2}… and 2 more$/m);
  });

  it('says when the director has ended, and what it left', async () => {
    const { stdout } = await show(statusOf({ pid: 2 ** 22 + 1 }));
    assert.match(stdout, /NOT RUNNING \(last known state\)/);
  });

  it('fails and lists problems, drains and what is held', async () => {
    const notReady = statusOf().conditions.map((condition) => ({ ...condition, status: 'False' as const }));
    const { code, stdout } = await show(
      statusOf({
        conditions: notReady,
        source: { ...statusOf().source, isComplete: false },
        held: { entries: 12, since: instant, message: 'A second list must agree.' },
        problems: [
          { where: 'web.yaml:6:3', object: undefined, severity: 'error', reason: 'Invalid', message: 'bad' },
          { where: 'tun.yaml:1:1', object: undefined, severity: 'warning', reason: 'Mtu', message: 'small' },
        ],
        drains: [
          {
            service: '192.0.2.10:80/TCP',
            realServer: '198.51.100.11:80',
            reason: 'Removed',
            active: 2,
            inactive: 5,
            since: instant,
            deadline: instant,
          },
        ],
      }),
    );
    assert.equal(code, 1);
    assert.match(stdout, /list 7 \(INCOMPLETE\)$/m);
    assert.match(stdout, /^192\.0\.2\.10:80\/TCP +198\.51\.100\.11:80 +Removed +2\/5 /m);
    assert.match(stdout, /^ {2}held since 2026-01-02T03:04:05Z: removal of 12 entries\. A second/m);
    assert.match(stdout, /^ {2}web\.yaml:6:3: bad\n {2}tun\.yaml:1:1: warning: small$/m);
  });

  it('--json prints what the director wrote', async () => {
    const status = statusOf();
    const { code, stdout } = await show(status, '--json');
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout), JSON.parse(JSON.stringify(status)));
  });

  it('without a director asks whether one is running', async () => {
    using folder = temporaryFolder();
    const { code, stdout, stderr } = await runProduct(['status', '--state-dir', folder.path]);
    assert.deepEqual([code, stdout], [1, '']);
    const file = path.join(folder.path, 'status.json');
    assert.equal(
      stderr,
      `lvs-operator status: ${file} cannot be read (ENOENT). Is a director running with this --state-dir?\n`,
    );
  });

  for (const [scenario, text] of [
    ['a damaged file', '{'],
    ['a file of another version', '{"version": "0"}'],
    ['a file with nothing in its parts', JSON.stringify({ ...statusOf(), kernel: null })],
    ['a file that is no object', '[1]'],
  ] as const) {
    it(`takes ${scenario} for what it is`, async () => {
      using folder = temporaryFolder({ 'status.json': text });
      const { code, stdout, stderr } = await runProduct(['status', '--state-dir', folder.path]);
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, /^lvs-operator status: \S+status\.json is not a status of this version [^\n]*\n$/);
    });
  }
});
