import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import { defaultDirectorConfiguration, parseDirectorConfiguration } from '../../src/api/index.ts';
import { controllerCommand } from '../../src/cli/command-controller.ts';
import { directorCommand } from '../../src/cli/command-director.ts';
import { withdrawCommand } from '../../src/cli/command-withdraw.ts';
import type { Command } from '../../src/cli/command.ts';
import { isMapping, valueAt } from '../apiserver/objects.ts';
import type { KubeObject, Mapping } from '../apiserver/objects.ts';
import { readDefinitions } from '../apiserver/resource-type.ts';
import { restrictedViolations } from './pod-security.ts';
import { chart, find, helm, render, template } from './render.ts';
import { badValues, valueMatrix } from './value-matrix.ts';

const listAt = (value: unknown, at: string): unknown[] => {
  const found = valueAt(value, at);
  return Array.isArray(found) ? (found as unknown[]) : [];
};

describe('the chart', () => {
  it('has nothing that helm lint would complain of', () => {
    const { status, stdout, stderr } = helm(['lint', chart, '--strict']);
    assert.equal(status, 0, stdout + stderr);
    assert.doesNotMatch(stdout, /\[(?:WARNING|ERROR)\]/);
  });

  for (const [what, values] of valueMatrix) {
    it(`renders with ${what}: objects with a place, labels and no name twice`, () => {
      const objects = render(values);
      const keys = objects.map(({ apiVersion, kind, metadata: { namespace = '', name } }) =>
        [apiVersion, kind, namespace, name].join(' '),
      );
      assert.deepEqual(
        keys.filter((key, index) => keys.indexOf(key) !== index),
        [],
      );
      for (const { kind, metadata } of objects) {
        if (kind === 'CustomResourceDefinition') continue;
        assert.equal(metadata.labels?.['app.kubernetes.io/name'], 'lvs-operator', `${kind} ${metadata.name}`);
      }
    });
  }

  for (const [what, values, told] of badValues) {
    it(`refuses ${what}`, () => {
      const { status, stderr } = template(values);
      assert.notEqual(status, 0);
      assert.match(stderr, told);
    });
  }

  it('knows every value that its schema knows, and the other way round', () => {
    const values: unknown = parse(readFileSync(path.join(chart, 'values.yaml'), 'utf8'));
    const schema: unknown = JSON.parse(readFileSync(path.join(chart, 'values.schema.json'), 'utf8'));
    assert.deepEqual(pathsOfValues(values, schema, ''), pathsOfSchema(schema, ''));
  });

  it('brings the definitions of crds/, byte by byte, and keeps them if told so', () => {
    for (const file of globSync('crds/*.yaml')) {
      const copy = path.join(chart, 'charts/crds/files', path.basename(file));
      assert.equal(readFileSync(copy, 'utf8'), readFileSync(file, 'utf8'), file);
    }
    const rendered = (keep: boolean) =>
      render({ crds: { keep } }).filter(({ kind }) => kind === 'CustomResourceDefinition');
    assert.deepEqual(sorted(rendered(false)), sorted(readDefinitions() as KubeObject[]));
    const kept = rendered(true);
    assert.equal(kept.length, 5);
    for (const { metadata } of kept)
      assert.deepEqual(metadata.annotations, { 'helm.sh/resource-policy': 'keep' });
  });
});

describe('what the chart runs', () => {
  for (const [what, values] of valueMatrix) {
    it(`has flags that exist, with ${what}`, () => {
      const objects = render(values);
      for (const [kind, name, command] of [
        ['Deployment', 'lvs-controller', controllerCommand],
        ['DaemonSet', 'lvs-director', directorCommand],
        ['Job', 'lvs-withdraw', withdrawCommand],
      ] as const) {
        if (!objects.some((object) => object.kind === kind)) continue;
        const [first, ...flags] = listAt(podOf(find(objects, kind, name)), '.spec.containers[0].args').map(
          String,
        );
        assert.equal(first, command.name);
        assert.deepEqual(
          flags.filter((flag) => !isKnown(command, flag)),
          [],
        );
      }
    });
  }

  it('gives directors a configuration that they can read, with every field there is', () => {
    const [, values = {}] = valueMatrix.find(([what]) => what === 'node-level settings') ?? [];
    const objects = render(values);
    const text = valueAt(find(objects, 'ConfigMap', 'lvs-director'), '.data');
    const written: unknown = parse(String((text as Mapping)['director.yaml']));
    const parsed = parseDirectorConfiguration(written);
    assert.ok(parsed.ok, JSON.stringify(parsed));
    assert.equal(parsed.value.sysctlRoot, '/host/proc/sys');
    // A new field must come to the schema of the chart as well.
    const fields = Object.keys(isMapping(written) ? written : {}).filter(
      (name) => !/^(?:apiVersion|kind)$/.test(name),
    );
    assert.deepEqual(
      fields.toSorted(),
      ['uplinks', ...Object.keys(defaultDirectorConfiguration())].toSorted(),
    );
  });

  for (const [what, values] of valueMatrix) {
    it(`keeps the controller restricted, and directors as small as can be, with ${what}`, () => {
      const objects = render(values);
      for (const kind of ['Deployment', 'Job']) {
        for (const one of objects.filter((object) => object.kind === kind))
          assert.deepEqual(restrictedViolations(podOf(one)), []);
      }
      assert.deepEqual(
        restrictedViolations(podOf(find(objects, 'DaemonSet', 'lvs-director'))),
        [
          'hostNetwork',
          'hostPath sysctls',
          'hostPath state',
          'hostPath xtables-lock',
          'container director: capabilities NET_ADMIN NET_RAW',
          'container director: runs as root',
          'container director: hostPort',
        ].toSorted(),
      );
    });
  }

  for (const [kind, name, folders] of [
    ['Deployment', 'lvs-controller', ['/run/lvs-operator']],
    [
      'DaemonSet',
      'lvs-director',
      ['/etc/lvs-operator', '/host/proc/sys/net', '/run/xtables.lock', '/var/lib/lvs-operator'],
    ],
  ] as const) {
    it(`mounts every folder that ${name} writes, since its root is read-only`, () => {
      const pod = podOf(find(render(), kind, name));
      const mounts = listAt(pod, '.spec.containers[0].volumeMounts').map((mount) =>
        valueAt(mount, '.mountPath'),
      );
      assert.deepEqual(mounts.map(String).toSorted(), folders);
    });
  }

  it('is probed at pages that everybody may read, on the port that it is told', () => {
    for (const [kind, name] of [
      ['Deployment', 'lvs-controller'],
      ['DaemonSet', 'lvs-director'],
    ] as const) {
      const pod = podOf(find(render({ controller: { port: 7001 }, director: { port: 7002 } }), kind, name));
      const number = kind === 'Deployment' ? 7001 : 7002;
      assert.deepEqual(
        listAt(pod, '.spec.containers[0].ports').map((one) => valueAt(one, '.containerPort')),
        [number],
      );
      assert.ok(listAt(pod, '.spec.containers[0].args').includes(`--listen=:${number}`), name);
      const [port] = listAt(pod, '.spec.containers[0].ports').map((one) => valueAt(one, '.name'));
      for (const [probe, page] of [
        ['livenessProbe', '/healthz'],
        ['readinessProbe', '/readyz'],
      ] as const) {
        const asked = valueAt(pod, `.spec.containers[0].${probe}.httpGet`);
        assert.deepEqual(asked, { path: page, port, scheme: 'HTTPS' }, `${name} ${probe}`);
      }
    }
  });

  it('replaces directors when their settings change, and not otherwise', () => {
    const checksum = (values: object) => podOf(find(render(values), 'DaemonSet', 'lvs-director'))['metadata'];
    const one = { director: { configuration: { netfilter: 'Nft' } } };
    assert.deepEqual(checksum({}), checksum({ controller: { replicas: 3 } }));
    assert.notDeepEqual(checksum({}), checksum(one));
  });
});

function podOf(workload: KubeObject): Mapping {
  const pod = valueAt(workload, '.spec.template');
  assert.ok(isMapping(pod));
  return pod;
}

function isKnown(command: Command, flag: string): boolean {
  const name = /^--([a-z-]+)(?:=.*)?$/.exec(flag)?.[1];
  return command.flags.some((known) => known.name === name);
}

const sorted = (objects: readonly KubeObject[]): KubeObject[] =>
  objects.toSorted((a, b) => a.metadata.name.localeCompare(b.metadata.name));

/** Paths of the values, as far as the schema names what is inside. */
function pathsOfValues(value: unknown, schema: unknown, at: string): string[] {
  const known = propertiesOf(schema);
  if (!isMapping(value) || known === undefined || isOpen(at)) return [at];
  return Object.entries(value)
    .flatMap(([name, child]) => pathsOfValues(child, known[name], `${at}.${name}`))
    .toSorted();
}

function pathsOfSchema(schema: unknown, at: string): string[] {
  const known = propertiesOf(schema);
  if (known === undefined || isOpen(at)) return [at];
  return (
    Object.entries(known)
      // Helm's own.
      .filter(([name]) => name !== 'global')
      .flatMap(([name, child]) => pathsOfSchema(child, `${at}.${name}`))
      .toSorted()
  );
}

/** Empty by default, whatever may be in them. */
function isOpen(at: string): boolean {
  return /\.(?:configuration|seLinuxOptions|resources|prometheusServiceAccount)$/.test(at);
}

function propertiesOf(schema: unknown): Mapping | undefined {
  const properties = isMapping(schema) ? schema['properties'] : undefined;
  return isMapping(properties) ? properties : undefined;
}
