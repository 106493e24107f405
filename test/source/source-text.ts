/**
 * Reads TypeScript well enough to judge it: which text is code and which is comment or literal, what a file imports,
 * how long its functions are. A lexer of a few states, because the compiler offers no stable way to ask.
 */
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';

export const projectRoot = path.resolve(import.meta.dirname, '../..');

export interface SourceText {
  /** Relative to the project's root, with slashes. */
  readonly file: string;
  readonly text: string;
  /** As long as `text`, line by line; comments and the insides of literals are blanks. */
  readonly code: string;
}

export interface Import {
  /** Offset of the statement in the file. */
  readonly at: number;
  readonly specifier: string;
  readonly line: number;
  /** `import type`, `export type`, or a clause in which every name is marked `type`. */
  readonly isTypeOnly: boolean;
  /** What stands between the keyword and `from`; empty for `import()` and imports for effect. */
  readonly clause: string;
}

export interface FunctionText {
  readonly name: string;
  readonly line: number;
  readonly lines: number;
}

export function parseSource(file: string, text: string): SourceText {
  return { file, text, code: blankLiteralsAndComments(text) };
}

/** Every TypeScript file below the given folders, sorted by name. */
export function readSources(...folders: string[]): SourceText[] {
  return folders
    .flatMap((folder) => globSync(`${folder}/**/*.ts`, { cwd: projectRoot }))
    .toSorted()
    .map((file) => parseSource(file, readFileSync(path.join(projectRoot, file), 'utf8')));
}

export function lineAt(source: SourceText, offset: number): number {
  return source.text.slice(0, offset).split('\n').length;
}

/** Static, re-exporting, dynamic and `require` imports with a literal name, in the order of the file. */
export function findImports(source: SourceText): Import[] {
  const found: Import[] = [];
  const add = (at: number, quoteAt: number, isTypeOnly: boolean, clause: string) => {
    const end = source.text.indexOf(source.text[quoteAt] ?? '', quoteAt + 1);
    const specifier = source.text.slice(quoteAt + 1, end);
    found.push({ at, specifier, line: lineAt(source, quoteAt), isTypeOnly, clause });
  };
  for (const match of source.code.matchAll(/\b(?:import|export)\b([^;'"`()=]*?)\bfrom\s*(?=['"])/g)) {
    const clause = (match[1] ?? '').trim();
    add(match.index, match.index + match[0].length, isTypeOnlyClause(clause), clause);
  }
  for (const match of source.code.matchAll(/\bimport\s*(?=['"])|\b(?:import|require)\s*\(\s*(?=['"`])/g)) {
    add(match.index, match.index + match[0].length, false, '');
  }
  return found.toSorted((a, b) => a.at - b.at);
}

/** Lines of `import(…)` and `require(…)` whose name is computed, so that nobody can say what they load. */
export function findComputedImports(source: SourceText): number[] {
  return [...source.code.matchAll(/(?<![.\w$])(?:import|require)\s*\(\s*(?!['"`\s])/g)].map((match) =>
    lineAt(source, match.index),
  );
}

/** Functions, methods and arrow functions that have a block for a body. */
export function findFunctions(source: SourceText): FunctionText[] {
  const found: FunctionText[] = [];
  const open: { readonly at: number; readonly name: string | undefined }[] = [];
  for (const match of source.code.matchAll(/[{}]/g)) {
    if (match[0] === '{') {
      open.push({ at: match.index, name: functionName(blockHeader(source.code, match.index)) });
      continue;
    }
    const block = open.pop();
    if (block?.name === undefined) continue;
    const line = lineAt(source, block.at);
    found.push({ name: block.name, line, lines: lineAt(source, match.index) - line + 1 });
  }
  return found;
}

function isTypeOnlyClause(clause: string): boolean {
  if (/^type\b(?!\s*,)/.test(clause)) return true;
  const names = /^\{([^}]*)\}$/.exec(clause)?.[1];
  if (names === undefined) return false;
  const list = names.split(',').map((name) => name.trim());
  return list.filter((name) => name !== '').every((name) => name.startsWith('type '));
}

/**
 * The statement text before a `{`, back to the nearest boundary outside of brackets. A `}` on the same line belongs to
 * the return type (`): { a: 1 } {`), any other one ends the statement before.
 */
function blockHeader(code: string, at: number): string {
  let depth = 0;
  let i = at - 1;
  for (; i >= 0; i--) {
    const char = code[i] ?? '';
    if (char === ')' || char === ']' || (char === '}' && (depth > 0 || !code.slice(i, at).includes('\n'))))
      depth++;
    else if (depth > 0 && /[([{]/.test(char)) depth--;
    else if (depth === 0 && /[;{}([,]/.test(char)) break;
  }
  return code.slice(i + 1, at);
}

/** The name of the function that this header introduces; undefined where it is something else. */
function functionName(header: string): string | undefined {
  if (/[:<|&=]\s*$/.test(header) && !/=>\s*$/.test(header)) return undefined;
  if (/=>\s*$/.test(header)) return /\b(?:const|let)\s+([\w$]+)/.exec(header)?.[1] ?? '(arrow)';
  const declared = /\bfunction\b\s*\*?\s*([\w$]*)/.exec(header);
  if (declared !== null) return declared[1] === '' ? '(anonymous)' : declared[1];
  const method =
    /^\s*(?:(?:async|static|get|set|override|private|protected|public)\s+)*[*#]?([\w$]+)\s*(?:<[^(]*>)?\(/;
  const name = method.exec(header)?.[1];
  return name === undefined || /^(?:if|for|while|switch|catch|with|return|else)$/.test(name)
    ? undefined
    : name;
}

function blankLiteralsAndComments(text: string): string {
  const out = text.split('');
  const blank = (from: number, to: number) => {
    for (let i = from; i < to; i++) if (out[i] !== '\n') out[i] = ' ';
  };
  // Braces that are open inside `${…}` of each template literal we are in.
  const templates: number[] = [];
  let i = 0;
  let previous = '';
  while (i < text.length) {
    const char = text[i] ?? '';
    const pair = text.slice(i, i + 2);
    if (pair === '//' || (i === 0 && pair === '#!')) {
      const end = endOfLine(text, i);
      blank(i, end);
      i = end;
    } else if (pair === '/*') {
      const end = text.indexOf('*/', i + 2) + 2 || text.length;
      blank(i, end);
      i = end;
    } else if (char === "'" || char === '"') {
      const end = endOfQuoted(text, i, char);
      blank(i + 1, end - 1);
      i = end;
      previous = char;
    } else if (char === '`' || (char === '}' && templates.at(-1) === 0)) {
      if (char === '}') templates.pop();
      const end = endOfTemplateChunk(text, i + 1);
      blank(i + 1, end - 1);
      if (text[end - 1] === '{') {
        out[end - 1] = ' ';
        templates.push(0);
      }
      if (char === '}') out[i] = ' ';
      i = end;
      previous = '`';
    } else if (char === '/' && isRegexPosition(previous, text, i)) {
      const end = endOfRegex(text, i);
      blank(i + 1, end - 1);
      i = end;
      previous = '/x';
    } else {
      const depth = templates.pop();
      if (depth !== undefined) templates.push(depth + (char === '{' ? 1 : char === '}' ? -1 : 0));
      if (char.trim() !== '') previous = char;
      i++;
    }
  }
  return out.join('');
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}

function endOfQuoted(text: string, from: number, quote: string): number {
  let i = from + 1;
  while (i < text.length && text[i] !== quote) i += text[i] === '\\' ? 2 : 1;
  return i + 1;
}

/** @returns the offset after the closing backtick or after the `{` of `${`. */
function endOfTemplateChunk(text: string, from: number): number {
  let i = from;
  while (i < text.length) {
    if (text[i] === '`') return i + 1;
    if (text[i] === '$' && text[i + 1] === '{') return i + 2;
    i += text[i] === '\\' ? 2 : 1;
  }
  return text.length;
}

/** A slash divides after a value and opens a regular expression everywhere else. */
function isRegexPosition(previous: string, text: string, at: number): boolean {
  if (previous === '' || '(,=:[!&|?{};+-*%<>~^'.includes(previous)) return true;
  return /\b(?:return|typeof|case|in|of|void|delete|throw|new|do|else)\s*$/.test(
    text.slice(Math.max(0, at - 12), at),
  );
}

function endOfRegex(text: string, from: number): number {
  let i = from + 1;
  let isInClass = false;
  while (i < text.length && text[i] !== '\n' && (isInClass || text[i] !== '/')) {
    if (text[i] === '[') isInClass = true;
    else if (text[i] === ']') isInClass = false;
    i += text[i] === '\\' ? 2 : 1;
  }
  return i + 1;
}
