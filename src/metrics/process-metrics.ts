import { readdirSync } from 'node:fs';
import type { processMetrics } from './definitions.ts';
import { labels } from './labels.ts';
import type { Metrics } from './metrics.ts';

/**
 * What every process tells of itself, under the names that Prometheus' own libraries use.
 * @param startedWallMs when it began, by the clock on the wall.
 */
export function provideProcessMetrics(
  metrics: Metrics<typeof processMetrics>,
  about: { readonly version: string; readonly startedWallMs: number },
): void {
  metrics.provide('lvs_operator_build_info', () => [
    [labels({ version: about.version, nodejs: process.version }), 1],
  ]);
  metrics.provideValue('process_start_time_seconds', () => Math.round(about.startedWallMs) / 1000);
  metrics.provideValue('process_cpu_user_seconds_total', () => process.cpuUsage().user / 1e6);
  metrics.provideValue('process_cpu_system_seconds_total', () => process.cpuUsage().system / 1e6);
  metrics.provideValue('process_resident_memory_bytes', () => process.memoryUsage.rss());
  metrics.provideValue('process_open_fds', countOpenFiles);
  metrics.provideValue('nodejs_heap_size_used_bytes', () => process.memoryUsage().heapUsed);
  metrics.provideValue('nodejs_heap_size_total_bytes', () => process.memoryUsage().heapTotal);
  metrics.provideValue('nodejs_external_memory_bytes', () => process.memoryUsage().external);
}

/** One less than there are: the folder itself is open while it is read. */
function countOpenFiles(): number | undefined {
  try {
    return readdirSync('/proc/self/fd').length - 1;
  } catch {
    return undefined;
  }
}
