import type { ConditionVerdict, DirectorMaintenance, ObjectRef } from '../api/index.ts';
import type { ClusterFacts, Resources } from '../plan/index.ts';
import type { DirectorConditionType, ProblemStatus, SourceStatus } from './status.ts';

/**
 * Where a director's goal comes from: a folder of manifests, or a cluster. A source never hands out half a list:
 * `isComplete` stays false until every kind was read once, and what became unreadable keeps its last good form.
 */
export interface DesiredSource {
  /** The newest view; the same object until something changed, so that callers may compare by identity. */
  current(): DesiredView;
  /** Where a field of an object was written, for messages: `FILE:LINE`. */
  locate(object: ObjectRef, path: readonly (string | number)[]): string | undefined;
  /** The file that holds an object; undefined where there are no files. */
  fileOf(object: ObjectRef): string | undefined;
  /** Reads again now instead of waiting for the watch (SIGHUP, first start, confirmation of a held removal). */
  refresh(): void;
  close(): void;
}

export interface DesiredView {
  readonly resources: Resources;
  readonly problems: readonly ProblemStatus[];
  readonly status: SourceStatus;
  /** What people should know of the source itself. */
  readonly condition: ConditionVerdict<DirectorConditionType>;
  /** Counts complete lists. A list that is equal to the one before counts too: it confirms. */
  readonly listNumber: number;
  readonly isComplete: boolean;
  /** Absences were confirmed before they got here, one by one or by a second list: none is held again. */
  readonly isAbsenceConfirmed: boolean;
  /** Undefined where there is no cluster. */
  readonly cluster: ClusterView | undefined;
}

/** What only a cluster has. */
export interface ClusterView {
  readonly facts: ClusterFacts;
  readonly versions: ObservedVersions;
  /** Undefined: not read yet. */
  readonly ownDirector: OwnDirector | undefined;
}

/** What people want of this director, by its object. */
export interface OwnDirector {
  /** Of the object that this was read from; undefined: there is no object yet. */
  readonly generation: number | undefined;
  /** Undefined: nothing of the kind. */
  readonly maintenance: DirectorMaintenance | undefined;
}

/** By kind, the resource version up to which every change is in the view; undefined before the first list. */
export interface ObservedVersions {
  readonly virtualServices?: string | undefined;
  readonly realServers?: string | undefined;
  readonly realServerSlices?: string | undefined;
  readonly addressPools?: string | undefined;
}
