import { compareVersions, hasProgrammed } from './live-directors.ts';
import type { LiveDirector, ProgrammedKind } from './live-directors.ts';

/** How far the directors have got with one VirtualService. */
export interface Programming {
  /** Directors that should serve it. */
  readonly directors: number;
  /** Directors that have taken in its present form. */
  readonly programmed: number;
  /** Directors that would serve it and are in maintenance, by name. They are not among `directors`. */
  readonly inMaintenance: readonly string[];
  readonly verdict: ProgrammingVerdict;
}

export type ProgrammingVerdict =
  | { readonly kind: 'programmed' }
  | { readonly kind: 'noDirectors' }
  /** All that there are. @property by name */
  | { readonly kind: 'inMaintenance'; readonly directors: readonly string[] }
  /** @property directors that have not got there, by name */
  | { readonly kind: 'pending'; readonly directors: readonly string[] }
  | {
      readonly kind: 'refused';
      readonly director: string;
      readonly reason: string;
      readonly message: string;
    };

/** What has to be in the kernels: versions of the objects that make up the service. */
export type NeededVersions = Readonly<Partial<Record<ProgrammedKind, string>>>;

export interface ProgrammingQuestion {
  /** `formatObjectRef` of the VirtualService. */
  readonly object: string;
  /** Undefined: what the directors should serve is not even written yet. */
  readonly needed: NeededVersions | undefined;
  /**
   * Every director had this very form before. One that has just come up and has not reported yet does not undo that: a
   * node that joins would otherwise rewrite the status of every VirtualService, twice.
   */
  readonly wasProgrammed: boolean;
}

/** Asks the directors about many VirtualServices: usually every one of them is through with everything. */
export class DirectorFleet {
  readonly #directors: readonly LiveDirector[];
  readonly #reported: readonly LiveDirector[];
  readonly #inMaintenance: readonly string[];
  readonly #refusing: ReadonlySet<string>;
  /** What the slowest director has reached. */
  readonly #floors: Readonly<Record<ProgrammedKind, string | undefined>>;

  constructor(directors: readonly LiveDirector[]) {
    const serving = directors.filter(({ isServing }) => isServing);
    this.#directors = serving.filter(({ isInMaintenance }) => !isInMaintenance);
    this.#inMaintenance = serving.flatMap(({ name, isInMaintenance }) => (isInMaintenance ? [name] : []));
    this.#reported = this.#directors.filter(({ through }) => through !== undefined);
    this.#refusing = new Set(this.#directors.flatMap(({ refused }) => [...refused.keys()]));
    this.#floors = {
      virtualServices: floorOf(this.#reported, 'virtualServices'),
      realServers: floorOf(this.#reported, 'realServers'),
      realServerSlices: floorOf(this.#reported, 'realServerSlices'),
      addressPools: floorOf(this.#reported, 'addressPools'),
    };
  }

  ask(question: ProgrammingQuestion): Programming {
    return { ...this.#askServing(question), inMaintenance: this.#inMaintenance };
  }

  #askServing({ object, needed, wasProgrammed }: ProgrammingQuestion): Answer {
    const hasAllReported = this.#reported.length === this.#directors.length;
    const asked = wasProgrammed || hasAllReported ? this.#reported : this.#directors;
    if (asked.length === 0) {
      return this.#directors.length === 0
        ? { directors: 0, programmed: 0, verdict: this.#describeAbsence() }
        : { directors: 0, programmed: 0, verdict: pending(this.#directors) };
    }
    if (needed === undefined) return { directors: asked.length, programmed: 0, verdict: pending(asked) };
    if (asked === this.#reported && !this.#refusing.has(object) && this.#isBelowFloor(needed))
      return { directors: asked.length, programmed: asked.length, verdict: programmed };
    return askEach(asked, object, needed);
  }

  #describeAbsence(): ProgrammingVerdict {
    return this.#inMaintenance.length === 0
      ? { kind: 'noDirectors' }
      : { kind: 'inMaintenance', directors: this.#inMaintenance };
  }

  #isBelowFloor(needed: NeededVersions): boolean {
    return entriesOf(needed).every(([kind, version]) => {
      const floor = this.#floors[kind];
      return floor !== undefined && compareVersions(version, floor) <= 0;
    });
  }
}

type Answer = Omit<Programming, 'inMaintenance'>;

const programmed: ProgrammingVerdict = { kind: 'programmed' };

function askEach(asked: readonly LiveDirector[], object: string, needed: NeededVersions): Answer {
  const refusing = asked.find(({ refused }) => refused.has(object));
  const behind = asked.filter(
    (director) => !entriesOf(needed).every(([kind, version]) => hasProgrammed(director, kind, version)),
  );
  const done = asked.filter((director) => !director.refused.has(object) && !behind.includes(director)).length;
  const refusal = refusing?.refused.get(object);
  const verdict: ProgrammingVerdict =
    refusing !== undefined && refusal !== undefined
      ? { kind: 'refused', director: refusing.name, reason: refusal.reason, message: refusal.message }
      : behind.length > 0
        ? pending(behind)
        : programmed;
  return { directors: asked.length, programmed: done, verdict };
}

function pending(directors: readonly LiveDirector[]): ProgrammingVerdict {
  return { kind: 'pending', directors: directors.map(({ name }) => name) };
}

function entriesOf(needed: NeededVersions): [ProgrammedKind, string][] {
  return Object.entries(needed) as [ProgrammedKind, string][];
}

function floorOf(directors: readonly LiveDirector[], kind: ProgrammedKind): string | undefined {
  let floor: string | undefined;
  for (const { through } of directors) {
    const reached = through?.[kind];
    if (reached === undefined) return undefined;
    if (floor === undefined || compareVersions(reached, floor) < 0) floor = reached;
  }
  return floor;
}
