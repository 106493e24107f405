import type { DirectorResource } from '../api/index.ts';
import { directorType, nodeType } from '../cluster/index.ts';
import type { NodeRecord } from '../cluster/index.ts';
import { isKubeError } from '../kube/index.ts';
import type { KubeClient, ReadableStore, WorkResult } from '../kube/index.ts';
import type { Clock } from '../base/index.ts';
import { nodeOf } from './live-directors.ts';

export interface DirectorGarbageOptions {
  readonly directors: ReadableStore<DirectorResource>;
  readonly nodes: ReadableStore<NodeRecord>;
  /** Fenced. */
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly onDeleted: (name: string) => void;
}

/** Between two answers that a node does not exist. */
const confirmMs = 5000;
/** A cluster without nodes is a list that went wrong. */
const emptyMs = 30_000;

/**
 * Deletes Directors whose node is gone. Nobody else does: a director dies with its node. The store only raises the
 * suspicion; that the node does not exist is asked of the API server, twice, and the deletion names the uid of the very
 * object that was judged.
 */
export class DirectorGarbage {
  readonly #options: DirectorGarbageOptions;
  /** When a node was first said not to exist, by name of the Director. Monotonic. */
  readonly #missingSinceMs = new Map<string, number>();

  constructor(options: DirectorGarbageOptions) {
    this.#options = options;
  }

  isSuspect(director: DirectorResource): boolean {
    return this.#options.nodes.get(nodeOf(director)) === undefined;
  }

  async collect(name: string): Promise<WorkResult> {
    const { directors, nodes, client, clock, onDeleted } = this.#options;
    const entry = directors.entry(name);
    if (entry === undefined || !this.isSuspect(entry.object)) {
      this.#missingSinceMs.delete(name);
      return { kind: 'done' };
    }
    if (nodes.size === 0) return { kind: 'again', afterMs: emptyMs };
    if (await this.#exists(nodeOf(entry.object))) {
      this.#missingSinceMs.delete(name);
      return { kind: 'again', afterMs: emptyMs };
    }
    const nowMs = clock.monotonicMs();
    const sinceMs = this.#missingSinceMs.get(name) ?? nowMs;
    this.#missingSinceMs.set(name, sinceMs);
    if (nowMs - sinceMs < confirmMs) return { kind: 'again', afterMs: sinceMs + confirmMs - nowMs };
    await deleteIfThere(client, name, entry.uid);
    this.#missingSinceMs.delete(name);
    onDeleted(name);
    return { kind: 'done' };
  }

  async #exists(node: string): Promise<boolean> {
    try {
      await this.#options.client.get(nodeType, { name: node });
      return true;
    } catch (error) {
      if (isKubeError(error, 'LVS_KUBE_NOT_FOUND')) return false;
      throw error;
    }
  }
}

async function deleteIfThere(client: KubeClient, name: string, uid: string): Promise<void> {
  try {
    await client.delete(directorType, { name }, uid);
  } catch (error) {
    // Gone already, or made anew meanwhile: either way not ours to delete.
    if (!isKubeError(error, 'LVS_KUBE_NOT_FOUND') && !isKubeError(error, 'LVS_KUBE_CONFLICT')) throw error;
  }
}
