import { parseManifestDocument } from './manifest-document.ts';
import type { ManifestDocument } from './manifest-document.ts';
import { readTextFile } from './read-file.ts';
import type { ScannedFile } from './scan-folder.ts';
import { splitDocuments } from './split-documents.ts';
import type { DocumentText } from './split-documents.ts';

/** One file as last read. */
export interface ManifestFile {
  readonly path: string;
  /** Of the moment before it was read; undefined: it could not be read. */
  readonly scanned: ScannedFile | undefined;
  /** Milliseconds since 1970 when it was read; undefined: no clock. */
  readonly readAtMs: number | undefined;
  /** The very same list as before when the content is the same. */
  readonly documents: readonly PlacedDocument[];
  /** `formatObjectRef` of the objects in it, as far as they can be told. */
  readonly keys: ReadonlySet<string>;
  /** Set when the file could not be read or holds nothing, so that there are no documents. */
  readonly failure: { readonly message: string; readonly line: number; readonly column: number } | undefined;
}

export interface PlacedDocument {
  readonly document: ManifestDocument;
  readonly firstLine: number;
}

/**
 * File systems keep times in steps (a timer tick, on some a second): a second edit within one step leaves the same
 * signature. So a signature is only believed once the file was older than this when it was read.
 */
const signatureStepMs = 2000;

/**
 * Reads a file again, or gives back what is known when its signature says that nothing changed. Documents whose text
 * did not change are the same objects as before.
 */
export function readManifestFile(
  path: string,
  scanned: ScannedFile | undefined,
  previous: ManifestFile | undefined,
  nowMs: number | undefined,
): ManifestFile {
  if (previous !== undefined && scanned !== undefined && isUnchanged(scanned, previous)) return previous;
  const read = readTextFile(path);
  if (!read.ok) {
    const { message, line, column } = read;
    return { path, scanned: undefined, readAtMs: nowMs, ...nothing, failure: { message, line, column } };
  }
  const { text, file } = read;
  if (text.trim() === '') {
    // Many editors empty a file before they write it: to take that for "no objects" would remove services.
    const failure = { message: 'the file is empty; delete it to remove its objects', line: 1, column: 1 };
    return { path, scanned: file, readAtMs: nowMs, ...nothing, failure };
  }
  return { path, scanned: file, readAtMs: nowMs, ...documentsOf(text, previous), failure: undefined };
}

const nothing: Pick<ManifestFile, 'documents' | 'keys'> = { documents: [], keys: new Set() };

function documentsOf(
  text: string,
  previous: ManifestFile | undefined,
): Pick<ManifestFile, 'documents' | 'keys'> {
  const pieces = splitDocuments(text);
  const before = previous?.documents ?? [];
  const isSame = (piece: DocumentText, index: number) => before[index]?.document.text === piece.text;
  if (previous !== undefined && pieces.length === before.length && pieces.every(isSame)) {
    const { documents, keys } = previous;
    return { documents, keys };
  }
  const known = new Map(before.map(({ document }) => [document.text, document]));
  const documents = pieces.map(({ text: piece, firstLine }) => ({
    document: known.get(piece) ?? parseManifestDocument(detach(piece)),
    firstLine,
  }));
  const keys = documents.flatMap(({ document }) => document.entries.flatMap(({ key }) => key ?? []));
  return { documents, keys: new Set(keys) };
}

function isUnchanged(scanned: ScannedFile, previous: ManifestFile): boolean {
  return (
    previous.scanned !== undefined &&
    previous.readAtMs !== undefined &&
    previous.scanned.signature === scanned.signature &&
    previous.readAtMs - scanned.mtimeMs > signatureStepMs
  );
}

/** A slice keeps the whole file that it was cut from in memory; a copy does not. */
function detach(piece: string): string {
  return Buffer.from(piece, 'utf8').toString('utf8');
}
