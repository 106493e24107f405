/** House rules about single files, as functions from text to violations, so that each rule can be shown to fail. */
import { findFunctions, lineAt, type SourceText } from './source-text.ts';

const longestLine = 140;
/** Of what is left of a line when the insides of its literals are taken out: a message may be as long as it has to. */
const longestCode = 110;
const longestFile = 600;
const longestFunction = 95;

/** Files and functions that were longer when the rule came, with the length they may not exceed. It only shrinks. */
const ratchet: Readonly<Record<string, number>> = {};

/** Words for work that was put off; spelled apart so that this file passes its own rule. */
const postponed = new RegExp(
  `\\b(?:${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX', 'HA' + 'CK'].join('|')})\\b`,
  'g',
);

/** Compiler, linter or formatter told to look away, with no reason behind it. */
const switchedOff = new RegExp(
  `(?:@ts-|(?:es|ox)lint-|prettier-)(?:ignore|nocheck|expect-error|disable)(?!.* -- \\w).*`,
  'g',
);

/** Time and chance are arguments; only the rooms that compose the process may ask for them. */
const clockRooms = /^src\/(?:cli|director)\//;

/** Any text file of the project. */
export function findTextViolations(file: string, text: string): string[] {
  const at = (pattern: RegExp, what: string) =>
    [...text.matchAll(pattern)].map(
      (match) => `${file}:${text.slice(0, match.index).split('\n').length}: ${what}: ${match[0].trim()}`,
    );
  return [
    ...at(postponed, 'work put off'),
    ...at(
      /\b(?:registry\.[a-z0-9-]+\.[a-z]{2,}|[a-z0-9-]+\.(?:npmmirror|pkg\.dev|jfrog\.io)\b)[^\s"')]*/g,
      'names a registry',
    ),
    ...at(
      /(?<![\w.~}*)-])\/(?:work|root|home\/[a-z]\w*|Users\/\w+)\/[\w.-]+/g,
      "a path of somebody's machine",
    ),
    ...at(/^(?:<{7}|>{7}|={7})(?: .*)?$/gm, 'a merge that was not finished'),
    ...(text === '' || text.endsWith('\n') ? [] : [`${file}: does not end with a line break`]),
  ];
}

/** A TypeScript file, tests included. */
export function findSourceViolations(source: SourceText): string[] {
  const { file, text, code } = source;
  const lines = text.split('\n');
  const codeLines = code.split('\n');
  const at = (pattern: RegExp, what: string) =>
    [...code.matchAll(pattern)].map(
      (match) => `${file}:${lineAt(source, match.index)}: ${what}: ${match[0].trim()}`,
    );
  return [
    ...lines.flatMap((line, i) =>
      line.length > longestLine && !isWideByText(line, codeLines[i] ?? '')
        ? [`${file}:${i + 1}: ${line.length} characters wide`]
        : [],
    ),
    ...(lines.length > (ratchet[file] ?? longestFile)
      ? [`${file}: ${lines.length} lines long; is it two ideas?`]
      : []),
    ...(file.startsWith('src/') ? findLongFunctions(source) : []),
    ...at(
      /\b(?:test|it|describe|suite)\s*\.\s*(?:only|skip|todo)\b|\b(?:t|context)\s*\.\s*(?:skip|todo)\s*\(/g,
      'a test that does not run',
    ),
    ...at(/[{,]\s*(?:skip|only|todo)\s*:(?!\s*(?:boolean|string|number)\b)/g, 'a test that does not run'),
    ...(file.startsWith('src/') && !clockRooms.test(file)
      ? at(
          /\bDate\.now\b|\bMath\.random\b|\bperformance\.now\b|\bnew Date\(\s*\)/g,
          'time and chance are arguments',
        )
      : []),
    ...(file.startsWith('src/')
      ? at(/\bconsole\.\w+/g, 'only cli prints, through process.stdout or its logger')
      : []),
    ...[...text.matchAll(switchedOff)].map(
      (match) =>
        `${file}:${lineAt(source, match.index)}: a rule is switched off without " -- " and why: ${match[0]}`,
    ),
  ];
}

/** A comment can be wrapped; a long message or table row cannot. */
function isWideByText(line: string, code: string): boolean {
  return !/^\s*(?:\/\/|\/?\*)/.test(line) && code.replaceAll(/ {2,}/g, ' ').length <= longestCode;
}

/** A door is a header and explicit exports from files of its own room. */
export function findDoorViolations(source: SourceText): string[] {
  const header = /^\/\*\*\n((?: \*.*\n)+?) \*\/\n/.exec(source.text)?.[1];
  const violations: string[] = [];
  const headerLines = header?.split('\n').filter((line) => line.trim() !== '*' && line !== '').length ?? 0;
  const least = source.file.endsWith('/pure.ts') ? 1 : 3;
  if (header === undefined && !(least === 1 && source.text.startsWith('/** '))) {
    violations.push(
      `${source.file}: a door begins with a comment on what the room owns, promises and refuses`,
    );
  } else if (header !== undefined && (headerLines < least || headerLines > 15)) {
    violations.push(`${source.file}: the header has ${headerLines} lines; ${least} to 15 say enough`);
  }
  if (/\bexport\s*\*/.test(source.code)) violations.push(`${source.file}: a door names what it exports`);
  const rest = source.code.replaceAll(/\bexport\s+(?:type\s+)?\{[^}]*\}\s*from\s*'[^']*';/g, '').trim();
  if (rest !== '' && !violations.some((text) => text.endsWith('what it exports'))) {
    violations.push(`${source.file}: a door only exports from files of its room: ${rest.split('\n')[0]}`);
  }
  return violations;
}

function findLongFunctions(source: SourceText): string[] {
  return findFunctions(source)
    .filter((found) => found.lines > (ratchet[`${source.file}:${found.name}`] ?? longestFunction))
    .map(
      (found) =>
        `${source.file}:${found.line}: ${found.name} has ${found.lines} lines; a function fits on a screen`,
    );
}
