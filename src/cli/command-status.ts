import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DirectorStatus } from '../director/index.ts';
import { requireString } from './command.ts';
import type { Command } from './command.ts';
import { stateDirFlag } from './common-flags.ts';
import { formatStatus } from './format-status.ts';

export const statusCommand: Command = {
  name: 'status',
  summary: 'Show what a director on this host serves, drains and refuses.',
  usage: 'status [--state-dir DIR] [--json]',
  description: `
Prints one screen from the status file of the director: its conditions, the virtual services with their
virtual addresses and real servers, what drains, and every problem with file and line. Changes nothing and
needs no privilege beyond reading the state directory. Exits 0 when everything is served, 1 otherwise.`,
  flags: [stateDirFlag, { name: 'json', type: 'boolean', description: 'Print the status file itself.' }],
  takesArguments: false,
  run: (input, io) => {
    const path = join(requireString(input, 'state-dir'), 'status.json');
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (error) {
      const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
      io.err(
        `lvs-operator status: ${path} cannot be read (${reason}). Is a director running with this --state-dir?\n`,
      );
      return Promise.resolve(1);
    }
    const status = parseStatus(text);
    if (status === undefined) {
      io.err(
        `lvs-operator status: ${path} is not a status of this version (damaged, or written by another one). ` +
          'A running director writes it anew when something changes.\n',
      );
      return Promise.resolve(1);
    }
    io.out(input.booleans['json'] === true ? text : formatStatus(status, isRunning(status.pid)));
    const isReady = status.conditions.some(
      (condition) => condition.type === 'Ready' && condition.status === 'True',
    );
    return Promise.resolve(isReady ? 0 : 1);
  },
};

/** Undefined unless every part that a screen shows is there: the file may be of another version, or cut off. */
function parseStatus(text: string): DirectorStatus | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const parts = new Map<string, unknown>(Object.entries(value));
  const isWhole =
    ['conditions', 'virtualServices', 'drains', 'problems'].every((name) => Array.isArray(parts.get(name))) &&
    ['kernel', 'source', 'counts', 'counters'].every((name) => parts.get(name) instanceof Object);
  return isWhole ? (value as DirectorStatus) : undefined;
}

/** Signal 0 asks whether the process exists; EPERM means it does and belongs to another user. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
