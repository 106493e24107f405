/** What the demo prints, and the count of what was not as it was said. */

const hasColor = process.env['DEMO_COLOR'] === '1';
const start = performance.now();
let mismatches = 0;

export function chapter(title: string): void {
  const seconds = ((performance.now() - start) / 1000).toFixed(0).padStart(3);
  console.log(
    `\n${paint('1;36', `── ${title} `)}${paint('2', `${'─'.repeat(Math.max(3, 76 - title.length))} ${seconds} s`)}`,
  );
}

export function say(text = ''): void {
  console.log(text);
}

/** Output of a command, with the command above it. */
export function showCommand(command: string, output: string): void {
  console.log(paint('2', `$ ${command}`));
  console.log(indent(output.trimEnd()));
}

/** States a fact that was just observed; a false one makes the demo fail. */
export function check(statement: string, isTrue: boolean): void {
  if (!isTrue) mismatches++;
  console.log(`  ${isTrue ? paint('32', 'ok  ') : paint('1;31', 'NOT ')} ${statement}`);
}

/** @returns how many statements were false. */
export function countMismatches(): number {
  return mismatches;
}

/** Columns padded to their widest cell, numbers to the right. */
export function showTable(head: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => String(row[column] ?? '').length)),
  );
  const line = (cells: readonly (string | number)[]) =>
    cells
      .map((cell, column) =>
        typeof cell === 'number'
          ? String(cell).padStart(widths[column] ?? 0)
          : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  console.log(indent(paint('1', line(head))));
  for (const row of rows) console.log(indent(line(row)));
}

/** A change of a file as people write it in a diff. */
export function showEdit(file: string, removed: readonly string[], added: readonly string[]): void {
  console.log(`  ${paint('1', file)}`);
  for (const line of removed) console.log(`    ${paint('31', `- ${line}`)}`);
  for (const line of added) console.log(`    ${paint('32', `+ ${line}`)}`);
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '  ');
}

function paint(code: string, text: string): string {
  return hasColor ? `\u001B[${code}m${text}\u001B[0m` : text;
}
