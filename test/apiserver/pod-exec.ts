/**
 * The subresource `exec` of pods, as a client sees it who wants output and no input: a WebSocket whose messages begin with
 * the number of a channel (remotecommand of Kubernetes, v4 and v5), and a Status at the end. What runs in the pod is for
 * the test to say.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

export interface PodExecRequest {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly command: readonly string[];
}

export interface PodExecOutcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** What pods do with a command. */
export type PodExec = (request: PodExecRequest) => Promise<PodExecOutcome>;

/** @returns undefined: that path is no exec. */
export function podExecRequest(url: URL): PodExecRequest | undefined {
  const match = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)\/exec$/.exec(url.pathname);
  if (match === null) return undefined;
  const [, namespace = '', pod = ''] = match.map((part) => decodeURIComponent(part));
  const container = url.searchParams.get('container') ?? '';
  return { namespace, pod, container, command: url.searchParams.getAll('command') };
}

/** Answers with the output of the command, and ends. */
export async function serveExec(
  request: IncomingMessage,
  socket: Duplex,
  run: () => Promise<PodExecOutcome>,
): Promise<void> {
  const offered = String(request.headers['sec-websocket-protocol'] ?? '').split(/, */);
  const protocol = ['v5.channel.k8s.io', 'v4.channel.k8s.io'].find((known) => offered.includes(known));
  const key = `${String(request.headers['sec-websocket-key'])}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  socket.write(
    [
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Accept: ${createHash('sha1').update(key).digest('base64')}`,
      ...(protocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
      '',
      '',
    ].join('\r\n'),
  );
  const { stdout, stderr, exitCode } = await run();
  // In pieces, as output comes.
  for (let at = 0; at < stdout.length; at += 1000) socket.write(message(1, stdout.slice(at, at + 1000)));
  if (stderr !== '') socket.write(message(2, stderr));
  socket.write(message(3, JSON.stringify(statusOf(exitCode))));
  // 1000: a normal end.
  socket.end(frame(8, Buffer.from([0x03, 0xe8])));
}

/** Refuses before there is a WebSocket. */
export function refuseExec(socket: Duplex, code: number, body: unknown): void {
  const text = JSON.stringify(body);
  const head = [
    `HTTP/1.1 ${code} Refused`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(text)}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`);
}

function statusOf(exitCode: number): object {
  if (exitCode === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  };
}

function message(channel: number, text: string): Buffer {
  return frame(2, Buffer.concat([Buffer.from([channel]), Buffer.from(text)]));
}

/** A whole, unmasked frame of RFC 6455, below 64 KiB. */
function frame(opcode: number, payload: Buffer): Buffer {
  const head = payload.length < 126 ? Buffer.alloc(2) : Buffer.alloc(4);
  head[0] = 0x80 | opcode;
  if (payload.length < 126) head[1] = payload.length;
  else {
    head[1] = 126;
    head.writeUInt16BE(payload.length, 2);
  }
  return Buffer.concat([head, payload]);
}
