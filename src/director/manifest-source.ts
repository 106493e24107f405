import { formatObjectRef } from '../api/index.ts';
import type { ObjectRef } from '../api/index.ts';
import { LvsError, formatErrorForPeople, isLvsError } from '../base/index.ts';
import type { Clock, Logger } from '../base/index.ts';
import { formatPosition, groupResources, keepLastGood } from '../manifests/index.ts';
import type { ManifestFolder, ManifestObject, ManifestProblem, ManifestReading } from '../manifests/index.ts';
import type { DesiredSource, DesiredView } from './desired-source.ts';
import { formatTime } from './status.ts';
import type { ProblemStatus } from './status.ts';

export interface ManifestSourceOptions {
  readonly folder: ManifestFolder;
  readonly path: string;
  /** What an earlier run accepted, asked for only when the folder cannot be read whole at the start. */
  readonly loadLastGood: () => ReadonlyMap<string, ManifestObject>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The goal from a folder of manifests. A reading that fails leaves the view as it was, with the problem in it. */
export class ManifestSource implements DesiredSource {
  readonly #options: ManifestSourceOptions;
  #objects: ReadonlyMap<string, ManifestObject> | undefined;
  #view: DesiredView;
  #lastReading: ManifestReading | LvsError | undefined;
  #reported = new Set<string>();

  constructor(options: ManifestSourceOptions) {
    this.#options = options;
    this.#view = {
      resources: groupResources([]),
      problems: [],
      status: {
        description: `manifests in ${options.path}`,
        listNumber: 0,
        isComplete: false,
        readAt: undefined,
      },
      listNumber: 0,
      isComplete: false,
      isAbsenceConfirmed: false,
      condition: judgeReading([], false),
      cluster: undefined,
    };
  }

  current(): DesiredView {
    return this.#view;
  }

  /** Reads on every change from now on, and then calls back. */
  watch(onChange: () => void): void {
    this.#options.folder.watch(() => {
      const before = this.#view;
      this.#take(() => this.#options.folder.readChanged(), true);
      if (this.#view !== before) onChange();
    });
  }

  locate(object: ObjectRef, path: readonly (string | number)[]): string | undefined {
    const found = this.#objects?.get(formatObjectRef(object));
    return found === undefined ? undefined : formatPosition(found.locate(path));
  }

  /** The file that an object was read from. */
  fileOf(object: ObjectRef): string | undefined {
    return this.#objects?.get(formatObjectRef(object))?.file;
  }

  refresh(): void {
    this.#take(() => this.#options.folder.read());
  }

  /** @param isHint the reading was asked for in case something changed; the same again is no new list. */
  #take(read: () => ManifestReading, isHint = false): void {
    const reading = this.#read(read);
    if (isHint && reading === this.#lastReading) return;
    this.#lastReading = reading;
    const isWhole = !(reading instanceof LvsError) && reading.isComplete;
    // Only at the start can anything be unknown that this process has never seen whole.
    const loaded = this.#objects === undefined && !isWhole ? this.#options.loadLastGood() : undefined;
    const last = this.#objects ?? loaded ?? new Map<string, ManifestObject>();
    const isKnown = isWhole || (loaded?.size ?? 0) > 0;
    if (reading instanceof LvsError)
      this.#accept(last, [folderProblem(this.#options.path, reading)], isKnown);
    else this.#accept(keepLastGood(last, reading), reading.problems.map(describeProblem), isKnown);
  }

  #read(read: () => ManifestReading): ManifestReading | LvsError {
    try {
      return read();
    } catch (error) {
      if (isLvsError(error, 'LVS_MANIFEST_FOLDER')) return error;
      throw error;
    }
  }

  close(): void {
    this.#options.folder.close();
  }

  #accept(
    objects: ReadonlyMap<string, ManifestObject>,
    problems: readonly ProblemStatus[],
    isKnown: boolean,
  ): void {
    const isSame = this.#objects !== undefined && holdsSameResources(this.#objects, objects);
    // Once whole, always whole: what a later reading cannot tell keeps its last good form, so absence means removal.
    const isComplete = this.#view.isComplete || isKnown;
    const listNumber = this.#view.listNumber + 1;
    this.#objects = objects;
    this.#view = {
      ...this.#view,
      resources: isSame ? this.#view.resources : groupResources(objects.values()),
      problems,
      status: {
        ...this.#view.status,
        listNumber,
        isComplete,
        readAt: formatTime(this.#options.clock.wallMs()),
      },
      condition: judgeReading(problems, isComplete),
      listNumber,
      isComplete,
    };
    this.#report(problems);
  }

  /** Each problem is logged when it appears, and the moment is logged when the last one is gone. */
  #report(problems: readonly ProblemStatus[]): void {
    const now = new Set(problems.map((problem) => `${problem.where} ${problem.message}`));
    for (const { where, object, reason, message } of problems) {
      if (this.#reported.has(`${where} ${message}`)) continue;
      this.#options.logger.error(`${where}: ${object === undefined ? '' : `${object}: `}${message}`, {
        reason,
      });
    }
    if (this.#reported.size > 0 && now.size === 0)
      this.#options.logger.info('all manifests are readable again');
    this.#reported = now;
  }
}

function judgeReading(problems: readonly ProblemStatus[], isComplete: boolean): DesiredView['condition'] {
  const type = 'ManifestsRead';
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  if (!isComplete) {
    const message = 'The manifests could not be read completely; the last good ones are in force.';
    return { type, status: 'False', reason: 'Incomplete', message };
  }
  if (errors > 0) {
    const message = `${errors} problem(s) in the manifests; what they touch keeps its last good form.`;
    return { type, status: 'False', reason: 'Problems', message };
  }
  return { type, status: 'True', reason: 'Read', message: 'All manifests were read.' };
}

function holdsSameResources(
  a: ReadonlyMap<string, ManifestObject>,
  b: ReadonlyMap<string, ManifestObject>,
): boolean {
  if (a.size !== b.size) return false;
  for (const [key, object] of a) if (b.get(key)?.resource !== object.resource) return false;
  return true;
}

export function describeProblem(problem: ManifestProblem): ProblemStatus {
  return {
    where: formatPosition(problem),
    object: problem.object === undefined ? undefined : formatObjectRef(problem.object),
    severity: 'error',
    reason: problem.reason,
    message: problem.message,
  };
}

function folderProblem(path: string, error: unknown): ProblemStatus {
  return {
    where: path,
    object: undefined,
    severity: 'error',
    reason: 'FolderUnreadable',
    message: formatErrorForPeople(error),
  };
}
