import type { DirectorTroubledService } from '../api/index.ts';
import type { ObjectKey } from '../kube/index.ts';
import { describeDirectors } from './live-directors.ts';
import type { LiveDirector } from './live-directors.ts';
import { severityOf } from './trouble-severity.ts';

/** How directors see the real servers of a VirtualService by their checks. Only where one of them sees trouble. */
export interface ServiceHealth {
  /** The most that one director sees failing, on one port of one address. */
  readonly failing: number;
  readonly worst: DirectorTroubledService;
  /** Those that see it in that state, by name. */
  readonly directors: readonly string[];
}

/** How directors see a RealServer by its checks. Only where one of them sees trouble. */
export interface RealServerHealth {
  /** The most addresses that one director sees failing. */
  readonly failing: number;
  /** Directors that see trouble, by name. */
  readonly troubled: readonly string[];
}

/** What the directors that serve report of health, by object. */
export class FleetHealth {
  /** Directors that serve, take clients and have reported. */
  readonly directors: number;
  readonly #services = new Map<ObjectKey, ServiceHealth>();
  readonly #realServers = new Map<ObjectKey, RealServerHealth>();

  constructor(directors: readonly LiveDirector[]) {
    const serving = directors.filter(
      ({ isServing, isInMaintenance, through }) => isServing && !isInMaintenance && through !== undefined,
    );
    this.directors = serving.length;
    for (const { name, troubledServices, troubledRealServers } of serving) {
      for (const [key, troubled] of troubledServices) this.#addService(key, name, troubled);
      for (const [key, failing] of troubledRealServers) {
        const known = this.#realServers.get(key);
        this.#realServers.set(key, {
          failing: Math.max(failing, known?.failing ?? 0),
          troubled: [...(known?.troubled ?? []), name],
        });
      }
    }
  }

  serviceOf(key: ObjectKey): ServiceHealth | undefined {
    return this.#services.get(key);
  }

  realServerOf(key: ObjectKey): RealServerHealth | undefined {
    return this.#realServers.get(key);
  }

  /** RealServers with trouble. */
  realServers(): ReadonlyMap<ObjectKey, RealServerHealth> {
    return this.#realServers;
  }

  #addService(key: ObjectKey, director: string, troubled: DirectorTroubledService): void {
    const known = this.#services.get(key);
    const failing = Math.max(troubled.total - troubled.up, known?.failing ?? 0);
    const step = known === undefined ? 1 : severityOf(troubled) - severityOf(known.worst);
    if (known === undefined || step > 0)
      this.#services.set(key, { failing, worst: troubled, directors: [director] });
    else {
      const directors = step === 0 ? [...known.directors, director] : known.directors;
      this.#services.set(key, { ...known, failing, directors });
    }
  }
}

/** What clients meet, as a sentence. */
export function describeServiceHealth({ worst, directors }: ServiceHealth): string {
  const { up, total, service, reason } = worst;
  return `${up} of ${total} real servers of ${service} are up on ${describeDirectors(directors)}; ${sequelOf(reason)}.`;
}

function sequelOf(reason: string): string {
  switch (reason) {
    case 'HealthIgnored':
      return 'that is below panicThresholdPercent, so all of them get connections';
    case 'QuorumLost':
      return 'that is below the quorum, and they go on serving';
    case 'SorryServer':
      return 'that is below the quorum, and the sorry server answers';
    case 'NoneUp':
      return 'nobody answers there';
    default:
      return 'they serve all clients';
  }
}
