/** The chart as the real helm renders it. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { unpackProgram } from '../../tools/packaged-programs.ts';
import type { KubeObject } from '../apiserver/objects.ts';
import { readManifests } from './deployment.ts';

const repository = path.resolve(import.meta.dirname, '../..');
export const chart = path.join(repository, 'charts/lvs-operator');

export interface HelmAnswer {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** @param values as a values file */
export function helm(args: readonly string[], values: object = {}): HelmAnswer {
  const { status, stdout, stderr } = spawnSync(unpackProgram('helm'), [...args, '--values', '-'], {
    encoding: 'utf8',
    input: JSON.stringify(values),
    maxBuffer: 64 * 1024 * 1024,
    env: { HOME: path.join(repository, 'build/helm') },
  });
  return { status, stdout, stderr };
}

export const template = (values: object): HelmAnswer =>
  helm(['template', 'lvs', chart, '--namespace', 'lvs-system'], values);

const rendered = new Map<string, readonly KubeObject[]>();

/** Rendered once for all tests of a file. @throws Error with what helm said */
export function render(values: object = {}): readonly KubeObject[] {
  const key = JSON.stringify(values);
  const known = rendered.get(key);
  if (known !== undefined) return known;
  const { status, stdout, stderr } = template(values);
  if (status !== 0) throw new Error(stderr);
  const objects = readManifests(stdout);
  rendered.set(key, objects);
  return objects;
}

/** One object of what was rendered. @throws Error where there is none */
export function find(objects: readonly KubeObject[], kind: string, name: string): KubeObject {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
  if (found === undefined)
    throw new Error(`no ${kind} ${name} among ${objects.map((one) => one.kind).join()}`);
  return found;
}
