import type { ObjectRef } from '../api/index.ts';
import type { Resources } from '../plan/index.ts';
import type { ProblemStatus, SourceStatus } from './status.ts';

/**
 * Where a director's goal comes from: a folder of manifests, later the API server. A source never hands out half a
 * list: `isComplete` stays false until every kind was read once, and what became unreadable keeps its last good form.
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
  /** Counts complete lists. A list that is equal to the one before counts too: it confirms. */
  readonly listNumber: number;
  readonly isComplete: boolean;
}
