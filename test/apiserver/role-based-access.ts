/** Roles and bindings as the authorizer of an API server reads them. */
import { asText, isMapping } from './objects.ts';
import type { KubeObject, Mapping } from './objects.ts';
import type { Attributes, User } from './reviews.ts';
import type { Store } from './store.ts';

const group = 'rbac.authorization.k8s.io';

export class RoleBasedAccess {
  readonly #store: Store;
  readonly #used = new Set<string>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Every right that a request has needed and had, as `formatRight` writes it after `user: `. Administrators need none. */
  get used(): ReadonlySet<string> {
    return this.#used;
  }

  allows(asked: Attributes): boolean {
    if (asked.user.groups.includes('system:masters')) return true;
    const isAllowed = this.#rulesOf(asked.user, asked.namespace).some((rule) => grants(rule, asked));
    if (isAllowed) this.#used.add(`${asked.user.username}: ${formatRight(asked)}`);
    return isAllowed;
  }

  #rulesOf(user: User, namespace: string): Mapping[] {
    const clusterWide = this.#list('clusterrolebindings').filter((binding) => isBound(binding, user));
    const local =
      namespace === ''
        ? []
        : this.#list('rolebindings').filter(
            (binding) => binding.metadata.namespace === namespace && isBound(binding, user),
          );
    return [...clusterWide, ...local].flatMap(({ metadata, roleRef }) => {
      const { kind, name } = isMapping(roleRef) ? roleRef : {};
      const role = this.#list(kind === 'Role' ? 'roles' : 'clusterroles').find(
        (found) =>
          found.metadata.name === name &&
          (kind !== 'Role' || found.metadata.namespace === metadata.namespace),
      );
      return listOf(role?.['rules']).filter(isMapping);
    });
  }

  #list(plural: string): KubeObject[] {
    return (this.#store.list(`${group}/${plural}`) ?? []).map(([, object]) => object);
  }
}

/** `patch virtualservices/status.networking.lvs-operator.io` */
export function formatRight(right: Pick<Attributes, 'verb' | 'group' | 'resource' | 'subresource'>): string {
  const subresource = right.subresource === '' ? '' : `/${right.subresource}`;
  return `${right.verb} ${right.resource}${subresource}${right.group === '' ? '' : `.${right.group}`}`;
}

/** Each right that rules without wildcards grant, in the same spelling. */
export function rightsOf(rules: readonly Mapping[]): string[] {
  return rules.flatMap((rule) =>
    listOf(rule['verbs']).flatMap((verb) => [
      ...listOf(rule['apiGroups']).flatMap((apiGroup) =>
        listOf(rule['resources']).map((entry) => {
          const [resource = '', subresource = ''] = asText(entry).split('/');
          return formatRight({ verb: asText(verb), group: asText(apiGroup), resource, subresource });
        }),
      ),
      ...listOf(rule['nonResourceURLs']).map((url) => `${asText(verb)} ${asText(url)}`),
    ]),
  );
}

function isBound({ subjects }: KubeObject, user: User): boolean {
  return listOf(subjects)
    .filter(isMapping)
    .some(({ kind, name, namespace }) => {
      switch (kind) {
        case 'User':
          return name === user.username;
        case 'Group':
          return user.groups.includes(asText(name));
        case 'ServiceAccount':
          return user.username === `system:serviceaccount:${asText(namespace)}:${asText(name)}`;
        default:
          return false;
      }
    });
}

function grants(rule: Mapping, asked: Attributes): boolean {
  const has = (field: string, value: string) => {
    const values = listOf(rule[field]);
    return values.includes('*') || values.includes(value);
  };
  if (asked.path !== undefined) return has('verbs', asked.verb) && has('nonResourceURLs', asked.path);
  const resource = asked.subresource === '' ? asked.resource : `${asked.resource}/${asked.subresource}`;
  const names = listOf(rule['resourceNames']);
  return (
    has('verbs', asked.verb) &&
    has('apiGroups', asked.group) &&
    has('resources', resource) &&
    (names.length === 0 || names.includes(asked.name))
  );
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}
