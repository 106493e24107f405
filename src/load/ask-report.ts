import { connect } from 'node:net';
import type { Agent } from 'node:http';
import { boundedGet } from './bounded-get.ts';
import { loadError } from './load-error.ts';
import { parseAgentCheck, parseOrca } from './server-report.ts';
import type { ServerReport } from './server-report.ts';

/** How a real server tells of its load. */
export interface ReportQuestion {
  readonly protocol: 'ORCA' | 'AgentCheck';
  readonly address: string;
  readonly port: number;
  /** Of the GET of ORCA. */
  readonly path: string;
}

const timeoutMs = 1000;
const mostBytes = 16 * 1024;

/**
 * Asks one real server once. What it sends is bounded in bytes and time, and no redirect is followed.
 * @param agent keeps connections for the GETs of ORCA
 * @throws LvsError LVS_LOAD_SOURCE, whose message names the server and nothing that it sent
 */
export async function askReport(question: ReportQuestion, agent: Agent): Promise<ServerReport> {
  const { protocol, address, port, path } = question;
  const host = address.includes(':') ? `[${address}]` : address;
  const source = `real server ${host}:${port}`;
  const text =
    protocol === 'ORCA'
      ? await boundedGet({
          source,
          url: new URL(path, `http://${host}:${port}`),
          agent,
          timeoutMs,
          mostBytes,
        })
      : await readLine(source, address, port);
  const report = protocol === 'ORCA' ? parseOrca(text) : parseAgentCheck(text);
  if (typeof report === 'string') throw loadError(source, report);
  return report;
}

/** Agents of HAProxy speak without being asked, and close behind their line. */
function readLine(source: string, address: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port });
    const finish = (end: () => void): void => {
      clearTimeout(deadline);
      // Many short conversations: a reset leaves no TIME_WAIT that would use up our ports.
      // While it connects, that would wait for the connection.
      if (socket.connecting) socket.destroy();
      else socket.resetAndDestroy();
      end();
    };
    const deadline = setTimeout(
      () => finish(() => reject(loadError(source, `did not answer within ${timeoutMs / 1000} s`))),
      timeoutMs,
    );
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
      if (/[\r\n]/.test(text)) finish(() => resolve(text));
      else if (text.length > mostBytes)
        finish(() => reject(loadError(source, `sent more than ${mostBytes} bytes`)));
    });
    socket.once('end', () => finish(() => resolve(text)));
    socket.once('error', (cause) => finish(() => reject(loadError(source, 'could not be asked', cause))));
  });
}
