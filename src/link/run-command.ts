import { execFile, spawnSync } from 'node:child_process';

export interface CommandResult {
  /** Undefined when the command does not exist; negative when it was ended by a signal or ran out of time. */
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one command to its end. Injected, so that tests need neither the command nor its rights. */
export type RunCommand = (command: string, args: readonly string[], input?: string) => CommandResult;

/** Services often run with a PATH that lacks the administrator's folders. */
const folders = ['', '/usr/sbin/', '/sbin/'];
const timeoutMs = 20_000;
const outputBytesMax = 256 * 1024 * 1024;

/** Waits: a pass of the director must not go on before its rules are in place. Only runs when they differ. */
export const runCommand: RunCommand = (command, args, input) => {
  for (const folder of folders) {
    const result = spawnSync(`${folder}${command}`, args, {
      encoding: 'utf8',
      timeout: timeoutMs,
      maxBuffer: outputBytesMax,
      input: input ?? '',
    });
    const isMissing = result.error !== undefined && 'code' in result.error && result.error.code === 'ENOENT';
    if (isMissing) continue;
    const reason = result.error === undefined ? '' : `${result.error.message}\n`;
    return {
      status: result.status ?? -1,
      stdout: result.stdout ?? '',
      stderr: reason + (result.stderr ?? ''),
    };
  }
  return { status: undefined, stdout: '', stderr: '' };
};

/** The same without waiting for it: for looks that nobody waits for. */
export type StartCommand = (command: string, args: readonly string[]) => Promise<CommandResult>;

/** Never rejects: what goes wrong is in the result. */
export const startCommand: StartCommand = async (command, args) => {
  for (const folder of folders) {
    const result = await new Promise<CommandResult>((resolve) => {
      const limits = { encoding: 'utf8', timeout: timeoutMs, maxBuffer: outputBytesMax } as const;
      execFile(`${folder}${command}`, args, limits, (error, stdout, stderr) => {
        if (error === null) resolve({ status: 0, stdout, stderr });
        else if (error.code === 'ENOENT') resolve({ status: undefined, stdout: '', stderr: '' });
        else {
          const status = typeof error.code === 'number' ? error.code : -1;
          // The message ends with what the command wrote.
          resolve({ status, stdout, stderr: status < 0 ? error.message : stderr });
        }
      });
    });
    if (result.status !== undefined) return result;
  }
  return { status: undefined, stdout: '', stderr: '' };
};
