import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parse } from 'yaml';
import { nodeType, realServerType } from '../../src/cluster/index.ts';
import { openControlSocket } from '../../src/cli/control-socket.ts';
import type { ControlSocket } from '../../src/cli/control-socket.ts';
import { runCommandLine } from '../../src/cli/run.ts';
import { answerWeightsQuestion } from '../../src/cli/weights-question.ts';
import { leaseType } from '../../src/kube/index.ts';
import type { ResourceType } from '../../src/kube/index.ts';
import { Environment, until } from '../apiserver/environment.ts';
import type { PodExecRequest } from '../apiserver/pod-exec.ts';
import { PodMetrics } from '../apiserver/pod-metrics.ts';
import { ClusterRig } from '../controller/cluster-rig.ts';
import { CountingDirector } from '../controller/counting-director.ts';
import { temporaryFolder } from '../manifests/temporary-folder.ts';

/** Lines that a person can read beside a shell. */
const widest = 100;

const roleType: ResourceType = {
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  plural: 'roles',
  kind: 'Role',
  isNamespaced: true,
};
const roleBindingType: ResourceType = { ...roleType, plural: 'rolebindings', kind: 'RoleBinding' };

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** In this process: a dozen of programs would take their time. */
async function runHere(...args: readonly string[]): Promise<Run> {
  let stdout = '';
  let stderr = '';
  const code = await runCommandLine(args, {
    out: (text) => (stdout += text),
    err: (text) => (stderr += text),
    env: { KUBECONFIG: '/nonexistent' },
    isTerminal: false,
  });
  return { code, stdout, stderr };
}

describe('lvs-operator weights explain', () => {
  const podMetrics = new PodMetrics();
  const executed: PodExecRequest[] = [];
  const temporary = temporaryFolder();
  const controlDirectory = path.join(temporary.path, 'run');
  const environment = new Environment('in-process', {
    podMetrics,
    usesRoles: true,
    // What a container would run; the folder of the socket is that of the one controller there is.
    podExec: async (request) => {
      executed.push(request);
      const [, ...args] = request.command;
      const { stdout, stderr, code } = await runHere(
        ...args.map((word) => (word === '/run/lvs-operator' ? controlDirectory : word)),
      );
      return { stdout, stderr, exitCode: code };
    },
  });
  const director = new CountingDirector('a');
  let rig: ClusterRig;
  let socket: ControlSocket;
  let counting: NodeJS.Timeout;

  before(async () => {
    await environment.open();
    rig = new ClusterRig(environment);
    const endpoint = { port: await director.listen(), certificateSHA256: director.certificateSHA256 };
    await rig.pool('public', { addresses: ['192.0.2.10-192.0.2.19'], default: true });
    await rig.director('a', { endpoint });
    const addresses = [{ type: 'InternalIP', address: '127.0.0.1' }];
    await rig.client.mergePatch(
      nodeType,
      { name: environment.clusterName('a') },
      { status: { addresses } },
      { subresource: 'status' },
    );
    for (const number of [1, 2]) await rig.pod(`web-${number}`, `10.8.0.${number}`, { app: 'web' });
    await rig.pod('controller-1', '10.8.0.9', { app: 'lvs' });
    await rig.virtualService('web', { scheduler: 'wlc', weightPolicy: { type: 'CapacityEstimate' } });
    await rig.realServer('web', 'web', { weight: 50 });
    await rig.virtualService('plain', { scheduler: 'rr' });
    await rig.realServer('plain', 'plain', { weight: 30, podSelector: { matchLabels: { app: 'web' } } });
    const counted = [1, 2].map((number) => director.count(`${rig.namespace}/web`, `10.8.0.${number}`));
    counting = setInterval(() => {
      for (const server of counted) server.total += 5;
      for (const server of counted) server.active = 2;
    }, 100);
    const { controller } = await rig.start({ identity: 'controller-1_of-this-test' });
    socket = await openControlSocket(
      controlDirectory,
      (line) => answerWeightsQuestion(line, controller) ?? 'null',
    );
    await until('the slice has weights', async () => (await rig.endpoints('web')).length === 2);
    await until('the pool is heard', async () => (await explain('--json')).code === 0);
  });
  after(async () => {
    clearInterval(counting);
    await rig.close();
    await socket.close();
    temporary[Symbol.dispose]();
    await director.close();
    await environment.close();
  });

  const run = (kubeconfig: string, ...args: readonly string[]) =>
    runHere(
      'weights',
      'explain',
      ...args,
      '--namespace',
      environment.namespace,
      '--controller-namespace',
      environment.namespace,
      '--kubeconfig',
      kubeconfig,
    );
  const explain = (...args: readonly string[]) => run(environment.kubeconfigFile, 'web', ...args);

  /** Gives the account `reader` a Role of that name. */
  const grant = async (name: string, rules: readonly object[]): Promise<void> => {
    const { namespace } = environment;
    const metadata = { name, namespace };
    const apiVersion = 'rbac.authorization.k8s.io/v1';
    await rig.client.create(roleType, { apiVersion, kind: 'Role', metadata, rules });
    await rig.client.create(roleBindingType, {
      apiVersion,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
      subjects: [{ kind: 'ServiceAccount', name: 'reader', namespace }],
    });
  };
  const uidOf = async (type: ResourceType, name: string): Promise<string> =>
    String((await rig.get(type, name))?.metadata.uid);

  it('asks the leader through the API server, and shows inputs and steps of each real server', async () => {
    const at = new Date(Date.now() - 1000).toISOString().replace(/\.\d+Z$/, 'Z');
    for (const number of [1, 2])
      podMetrics.report(environment.namespace, `web-${number}`, { cpu: '250m', timestamp: at, window: '5s' });
    let shown = await explain();
    await until('directors are heard', async () => {
      shown = await explain();
      return /connections +told by \S+-a$/m.test(shown.stdout);
    });
    const { stdout, stderr, code } = shown;
    assert.deepEqual([code, stderr], [0, '']);
    const { namespace } = environment;
    assert.match(
      stdout,
      new RegExp(`^VirtualService ${namespace}/web: weightPolicy CapacityEstimate \\(base`),
    );
    assert.match(stdout, /^ {2}weights from load (?:True|False), \w+\. Weights: /m);
    assert.match(stdout, /^ {2}metrics +PodMetrics$/m);
    assert.match(stdout, /^10\.8\.0\.1 +web-1 +50 +100 +100 +\w+$/m);
    for (const step of ['base', 'prior', 'metric age', 'arrivals', 'active', 'wanted', 'exact', 'weight'])
      assert.match(stdout, new RegExp(`^  ${step} +[\\d.-]+  \\S`, 'm'));
    assert.match(stdout, /^ {2}=> base 50, advised 100, effective 100: [a-z]/m);
    for (const line of stdout.split('\n')) assert.ok(line.length <= widest, line);
    const [{ pod, container, command } = assert.fail('nothing ran in a pod')] = executed;
    assert.deepEqual([pod, container], ['controller-1', 'controller']);
    assert.deepEqual(command.slice(0, 6), [
      'lvs-operator',
      'weights',
      'explain',
      'web',
      '--namespace',
      namespace,
    ]);
  });

  it('shows one address, and says when there is none such', async () => {
    const { stdout } = await explain('10.8.0.2');
    assert.doesNotMatch(stdout, /10\.8\.0\.1/);
    assert.match(stdout, /10\.8\.0\.2/);
    const { stdout: nobody } = await explain('10.9.9.9');
    assert.match(nobody, /^No such real server serves it\.$/m);
  });

  it('is JSON for programs', async () => {
    const document = JSON.parse((await explain('--json')).stdout) as {
      version: number;
      servers: { address: string; configuredWeight: number; steps: unknown[] }[];
    };
    assert.equal(document.version, 1);
    assert.deepEqual(
      document.servers.map(({ address, configuredWeight }) => [address, configuredWeight]),
      [
        ['10.8.0.1', 50],
        ['10.8.0.2', 50],
      ],
    );
    assert.ok(document.servers.every(({ steps }) => steps.length > 5));
  });

  it('says of weights as written that they are', async () => {
    const { stdout, code } = await run(environment.kubeconfigFile, 'plain');
    assert.equal(code, 0);
    assert.match(stdout, /static: the weight is what is written/);
    assert.match(stdout, /^plain +30 +/m);
  });

  it('shows what statuses hold to who may not run programs in the pod, with the way to the rest', async () => {
    await until('the status tells weights', async () => {
      const status = (await rig.status('web', realServerType)) as unknown as { endpoints?: object[] };
      return status.endpoints?.some((endpoint) => 'effectiveWeight' in endpoint) === true;
    });
    const { namespace } = environment;
    await grant('tenant', [
      {
        apiGroups: ['networking.lvs-operator.io'],
        resources: ['virtualservices', 'realservers'],
        verbs: ['get', 'list'],
      },
    ]);
    const account = await environment.kubeconfigOf({ name: 'reader', namespace });
    const { stdout: first, code } = await run(account, 'web');
    assert.equal(code, 0);
    assert.match(first, /^10\.8\.0\.1 +web-1 +50 +100 +100 +\w+$/m);
    assert.match(
      first.replaceAll(/\s+/g, ' '),
      /The inputs and steps are missing here: .* cannot get .*leases/,
    );
    await grant('lease', [{ apiGroups: [leaseType.group], resources: ['leases'], verbs: ['get'] }]);
    const { stdout } = await run(account, 'web');
    assert.match(stdout, /The inputs and steps are missing here: the pod controller-1, which leads,/);
    assert.match(stdout.replaceAll(/\s+/g, ' '), /cannot get pods\/exec/);
    const hint = `  kubectl -n ${namespace} exec controller-1 -- lvs-operator weights explain web`;
    assert.ok(stdout.includes(hint), stdout);
    assert.equal((await run(account, 'web', '--json')).code, 1);
  });

  it('needs the rights that the page on roles names, and no other', async () => {
    const { namespace } = environment;
    await rig.client.delete(
      roleBindingType,
      { name: 'lease', namespace },
      await uidOf(roleBindingType, 'lease'),
    );
    const text =
      readFileSync('docs/rbac.md', 'utf8').split('What people need for `weights explain`')[1] ?? '';
    const role = parse(/```yaml\n(.*?)```/s.exec(text)?.[1] ?? '') as { rules: object[] };
    await grant('documented', role.rules);
    const account = await environment.kubeconfigOf({ name: 'reader', namespace });
    const { stdout, code } = await run(account, 'web');
    assert.equal(code, 0);
    assert.match(stdout, /^ {2}=> base 50, advised 100/m);
    const user = `system:serviceaccount:${namespace}:reader: `;
    const used = [...(environment.inProcess?.usedRights ?? [])].filter((right) => right.startsWith(user));
    assert.deepEqual(used.map((right) => right.slice(user.length)).toSorted(), [
      'create pods/exec',
      'get leases.coordination.k8s.io',
      'get pods/exec',
      'get virtualservices.networking.lvs-operator.io',
      'list realservers.networking.lvs-operator.io',
    ]);
  });

  it('asks the controller of a folder without any cluster', async () => {
    const args = [
      'weights',
      'explain',
      'web',
      '-n',
      environment.namespace,
      '--control-dir',
      controlDirectory,
    ];
    const { stdout, code } = await runHere(...args);
    assert.equal(code, 0);
    assert.match(stdout, /^ {2}=> base 50/m);
    const other = await runHere(...args.slice(0, 2), 'nobody', ...args.slice(3));
    assert.equal(other.code, 1);
    assert.match(other.stderr, /computes no weights for \S+\/nobody/);
  });

  const mistakes: readonly (readonly [
    scenario: string,
    args: readonly string[],
    code: number,
    stderr: RegExp,
  ])[] = [
    ['nothing to explain', ['weights', 'explain'], 2, /say which VirtualService/],
    ['another verb', ['weights', 'show', 'web'], 2, /say which VirtualService/],
    [
      'a folder without a controller',
      ['weights', 'explain', 'web', '--control-dir', '/nonexistent'],
      1,
      /nobody answers/,
    ],
  ];
  for (const [scenario, args, code, stderr] of mistakes) {
    it(`refuses ${scenario}`, async () => {
      const result = await runHere(...args);
      assert.equal(result.code, code);
      assert.match(result.stderr, stderr);
    });
  }

  it('says what is not there', async () => {
    const { code, stderr } = await run(environment.kubeconfigFile, 'nobody');
    assert.equal(code, 1);
    assert.match(stderr, /nobody.*\[LVS_KUBE_NOT_FOUND\]/s);
  });
});
