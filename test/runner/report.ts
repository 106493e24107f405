import type { FileResult } from './file-run.ts';
import type { LayerName } from './layers.ts';

export interface LayerResult {
  readonly layer: LayerName;
  readonly files: readonly FileResult[];
  readonly seconds: number;
}

/** A file that prints a line that begins so has measured something that people want to see although it passed. */
const figure = /^measured: /;

/** One line for a finished file, and a line for each figure that it measured. */
export function formatFile(result: FileResult): string {
  const { file, passed, failed, skipped, seconds, printed } = result;
  const word = failed.length > 0 ? 'FAILED' : 'ok';
  const line = `${word.padEnd(6)}  ${file.padEnd(48)} ${counts(passed, failed.length, skipped.length)}, ${seconds.toFixed(1)} s`;
  const figures = printed.filter((text) => figure.test(text)).map((text) => `        ${text}`);
  return [line, ...figures].join('\n');
}

/** Every failure with its error, and what the file printed last. */
export function formatFailures(results: readonly FileResult[]): string {
  return results
    .filter(({ failed }) => failed.length > 0)
    .map(({ file, failed, printed }) =>
      [
        ...failed.map(
          ({ name, at, error }) => `${file}: ${name}${at === '' ? '' : `\n  at ${at}`}\n${indent(error)}`,
        ),
        ...(printed.length === 0 ? [] : [`${file} printed, at the end:\n${indent(printed.join('\n'))}`]),
      ].join('\n\n'),
    )
    .join('\n\n');
}

/** A table by layer; its last line alone is the sum. */
export function formatSummary(layers: readonly LayerResult[]): string {
  const rows = [
    ['layer', 'files', 'passed', 'failed', 'seconds'],
    ...layers.map(({ layer, files, seconds }) => [
      layer,
      String(files.length),
      String(sum(files, ({ passed }) => passed)),
      String(sum(files, ({ failed }) => failed.length)),
      seconds.toFixed(1),
    ]),
  ];
  const widths = [8, 6, 7, 7, 8];
  const table = rows.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' '),
  );
  const files = layers.flatMap((layer) => layer.files);
  const reasons = files.flatMap(({ file, skipped }) => skipped.map((text) => `skipped: ${file}: ${text}`));
  const total = counts(
    sum(files, ({ passed }) => passed),
    sum(files, ({ failed }) => failed.length),
    sum(files, ({ skipped }) => skipped.length),
  );
  return [...reasons, ...table, total].join('\n');
}

function counts(passed: number, failed: number, skipped: number): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

function sum(files: readonly FileResult[], count: (file: FileResult) => number): number {
  return files.reduce((total, file) => total + count(file), 0);
}

function indent(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '    ');
}
