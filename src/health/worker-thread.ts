import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { randomInt } from 'node:crypto';
import type { Timers } from '../base/index.ts';
import { loadLibc } from '../netlink/index.ts';
import { EchoSockets } from './echo-sockets.ts';
import { prepareQuestion } from './prepare-question.ts';
import { Prober } from './prober.ts';
import { sharedNowMs } from './shared-clock.ts';
import type { ProberOrder, ProberReport } from './worker-protocol.ts';

/**
 * The thread of the prober. This module is both ends of it: the main thread starts it from this very file (which is the
 * whole bundle once there is one), and there it finds by its data that it is the prober. So a program that imports this
 * room must do nothing of its own when it finds itself off the main thread.
 */

/** What is handed over; the mark tells this thread from others that may be started from the same file. */
interface ProberData {
  readonly mark: typeof mark;
  readonly settings: WorkerSettings;
}

const mark = 'lvs-operator prober';

export interface WorkerSettings {
  /** @default that of the prober */
  readonly maxInFlight?: number | undefined;
  /** For tests. */
  readonly allowLoopback?: boolean | undefined;
}

/** A prober on another thread. */
export interface ProbeWorker {
  post(order: ProberOrder): void;
  /** Ends the thread, whatever it is doing. */
  terminate(): Promise<void>;
}

export interface WorkerEvents {
  readonly onReport: (report: ProberReport) => void;
  /** Once, when the thread is gone without having been terminated. */
  readonly onExit: (error: Error | undefined) => void;
}

/** Enough for 10,000 targets with room to spare; a leak ends the thread, not the process. */
const memoryLimits = { maxOldGenerationSizeMb: 256 };

export function startProbeWorker(settings: WorkerSettings, { onReport, onExit }: WorkerEvents): ProbeWorker {
  const data: ProberData = { mark, settings };
  // The thread gets no environment: no proxy, no extra authorities, nothing that a probe could depend on.
  const worker = new Worker(new URL(import.meta.url), {
    workerData: data,
    env: {},
    name: 'prober',
    resourceLimits: memoryLimits,
  });
  let failure: Error | undefined;
  let isTerminated = false;
  worker.on('message', onReport);
  worker.on('error', (error) => (failure = error instanceof Error ? error : new Error('the prober failed')));
  worker.once('exit', () => {
    if (!isTerminated) onExit(failure);
  });
  return {
    post: (order) => worker.postMessage(order),
    terminate: async () => {
      isTerminated = true;
      await worker.terminate();
    },
  };
}

const timers: Timers = {
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

function runProber(port: NonNullable<typeof parentPort>, settings: WorkerSettings): void {
  const echoSockets = new EchoSockets(loadLibc, timers);
  const chance = () => randomInt(2 ** 32) / 2 ** 32;
  const environment = { timers, chance, libc: loadLibc, echoSockets };
  const prober = new Prober({
    ...settings,
    nowMs: sharedNowMs,
    timers,
    chance,
    prepare: (question) => prepareQuestion(question, environment),
    report: (report) => port.postMessage(report),
  });
  port.on('message', (order: ProberOrder) => {
    if (order.type === 'update') return prober.update(order);
    prober.close();
    echoSockets.close();
    port.close();
  });
}

function isProberData(data: unknown): data is ProberData {
  return typeof data === 'object' && data !== null && 'mark' in data && data.mark === mark;
}

if (!isMainThread && parentPort !== null && isProberData(workerData))
  runProber(parentPort, workerData.settings);
