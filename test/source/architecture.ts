/**
 * The house rules about who may know whom, as a function from sources to violations, so that the rules themselves can
 * be tested with a tree that breaks them.
 */
import path from 'node:path';
import { findComputedImports, findImports, lineAt, type Import, type SourceText } from './source-text.ts';

/** A room imports rooms of a lower rank only. A new room gets a rank here, or the test fails. */
const ranks: Readonly<Record<string, number>> = {
  base: 0,
  api: 1,
  kube: 1,
  metrics: 1,
  netlink: 1,
  cluster: 2,
  ipvs: 2,
  link: 2,
  endpoint: 2,
  health: 2,
  manifests: 2,
  weight: 2,
  load: 3,
  plan: 3,
  controller: 4,
  director: 4,
  cli: 5,
};

/** Rooms in which every file is pure. Of other rooms, what `pure.ts` reaches is. */
const pureRooms = new Set(['base', 'api', 'plan', 'weight']);

/** The one file or folder through which each dependency enters. */
const entrances: Readonly<Record<string, string>> = {
  koffi: 'src/netlink/libc.ts',
  zod: 'src/api/',
  yaml: 'src/manifests/',
  pino: 'src/cli/',
  undici: 'src/kube/',
  '@kubernetes/client-node': 'src/kube/',
};

/** What pure code may take from Node: functions of their arguments. */
const pureNodeImports: Readonly<Record<string, RegExp>> = {
  'node:net': /^\{\s*(?:isIP(?:v[46])?(?:,\s*)?)+\s*\}$/,
};

/** Names through which the world gets in. A property or a key of that name is harmless. */
const impureName = new RegExp(
  [
    String.raw`(?<![.\w$'"])(?:process|performance|console|fetch|crypto|Worker|WebSocket|globalThis|queueMicrotask)\b(?!\s*\??:)`,
    String.raw`(?<![.\w$'"])(?:set|clear)(?:Timeout|Interval|Immediate)\b(?!\s*\??:)`,
    String.raw`\bDate\.now\b|\bnew Date\(\s*\)|\bMath\.random\b`,
  ].join('|'),
  'g',
);

export function findArchitectureViolations(sources: readonly SourceText[]): string[] {
  const tree = new Map(sources.map((source) => [source.file, source]));
  const pure = new Set(sources.filter(isPureByPlace).flatMap((source) => [...reach(source, tree)]));
  return sources.flatMap((source) => [
    ...findImports(source).flatMap((found) =>
      [
        ...(found.specifier.startsWith('.')
          ? judgeRoomImport(source, found, tree)
          : judgePackageImport(source, found)),
        ...(pure.has(source.file) ? judgePureImport(source, found) : []),
      ].map((text) => `${source.file}:${found.line}: ${text}`),
    ),
    ...findComputedImports(source).map(
      (line) => `${source.file}:${line}: imports a module whose name is computed`,
    ),
    ...(pure.has(source.file) ? judgePureCode(source) : []),
    ...judgeSecretEntrance(source),
    ...judgeEnvironment(source),
  ]);
}

function judgeRoomImport(source: SourceText, found: Import, tree: ReadonlyMap<string, SourceText>): string[] {
  const target = resolveImport(source, found);
  if (!tree.has(target)) return [`"${found.specifier}" is no file of the tree (is the .ts ending there?)`];
  const from = roomOf(source.file);
  const to = roomOf(target);
  if (from === to) {
    return path.basename(target) === 'index.ts'
      ? ['imports the door of its own room; name the file itself']
      : [];
  }
  const fromRank = ranks[from];
  const toRank = ranks[to];
  if (fromRank === undefined) return [`room ${from} has no rank`];
  if (toRank === undefined) return [`room ${to} has no rank`];
  const violations: string[] = [];
  if (toRank >= fromRank) violations.push(`${from} (rank ${fromRank}) must not know ${to} (rank ${toRank})`);
  if (!isDoor(target))
    violations.push(`goes into ${to} through ${path.basename(target)} instead of its door`);
  return violations;
}

function judgePackageImport(source: SourceText, found: Import): string[] {
  if (found.specifier.startsWith('node:')) return [];
  const name = packageName(found.specifier);
  const entrance = entrances[name];
  if (entrance === undefined) return [`"${name}" has no entrance: say which file or room may import it`];
  return source.file.startsWith(entrance) ? [] : [`"${name}" enters through ${entrance} only`];
}

function judgePureImport(source: SourceText, found: Import): string[] {
  if (found.specifier.startsWith('node:')) {
    return pureNodeImports[found.specifier]?.test(found.clause) === true
      ? []
      : [`pure code imports ${found.specifier}`];
  }
  if (!found.specifier.startsWith('.'))
    return entrances[found.specifier] === 'src/api/' ? [] : ['pure code imports a package'];
  if (/\bLogger\b/.test(found.clause) && roomOf(source.file) !== 'base') return ['pure code never logs'];
  const target = resolveImport(source, found);
  const to = roomOf(target);
  const isPureDoor = pureRooms.has(to) || path.basename(target) === 'pure.ts';
  return to === roomOf(source.file) || isPureDoor ? [] : [`pure code opens ${target}, which is no pure door`];
}

function judgePureCode(source: SourceText): string[] {
  return [...source.code.matchAll(impureName)].map(
    (match) => `${source.file}:${lineAt(source, match.index)}: pure code uses ${match[0]}`,
  );
}

/** A dependency that is loaded by another road than an import (createRequire) is still named in a string. */
function judgeSecretEntrance(source: SourceText): string[] {
  return Object.entries(entrances)
    .filter(
      ([name, entrance]) =>
        !source.file.startsWith(entrance) && new RegExp(`\\(['"\`]${name}['"\`]\\)`).test(source.text),
    )
    .map(([name, entrance]) => `${source.file}: loads "${name}", which enters through ${entrance} only`);
}

function judgeEnvironment(source: SourceText): string[] {
  if (roomOf(source.file) === 'cli') return [];
  return [...source.code.matchAll(/\bprocess\s*\.\s*(?:env|argv)\b/g)].map(
    (match) =>
      `${source.file}:${lineAt(source, match.index)}: reads ${match[0]}; only cli does, and passes values on`,
  );
}

function isPureByPlace(source: SourceText): boolean {
  return pureRooms.has(roomOf(source.file)) || path.basename(source.file) === 'pure.ts';
}

/** The file and everything it loads inside its own room. Type imports load nothing. */
function reach(start: SourceText, tree: ReadonlyMap<string, SourceText>): Set<string> {
  const seen = new Set<string>();
  const queue = [start];
  for (let source = queue.pop(); source !== undefined; source = queue.pop()) {
    if (seen.has(source.file)) continue;
    seen.add(source.file);
    for (const found of findImports(source)) {
      if (found.isTypeOnly || !found.specifier.startsWith('.')) continue;
      const next = tree.get(resolveImport(source, found));
      if (next !== undefined) queue.push(next);
    }
  }
  return seen;
}

function resolveImport(source: SourceText, found: Import): string {
  return path.posix.join(path.posix.dirname(source.file), found.specifier);
}

function roomOf(file: string): string {
  return file.split('/')[1] ?? '';
}

function isDoor(file: string): boolean {
  const parts = file.split('/');
  return parts.length === 3 && (parts[2] === 'index.ts' || parts[2] === 'pure.ts');
}

export function packageName(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}
