/** What the chart and `deploy/` say that is said elsewhere already: definitions, and the chart itself as plain objects. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { stringify } from 'yaml';
import { unpackProgram } from './packaged-programs.ts';

const repository = path.resolve(import.meta.dirname, '..');
export const chartFolder = path.join(repository, 'charts/lvs-operator');
/** Where everybody finds the operator who does not choose a place for it. */
export const controllerNamespace = 'lvs-system';

/** @throws Error with what helm said */
export function runHelm(args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(unpackProgram('helm'), args, {
    cwd: repository,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    // Nothing of the user's: no plugins, no repositories, no kubeconfig.
    env: { HOME: path.join(repository, 'build/helm') },
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`helm ${args.join(' ')}: ${stderr}`);
  return stdout;
}

interface TextFile {
  readonly path: string;
  readonly content: string;
}

/** Helm can only include files that lie inside a chart. */
export function renderChartDefinitions(definitions: readonly TextFile[]): TextFile[] {
  return definitions.map(({ path: from, content }) => ({
    path: `charts/lvs-operator/charts/crds/files/${path.basename(from)}`,
    content,
  }));
}

const header = '# Generated from charts/lvs-operator by "npm run generate". Do not edit.\n';

/** The chart as objects for kustomize, one file for each of its templates. */
export function renderDeployment(definitions: readonly TextFile[]): TextFile[] {
  const settings = ['controller.namespace.create=true', 'crds.enabled=false'];
  const set = settings.flatMap((setting) => ['--set', setting]);
  const place = ['lvs-operator', chartFolder, '--namespace', controllerNamespace];
  const rendered = runHelm(['template', ...place, '--no-hooks', ...set]);
  const parts = new Map<string, string[]>();
  for (const document of rendered.split(/^---\n/m)) {
    const name = /^# Source: lvs-operator\/templates\/(.+)$/m.exec(document)?.[1];
    if (name === undefined) continue;
    const text = document.replace(/^# Source: .*\n/m, '').replaceAll(labelsOfHelm, '');
    parts.set(name, [...(parts.get(name) ?? []), text]);
  }
  const files = [...parts].map(([name, documents]) => ({
    path: `deploy/${name}`,
    content: header + documents.join('---\n'),
  }));
  const crds = { path: 'deploy/crds.yaml', content: definitions.map(({ content }) => content).join('---\n') };
  const all = [crds, ...files];
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: all.map((file) => path.basename(file.path)),
  };
  return [{ path: 'deploy/kustomization.yaml', content: header + stringify(kustomization) }, ...all];
}

/** Nothing of this is Helm's when kubectl applies it. */
const labelsOfHelm = /^ +(?:app\.kubernetes\.io\/managed-by: Helm|helm\.sh\/chart: .*)\n/gm;
