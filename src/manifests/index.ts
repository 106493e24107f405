/**
 * manifests: the objects of `api`, read from YAML and JSON files instead of a cluster.
 *
 * Owns the files: which count, how they are decoded, cut into documents, parsed, cached and watched, and where in them
 * a field is written. Promises that every mistake comes back with file, line and what to do; that one broken object
 * never hides another; that nothing absent is taken for removed while it may only be unreadable or half saved
 * (`keepLastGood`); and that unchanged objects stay the same objects from reading to reading, so that a later
 * computation may remember what it made of them. Refuses to judge what an object means: that is `api` for one alone
 * and `plan` for several.
 */
export { readDirectorConfiguration } from './configuration-file.ts';
export { keepLastGood } from './last-good.ts';
export { openManifestFolder, readManifestFolder, readManifestPaths } from './manifest-folder.ts';
export type { ManifestFolder } from './manifest-folder.ts';
export { formatPosition } from './position.ts';
export type { SourcePosition } from './position.ts';
export { formatManifestProblem, groupResources } from './reading.ts';
export type { ManifestObject, ManifestProblem, ManifestReading } from './reading.ts';
