/** A place in a file as editors count it: lines and columns from 1. */
export interface SourcePosition {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** `web.yaml:12:5`, which terminals and editors turn into a link. */
export function formatPosition({ file, line, column }: SourcePosition): string {
  return `${file}:${line}:${column}`;
}

/**
 * Line and column of a UTF-16 offset.
 * @param firstLine number of the line that `text` begins with.
 */
export function positionOfOffset(
  text: string,
  offset: number,
  firstLine: number,
): Omit<SourcePosition, 'file'> {
  const end = Math.min(offset, text.length);
  let line = firstLine;
  let lineStart = 0;
  for (
    let newline = text.indexOf('\n');
    newline >= 0 && newline < end;
    newline = text.indexOf('\n', newline + 1)
  ) {
    line++;
    lineStart = newline + 1;
  }
  return { line, column: end - lineStart + 1 };
}
