import { isLvsError, formatErrorForPeople } from '../base/index.ts';
import { parseListenAddress } from '../endpoint/index.ts';
import type { ListenAddress } from '../endpoint/index.ts';
import { UsageError } from './command.ts';
import type { CommandInput } from './command.ts';

export const directorPort = 9441;
export const controllerPort = 9440;

/** @returns undefined for `off` @throws UsageError */
export function readListen(input: CommandInput, standard: string): ListenAddress | undefined {
  try {
    return parseListenAddress(input.strings['listen'] ?? standard);
  } catch (error) {
    if (isLvsError(error)) throw new UsageError(`--listen: ${formatErrorForPeople(error)}`);
    throw error;
  }
}
