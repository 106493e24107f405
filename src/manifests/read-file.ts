import { readFileSync, statSync } from 'node:fs';
import { describeFile, describeFileError } from './scan-folder.ts';
import type { ScannedFile } from './scan-folder.ts';

/** Thousands of services fit; what does not is a mistake or an attack. */
const maxFileBytes = 4 * 1024 * 1024;

/** The text of a file, or the one reason why there is none. */
export type FileText =
  | { readonly ok: true; readonly text: string; readonly file: ScannedFile }
  | { readonly ok: false; readonly message: string; readonly line: number; readonly column: number };

/** Reads one text file. Never throws. */
export function readTextFile(path: string): FileText {
  try {
    // A pipe or a device could block the read for ever, so look first.
    const stats = statSync(path, { bigint: true });
    if (stats.isDirectory()) return refuse('is a folder, not a file');
    if (!stats.isFile()) return refuse('not a regular file');
    if (stats.size > maxFileBytes) {
      return refuse(`larger than ${maxFileBytes / 1024 / 1024} MiB; divide it into several files`);
    }
    const decoded = decodeText(readFileSync(path));
    return decoded.ok ? { ...decoded, file: describeFile(path, stats) } : decoded;
  } catch (error) {
    return refuse(describeFileError(error));
  }
}

/** Strict UTF-8, with the place where it stops being text. */
export function decodeText(
  bytes: Uint8Array,
): { readonly ok: true; readonly text: string } | Extract<FileText, { readonly ok: false }> {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    const zero = text.indexOf('\0');
    if (zero < 0) return { ok: true, text };
    return {
      ok: false,
      message: 'holds a zero byte: this is not a text file',
      ...placeOf(bytes, bytes.indexOf(0)),
    };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return {
      ok: false,
      message: 'not valid UTF-8; save the file as UTF-8',
      ...placeOf(bytes, firstInvalidByte(bytes)),
    };
  }
}

/** Halves the text until the byte is found that no longer decodes. */
function firstInvalidByte(bytes: Uint8Array): number {
  let valid = 0;
  let invalid = bytes.length;
  while (valid < invalid) {
    const middle = (valid + invalid) >> 1;
    if (isValidPrefix(bytes.subarray(0, middle + 1))) valid = middle + 1;
    else invalid = middle;
  }
  return valid;
}

function isValidPrefix(bytes: Uint8Array): boolean {
  try {
    // `stream` forgives a character that is cut off at the end.
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}

function placeOf(bytes: Uint8Array, offset: number): { readonly line: number; readonly column: number } {
  const before = bytes.subarray(0, offset);
  const lastNewline = before.lastIndexOf(0x0a);
  let line = 1;
  for (const byte of before) if (byte === 0x0a) line++;
  return { line, column: offset - lastNewline };
}

function refuse(message: string): Extract<FileText, { readonly ok: false }> {
  return { ok: false, message, line: 1, column: 1 };
}
