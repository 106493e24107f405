/**
 * director: the process on a node that runs IPVS.
 *
 * Owns the loop observe → plan → apply, the ledger of what is ours on this host, the source of the goal (a folder of
 * manifests), the status that people read, and the tools around it: preview, validation, clean-up. Promises that the
 * ledger is written before the kernel, that a stop or a crash leaves the table serving, that one refused change never
 * stops another, and that nothing is done twice. Refuses to decide: every decision is a pure function of `plan`.
 */
export { cleanUp } from './clean-up.ts';
export type { CleanUpOptions } from './clean-up.ts';
export { previewChanges } from './preview.ts';
export type { Preview, PreviewOptions } from './preview.ts';
export { runDirector } from './run-director.ts';
export type { RunDirectorOptions, RunningDirector } from './run-director.ts';
export type { DirectorCondition, DirectorStatus, ProblemStatus } from './status.ts';
export { validateManifests } from './validate.ts';
export type { Validation } from './validate.ts';
