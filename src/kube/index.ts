/**
 * kube: a conversation with a Kubernetes API server, for objects of any kind.
 *
 * Owns credentials and their rotation, connections, lists and watches, stores, the work queue, leader election, events
 * and status. Promises that a watch never dies: whatever breaks, stalls, expires or cannot be read is followed by
 * another attempt with growing delays, while the store keeps what was known; that a store changes by a complete list or
 * a single event and never by half a list; that no key is worked on twice at once; and that who lost the lease knows it
 * before its next write. Refuses to know any kind of ours, to decide by wall-clock time, and to repeat a write by
 * itself.
 */
export { KubeClient } from './client.ts';
export type { ApplyOptions, CallOptions, ListOptions, ListPage } from './client.ts';
export { inClusterCredentials } from './credentials.ts';
export type { CredentialSource, Credentials, InClusterOptions, TlsMaterial } from './credentials.ts';
export { isCovered, isEqualJson } from './equality.ts';
export { EventRecorder } from './events.ts';
export type { EventNote, EventOutcome, EventRecorderOptions, ObjectReference } from './events.ts';
export { isKubeError, KubeError } from './kube-error.ts';
export { apiVersionOf, objectKey, parseObjectKey, readStoredMeta, resourcePath } from './kube-object.ts';
export type {
  KubeObject,
  ObjectKey,
  ObjectMeta,
  ObjectName,
  ResourceType,
  StoredMeta,
} from './kube-object.ts';
export { kubeconfigCredentials } from './kubeconfig.ts';
export type { KubeconfigOptions } from './kubeconfig.ts';
export { fencedTransport, LeaderElection, leaseType } from './lease.ts';
export type { LeaderElectionOptions } from './lease.ts';
export { execInPod, podExecPath } from './pod-exec.ts';
export type { PodCommand, PodCommandResult } from './pod-exec.ts';
export { Reflector } from './reflector.ts';
export type { ReflectorCounters, ReflectorHealth, ReflectorOptions } from './reflector.ts';
export { StatusWriter } from './status.ts';
export type { StatusOutcome, StatusSubject, StatusWriterOptions } from './status.ts';
export { isOlderVersion, Store } from './store.ts';
export type {
  IndexFunction,
  MalformedObject,
  ReadableStore,
  StoreChange,
  StoreEntry,
  StoreOptions,
  StoreState,
} from './store.ts';
export { RateLimit } from './rate-limit.ts';
export type { RateLimitOptions } from './rate-limit.ts';
export { pause, systemTimers } from './timers.ts';
export { openTransport } from './transport.ts';
export type {
  ApiAnswer,
  KubeRequest,
  KubeStreamRequest,
  KubeTransport,
  TransportOptions,
} from './transport.ts';
export { WorkQueue } from './work-queue.ts';
export type { AddOptions, FinishedWork, WorkQueueOptions, WorkResult } from './work-queue.ts';
