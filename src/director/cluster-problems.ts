import { formatObjectRef } from '../api/index.ts';
import { parseObjectKey } from '../kube/index.ts';
import type { WatchedKind } from '../cluster/index.ts';
import type { ProblemStatus } from './status.ts';

/** Objects that cannot be read, and lists that nobody believes yet. */
export function describeClusterProblems(
  kinds: readonly Pick<WatchedKind<unknown>, 'type' | 'store'>[],
): readonly ProblemStatus[] {
  return kinds.flatMap(({ type, store }) => {
    const malformed = [...store.malformed.values()].map(({ key, message }): ProblemStatus => {
      const { name, namespace } = parseObjectKey(key);
      const object = formatObjectRef({
        kind: type.kind,
        name,
        ...(namespace === undefined ? {} : { namespace }),
      });
      const kept = store.get(key) === undefined ? '' : ' Until then the version before stays in force.';
      return { where: object, object, severity: 'error', reason: 'Malformed', message: `${message}.${kept}` };
    });
    const absent = store.heldAbsences.size;
    if (absent === 0) return malformed;
    const held: ProblemStatus = {
      where: type.plural,
      object: undefined,
      severity: 'warning',
      reason: 'RemovalHeld',
      message: `The last list lacks ${absent} of ${store.size} objects; they stay until a second list agrees.`,
    };
    return [...malformed, held];
  });
}
