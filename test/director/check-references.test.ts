import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Logger } from '../../src/base/index.ts';
import { CheckReferences } from '../../src/director/check-references.ts';
import type { ReferenceUse } from '../../src/director/check-references.ts';
import { DirectorHealth, knownVerdicts } from '../../src/director/director-health.ts';
import { probeKey, tlsOf } from '../../src/health/index.ts';
import type { Check, Question } from '../../src/health/index.ts';
import { KubeError } from '../../src/kube/index.ts';
import type { KubeObject, ObjectName, ResourceType } from '../../src/kube/index.ts';
import { probe } from '../health/checks.ts';
import { makeCertificate } from '../kube/certificates.ts';
import { FakeTime, settle } from '../kube/fake-time.ts';
import { desire, facts, realServer, virtualService } from '../plan/world.ts';

const certificate = makeCertificate('server');
const expired = makeCertificate('late', '210101000000Z');
const question: Question = {
  type: 'http',
  method: 'GET',
  path: '/',
  headers: [],
  statuses: [[200, 399]],
  tls: {
    isVerified: true,
    minVersion: 'TLSv1.2',
    references: { caBundle: { name: 'ca', key: 'ca.crt' }, clientCertificate: { name: 'client' } },
  },
};
const use: ReferenceUse = {
  object: { kind: 'VirtualService', namespace: 'shop', name: 'web' },
  namespace: 'shop',
  references: tlsOf(question)?.references ?? {},
};
const base64 = (text: string) => Buffer.from(text).toString('base64');
const configMap = (pem: string, key = 'ca.crt'): KubeObject => ({
  metadata: { name: 'ca' },
  data: { [key]: pem },
});
const secret = ({ cert, key }: { cert: string; key: string }, type = 'kubernetes.io/tls'): KubeObject => ({
  metadata: { name: 'client' },
  type,
  data: { 'tls.crt': base64(cert), 'tls.key': base64(key) },
});
const refused = (status: number) =>
  new KubeError(status === 404 ? 'LVS_KUBE_NOT_FOUND' : 'LVS_KUBE_DENIED', 'no', {
    operation: 'GET',
    status,
  });
const away = new KubeError('LVS_KUBE_TIMEOUT', 'no answer', { operation: 'GET' });

/** An API server that holds a ConfigMap and a Secret, or says why not. */
class Rig {
  readonly time = new FakeTime();
  readonly logged: string[] = [];
  readonly logger: Logger = {
    debug: () => {},
    info: () => {},
    error: () => {},
    warn: (...line) => this.logged.push(JSON.stringify(line)),
    child: () => this.logger,
  };
  readonly asked: string[] = [];
  answers: Record<'ConfigMap' | 'Secret', KubeObject | KubeError> = {
    ConfigMap: configMap(certificate.cert),
    Secret: secret(certificate),
  };
  changes = 0;
  readonly references = new CheckReferences({
    client: {
      get: ({ kind }: ResourceType, { namespace, name }: ObjectName) => {
        this.asked.push(`${kind} ${namespace}/${name}`);
        const answer = this.answers[kind as 'ConfigMap' | 'Secret'];
        return answer instanceof KubeError ? Promise.reject(answer) : Promise.resolve(answer);
      },
    },
    timers: this.time,
    random: () => 0.5,
    logger: this.logger,
    onChange: () => this.changes++,
  });

  async pass(ms: number): Promise<void> {
    this.time.advance(ms);
    await settle();
  }

  filled() {
    const tls = tlsOf(this.references.fill(question, 'shop'));
    return tls?.references === undefined ? tls : undefined;
  }

  reasons(): readonly string[] {
    return this.references.problems.map(({ reason }) => reason);
  }
}

async function reading(change: (rig: Rig) => void = () => {}): Promise<Rig> {
  const rig = new Rig();
  change(rig);
  rig.references.want([use]);
  assert.equal(rig.filled(), undefined, 'nothing is asked before it was read');
  await rig.pass(1);
  return rig;
}

describe('what health checks refer to', () => {
  it('is fetched by name, and filled in as the same question each time', async () => {
    const rig = await reading();
    assert.deepEqual(rig.asked, ['ConfigMap shop/ca', 'Secret shop/client']);
    assert.equal(rig.filled()?.caBundle, certificate.cert);
    assert.deepEqual(rig.filled()?.clientCertificate, {
      certificate: certificate.cert,
      key: certificate.key,
    });
    assert.equal(rig.references.fill(question, 'shop'), rig.references.fill(question, 'shop'));
    assert.deepEqual(rig.references.problems, []);
    assert.equal(tlsOf(rig.references.fill(question, 'other'))?.references, tlsOf(question)?.references);
  });

  it('stands in no key of a probe', async () => {
    const rig = await reading();
    const key = probeKey(probe('192.0.2.1', rig.references.fill(question, 'shop')));
    assert.doesNotMatch(key, /PRIVATE KEY|BEGIN/);
    rig.answers.Secret = secret(expired);
    await rig.pass(61_000);
    assert.notEqual(probeKey(probe('192.0.2.1', rig.references.fill(question, 'shop'))), key);
  });

  it('is fetched again each minute, and is news only when it changes', async () => {
    const rig = await reading();
    const { changes } = rig;
    const before = rig.references.fill(question, 'shop');
    await rig.pass(61_000);
    assert.equal(rig.asked.length, 4);
    assert.equal(rig.changes, changes);
    assert.equal(rig.references.fill(question, 'shop'), before);
    rig.answers.Secret = secret(expired);
    await rig.pass(61_000);
    assert.equal(rig.changes, changes + 1);
    assert.equal(rig.filled()?.clientCertificate?.certificate, expired.cert);
  });

  it('that a director may not get is said, with what to do, and tried again soon', async () => {
    const rig = await reading(({ answers }) => (answers.Secret = refused(403)));
    assert.deepEqual(rig.reasons(), ['CheckReferenceDenied']);
    const [problem] = rig.references.problems;
    const message = problem?.message ?? '';
    assert.deepEqual(problem?.object, use.object);
    assert.match(
      message,
      /^healthCheck: clientCertificateRef: this director may not get Secret client; bind the ClusterRole /,
    );
    assert.match(message, /are not asked, and keep the verdicts they have\.$/);
    assert.equal(rig.filled(), undefined);
    assert.equal(rig.logged.length, 1);
    rig.answers.Secret = secret(certificate);
    await rig.pass(16_000);
    assert.deepEqual(rig.references.problems, []);
    assert.ok(rig.filled());
  });

  it('is forgotten when the API server says that it is gone, or that the right is', async () => {
    for (const [status, reason] of [
      [404, 'CheckReferenceNotFound'],
      [403, 'CheckReferenceDenied'],
    ] as const) {
      const rig = await reading();
      rig.answers.Secret = refused(status);
      await rig.pass(61_000);
      assert.deepEqual([rig.reasons(), rig.filled()], [[reason], undefined]);
    }
  });

  it('stands while the API server does not answer, or does not know us', async () => {
    for (const answer of [away, refused(401)]) {
      const rig = await reading();
      rig.answers = { ConfigMap: answer, Secret: answer };
      await rig.pass(61_000);
      assert.ok(rig.filled());
      assert.deepEqual(rig.references.problems, []);
    }
    const late = await reading((rig) => (rig.answers.ConfigMap = away));
    assert.deepEqual(late.reasons(), ['CheckReferenceUnread']);
  });

  const broken: [scenario: string, answers: Partial<Rig['answers']>, message: RegExp][] = [
    [
      'a ConfigMap without the entry',
      { ConfigMap: configMap('x', 'other') },
      /ConfigMap ca has no entry ca\.crt/,
    ],
    [
      'an entry that is no PEM',
      { ConfigMap: configMap('secret words') },
      /ConfigMap ca holds no certificates in PEM/,
    ],
    [
      'an entry beyond all bounds',
      { ConfigMap: configMap('x'.repeat(300_000)) },
      /holds more than 262144 characters/,
    ],
    [
      'a Secret of another type',
      { Secret: secret(certificate, 'Opaque') },
      /Secret client is not of type kubernetes\.io\/tls/,
    ],
    [
      'a key of another certificate',
      { Secret: secret({ ...certificate, key: expired.key }) },
      /not the one of its certificate/,
    ],
    [
      'a Secret without anything',
      { Secret: secret({ cert: '', key: '' }) },
      /Secret client holds no certificate in PEM/,
    ],
  ];
  for (const [scenario, answers, message] of broken) {
    it(`${scenario}: is said, without a byte of it; what was read before is used`, async () => {
      const fresh = await reading((rig) => (rig.answers = { ...rig.answers, ...answers }));
      assert.deepEqual([fresh.reasons(), fresh.filled()], [['CheckReferenceUnusable'], undefined]);
      assert.match(fresh.references.problems[0]?.message ?? '', message);
      assert.doesNotMatch(
        JSON.stringify([fresh.references.problems, fresh.logged]),
        /BEGIN|secret words|xxx/,
      );

      const rig = await reading();
      rig.answers = { ...rig.answers, ...answers };
      await rig.pass(61_000);
      assert.deepEqual(rig.reasons(), ['CheckReferenceUnusable']);
      assert.match(rig.references.problems[0]?.message ?? '', /What was read before is used\.$/);
      assert.ok(rig.filled());
    });
  }

  it('is let go of when no check refers to it', async () => {
    const rig = await reading();
    rig.references.want([]);
    assert.equal(rig.filled(), undefined);
    await rig.pass(600_000);
    assert.equal(rig.asked.length, 2);
    assert.deepEqual(rig.time.delaysMs, []);
  });

  it('is not asked for after the end', async () => {
    const rig = await reading();
    rig.references.close();
    assert.deepEqual([rig.filled(), rig.time.delaysMs], [undefined, []]);
  });
});

describe('a director whose checks refer to something', () => {
  const desired = (initialState: 'Down' | 'Up' = 'Down') =>
    desire({
      virtualServices: [
        virtualService('web', {
          healthCheck: { https: { tls: { caBundleRef: { name: 'ca' } } }, initialState },
        }),
      ],
      realServers: [realServer('web', 'web', ['10.1.0.1', '10.1.0.2'])],
      facts: {
        ...facts,
        cluster: { nodeAddresses: [], podCidrs: [], serviceCidrs: [], apiServerAddresses: [] },
      },
      realServerSlices: undefined,
    });

  it('asks with what was read, from where the first verdict was', async () => {
    const rig = new Rig();
    const asked: (readonly Check[])[] = [];
    const health = new DirectorHealth({
      verdicts: { ...knownVerdicts(() => undefined), setChecks: (checks) => asked.push(checks) },
      nowMs: () => rig.time.monotonicMs(),
      wallMs: () => rig.time.wallMs(),
      references: rig.references,
    });
    const goal = desired();
    health.judge(goal, new Map(), false);
    assert.equal(tlsOf(asked[0]?.[0]?.probe.question ?? question)?.caBundle, undefined);
    await rig.pass(1);
    health.judge(goal, new Map(), false);
    const checks = asked[1] ?? [];
    assert.equal(asked.length, 2);
    assert.equal(tlsOf(checks[0]?.probe.question ?? question)?.caBundle, certificate.cert);
    assert.equal(checks[0]?.probe.question, checks[1]?.probe.question, 'one question for all');
    assert.deepEqual(
      checks.map(({ id, beginning }) => [id, beginning]),
      (asked[0] ?? []).map(({ id, beginning }) => [id, beginning]),
    );
    health.judge(goal, new Map(), false);
    assert.equal(asked.length, 2, 'nothing is new');
    rig.answers.ConfigMap = refused(404);
    await rig.pass(61_000);
    const { health: state } = health.judge(goal, new Map(), false);
    assert.deepEqual(
      state.problems.map(({ reason, object }) => [reason, object.name]),
      [['CheckReferenceNotFound', 'web']],
    );
    await health.close();
  });
});
