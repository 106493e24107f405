import { formatFieldPath, parseResource } from '../api/index.ts';
import type { Resource, ResourceKind } from '../api/index.ts';
import { LvsError } from '../base/index.ts';
import type { KubeObject } from '../kube/index.ts';

export type ResourceOf<Kind extends ResourceKind> = Extract<Resource, { readonly kind: Kind }>;

/**
 * A parser for the objects of one of our kinds, by the same rules as for files, but that fields of a later version are
 * skipped: newer definitions put defaults into every object, and must not make all of them malformed for a director that
 * is a version behind. What it throws makes one malformed entry of one object.
 */
export function parserOf<Kind extends ResourceKind>(kind: Kind): (object: KubeObject) => ResourceOf<Kind> {
  return (object) => {
    const parsed = parseResource(object, { unknownFields: 'ignore' });
    if (!parsed.ok) {
      const problems = parsed.problems.map(({ path, message }) => `${formatFieldPath(path)} ${message}`);
      throw new LvsError('LVS_KUBE_MALFORMED', problems.join('; '), { subject: object.metadata.name });
    }
    const { resource } = parsed;
    if (!isKind(resource, kind)) {
      throw new LvsError('LVS_KUBE_MALFORMED', `is a ${resource.kind} among objects of kind ${kind}`);
    }
    return resource;
  };
}

function isKind<Kind extends ResourceKind>(resource: Resource, kind: Kind): resource is ResourceOf<Kind> {
  return resource.kind === kind;
}
