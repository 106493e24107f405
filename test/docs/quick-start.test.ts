/**
 * The commands of the quick start and of docs/install.md, as they are written there, by the real kubectl and helm. The test
 * is what an API server has no part in: the machines that build images, load modules and run pods.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { podType } from '../../src/cluster/index.ts';
import type { KubeClient, ResourceType } from '../../src/kube/index.ts';
import { unpackProgram } from '../../tools/packaged-programs.ts';
import { Environment, availableServers } from '../apiserver/environment.ts';
import type { ServerKind } from '../apiserver/environment.ts';
import type { Kubectl } from '../apiserver/kubectl.ts';
import { controllerAccount } from '../chart/deployment.ts';
import { ClusterRig } from '../controller/cluster-rig.ts';

const repository = path.resolve(import.meta.dirname, '../..');
const address = '192.0.2.77';

/** Commands of the first code block below a heading, words for what is the reader's replaced. */
function commandsBelow(page: string, heading: string, node: string): string[] {
  const text = readFileSync(path.join(repository, page), 'utf8');
  const section = text.split(/^(?=## )/m).find((part) => part.startsWith(`## ${heading}\n`)) ?? '';
  const [, block = ''] = /```\n([\s\S]*?)```/.exec(section) ?? [];
  return block
    .replaceAll('NODE', node)
    .replaceAll('ADDRESS', address)
    .replaceAll('REPOSITORY', 'images.example')
    .split('\n')
    .filter((line) => line !== '');
}

const daemonSetType: ResourceType = {
  group: 'apps',
  version: 'v1',
  plural: 'daemonsets',
  kind: 'DaemonSet',
  isNamespaced: true,
};

/** A person at a shell, with as much of a cluster around as the commands need. */
class Desk {
  readonly environment: Environment;
  readonly rig: ClusterRig;
  readonly #kubectl: Kubectl;
  readonly #client: KubeClient;

  constructor(environment: Environment) {
    this.environment = environment;
    this.#kubectl = environment.kubectl();
    this.rig = new ClusterRig(environment);
    this.#client = this.rig.client;
  }

  async kubectl(args: readonly string[], input?: string): Promise<string> {
    const { status, stdout, stderr } = await this.#kubectl(args, input);
    assert.equal(status, 0, `kubectl ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  /** kubectl sends protobuf, and nothing else, to make an object of a built-in kind. */
  async create(args: readonly string[]): Promise<void> {
    if (this.environment.isReal) {
      await this.kubectl(['create', ...args]);
      return;
    }
    const object = await this.kubectl(['create', ...args, '--dry-run=client', '--output=json']);
    await this.kubectl(['apply', '--server-side', '-f', '-'], object);
  }

  /** helm needs what the API server of the tests has not: the objects are the same, written by kubectl. */
  async helm(args: readonly string[]): Promise<void> {
    const isReal = this.environment.isReal;
    const [verb, ...rest] = args;
    const wanted = isReal ? args : ['template', ...rest.filter((arg) => arg !== '--create-namespace')];
    assert.equal(verb, 'install');
    const { status, stdout, stderr } = spawnSync(unpackProgram('helm'), wanted, {
      cwd: repository,
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
      env: {
        HOME: path.join(repository, 'build/helm'),
        KUBECONFIG: this.environment.kubeconfigFile,
      },
    });
    assert.equal(status, 0, stderr);
    if (isReal) return;
    await this.create(['namespace', 'lvs-system']);
    const objects = stdout.split(/^---$/m).filter((part) => !part.includes('helm.sh/hook:'));
    await this.kubectl(['apply', '--server-side', '-f', '-'], objects.join('---\n'));
  }

  /** A line of the quick start that talks to an API server. */
  async type(line: string): Promise<void> {
    const [first = '', piped] = line.split(' | ');
    const words = first.split(' ');
    if (piped !== undefined) {
      const [, from = '', to = ''] = /^sed s\/([\d.]+)\/([\d.]+)\/ /.exec(first) ?? [];
      const text = readFileSync(path.join(repository, words.at(-1) ?? ''), 'utf8');
      // As sed does it: the first of each line.
      const edited = text.split('\n').map((one) => one.replace(from, to));
      await this.kubectl(piped.split(' ').slice(1), edited.join('\n'));
    } else if (words[0] === 'helm') await this.helm(words.slice(1));
    else if (words[0] === 'kubectl' && words[1] === 'create') await this.create(words.slice(2));
    else if (words[0] === 'kubectl') await this.kubectl(words.slice(1));
    else assert.fail(`nobody knows how to try "${line}"`);
  }

  /** What the DaemonSet controller says once its one pod runs. */
  async runDirectorPod(): Promise<void> {
    const name = { namespace: 'lvs-directors', name: 'lvs-director' };
    const { metadata } = await this.#client.get(daemonSetType, name);
    const status = {
      observedGeneration: metadata.generation,
      currentNumberScheduled: 1,
      desiredNumberScheduled: 1,
      updatedNumberScheduled: 1,
      numberAvailable: 1,
      numberReady: 1,
      numberMisscheduled: 0,
    };
    await this.#client.mergePatch(daemonSetType, name, { status }, { subresource: 'status' });
  }

  /** What becomes of a Deployment: pods that are ready, with its labels. */
  async runWebPods(): Promise<void> {
    for (const number of [1, 2, 3]) {
      const ip = `10.8.0.${number}`;
      const metadata = { name: `web-${number}`, namespace: 'default', labels: { app: 'web' } };
      const spec = { containers: [{ name: 'nginx', image: 'nginx' }] };
      await this.#client.create(podType, { apiVersion: 'v1', kind: 'Pod', metadata, spec });
      const conditions = [{ type: 'Ready', status: 'True' }];
      const status = { phase: 'Running', podIP: ip, podIPs: [{ ip }], conditions };
      await this.#client.mergePatch(podType, metadata, { status }, { subresource: 'status' });
    }
  }
}

/** A cluster of others is left as it is. */
for (const kind of availableServers().filter(
  (one): one is Exclude<ServerKind, 'cluster'> => one !== 'cluster',
)) {
  describe(`installing, on ${kind === 'in-process' ? 'the API server of this process' : 'a kube-apiserver'}`, () => {
    const open = async (): Promise<Desk> => {
      // The definitions come with the chart; the server of this process serves only what it begins with.
      const environment = new Environment(kind, {
        usesRoles: true,
        ...(kind === 'in-process' ? {} : { definitions: [] }),
      });
      await environment.open();
      return new Desk(environment);
    };

    describe('by the README', () => {
      let desk: Desk;
      before(async () => {
        desk = await open();
      });
      after(async () => {
        await desk.rig.close();
        await desk.environment.close();
      });

      it('leads from nothing to a VirtualService that is Ready', async () => {
        const node = desk.environment.clusterName('a');
        const lines = commandsBelow('README.md', 'In a cluster', node);
        assert.deepEqual(
          lines.filter((line) => /^(?:docker|curl) /.test(line)),
          [
            'docker build --tag images.example/lvs-operator:0.1.0 .',
            'docker push images.example/lvs-operator:0.1.0',
            `curl http://${address}/`,
          ],
        );
        await desk.rig.node('a');
        await desk.kubectl(['label', 'node', node, 'networking.lvs-operator.io/director-']);
        for (const line of lines) {
          if (/^(?:docker|curl) /.test(line)) continue;
          if (line.includes('rollout status')) {
            await desk.runDirectorPod();
            await desk.rig.start({
              kubeconfigFile: await desk.environment.kubeconfigOf(controllerAccount),
              leaseNamespace: controllerAccount.namespace,
            });
          }
          // The director reports what it has programmed, again and again.
          const reports = line.includes('kubectl wait') ? keepReporting(desk) : undefined;
          await desk.type(line);
          await reports?.stop();
          if (line.includes('create deployment')) await desk.runWebPods();
        }
        const shown = await desk.kubectl(['get', 'lvsvs', 'web']);
        assert.match(shown, new RegExp(`^web +${address} +80/TCP +wlc +NAT +3/3 +True `, 'm'));
        const image = await desk.kubectl([
          '-n',
          'lvs-system',
          'get',
          'deployment',
          'lvs-controller',
          '-o',
          'jsonpath={.spec.template.spec.containers[0].image}',
        ]);
        assert.equal(image, 'images.example/lvs-operator:0.1.0');
      });
    });

    describe('by kubectl', () => {
      let desk: Desk;
      before(async () => {
        desk = await open();
      });
      after(() => desk.environment.close());

      it("applies deploy/ through a kustomization of one's own, twice", async () => {
        const [, kustomization = ''] =
          /```\n(# kustomization\.yaml\n[\s\S]*?)```/.exec(
            readFileSync(path.join(repository, 'docs/install.md'), 'utf8'),
          ) ?? [];
        mkdirSync(path.join(repository, 'build'), { recursive: true });
        const folder = mkdtempSync(path.join(repository, 'build/kustomization-'));
        writeFileSync(
          path.join(folder, 'kustomization.yaml'),
          kustomization
            .replace(
              'github.com/OWNER/lvs-operator/deploy',
              path.relative(folder, path.join(repository, 'deploy')),
            )
            .replace('REPOSITORY', 'images.example'),
        );
        const apply = ['apply', '--server-side', '-k', folder];
        assert.match(await desk.kubectl(apply), /daemonset\.apps\/lvs-director serverside-applied/);
        await desk.kubectl(apply);
        const image = await desk.kubectl([
          '-n',
          'lvs-directors',
          'get',
          'daemonset',
          'lvs-director',
          '-o',
          'jsonpath={.spec.template.spec.containers[0].image}',
        ]);
        assert.equal(image, 'images.example/lvs-operator:0.1.0');
      });
    });
  });
}

function keepReporting(desk: Desk): { stop(): Promise<void> } {
  let isOver = false;
  const reports = (async () => {
    while (!isOver) await desk.rig.director('a');
  })();
  return {
    stop: async () => {
      isOver = true;
      await reports;
    },
  };
}
