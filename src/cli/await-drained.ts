import { readDirectorStatus } from '../api/index.ts';
import { directorType, parserOf } from '../cluster/index.ts';
import type { ClusterConnection } from '../cluster/index.ts';
import { isKubeError, pause } from '../kube/index.ts';
import type { KubeObject } from '../kube/index.ts';
import type { CommandIo } from './command.ts';

export interface AwaitDrainedOptions {
  readonly connection: Pick<ClusterConnection, 'client' | 'timers'>;
  /** Of the Director. */
  readonly name: string;
  /** Of the object that asks for the drain: what a status says of an earlier one does not count. */
  readonly generation: number;
  readonly io: Pick<CommandIo, 'out' | 'err'>;
  /** Somebody does not want to wait any longer. */
  readonly signal: AbortSignal;
}

const intervalMs = 1000;

/**
 * Waits until a director says that it has no connection left, and tells how many there are.
 * @returns the exit status: 1 when it is not drained
 */
export async function awaitDrained(options: AwaitDrainedOptions): Promise<number> {
  const { connection, name, io, signal } = options;
  let told = '';
  while (!signal.aborted) {
    const state = await look(options);
    if (state.kind === 'over') {
      io.err(`Director ${name} is to drain no more: somebody took it back.\n`);
      return 1;
    }
    if (state.message !== told) io.out(`${state.message}\n`);
    told = state.message;
    if (state.kind === 'drained') return 0;
    await pause(connection.timers, intervalMs, signal);
  }
  io.err(`Director ${name} goes on draining; nobody waits for it any more.\n`);
  return 1;
}

type State = { readonly kind: 'over' } | { readonly kind: 'draining' | 'drained'; readonly message: string };

/** An API server that is away for a moment ends no wait. @throws KubeError when there is no Director, or no right */
async function look(options: AwaitDrainedOptions): Promise<State> {
  const { connection, name, signal } = options;
  try {
    return judge(await connection.client.get(directorType, { name }, { signal }), options);
  } catch (error) {
    if (!signal.aborted && !(isKubeError(error) && error.isRetryable)) throw error;
    return { kind: 'draining', message: 'The API server does not answer; asking again.' };
  }
}

function judge(object: KubeObject, { name, generation }: AwaitDrainedOptions): State {
  if (parserOf('Director')(object).spec.maintenance?.drain !== true) return { kind: 'over' };
  const { conditions } = readDirectorStatus({
    status: object['status'] as Readonly<Record<string, unknown>>,
  });
  const drained = conditions.find(({ type }) => type === 'Drained');
  if (drained === undefined || (drained.observedGeneration ?? 0) < generation)
    return { kind: 'draining', message: `Director ${name} has not taken it in yet.` };
  return { kind: drained.status === 'True' ? 'drained' : 'draining', message: drained.message };
}
