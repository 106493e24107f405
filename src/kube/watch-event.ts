import { kubeErrorFromStatusObject } from './kube-error.ts';
import type { KubeError } from './kube-error.ts';
import { isRecord, readStoredMeta } from './kube-object.ts';
import type { StoredMeta } from './kube-object.ts';

/** One line of a watch. */
export type WatchEvent =
  | {
      readonly kind: 'put' | 'deleted';
      readonly meta: StoredMeta;
      readonly object: Readonly<Record<string, unknown>>;
    }
  | { readonly kind: 'bookmark'; readonly resourceVersion: string }
  | { readonly kind: 'error'; readonly error: KubeError }
  /** Something happened to some object, and we cannot say what. */
  | { readonly kind: 'unreadable'; readonly message: string };

export function parseWatchEvent(operation: string, line: string): WatchEvent {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch {
    return { kind: 'unreadable', message: `not JSON: ${line.slice(0, 80)}` };
  }
  if (!isRecord(event) || !isRecord(event['object']))
    return { kind: 'unreadable', message: 'no event with an object' };
  const { type, object } = event;
  if (type === 'ERROR') return { kind: 'error', error: kubeErrorFromStatusObject(operation, object) };
  if (type === 'BOOKMARK') return parseBookmark(object);
  const meta = readStoredMeta(object);
  if (meta === undefined)
    return { kind: 'unreadable', message: `${String(type)} of an object without metadata` };
  if (type === 'ADDED' || type === 'MODIFIED') return { kind: 'put', meta, object };
  if (type === 'DELETED') return { kind: 'deleted', meta, object };
  return { kind: 'unreadable', message: `unknown event type ${JSON.stringify(type)}` };
}

function parseBookmark(object: unknown): WatchEvent {
  const metadata = isRecord(object) ? object['metadata'] : undefined;
  const version = isRecord(metadata) ? metadata['resourceVersion'] : undefined;
  return typeof version === 'string' && version !== ''
    ? { kind: 'bookmark', resourceVersion: version }
    : { kind: 'unreadable', message: 'bookmark without a version' };
}
