import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import path from 'node:path';
import { before, beforeEach, describe, it } from 'node:test';
import { makeCertificate } from '../kube/certificates.ts';
import { onEveryServer } from './environment.ts';
import { kubectlFor } from './kubectl.ts';
import type { Kubectl, Ran } from './kubectl.ts';
import { startApiServer } from './start-api-server.ts';

const examples = globSync('*.yaml', { cwd: path.join(import.meta.dirname, '../../examples') }).length;

onEveryServer('kubectl', (server) => {
  let anywhere: Kubectl;
  before(() => {
    anywhere = server.kubectl();
  });
  /** kubectl in the namespace of the suite. */
  const kubectl = (args: readonly string[], input?: string): Promise<Ran> =>
    anywhere(['-n', server.namespace, ...args], input);

  async function good(...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await kubectl(args);
    assert.equal(status, 0, `${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  const withInput = (input: string, ...args: string[]): Promise<Ran> => kubectl([...args, '-f', '-'], input);
  const yaml = (scheduler: string, extra = '') => `apiVersion: networking.lvs-operator.io/v1alpha1
kind: VirtualService
metadata:
  name: try
spec:
  scheduler: ${scheduler}
  ports:
    - port: 80
${extra}`;

  /** Resource versions of all examples. */
  const versions = () => good('get', '-f', 'examples', '-o', 'jsonpath={.items[*].metadata.resourceVersion}');

  beforeEach(async () => {
    await good('delete', 'lvsvs,lvsrs', '--all', '--wait=false');
    await good('delete', '-f', 'examples', '--ignore-not-found', '--wait=false');
  });

  it('apply of all examples creates them, and the second time changes nothing', async () => {
    const first = await good('apply', '-f', 'examples');
    assert.ok(first.split('\n').length > examples, first);
    assert.match(first, /^virtualservice\.networking\.lvs-operator\.io\/web created$/m);
    assert.doesNotMatch(first, /unchanged|configured/);
    // The default of a status is in what is read, and in the store from the first write on.
    await good('apply', '-f', 'examples');
    const before = await versions();
    // kubectl says "configured" where a list has entries with defaults, which it does not know; nothing is written.
    assert.match(await good('apply', '-f', 'examples'), /^realserver.*\/web unchanged$/m);
    assert.equal(await versions(), before);
  });

  it('apply --server-side of all examples does, too, and after a client-side apply', async () => {
    assert.match(await good('apply', '--server-side', '-f', 'examples'), /web serverside-applied/);
    await good('apply', '--server-side', '-f', 'examples');
    const before = await versions();
    await good('apply', '--server-side', '-f', 'examples');
    assert.equal(await versions(), before, 'nothing was written');

    await good('delete', '-f', 'examples', '--wait=false');
    await good('apply', '-f', 'examples');
    await good('apply', '--server-side', '-f', 'examples');
    const shown = ['-o', 'jsonpath={.metadata.managedFields[*].manager}', '--show-managed-fields'];
    const managers = await good('get', 'lvsvs', 'web', ...shown);
    assert.match(managers, /\bkubectl\b/);
    assert.doesNotMatch(managers, /client-side/);
  });

  it('apply of a change is a patch, which removes what is no longer written', async () => {
    assert.equal((await withInput(yaml('rr', '  persistence: {}\n'), 'apply')).status, 0);
    assert.match((await withInput(yaml('lc'), 'apply')).stdout, /configured/);
    const spec = JSON.parse(await good('get', 'lvsvs', 'try', '-o', 'jsonpath={.spec}')) as Record<
      string,
      unknown
    >;
    assert.equal(spec['scheduler'], 'lc');
    assert.equal(spec['persistence'], undefined);
  });

  it('an unknown field is refused', async () => {
    const { status, stderr } = await withInput(yaml('rr', '  colour: red\n'), 'apply');
    assert.equal(status, 1);
    assert.match(stderr, /BadRequest.*strict decoding error: unknown field "spec\.colour"/);
  });

  it('an unknown field is a warning where the user wants no more', async () => {
    const { status, stderr } = await withInput(yaml('rr', '  colour: red\n'), 'apply', '--validate=warn');
    assert.equal(status, 0);
    assert.match(stderr, /Warning: unknown field "spec\.colour"/);
  });

  it('what a rule refuses is told field by field', async () => {
    const { status, stderr } = await withInput(yaml('rr', '  onePacket: true\n'), 'apply');
    assert.equal(status, 1);
    assert.match(stderr, /is invalid: spec\.onePacket: Forbidden: works for UDP only, and port 80 is TCP/);
  });

  it('another owner of a field is a conflict, until it is forced', async () => {
    assert.equal((await withInput(yaml('rr'), 'apply', '--server-side', '--field-manager=a')).status, 0);
    const { status, stderr } = await withInput(yaml('lc'), 'apply', '--server-side', '--field-manager=b');
    assert.equal(status, 1);
    assert.match(stderr, /conflict with "a".*: \.spec\.scheduler/);
    const forced = await withInput(
      yaml('lc'),
      'apply',
      '--server-side',
      '--field-manager=b',
      '--force-conflicts',
    );
    assert.equal(forced.status, 0, forced.stderr);
  });

  it('get knows short names, the category and the columns', async () => {
    await good('apply', '-f', 'examples/web.yaml', '-f', 'examples/address-pool.yaml');
    const [head, row] = (await good('get', 'lvsvs')).split('\n');
    assert.match(head ?? '', /^NAME +VIP +PORTS +SCHEDULER +FORWARDING +REAL-SERVERS +READY +AGE$/);
    assert.match(row ?? '', /^web +wlc +NAT +Unknown +\d+s$/);
    assert.match(await good('get', 'lvsvs', '-o', 'wide'), /GROUPING.*\n.*Together.*600/);
    const everything = await good('get', 'lvs');
    for (const kind of ['virtualservice', 'realserver', 'addresspool']) {
      assert.match(everything, new RegExp(`^${kind}\\.networking\\.lvs-operator\\.io/`, 'm'));
    }
    assert.equal((await kubectl(['get', 'lvsvs', 'absent'])).status, 1);
    const selected = await good(
      'get',
      'lvsrs',
      '--field-selector',
      'spec.virtualServiceRef.name=web',
      '-o',
      'name',
    );
    assert.equal(selected.trim(), 'realserver.networking.lvs-operator.io/web');
  });

  it('explain reads the descriptions', async () => {
    const said = await good('explain', 'virtualservice.spec.ports.port');
    assert.match(said, /FIELD: port <integer>/);
    assert.match(said, /Port that clients connect to/);
    assert.match(await good('explain', 'lvspool.spec'), /realServerCIDRs/);
  });

  it('wait sees a condition that comes later', async () => {
    assert.equal((await withInput(yaml('rr'), 'apply')).status, 0);
    const waiting = good('wait', '--for=condition=Ready', '--timeout=20s', 'lvsvs/try');
    const conditions = ['True'].map((status) => ({
      type: 'Ready',
      status,
      reason: 'Programmed',
      message: 'It is served.',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    }));
    const patch = JSON.stringify({ status: { conditions } });
    await good('patch', 'lvsvs', 'try', '--subresource=status', '--type=merge', '-p', patch);
    assert.match(await waiting, /condition met/);
  });

  it('wait sees a deletion, and delete waits for finalizers', async () => {
    const finalized = yaml('rr').replace('name: try', 'name: try\n  finalizers: [example.org/wait]');
    assert.equal((await withInput(finalized, 'apply')).status, 0);
    const deleting = good('delete', 'lvsvs', 'try', '--timeout=20s');
    const waiting = good('wait', '--for=delete', '--timeout=20s', 'lvsvs/try');
    await good('patch', 'lvsvs', 'try', '--type=merge', '-p', '{"metadata":{"finalizers":null}}');
    assert.match(await deleting, /deleted/);
    await waiting;
    assert.equal((await kubectl(['get', 'lvsvs', 'try'])).status, 1);
  });

  it('describe shows the object and its events', async () => {
    assert.equal((await withInput(yaml('rr'), 'apply')).status, 0);
    const uid = await good('get', 'lvsvs', 'try', '-o', 'jsonpath={.metadata.uid}');
    const event = {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: 'try.1', namespace: server.namespace },
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'lvs-operator.io/controller',
      reportingInstance: 'controller-0',
      action: 'Allocate',
      reason: 'AddressAssigned',
      regarding: {
        apiVersion: 'networking.lvs-operator.io/v1alpha1',
        kind: 'VirtualService',
        name: 'try',
        namespace: server.namespace,
        uid,
      },
      note: 'It has 192.0.2.1.',
      type: 'Normal',
    };
    const made = await kubectl(['create', '-f', '-'], JSON.stringify(event));
    assert.equal(made.status, 0, made.stderr);
    const said = await good('describe', 'lvsvs', 'try');
    assert.match(said, /Scheduler: +rr/);
    assert.match(said, /AddressAssigned.*It has 192\.0\.2\.1\./);
  });

  it('dry-run by the server says what would be and stores nothing', async () => {
    const { stdout } = await withInput(yaml('rr'), 'apply', '--dry-run=server', '-o', 'json');
    assert.match(stdout, /"portGrouping": "Separate"/);
    assert.equal((await kubectl(['get', 'lvsvs', 'try'])).status, 1);
  });

  it('works on built-in kinds', async () => {
    // Commands such as "create namespace" speak protobuf, which the server in the process does not.
    const shop = server.clusterName('shop');
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: shop } };
    const settings = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings', namespace: shop } };
    for (const object of [namespace, settings]) {
      const made = await anywhere(['apply', '-f', '-'], JSON.stringify(object));
      assert.equal(made.status, 0, made.stderr);
    }
    await good('-n', shop, 'label', 'configmap', 'settings', 'app=web');
    assert.match(await good('-n', shop, 'get', 'cm', '-l', 'app=web', '-o', 'name'), /settings/);
    await good('delete', 'namespace', shop, `--wait=${server.collectsGarbage}`, '--timeout=20s');
    const { stdout } = await kubectl(['get', 'namespace', shop, '-o', 'jsonpath={.status.phase}']);
    assert.equal(stdout, server.collectsGarbage ? '' : 'Terminating');
  });
});

describe('kubectl over TLS', () => {
  it('trusts the certificate of the server and its tokens, until both are replaced', async () => {
    const tokens = new Map([['first', { username: 'admin', groups: [] }]]);
    const server = await startApiServer({ tls: makeCertificate('first'), tokens });
    const versionWith = async (kubectl: Kubectl) => (await kubectl(['get', '--raw', '/version'])).status;
    const as = (token: string) => kubectlFor({ kubeconfig: server.kubeconfig(token) });
    const [good, stranger] = [as('first'), as('other')];
    try {
      assert.equal(await versionWith(good), 0);
      assert.match((await stranger(['get', 'lvsvs'])).stderr, /must be logged in|Unauthorized/);
      server.setCertificate(makeCertificate('second'));
      assert.match((await good(['get', '--raw', '/version'])).stderr, /certificate/);
      using again = as('first');
      assert.equal(await versionWith(again), 0);
    } finally {
      good[Symbol.dispose]();
      stranger[Symbol.dispose]();
      await server.close();
    }
  });
});
