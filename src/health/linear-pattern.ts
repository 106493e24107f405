import { assert } from '../base/index.ts';

/**
 * Regular expressions that cannot hang: a subset of RE2's syntax, run by a simulation of all possibilities at once, so
 * that a byte costs at most one look at every instruction. (V8's own engine backtracks: `(a+)+$` takes it hours.)
 *
 * Syntax: literals, `.`, `[a-z]`, `[^a-z]`, `\d \D \w \W \s \S`, `\n \r \t`, `\` before punctuation, groups `( )` and
 * `(?: )`, `|`, `* + ? {m} {m,} {m,n}`, `^` and `$` for the ends of the text, and `(?i)` in front for ASCII letters of
 * either case. It works on bytes; a character beyond ASCII stands for its UTF-8, and has no place in a class.
 */
export type PatternResult =
  { readonly ok: true; readonly program: PatternProgram } | { readonly ok: false; readonly problem: string };

export type Instruction =
  | { readonly type: 'byte'; readonly allowed: Uint8Array }
  | { readonly type: 'split'; readonly next: number; readonly other: number }
  | { readonly type: 'begin' | 'end' | 'match' };

/** Instructions follow each other, except where `split` says. */
export type PatternProgram = readonly Instruction[];

const longestPattern = 1024;
const longestProgram = 256;
const deepestGroup = 50;

export function parsePattern(pattern: string): PatternResult {
  if (pattern.length > longestPattern)
    return { ok: false, problem: `is longer than ${longestPattern} characters` };
  try {
    const isCaseless = pattern.startsWith('(?i)');
    const parser = new PatternParser(isCaseless ? pattern.slice(4) : pattern, isCaseless);
    const program = compile(parser.parse());
    return { ok: true, program };
  } catch (error) {
    if (error instanceof PatternError) return { ok: false, problem: error.message };
    throw error;
  }
}

class PatternError extends Error {}

type Node =
  | { readonly type: 'byte'; readonly allowed: Uint8Array }
  | { readonly type: 'begin' | 'end' }
  | { readonly type: 'sequence' | 'choice'; readonly parts: readonly Node[] }
  | { readonly type: 'repeat'; readonly part: Node; readonly least: number; readonly most: number };

class PatternParser {
  readonly #text: readonly string[];
  readonly #isCaseless: boolean;
  #at = 0;
  #depth = 0;

  constructor(pattern: string, isCaseless: boolean) {
    this.#text = Array.from(pattern);
    this.#isCaseless = isCaseless;
  }

  parse(): Node {
    const node = this.#choice();
    if (this.#at < this.#text.length) throw new PatternError('has a ")" that opens nowhere');
    return node;
  }

  #choice(): Node {
    const parts = [this.#sequence()];
    while (this.#take('|')) parts.push(this.#sequence());
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : { type: 'choice', parts };
  }

  #sequence(): Node {
    const parts: Node[] = [];
    while (this.#at < this.#text.length && !this.#isAt('|') && !this.#isAt(')')) parts.push(this.#repeated());
    return { type: 'sequence', parts };
  }

  #repeated(): Node {
    const part = this.#atom();
    const range = this.#repetition();
    if (range === undefined) return part;
    if (part.type === 'begin' || part.type === 'end') throw new PatternError('repeats "^" or "$"');
    if (this.#repetition() !== undefined)
      throw new PatternError('repeats a repetition; lazy and possessive forms do not exist here');
    return { type: 'repeat', part, ...range };
  }

  #repetition(): { least: number; most: number } | undefined {
    if (this.#take('*')) return { least: 0, most: Infinity };
    if (this.#take('+')) return { least: 1, most: Infinity };
    if (this.#take('?')) return { least: 0, most: 1 };
    if (!this.#isAt('{')) return undefined;
    const close = this.#text.indexOf('}', this.#at);
    const inside = this.#text.slice(this.#at + 1, close < 0 ? this.#at : close).join('');
    const match = /^(\d{1,3})(,?)(\d{0,3})$/.exec(inside);
    if (match === null)
      throw new PatternError('has a "{" that is no repetition; write \\{ for the character');
    this.#at = close + 1;
    const least = Number(match[1]);
    const most = match[2] === '' ? least : match[3] === '' ? Infinity : Number(match[3]);
    if (most < least) throw new PatternError(`repeats {${inside}}, which ends before it begins`);
    return { least, most };
  }

  #atom(): Node {
    const character = this.#next();
    switch (character) {
      case '(':
        return this.#group();
      case '[':
        return { type: 'byte', allowed: this.#class() };
      case '.':
        return { type: 'byte', allowed: inverted(setOf('\n')) };
      case '^':
        return { type: 'begin' };
      case '$':
        return { type: 'end' };
      case '\\':
        return this.#escape();
      case '*':
      case '+':
      case '?':
      case '{':
        throw new PatternError(`has a "${character}" with nothing to repeat before it`);
      default:
        return this.#literal(character);
    }
  }

  #group(): Node {
    if (this.#take('?') && !this.#take(':'))
      throw new PatternError('has a group of a kind that does not exist here; use ( ) or (?: )');
    if (++this.#depth > deepestGroup) throw new PatternError(`nests more than ${deepestGroup} groups`);
    const node = this.#choice();
    if (!this.#take(')')) throw new PatternError('has a "(" that never closes');
    this.#depth--;
    return node;
  }

  #escape(): Node {
    const character = this.#next();
    const allowed = escapedSet(character);
    if (allowed !== undefined) return { type: 'byte', allowed };
    if (/[A-Za-z0-9]/.test(character))
      throw new PatternError(`has "\\${character}", which means nothing here`);
    return this.#literal(character);
  }

  #class(): Uint8Array {
    const isInverted = this.#take('^');
    const allowed = new Uint8Array(256);
    let isFirst = true;
    while (isFirst || !this.#isAt(']')) {
      isFirst = false;
      const from = this.#classMember();
      if (typeof from !== 'number') {
        from.forEach((isIn, byte) => (allowed[byte] = (allowed[byte] ?? 0) | isIn));
        continue;
      }
      let to = from;
      if (this.#isAt('-') && this.#text[this.#at + 1] !== ']') {
        this.#at++;
        const end = this.#classMember();
        if (typeof end !== 'number' || end < from)
          throw new PatternError('has a class with a range that does not run');
        to = end;
      }
      allowed.fill(1, from, to + 1);
    }
    this.#at++;
    const folded = this.#isCaseless ? caseless(allowed) : allowed;
    return isInverted ? inverted(folded) : folded;
  }

  #classMember(): number | Uint8Array {
    const character = this.#next();
    if (character === '\\') {
      const escaped = this.#next();
      const set = escapedSet(escaped);
      if (set !== undefined) return set;
      if (/[A-Za-z0-9]/.test(escaped)) throw new PatternError(`has "\\${escaped}", which means nothing here`);
      return this.#ascii(escaped);
    }
    return this.#ascii(character);
  }

  #ascii(character: string): number {
    const code = character.codePointAt(0) ?? 0;
    if (code > 127) throw new PatternError(`has "${character}" in a class, where only ASCII can be`);
    return code;
  }

  #literal(character: string): Node {
    const bytes = [...new TextEncoder().encode(character)];
    const parts = bytes.map((byte): Node => {
      const allowed = new Uint8Array(256);
      allowed[byte] = 1;
      return { type: 'byte', allowed: this.#isCaseless ? caseless(allowed) : allowed };
    });
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : { type: 'sequence', parts };
  }

  #next(): string {
    const character = this.#text[this.#at++];
    if (character === undefined) throw new PatternError('ends in the middle of something');
    return character;
  }

  #isAt(character: string): boolean {
    return this.#text[this.#at] === character;
  }

  #take(character: string): boolean {
    if (!this.#isAt(character)) return false;
    this.#at++;
    return true;
  }
}

const digits = '0123456789';
const letters = 'abcdefghijklmnopqrstuvwxyz';
const namedSets: Readonly<Record<string, string>> = {
  d: digits,
  w: `${digits}${letters}${letters.toUpperCase()}_`,
  s: ' \t\n\r\f\v',
};
const controls: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

/** The set that `\` and a letter stand for. */
function escapedSet(letter: string): Uint8Array | undefined {
  const named = namedSets[letter];
  if (named !== undefined) return setOf(named);
  const opposite = namedSets[letter.toLowerCase()];
  if (opposite !== undefined) return inverted(setOf(opposite));
  const control = controls[letter];
  return control === undefined ? undefined : setOf(control);
}

function setOf(characters: string): Uint8Array {
  const allowed = new Uint8Array(256);
  for (const character of characters) allowed[character.charCodeAt(0)] = 1;
  return allowed;
}

function inverted(allowed: Uint8Array): Uint8Array {
  return allowed.map((isIn) => 1 - isIn);
}

function caseless(allowed: Uint8Array): Uint8Array {
  const folded = Uint8Array.from(allowed);
  for (const letter of letters) {
    const lower = letter.charCodeAt(0);
    const upper = lower - 32;
    const isIn = (allowed[lower] ?? 0) | (allowed[upper] ?? 0);
    folded[lower] = isIn;
    folded[upper] = isIn;
  }
  return folded;
}

function compile(node: Node): PatternProgram {
  const program: Instruction[] = [];
  emit(node, program);
  append(program, { type: 'match' });
  return program;
}

function append(program: Instruction[], instruction: Instruction): number {
  if (program.length >= longestProgram)
    throw new PatternError(
      `is too large: counted repetitions are written out, and ${longestProgram} steps are the limit`,
    );
  program.push(instruction);
  return program.length - 1;
}

function emit(node: Node, program: Instruction[]): void {
  switch (node.type) {
    case 'byte':
    case 'begin':
    case 'end':
      append(program, node);
      return;
    case 'sequence':
      for (const part of node.parts) emit(part, program);
      return;
    case 'choice':
      emitChoice(node.parts, program);
      return;
    case 'repeat':
      emitRepeat(node.part, node.least, node.most, program);
      return;
  }
}

/** split(first, rest) first jump(end) … : a jump is a split whose branches agree. */
function emitChoice(parts: readonly Node[], program: Instruction[]): void {
  const jumps: number[] = [];
  parts.forEach((part, index) => {
    const isLast = index === parts.length - 1;
    const split = isLast ? undefined : append(program, { type: 'match' });
    emit(part, program);
    if (split === undefined) return;
    jumps.push(append(program, { type: 'match' }));
    program[split] = { type: 'split', next: split + 1, other: program.length };
  });
  for (const jump of jumps) program[jump] = { type: 'split', next: program.length, other: program.length };
}

function emitRepeat(part: Node, least: number, most: number, program: Instruction[]): void {
  for (let i = 0; i < least; i++) emit(part, program);
  if (most === Infinity) {
    const split = append(program, { type: 'match' });
    emit(part, program);
    append(program, { type: 'split', next: split, other: split });
    program[split] = { type: 'split', next: split + 1, other: program.length };
    return;
  }
  const splits: number[] = [];
  for (let i = least; i < most; i++) {
    splits.push(append(program, { type: 'match' }));
    emit(part, program);
  }
  for (const split of splits) program[split] = { type: 'split', next: split + 1, other: program.length };
}

/** Looks for a pattern anywhere in a text that arrives in pieces. */
export class PatternSearch {
  readonly #program: PatternProgram;
  /** Instructions that are reached, each once: `#mark` holds the step at which it was. */
  readonly #mark: Uint32Array;
  #now: number[] = [];
  #then: number[] = [];
  #step = 1;
  #isFirst = true;
  #isFound = false;

  constructor(program: PatternProgram) {
    this.#program = program;
    this.#mark = new Uint32Array(program.length);
    this.#reach(0, this.#now, false);
  }

  /** True as soon as the pattern was found; what follows is not looked at. */
  push(bytes: Uint8Array): boolean {
    for (const byte of bytes) {
      if (this.#isFound) return true;
      this.#advance(byte);
    }
    return this.#isFound;
  }

  /** The text is complete: `$` matches now. */
  end(): boolean {
    if (this.#isFound) return true;
    this.#step++;
    this.#then.length = 0;
    for (const at of this.#now) this.#reach(at, this.#then, true);
    return this.#isFound;
  }

  #advance(byte: number): void {
    this.#step++;
    this.#isFirst = false;
    this.#then.length = 0;
    for (const at of this.#now) {
      const instruction = this.#program[at];
      if (instruction?.type === 'byte' && instruction.allowed[byte] === 1)
        this.#reach(at + 1, this.#then, false);
    }
    this.#reach(0, this.#then, false);
    [this.#now, this.#then] = [this.#then, this.#now];
  }

  /** Adds an instruction and all that follow without a byte. Recursion is bounded by the length of the program. */
  #reach(at: number, list: number[], isAtEnd: boolean): void {
    if (this.#mark[at] === this.#step) return;
    this.#mark[at] = this.#step;
    const instruction = this.#program[at];
    assert(instruction !== undefined, `a pattern jumps to ${at}`);
    switch (instruction.type) {
      case 'match':
        this.#isFound = true;
        return;
      case 'split':
        this.#reach(instruction.next, list, isAtEnd);
        this.#reach(instruction.other, list, isAtEnd);
        return;
      case 'begin':
        if (this.#isFirst) this.#reach(at + 1, list, isAtEnd);
        return;
      case 'end':
        // Kept, so that `end()` can ask again.
        if (isAtEnd) this.#reach(at + 1, list, isAtEnd);
        else list.push(at);
        return;
      case 'byte':
        list.push(at);
        return;
    }
  }
}
