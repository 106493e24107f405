import { Agent, WebSocket } from 'undici';
import type { Timers } from '../base/index.ts';
import type { CredentialSource } from './credentials.ts';
import { kubeErrorFromNetwork, kubeMalformed, kubeTimeout } from './kube-error.ts';
import { isRecord } from './kube-object.ts';

/** A program that is run once in a container, without input and without a terminal. */
export interface PodCommand {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly command: readonly string[];
  /** From the first packet to the end of the program. */
  readonly timeoutMs: number;
}

export interface PodCommandResult {
  readonly stdout: string;
  readonly stderr: string;
  /** As the API server says it; -1 where it says only that the program failed or could not be started. */
  readonly exitCode: number;
  /** The API server's words about a program that did not end well. */
  readonly message: string;
}

/** Of remotecommand in the API server: the first byte of every message. */
const stdoutChannel = 1;
const stderrChannel = 2;
const statusChannel = 3;
/** Both tell the end of the program on the third channel; the newer one can close its input, of which there is none. */
const protocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];
const mostBytes = 32 * 1024 * 1024;

export function podExecPath({ namespace, pod }: Pick<PodCommand, 'namespace' | 'pod'>): string {
  return `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/exec`;
}

/**
 * Runs a program in a pod through the API server, as `kubectl exec` does: a WebSocket of numbered channels.
 * @param onOpen the API server has let us in
 * @throws KubeError; why a connection was refused, a WebSocket does not say
 */
export async function execInPod(
  credentials: CredentialSource,
  command: PodCommand,
  timers: Timers,
  onOpen: () => void = () => {},
): Promise<PodCommandResult> {
  const path = podExecPath(command);
  const operation = `EXEC ${path}`;
  const { server, tls, headers } = await credentials.read(false);
  const { isUnverified, serverName: servername, ...pem } = tls;
  const agent = new Agent({
    connect: {
      ...pem,
      ...(servername === undefined ? {} : { servername }),
      rejectUnauthorized: !isUnverified,
    },
    allowH2: false,
  });
  const socket = new WebSocket(execUrl(server, path, command), {
    protocols,
    headers: { ...headers },
    dispatcher: agent,
  });
  socket.binaryType = 'arraybuffer';
  socket.addEventListener('open', onOpen);
  try {
    return await new Promise<PodCommandResult>((resolve, reject) => {
      const cancel = timers.after(command.timeoutMs, () => reject(kubeTimeout(operation, command.timeoutMs)));
      const output = new Output();
      socket.addEventListener('message', ({ data }) => {
        if (output.take(data)) return;
        reject(kubeMalformed(operation, 'the program prints too much, or its messages have no channel'));
      });
      socket.addEventListener('error', ({ error, message }) =>
        reject(kubeErrorFromNetwork(operation, error instanceof Error ? error : new Error(message))),
      );
      socket.addEventListener('close', () => {
        cancel();
        const result = output.result();
        if (result === undefined)
          reject(kubeErrorFromNetwork(operation, new Error('the connection ended before the program did')));
        else resolve(result);
      });
    });
  } finally {
    if (socket.readyState === WebSocket.OPEN) socket.close();
    await agent.destroy();
  }
}

function execUrl(server: string, path: string, { container, command }: PodCommand): URL {
  const url = new URL(`${server.replace(/^http/, 'ws')}${path}`);
  for (const word of command) url.searchParams.append('command', word);
  for (const [name, value] of Object.entries({ container, stdout: 'true', stderr: 'true' }))
    url.searchParams.set(name, value);
  return url;
}

/** What came on the channels so far. */
class Output {
  readonly #parts: Readonly<Record<number, Uint8Array[]>> = {
    [stdoutChannel]: [],
    [stderrChannel]: [],
    [statusChannel]: [],
  };
  #bytes = 0;

  /** @returns false: that is too much, or no message of this protocol. */
  take(data: unknown): boolean {
    if (!(data instanceof ArrayBuffer) || data.byteLength === 0) return false;
    const message = new Uint8Array(data);
    this.#bytes += message.length;
    this.#parts[message[0] ?? -1]?.push(message.subarray(1));
    return this.#bytes <= mostBytes;
  }

  /** @returns undefined: nothing was said about the end of the program. */
  result(): PodCommandResult | undefined {
    const status = readStatus(this.#text(statusChannel));
    return status && { stdout: this.#text(stdoutChannel), stderr: this.#text(stderrChannel), ...status };
  }

  #text(channel: number): string {
    return Buffer.concat(this.#parts[channel] ?? []).toString('utf8');
  }
}

/** A `Status`, whose causes have the exit code of a program that did not end well. */
function readStatus(text: string): Pick<PodCommandResult, 'exitCode' | 'message'> | undefined {
  if (text === '') return undefined;
  let status: unknown;
  try {
    status = JSON.parse(text);
  } catch {
    return { exitCode: -1, message: text };
  }
  if (!isRecord(status)) return { exitCode: -1, message: text };
  if (status['status'] === 'Success') return { exitCode: 0, message: '' };
  const details = isRecord(status['details']) ? status['details'] : {};
  const causes: readonly unknown[] = Array.isArray(details['causes']) ? details['causes'] : [];
  const code = causes.find((cause) => isRecord(cause) && cause['reason'] === 'ExitCode');
  const exitCode = isRecord(code) ? Number(code['message']) : -1;
  return {
    exitCode: Number.isInteger(exitCode) ? exitCode : -1,
    message: typeof status['message'] === 'string' ? status['message'] : text,
  };
}
