import { isRecord } from './is-record.ts';

/** What a real server says of itself. Parts of what there is, 1 is full. */
export interface ServerReport {
  readonly utilisation?: number;
  readonly memory?: number;
}

/**
 * A load report in the JSON form of ORCA (xds.data.orca.v3.OrcaLoadReport; names in either spelling of Protobuf's JSON).
 * `application_utilization` is the application's own word and wins over `cpu_utilization`, as gRPC has it (A58).
 *
 * @returns the report, or the rest of a sentence about the server
 */
export function parseOrca(text: string): ServerReport | string {
  let report: unknown;
  try {
    report = JSON.parse(text);
  } catch {
    return 'sent a report that is no JSON';
  }
  if (!isRecord(report)) return 'sent a report that is no mapping';
  const number = (snake: string, camel: string): number | undefined => {
    const value = report[snake] ?? report[camel];
    return typeof value === 'number' ? value : undefined;
  };
  const application = number('application_utilization', 'applicationUtilization');
  const cpu = number('cpu_utilization', 'cpuUtilization');
  const memory = number('mem_utilization', 'memUtilization');
  // Protobuf leaves out what is 0.
  const utilisation = application !== undefined && application > 0 ? application : cpu;
  if (utilisation === undefined) return 'sent a report without application_utilization and cpu_utilization';
  return { utilisation, ...(memory === undefined ? {} : { memory }) };
}

/**
 * A line as an agent of HAProxy sends it (agent-check in its configuration manual): words, of which `75%` says how much
 * of its configured weight the server wants. Most agents send what is free of their CPU; that is what it is taken for.
 * Words about the state of the server are left to health checks.
 *
 * @returns the report, or the rest of a sentence about the server
 */
export function parseAgentCheck(text: string): ServerReport | string {
  const [line = ''] = text.split(/[\r\n]/, 1);
  const percent = line
    .split(/[\s,]+/)
    .map((word) => /^(\d{1,3}(?:\.\d+)?)%$/.exec(word)?.[1])
    .find((digits) => digits !== undefined);
  if (percent === undefined) return 'sent a line without a percentage';
  return { utilisation: Math.max(0, 1 - Number(percent) / 100) };
}
