/** The objects of `deploy/`, which are those of the chart with its default values. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { ask } from '../apiserver/client.ts';
import type { Connection, Reply } from '../apiserver/client.ts';
import { isMapping } from '../apiserver/objects.ts';
import type { KubeObject, Mapping } from '../apiserver/objects.ts';
import { rightsOf } from '../apiserver/role-based-access.ts';

/** From the repository root, since tests of the lab are bundled elsewhere. */
const folder = path.join(process.cwd(), 'deploy');

/** Who the two programs are, as `deploy/` has it. */
export const controllerAccount = { namespace: 'lvs-system', name: 'lvs-controller' } as const;
export const directorAccount = { namespace: 'lvs-directors', name: 'lvs-director' } as const;

export function readManifests(text: string): KubeObject[] {
  return parseAllDocuments(text)
    .map((document): unknown => document.toJS())
    .filter((value): value is KubeObject => isMapping(value));
}

/** In the order of the kustomization. @param isWanted by file name */
export function readDeployment(isWanted: (file: string) => boolean = () => true): KubeObject[] {
  const { resources } = parse(readFileSync(path.join(folder, 'kustomization.yaml'), 'utf8')) as {
    readonly resources: readonly string[];
  };
  return resources
    .filter(isWanted)
    .flatMap((file) => readManifests(readFileSync(path.join(folder, file), 'utf8')));
}

/** Namespaces, accounts, rights and admission policies: what the two programs live under. */
export const readAccess = (): KubeObject[] =>
  readDeployment((file) => /^(?:namespaces|.*-rbac|admission-.*)\.yaml$/.test(file));

const plurals: Readonly<Record<string, string>> = {
  NetworkPolicy: 'networkpolicies',
  PriorityClass: 'priorityclasses',
  ValidatingAdmissionPolicy: 'validatingadmissionpolicies',
};

/** Where an API server has this object. */
export function pathOf({ apiVersion, kind, metadata }: KubeObject): string {
  const { name, namespace } = metadata;
  const base = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const plural = plurals[kind] ?? `${kind.toLowerCase()}s`;
  return `${base}${namespace === undefined ? '' : `/namespaces/${namespace}`}/${plural}/${name}`;
}

/** As `kubectl apply --server-side` does it. */
export function applyObject(server: Connection, object: KubeObject, more = ''): Promise<Reply> {
  const query = `fieldManager=install&force=true&fieldValidation=Strict${more}`;
  return ask(server, 'PATCH', `${pathOf(object)}?${query}`, object, 'apply');
}

/** @throws Error with what the server said of the first object that it refused */
export async function applyAll(server: Connection, objects: readonly KubeObject[]): Promise<void> {
  for (const object of objects) {
    const { status, body } = await applyObject(server, object);
    if (status >= 300) throw new Error(`${object.kind} ${object.metadata.name}: ${body.message}`);
  }
}

/** As whom an API server knows the account. */
export function accountUser({
  namespace,
  name,
}: {
  readonly namespace: string;
  readonly name: string;
}): string {
  return `system:serviceaccount:${namespace}:${name}`;
}

/** `user: right` for each right that roles among these objects grant to an account, wherever it holds. */
export function grantedRights(objects: readonly KubeObject[]): ReadonlySet<string> {
  const bindings = objects.filter(({ kind }) => /^(?:Cluster)?RoleBinding$/.test(kind));
  return new Set(
    bindings.flatMap((binding) => {
      const { roleRef, subjects, metadata } = binding as unknown as Binding;
      const role = objects.find(
        (object) =>
          object.kind === roleRef.kind &&
          object.metadata.name === roleRef.name &&
          (roleRef.kind === 'ClusterRole' || object.metadata.namespace === metadata.namespace),
      );
      if (role === undefined) throw new Error(`${binding.kind} ${metadata.name} names no role`);
      const rights = rightsOf(role['rules'] as readonly Mapping[]);
      return subjects.flatMap((subject) => rights.map((right) => `${accountUser(subject)}: ${right}`));
    }),
  );
}

interface Binding {
  readonly metadata: KubeObject['metadata'];
  readonly roleRef: { readonly kind: string; readonly name: string };
  readonly subjects: readonly { readonly namespace: string; readonly name: string }[];
}
