import { mkdirSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';

/** Of a process that runs; whoever may connect to it may tell the process something. */
export interface ControlSocket {
  close(): Promise<void>;
}

/** A question and its answer are one line each. A question is short; an answer may be about a thousand servers. */
const longestQuestion = 1024;
const longestAnswer = 64 * 1024 * 1024;
const patienceMs = 5000;

export function controlSocketFile(folder: string): string {
  return join(folder, 'control.sock');
}

/**
 * Answers lines at `control.sock` in a folder, for the user of this process and for root. A file system says who that is
 * in a container without a shell as well as on a host, and needs neither the network nor an API server.
 * @param answer of one line, in one line.
 * @throws Error of the system, or when another process answers there.
 */
export async function openControlSocket(
  folder: string,
  answer: (line: string) => string,
): Promise<ControlSocket> {
  const file = controlSocketFile(folder);
  makeFolder(folder);
  // A process that was killed leaves its file behind, which nobody can listen at before it is gone.
  if (await isAnswered(file)) throw new Error(`another process answers at ${file}`);
  rmSync(file, { force: true });
  const server = createServer((socket) => void serve(socket, answer));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // The file is made within `listen`: nobody else may connect even for a moment.
    const umask = process.umask(0o177);
    server.listen(file, resolve);
    process.umask(umask);
  });
  server.on('error', () => {});
  server.unref();
  return { close: () => new Promise((resolve) => server.close(() => resolve())) };
}

/** @returns the answer to one line. @throws Error of the system when nobody answers. */
export async function askControlSocket(file: string, line: string): Promise<string> {
  const socket = connect(file);
  socket.setTimeout(patienceMs, () => socket.destroy(new Error(`no answer within ${patienceMs / 1000} s`)));
  socket.write(`${line}\n`);
  try {
    return await readLine(socket, longestAnswer);
  } finally {
    socket.destroy();
  }
}

async function serve(socket: Socket, answer: (line: string) => string): Promise<void> {
  socket.setTimeout(patienceMs, () => socket.destroy());
  socket.on('error', () => {});
  try {
    socket.end(`${answer(await readLine(socket, longestQuestion))}\n`);
  } catch {
    socket.destroy();
  }
}

async function readLine(socket: Socket, longest: number): Promise<string> {
  let text = '';
  for await (const chunk of socket.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    const end = String(chunk).indexOf('\n');
    text += end < 0 ? String(chunk) : String(chunk).slice(0, end);
    if (text.length > longest) break;
    if (end >= 0) return text;
  }
  throw new Error('the connection ended within a line, or the line is too long');
}

/** @throws Error of the system when that cannot be told, so that nobody's file is removed by mistake. */
function isAnswered(file: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(file);
    socket
      .once('connect', () => resolve(true))
      .once('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(false);
        else reject(error);
      });
    socket.once('connect', () => socket.destroy());
  });
}

/** The folder alone: what is above it is somebody else's to make. */
function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch {
    // It is there, or listening says what is wrong.
  }
}
