import { schedulerNames } from '../api/index.ts';
import type { DirectorConfiguration } from '../api/index.ts';
import type { Clock, Logger, Timers } from '../base/index.ts';
import type { ListenAddress } from '../endpoint/index.ts';
import { ReportPoller } from '../load/index.ts';
import type { Libc } from '../netlink/index.ts';
import { DirectorAgent } from './agent.ts';
import type { CountersSource } from './counters-page.ts';
import type { DesiredSource } from './desired-source.ts';
import type { CheckReferences } from './check-references.ts';
import { openDirectorHealth } from './director-health.ts';
import type { HealthNumbers } from './director-health.ts';
import type { DirectorMetrics } from './director-metrics.ts';
import type { HostCounters, KernelFacts } from './host.ts';
import type { LastGoodStore } from './last-good.ts';
import type { Maintenance } from './maintenance.ts';
import { LedgerStore } from './ledger.ts';
import { openHost } from './open-host.ts';
import { listReportTargets } from './report-targets.ts';
import { StatusBoard } from './status-board.ts';
import type { StatusBoardOptions } from './status-board.ts';
import { StatusFile } from './status-file.ts';
import type { BoardInput } from './status-parts.ts';
import type { DirectorCondition } from './status.ts';
import { TrafficReader } from './traffic-reader.ts';
import type { TrafficSnapshot } from './traffic-reader.ts';

/** What a director needs, wherever its goal comes from. */
export interface DirectorOptions {
  readonly stateDirectory: string;
  readonly configuration: DirectorConfiguration;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly version: string;
  readonly pid: number;
  readonly netlinkDebug?: ((line: string) => void) | undefined;
  /** @default the C library of this process */
  readonly libc?: Libc | undefined;
  /** Counts what happens. @default nobody counts */
  readonly metrics?: DirectorMetrics | undefined;
  /** Where the process tells of itself over HTTP. @default nowhere */
  readonly listen?: ListenAddress | undefined;
}

export interface ServingOptions extends DirectorOptions {
  readonly source: DesiredSource;
  readonly lastGood: LastGoodStore;
  readonly board?: Pick<StatusBoardOptions, 'tell' | 'answersForObjects'>;
  /** What health checks refer to. @default they refer to nothing */
  readonly references?: CheckReferences | undefined;
}

export interface ServingSnapshot {
  /** Undefined before the first round. */
  readonly round: BoardInput | undefined;
  readonly conditions: readonly DirectorCondition[];
  readonly host: HostCounters;
  readonly ledgerWrites: number;
}

/** A host that is held equal to a source. */
export interface Serving {
  readonly kernel: KernelFacts;
  /** Runs the first pass, and from then on passes by itself. @throws LvsError when the host cannot be used at all. */
  start(): Promise<void>;
  /** Asks for a pass as soon as possible. */
  wake(): void;
  /** Schedulers that the kernel has or loads; loading takes tens of milliseconds each, the first time. */
  listSchedulers(): readonly string[];
  /** When a pass ended last, by the monotonic clock; undefined before the first one. */
  readonly lastPassMs: number | undefined;
  /** Whether a pass ever ended well that knew the whole goal. */
  readonly hasServedWhole: boolean;
  /** Undefined: it takes clients. */
  readonly maintenance: Maintenance | undefined;
  /** What the last round found, and what was asked of the kernel so far. */
  snapshot(): ServingSnapshot;
  /** Probes, verdicts and the prober, now. */
  readHealth(): HealthNumbers;
  /** Counters of the kernel, now. @throws LvsError when they cannot be read */
  readTraffic(): Promise<TrafficSnapshot>;
  /** The same, and what real servers report of themselves; to ask for it is what makes directors ask them. */
  readCounters(): Promise<CountersSource>;
  /** Ends the loop; the kernel keeps serving. The source stays open. */
  stop(): Promise<void>;
}

/**
 * Opens the host of this network namespace and readies the loop.
 * @throws LvsError when the state directory is not writable, or this kernel cannot be used.
 */
export function openServing(options: ServingOptions): Serving {
  const { source, lastGood, configuration, clock, logger, version, pid } = options;
  const ledgerStore = new LedgerStore(options.stateDirectory);
  const host = openHost(options);
  try {
    const kernel = host.readKernelFacts();
    logger.info('director starts', { version, kernel: kernel.release, ipvs: kernel.ipvsVersion });
    host.applyTimeouts();
    const statusFile = new StatusFile(options.stateDirectory, logger);
    const board = new StatusBoard({
      version,
      pid,
      kernel,
      clock,
      write: (status) => statusFile.write(status),
      ...options.board,
    });
    const health = openDirectorHealth({
      clock,
      timers: options.timers,
      logger,
      onVerdicts: () => agent.wake(),
      references: options.references,
    });
    const agent: DirectorAgent = new DirectorAgent({
      source,
      host,
      ledgerStore,
      lastGood,
      health,
      board,
      configuration,
      clock,
      logger,
      metrics: options.metrics,
    });
    const traffic = new TrafficReader({
      host,
      clock,
      current: () => ({ table: host.state.table, desired: agent.desired }),
    });
    const reports = new ReportPoller({ clock, logger });
    return {
      kernel,
      get lastPassMs() {
        return agent.lastPassMs;
      },
      get hasServedWhole() {
        return agent.hasServedWhole;
      },
      get maintenance() {
        return agent.maintenance;
      },
      snapshot: () => ({ ...board.current, host: host.counters, ledgerWrites: ledgerStore.writes }),
      readHealth: () => health.numbers(),
      readTraffic: () => traffic.read(),
      readCounters: async () => {
        reports.turn(listReportTargets(agent.desired));
        return { traffic: await traffic.read(), reports: reports.reports };
      },
      start: async () => {
        await agent.start();
        logger.info('director serves', { pid });
      },
      wake: () => agent.wake(),
      listSchedulers: () => schedulerNames.filter((name) => host.isSchedulerAvailable(name)),
      stop: async () => {
        await agent.stop();
        reports.close();
        await health.close();
        await lastGood.flush();
        host.close();
      },
    };
  } catch (error) {
    host.close();
    throw error;
  }
}
