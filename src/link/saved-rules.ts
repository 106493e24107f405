import { ownChainPattern, tableNames } from './rule-tables.ts';
import type { Jump, RuleTable, RuleTables, TableName } from './rule-tables.ts';

/**
 * `iptables-save` in, `iptables-restore --noflush` out, for our chains alone. What others keep in the same tables is
 * skipped when reading and never named when writing.
 */

const emptyTable: RuleTable = { chains: new Map(), jumps: [] };

/** Our part of each table in the text of `iptables-save`. Tables in which we have nothing are absent. */
export function parseSavedRules(text: string): RuleTables {
  const tables = new Map<TableName, { chains: Map<string, string[]>; jumps: Jump[] }>();
  let table: { chains: Map<string, string[]>; jumps: Jump[] } | undefined;
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) {
      const name = tableNames.find((candidate) => candidate === line.slice(1).trim());
      table = name === undefined ? undefined : { chains: new Map(), jumps: [] };
      if (name !== undefined && table !== undefined) tables.set(name, table);
    } else if (table !== undefined && line.startsWith(':')) {
      const chain = line.slice(1, line.indexOf(' '));
      if (ownChainPattern.test(chain)) table.chains.set(chain, []);
    } else if (table !== undefined) {
      parseRule(line, table);
    }
  }
  for (const [name, { chains, jumps }] of tables) {
    if (chains.size === 0 && jumps.length === 0) tables.delete(name);
  }
  return tables;
}

/** `-A CHAIN matches -j TARGET`, with packet counters in front where the save was asked for them. */
function parseRule(line: string, table: { chains: Map<string, string[]>; jumps: Jump[] }): void {
  const match = /^(?:\[\d+:\d+\] )?-A (\S+) (.*\S)\s*$/.exec(line);
  const [, chain, rule] = match ?? [];
  if (chain === undefined || rule === undefined) return;
  const own = table.chains.get(chain);
  if (own !== undefined) {
    own.push(rule);
    return;
  }
  // A comment may hold anything, also the name of a chain of ours.
  const target = /(?:^| )-[jg] (\S+)/.exec(rule.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""'))?.[1];
  if (target !== undefined && ownChainPattern.test(target)) table.jumps.push({ chain, rule });
}

/**
 * The input for `iptables-restore --noflush` that turns `observed` into `desired`, or undefined when they are equal.
 * Each table is committed as a whole. Our chains are rewritten, chains no longer wanted are deleted, and every jump
 * into our chains is made to exist once; a jump that is missing is inserted first. One that others pushed further
 * down stays where it is: fighting for the first place with another program never ends.
 */
export function formatRestore(desired: RuleTables, observed: RuleTables): string | undefined {
  const parts = tableNames.flatMap((name) => {
    const want = desired.get(name) ?? emptyTable;
    const have = observed.get(name) ?? emptyTable;
    return isSameTable(want, have) ? [] : [`*${name}`, ...formatTable(want, have), 'COMMIT'];
  });
  return parts.length === 0 ? undefined : `${parts.join('\n')}\n`;
}

export function isSameRuleTables(a: RuleTables, b: RuleTables): boolean {
  return tableNames.every((name) => isSameTable(a.get(name) ?? emptyTable, b.get(name) ?? emptyTable));
}

function formatTable(want: RuleTable, have: RuleTable): string[] {
  const stale = [...have.chains.keys()].filter((chain) => !want.chains.has(chain));
  const missing = [...want.jumps];
  const surplus: Jump[] = [];
  for (const jump of have.jumps) {
    const index = missing.findIndex((candidate) => isSameJump(candidate, jump));
    if (index < 0) surplus.push(jump);
    else missing.splice(index, 1);
  }
  return [
    // With --noflush, declaring a chain empties it, or creates it.
    ...[...want.chains.keys(), ...stale].map((chain) => `:${chain} - [0:0]`),
    ...surplus.map(({ chain, rule }) => `-D ${chain} ${rule}`),
    ...[...want.chains].flatMap(([chain, rules]) => rules.map((rule) => `-A ${chain} ${rule}`)),
    ...missing.map(({ chain, rule }) => `-I ${chain} 1 ${rule}`),
    ...stale.map((chain) => `-X ${chain}`),
  ];
}

function isSameTable(a: RuleTable, b: RuleTable): boolean {
  if (a === b) return true;
  if (a.chains.size !== b.chains.size || a.jumps.length !== b.jumps.length) return false;
  for (const [chain, rules] of a.chains) {
    const others = b.chains.get(chain);
    if (others?.length !== rules.length || !rules.every((rule, index) => rule === others[index]))
      return false;
  }
  // Two of one jump and none of the other would pass a test of inclusion one way.
  const left = a.jumps.map(formatJump).toSorted();
  const right = b.jumps.map(formatJump).toSorted();
  return left.every((jump, index) => jump === right[index]);
}

function isSameJump(a: Jump, b: Jump): boolean {
  return a.chain === b.chain && a.rule === b.rule;
}

function formatJump(jump: Jump): string {
  return `${jump.chain} ${jump.rule}`;
}
