import { formatObjectRef } from '../api/index.ts';
import type { DirectorStatus } from '../director/index.ts';

/** One readable screen. `isRunning` false says that the file is what a director left behind. */
export function formatStatus(status: DirectorStatus, isRunning: boolean): string {
  const sections = [
    formatHead(status, isRunning),
    formatConditions(status),
    formatVirtualServices(status),
    formatFailing(status),
    formatDrains(status),
    formatProblems(status),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function formatHead(status: DirectorStatus, isRunning: boolean): string {
  const { kernel, counts, counters } = status;
  const size = kernel.connectionTableSize;
  return [
    `lvs-operator ${status.version} director, ${isRunning ? `running as pid ${status.pid}` : 'NOT RUNNING (last known state)'}, updated ${status.updatedAt}`,
    `kernel ${kernel.release}, IPVS ${kernel.ipvsVersion}, connection table of ${size} buckets`,
    `from ${status.source.description}, list ${status.source.listNumber}${status.source.isComplete ? '' : ' (INCOMPLETE)'}`,
    `${counts.virtualServices} virtual services as ${counts.services} kernel services with ${counts.realServers} real servers; ` +
      `${counts.foreignServices} services of others left alone`,
    `${counters.changes} changes in ${counters.passes} passes, ${counters.driftRepairs} repairs of drift, ${counters.refusedOperations} refusals by the kernel`,
  ].join('\n');
}

function formatConditions({ conditions }: DirectorStatus): string {
  return table(
    ['CONDITION', 'STATUS', 'REASON', 'MESSAGE'],
    conditions.map(({ type, status, reason, message }) => [type, status, reason, message]),
  );
}

function formatVirtualServices({ virtualServices, counts }: DirectorStatus): string {
  if (virtualServices.length === 0) return 'No virtual services.';
  const rows = virtualServices.map((service) => [
    formatObjectRef(service.object).replace(/^VirtualService /, ''),
    service.addresses.join(',') || '-',
    service.ports.join(','),
    service.scheduler,
    formatRealServers(service),
    service.reason,
  ]);
  return (
    table(['VIRTUAL SERVICE', 'ADDRESSES', 'PORTS', 'SCHEDULER', 'REAL SERVERS', 'STATE'], rows) +
    more(rows.length, counts.virtualServices)
  );
}

function formatRealServers({
  realServers: { serving, quiesced, failing },
}: DirectorStatus['virtualServices'][number]): string {
  const others = [
    ...(failing > 0 ? [`${failing} failing`] : []),
    ...(quiesced > 0 ? [`${quiesced} quiesced`] : []),
  ];
  return others.length === 0 ? `${serving}` : `${serving} (+${others.join(', ')})`;
}

function formatFailing({ failing, counts }: DirectorStatus): string {
  if (failing.length === 0) return '';
  const rows = failing.map(({ service, realServer, object, reason, since }) => [
    realServer,
    service,
    object.replace(/^RealServer /, ''),
    reason,
    since,
  ]);
  return table(['FAILING', 'BEHIND', 'OBJECT', 'REASON', 'SINCE'], rows) + more(rows.length, counts.failing);
}

function formatDrains({ drains, counts }: DirectorStatus): string {
  if (drains.length === 0) return '';
  const rows = drains.map((drain) => [
    drain.service,
    drain.realServer,
    drain.reason,
    `${drain.active}/${drain.inactive}`,
    drain.since,
    drain.deadline,
  ]);
  return (
    table(['DRAINING FROM', 'REAL SERVER', 'REASON', 'ACTIVE/INACTIVE', 'SINCE', 'DEADLINE'], rows) +
    more(rows.length, counts.drains)
  );
}

function formatProblems({ problems, counts, held }: DirectorStatus): string {
  const lines = problems.map(
    ({ where, severity, message }) => `  ${where}: ${severity === 'warning' ? 'warning: ' : ''}${message}`,
  );
  if (held !== undefined)
    lines.unshift(`  held since ${held.since}: removal of ${held.entries} entries. ${held.message}`);
  return lines.length === 0 ? '' : `Problems:\n${lines.join('\n')}${more(problems.length, counts.problems)}`;
}

function more(shown: number, total: number): string {
  return total > shown ? `\n  … and ${total - shown} more` : '';
}

/** Columns as wide as their widest cell; the last one is not padded. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
