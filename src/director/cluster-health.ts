import { unreachable } from '../base/index.ts';
import type { Logger } from '../base/index.ts';
import { serviceCidrType } from '../cluster/index.ts';
import type { ReflectorHealth, ResourceType } from '../kube/index.ts';
import type { DesiredView } from './desired-source.ts';
import { formatTime } from './status.ts';

export interface KindHealth {
  readonly type: ResourceType;
  readonly health: ReflectorHealth;
  readonly isSynced: boolean;
}

export interface ClusterHealthInput {
  readonly kinds: readonly KindHealth[];
  readonly nowMs: number;
  /** The same moment for people. */
  readonly wallMs: number;
  /** A watch that broke this recently is being opened again, and is no news yet. */
  readonly patienceMs: number;
}

/** How fresh the view of the cluster is, and what a person can do about it when it is not. */
export function judgeClusterHealth(input: ClusterHealthInput): DesiredView['condition'] {
  const type = 'ApiServerReachable';
  const broken = input.kinds.flatMap((kind) => (isBroken(kind, input) ? [kind] : []));
  const [first] = broken;
  if (first?.health.kind === 'degraded') {
    const { code, error, sinceMs } = first.health;
    const since = formatTime(input.wallMs - Math.max(0, input.nowMs - sinceMs));
    const kinds = broken.map((kind) => kind.type.plural).join(', ');
    const consequence = input.kinds.every(isRead)
      ? 'What was known then is served'
      : 'The last good state is served, and nothing is removed';
    const { reason, advice } = adviseOn(code, first.type);
    return {
      type,
      status: 'False',
      reason,
      message:
        `Not followed since ${since}: ${kinds} (${error.slice(0, 500)}). ${consequence}. ${advice}`.trimEnd(),
    };
  }
  const missing = input.kinds.filter((kind) => !isRead(kind)).map((kind) => kind.type.plural);
  if (missing.length > 0) {
    const message = `Not read yet: ${missing.join(', ')}. The last good state is served, and nothing is removed.`;
    return { type, status: 'False', reason: 'Starting', message };
  }
  return { type, status: 'True', reason: 'Following', message: 'Every kind is followed.' };
}

/** A kind that was read, or that needs no reading because this API server does not have it. */
export function isRead(kind: KindHealth): boolean {
  return kind.isSynced || isRightlyMissing(kind);
}

/** Kubernetes 1.32 does not serve this one yet, and then there is nothing to know. */
function isRightlyMissing({ type, health }: Pick<KindHealth, 'type' | 'health'>): boolean {
  return type === serviceCidrType && health.kind === 'degraded' && health.code === 'LVS_KUBE_NOT_FOUND';
}

function isBroken(kind: KindHealth, { nowMs, patienceMs }: ClusterHealthInput): boolean {
  const { health } = kind;
  switch (health.kind) {
    case 'starting':
    case 'healthy':
      return false;
    case 'degraded':
      return nowMs - health.sinceMs >= patienceMs && !isRightlyMissing(kind);
    default:
      return unreachable(health);
  }
}

type DegradedCode = Extract<ReflectorHealth, { kind: 'degraded' }>['code'];

/** What people are told when a kind cannot be followed. */
function adviseOn(
  code: DegradedCode,
  type: ResourceType,
): { readonly reason: string; readonly advice: string } {
  if (code === 'LVS_KUBE_DENIED') {
    const advice = `Let this director get, list and watch ${groupedName(type)}, or renew its credentials; it keeps trying.`;
    return { reason: 'Denied', advice };
  }
  if (code === 'LVS_KUBE_NOT_FOUND') {
    const advice = `Install the definition of ${groupedName(type)} (crds/); the director keeps trying.`;
    return { reason: 'NotInstalled', advice };
  }
  if (code === 'LVS_KUBE_CONFIG') {
    return { reason: 'NoCredentials', advice: 'The credentials are read again with every attempt.' };
  }
  return { reason: 'Unreachable', advice: '' };
}

function groupedName({ plural, group }: ResourceType): string {
  return group === '' ? plural : `${plural}.${group}`;
}

/** Tells people in the log what to do about a kind that cannot be followed, once for each kind and reason. */
export class HealthAdvice {
  readonly #logger: Logger;
  readonly #told = new Map<string, string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  give(type: ResourceType, health: ReflectorHealth): void {
    if (health.kind !== 'degraded') {
      this.#told.delete(type.plural);
      return;
    }
    const { reason, advice } = adviseOn(health.code, type);
    if (advice === '' || isRightlyMissing({ type, health }) || this.#told.get(type.plural) === reason) return;
    this.#told.set(type.plural, reason);
    this.#logger.error(advice, { reason, kind: type.kind });
  }
}
