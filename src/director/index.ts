/**
 * director: the process on a node that runs IPVS.
 *
 * Owns the loop observe → plan → apply, the ledger of what is ours on this host, the sources of the goal (a folder of
 * manifests, a cluster), the status that people read, and the tools around it: preview, validation, clean-up. Promises that the
 * ledger is written before the kernel, that a stop or a crash leaves the table serving, that one refused change never
 * stops another, and that nothing is done twice. Refuses to decide: every decision is a pure function of `plan`.
 */
export { cleanUp } from './clean-up.ts';
export type { CleanUpOptions } from './clean-up.ts';
export { previewCluster, previewManifests } from './preview.ts';
export type { Preview, PreviewClusterOptions, PreviewOptions } from './preview.ts';
export { runClusterDirector } from './run-cluster-director.ts';
export type { RunClusterDirectorOptions } from './run-cluster-director.ts';
export { runDirector } from './run-director.ts';
export type { RunDirectorOptions, RunningDirector } from './run-director.ts';
export type { DirectorCondition, DirectorStatus, ProblemStatus } from './status.ts';
export { validateManifests } from './validate.ts';
export type { Validation } from './validate.ts';
