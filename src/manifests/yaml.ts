import { Composer, Lexer, Parser, isAlias, isMap, isScalar, isSeq, visit } from 'yaml';
import type { Document, Node, YAMLError } from 'yaml';
import type { FieldPath } from '../api/index.ts';

/** Deeper than any object of ours by far. Beyond it, a parser would rather exhaust its memory than find an answer. */
const maxNesting = 100;
/** One mistake often makes the parser complain about all that follows; a few complaints are enough to act on. */
const maxErrors = 10;

export interface YamlProblem {
  /** UTF-16 offset into the text. */
  readonly offset: number;
  readonly message: string;
}

export interface YamlDocument {
  /** Plain data. After problems it is what could still be made out, for naming the object and for nothing else. */
  readonly value: unknown;
  /** Not empty: do not believe `value`. */
  readonly problems: readonly YamlProblem[];
}

/**
 * Parses YAML 1.2 (and so JSON) with merge keys. Refuses deep nesting, aliases that multiply, duplicate keys and
 * unknown tags. Documents without content are left out. Never throws for what a person wrote.
 */
export function parseYaml(text: string): readonly YamlDocument[] {
  try {
    return composeDocuments(text).flatMap((document) => readDocument(document, text));
  } catch (error) {
    return [{ value: undefined, problems: [describeFailure(error)] }];
  }
}

/**
 * Offset of the key (or list entry) at a path, in one of the documents of `parseYaml`. Where the path leads nowhere (a
 * missing field, a merged one), the offset of the deepest key on the way.
 */
export function locateInYaml(text: string, documentIndex: number, path: FieldPath): number {
  let documents: readonly Document[];
  try {
    documents = composeDocuments(text).filter(hasContent);
  } catch {
    return 0;
  }
  const document = documents[documentIndex];
  let offset = document?.contents?.range?.[0] ?? 0;
  let node = document?.contents ?? undefined;
  for (const step of path) {
    if (isAlias(node) && document !== undefined) node = node.resolve(document);
    const found: Found | undefined = findStep(node, step);
    if (found === undefined) break;
    offset = found.offset;
    node = found.node;
  }
  return offset;
}

interface Found {
  readonly offset: number;
  readonly node: Node | undefined;
}

function findStep(node: Node | null | undefined, step: string | number): Found | undefined {
  if (isSeq<Node>(node) && typeof step === 'number') {
    const item = node.items[step];
    const offset = item?.range?.[0];
    return offset === undefined ? undefined : { offset, node: item };
  }
  if (isMap<Node, Node | null>(node)) {
    for (const { key, value } of node.items) {
      const offset = key.range?.[0];
      if (isScalar(key) && String(key.value) === String(step) && offset !== undefined) {
        return { offset, node: value ?? undefined };
      }
    }
  }
  return undefined;
}

class NestingError extends Error {
  readonly offset: number;
  constructor(offset: number) {
    super('nested too deeply');
    this.offset = offset;
  }
}

function composeDocuments(text: string): readonly Document[] {
  const composer = new Composer({ merge: true, prettyErrors: false, logLevel: 'silent' });
  return Array.from(composer.compose(parseGuarded(text)));
}

/**
 * The parser's tokens, with the nesting watched one lexeme at a time: the parser itself goes to the end of the text
 * before it complains. Block nesting by indentation needs no watch, it costs the square of its depth in characters.
 */
function* parseGuarded(text: string) {
  const parser = new Parser();
  let flowDepth = 0;
  let indicatorsInARow = 0;
  let offset = 0;
  for (const lexeme of new Lexer().lex(text)) {
    switch (lexeme) {
      case '[':
      case '{':
        flowDepth++;
        break;
      case ']':
      case '}':
        flowDepth--;
        break;
      case '-':
      case '?':
      case ':':
        indicatorsInARow++;
        break;
      default:
        if (lexeme.trim() !== '' || lexeme.includes('\n')) indicatorsInARow = 0;
    }
    if (flowDepth + indicatorsInARow > maxNesting) throw new NestingError(offset);
    yield* parser.next(lexeme);
    offset += isControlLexeme(lexeme) ? 0 : lexeme.length;
  }
  yield* parser.end();
}

/** The lexer marks byte order mark, document mode, flow errors and scalars with a character that is not in the text. */
function isControlLexeme(lexeme: string): boolean {
  return lexeme === '\u0002' || lexeme === '\u0018' || lexeme === '\u001f';
}

/** Between two `---` there may be nothing, or words in comments only. */
function hasContent({ contents, errors }: Document): boolean {
  if (errors.length > 0) return true;
  const isEmptyScalar =
    isScalar(contents) && contents.value === null && contents.range?.[0] === contents.range?.[1];
  return contents !== null && !isEmptyScalar;
}

function readDocument(document: Document, text: string): readonly YamlDocument[] {
  if (!hasContent(document)) return [];
  const problems = [...document.errors, ...document.warnings]
    .slice(0, maxErrors)
    .map((error) => describeError(error, text));
  try {
    return [{ value: document.toJS(), problems: firstOrDuplicates(document, problems) }];
  } catch (error) {
    const failure = describeFailure(error, unresolvedAliasOffset(document));
    return [{ value: undefined, problems: problems.length > 0 ? problems : [failure] }];
  }
}

function unresolvedAliasOffset(document: Document): number | undefined {
  let offset: number | undefined;
  visit(document, {
    Alias(_key, alias) {
      if (alias.resolve(document) !== undefined) return undefined;
      offset = alias.range?.[0];
      return visit.BREAK;
    },
  });
  return offset;
}

/** Every duplicate key is a mistake of its own; of other errors only the first is worth reading. */
function firstOrDuplicates(document: Document, problems: readonly YamlProblem[]): readonly YamlProblem[] {
  return document.errors.every(({ code }) => code === 'DUPLICATE_KEY') ? problems : problems.slice(0, 1);
}

function describeError(error: YAMLError, text: string): YamlProblem {
  const offset = error.pos[0];
  const excerpt = text.slice(offset, offset + 64).split(/[\n:]/, 1)[0] ?? '';
  const messages: Partial<Record<typeof error.code, string>> = {
    TAB_AS_INDENT: 'a tab is used as indentation; YAML allows only spaces there',
    DUPLICATE_KEY: `the key ${excerpt.trim()} is written twice in one mapping; keep one of them`,
    RESOURCE_EXHAUSTION: nestingMessage,
    TAG_RESOLVE_FAILED: `the tag ${excerpt.split(/\s/, 1)[0]} means nothing here; remove it`,
  };
  return { offset, message: messages[error.code] ?? `not valid YAML: ${lowerFirst(error.message)}` };
}

const nestingMessage = `nested too deeply; no object needs more than ${maxNesting} levels`;

function describeFailure(error: unknown, offset = 0): YamlProblem {
  if (error instanceof NestingError) return { offset: error.offset, message: nestingMessage };
  // The engine's stack ran out: indentation can nest deeper than the lexeme watch sees.
  if (error instanceof RangeError) return { offset, message: nestingMessage };
  const message = error instanceof Error ? error.message : String(error);
  return /alias count/i.test(message)
    ? { offset, message: 'its aliases multiply beyond measure; write the values out' }
    : { offset, message: `not valid YAML: ${lowerFirst(message)}` };
}

function lowerFirst(sentence: string): string {
  return sentence.slice(0, 1).toLowerCase() + sentence.slice(1);
}
