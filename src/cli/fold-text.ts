/** What fits beside a shell in half a screen, and into a ticket. */
export const pageWidth = 100;

/**
 * Text in lines of at most so many characters, broken between words; a longer word has a line of its own.
 * @param first what stands before the text; later lines begin with as many blanks.
 */
export function foldText(text: string, first = '', width = pageWidth): string {
  const indent = ' '.repeat(first.length);
  const lines: string[] = [];
  let line = first;
  let isFresh = true;
  for (const word of text.split(/\s+/)) {
    if (!isFresh && line.length + 1 + word.length > width) {
      lines.push(line);
      line = indent;
      isFresh = true;
    }
    line += isFresh ? word : ` ${word}`;
    isFresh = false;
  }
  return [...lines, line].map((each) => each.trimEnd()).join('\n');
}
