import { headingLines } from './proc-table.ts';
import type { ConnectionCounts } from './types.ts';

/** Connections of a whole service, as far as /proc/net/ip_vs tells. */
export type ProcConnections = Pick<ConnectionCounts, 'active' | 'inactive'>;

/**
 * How many connections each service has, over all its real servers: one file instead of a request per service. Marks of
 * both families are one, since the file does not tell them apart.
 *
 * @param text the content of /proc/net/ip_vs.
 * @returns by `procServiceName`
 */
export function readProcConnections(text: Uint8Array): ReadonlyMap<string, ProcConnections> {
  const sums = new Map<string, { active: number; inactive: number }>();
  let sum = { active: 0, inactive: 0 };
  for (const line of Buffer.from(text).toString('latin1').split('\n').slice(headingLines)) {
    const columns = line.trim().split(/\s+/);
    if (line.startsWith(' ')) {
      sum.active += Number(columns.at(-2));
      sum.inactive += Number(columns.at(-1));
    } else if (columns.length > 1) {
      const name = `${columns[0]}${columns[1]}`;
      sum = sums.get(name) ?? { active: 0, inactive: 0 };
      sums.set(name, sum);
    }
  }
  return sums;
}
