/** A part of a YAML file that can be parsed by itself. */
export interface DocumentText {
  readonly text: string;
  /** Number of its first line in the file, from 1. */
  readonly firstLine: number;
}

/**
 * Cuts a YAML file before every `---` at the beginning of a line. That is exact without parsing: YAML forbids such a
 * line inside every scalar (YAML 1.2.2, production c-forbidden), so it always begins a document. A file with `%`
 * directives stays in one piece, because a directive belongs to the document that follows it.
 *
 * Documents are what is cached: after an edit only the document that changed is parsed again.
 */
export function splitDocuments(text: string): readonly DocumentText[] {
  if (text.startsWith('%') || text.includes('\n%')) return [{ text, firstLine: 1 }];
  const documents: DocumentText[] = [];
  let start = 0;
  let firstLine = 1;
  let line = 1;
  for (let newline = text.indexOf('\n'); newline >= 0; newline = text.indexOf('\n', newline + 1)) {
    line++;
    if (isDocumentStart(text, newline + 1)) {
      documents.push({ text: text.slice(start, newline + 1), firstLine });
      start = newline + 1;
      firstLine = line;
    }
  }
  documents.push({ text: text.slice(start), firstLine });
  return documents;
}

function isDocumentStart(text: string, offset: number): boolean {
  if (!text.startsWith('---', offset)) return false;
  const next = text[offset + 3];
  return next === undefined || next === '\n' || next === '\r' || next === ' ' || next === '\t';
}
