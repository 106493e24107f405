import { LvsError } from '../base/index.ts';
import type { IpFamily } from '../base/index.ts';
import { emptyPacketRules, isSamePacketRules, normalizePacketRules } from './packet-rules.ts';
import { readRuleTables } from './read-rules.ts';
import type { CommandResult, RunCommand } from './run-command.ts';
import type { NetfilterBackend, RuleChangeProbe } from './rule-change-probe.ts';
import { renderRuleTables } from './rule-tables.ts';
import type { RuleTables } from './rule-tables.ts';
import { formatRestore, isSameRuleTables, parseSavedRules } from './saved-rules.ts';
import type { PacketRules } from './types.ts';

type FamilyTables = Readonly<Record<IpFamily, RuleTables>>;

const families = ['IPv4', 'IPv6'] as const;
const noTables: FamilyTables = { IPv4: new Map(), IPv6: new Map() };
/** Seconds that iptables waits for another program that holds the xtables lock. */
const lockWaitSeconds = '5';

export interface NetfilterOptions {
  readonly run: RunCommand;
  readonly probe: RuleChangeProbe;
  /** @default auto: legacy where legacy tables hold rules already, else what the host's `iptables` is */
  readonly backend?: NetfilterBackend | 'auto';
}

/**
 * Our packet rules in the host's netfilter, by the host's own iptables commands: it is their rules that ours live
 * beside, and only they can be sure to keep the two notations (legacy and nf_tables) apart.
 *
 * Guarantees: every table is replaced in one commit, and only when it differs; chains and rules of others are never
 * named, so never touched; a table that we do not need is not brought to life.
 */
export class Netfilter {
  readonly #run: RunCommand;
  readonly #probe: RuleChangeProbe;
  readonly #wanted: NetfilterBackend | 'auto';
  #backend: NetfilterBackend | undefined;
  /** The last look, and the fingerprint at that time. */
  #seen: { fingerprint: string; rules: PacketRules | undefined } | undefined;
  /** Fingerprint at the last poll. */
  #polled: string | undefined;
  /** How this host's iptables spells what we last wrote, where it differs from our own spelling. */
  #spelling: { rules: PacketRules; tables: FamilyTables } | undefined;

  constructor(options: NetfilterOptions) {
    this.#run = options.run;
    this.#probe = options.probe;
    this.#wanted = options.backend ?? 'auto';
  }

  /** True when rules may have changed since the last call. */
  pollChanged(): boolean {
    const fingerprint = this.#probe.fingerprint(this.#chooseBackend());
    const hasChanged = fingerprint !== this.#polled;
    this.#polled = fingerprint;
    return hasChanged;
  }

  /**
   * The rules that our chains hold, in normal form, or undefined when the chains are not what we would write for any
   * rules: somebody changed them, or they are half there.
   * @param isFull look again even if the host says that nothing changed
   * @throws LvsError LVS_NETFILTER_UNAVAILABLE
   */
  observe(isFull = false): PacketRules | undefined {
    const fingerprint = this.#probe.fingerprint(this.#chooseBackend());
    if (!isFull && fingerprint !== undefined && fingerprint === this.#seen?.fingerprint)
      return this.#seen.rules;
    const rules = this.#interpret(this.#readTables());
    this.#seen = fingerprint === undefined ? undefined : { fingerprint, rules };
    return rules;
  }

  /**
   * Makes our chains say `rules`. Without any difference no command but the look is run.
   * @throws LvsError LVS_NETFILTER_UNAVAILABLE
   */
  apply(rules: PacketRules): void {
    const normal = normalizePacketRules(rules);
    const desired: FamilyTables = {
      IPv4: renderRuleTables(normal, 'IPv4'),
      IPv6: renderRuleTables(normal, 'IPv6'),
    };
    // The look and the change are two commands; a foreign hand in between makes the change fail as a whole.
    for (let attempt = 1; ; attempt++) {
      const observed = this.#readTables();
      const known = this.#interpret(observed);
      if (known !== undefined && isSamePacketRules(known, normal)) return;
      try {
        for (const family of families)
          this.#restore(family, formatRestore(desired[family], observed[family]));
        break;
      } catch (error) {
        if (attempt >= 3 || (attempt === 2 && !this.#switchBackend())) throw error;
      } finally {
        this.#seen = undefined;
      }
    }
    this.#learnSpelling(normal, desired);
  }

  /** Removes every chain of ours and every jump to it, and nothing else. */
  remove(): void {
    this.#spelling = undefined;
    this.apply(emptyPacketRules);
  }

  #interpret(tables: FamilyTables): PacketRules | undefined {
    const spelled = this.#spelling;
    if (
      spelled !== undefined &&
      families.every((family) => isSameRuleTables(spelled.tables[family], tables[family]))
    ) {
      return spelled.rules;
    }
    return readRuleTables(tables);
  }

  /** Another version of iptables may print a rule differently; then what it prints right after the change counts. */
  #learnSpelling(rules: PacketRules, desired: FamilyTables): void {
    const tables = this.#readTables();
    const isAsWritten = families.every((family) => isSameRuleTables(desired[family], tables[family]));
    this.#spelling = isAsWritten || !hasSameShape(desired, tables) ? undefined : { rules, tables };
  }

  #readTables(): FamilyTables {
    const backend = this.#chooseBackend();
    return { IPv4: this.#readFamily(backend, 'IPv4'), IPv6: this.#readFamily(backend, 'IPv6') };
  }

  #readFamily(backend: NetfilterBackend, family: IpFamily): RuleTables {
    // Legacy save prints the tables in use and no others; with none there is nothing to run.
    if (backend === 'legacy' && this.#probe.listLegacyTables(family).length === 0) return noTables[family];
    const command = this.#command(family, 'save');
    const result = this.#run(command, []);
    // No command, no rules that it could have written.
    if (result.status === undefined) return noTables[family];
    if (result.status !== 0) throw netfilterError(command, result);
    return parseSavedRules(result.stdout);
  }

  #restore(family: IpFamily, input: string | undefined): void {
    if (input === undefined) return;
    const command = this.#command(family, 'restore');
    const result = this.#run(command, ['-w', lockWaitSeconds, '--noflush'], input);
    if (result.status !== 0) throw netfilterError(command, result);
  }

  #command(family: IpFamily, verb: 'save' | 'restore'): string {
    return `${family === 'IPv4' ? 'iptables' : 'ip6tables'}${this.#suffix()}-${verb}`;
  }

  /** `iptables-legacy-save` exists on hosts with both; where there is only one, `iptables-save` is it. */
  #suffix(): string {
    const backend = this.#chooseBackend();
    return backend === this.#hostBackend() ? '' : `-${backend}`;
  }

  #cachedHostBackend: NetfilterBackend | undefined;

  /** What plain `iptables` is on this host. Versions before 1.8 know legacy alone and say nothing. */
  #hostBackend(): NetfilterBackend {
    if (this.#cachedHostBackend === undefined) {
      const { stdout } = this.#run('iptables', ['--version']);
      this.#cachedHostBackend = stdout.includes('nf_tables') ? 'nft' : 'legacy';
    }
    return this.#cachedHostBackend;
  }

  #chooseBackend(): NetfilterBackend {
    this.#backend ??= this.#wanted === 'auto' ? this.#detectBackend() : this.#wanted;
    return this.#backend;
  }

  /** Rules that exist decide. A legacy table without any rule may just be the trace of somebody's listing. */
  #detectBackend(): NetfilterBackend {
    const host = this.#hostBackend();
    if (host === 'legacy') return host;
    for (const [family, command] of [
      ['IPv4', 'iptables-legacy-save'],
      ['IPv6', 'ip6tables-legacy-save'],
    ] as const) {
      if (this.#probe.listLegacyTables(family).length === 0) continue;
      if (/^-A /m.test(this.#run(command, []).stdout)) return 'legacy';
    }
    return host;
  }

  /** A kernel may lack what the chosen commands need: then the other notation is worth one try. */
  #switchBackend(): boolean {
    const other = this.#chooseBackend() === 'nft' ? 'legacy' : 'nft';
    if (this.#wanted !== 'auto') return false;
    if (this.#run(`iptables-${other}-restore`, ['--version']).status !== 0) return false;
    this.#backend = other;
    return true;
  }
}

function hasSameShape(a: FamilyTables, b: FamilyTables): boolean {
  return families.every((family) => formatShape(a[family]) === formatShape(b[family]));
}

/** Names of chains with their numbers of rules, and where the jumps are. */
function formatShape(tables: RuleTables): string {
  return [...tables]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { chains, jumps }]) => {
      const chainShapes = [...chains].map(([chain, rules]) => `${chain} ${rules.length}`).toSorted();
      return [name, ...chainShapes, ...jumps.map((jump) => jump.chain).toSorted()].join(' ');
    })
    .join('\n');
}

function netfilterError(command: string, result: CommandResult): LvsError {
  if (result.status === undefined) {
    return new LvsError('LVS_NETFILTER_UNAVAILABLE', `The command ${command} does not exist on this host.`, {
      operation: command,
      hint: 'Install the package iptables; it guards the VIPs, marks grouped ports and does sourceNAT.',
    });
  }
  const said = result.stderr.trim().split('\n').slice(0, 3).join('; ').slice(0, 400);
  const isPermission = /permission denied|not permitted/i.test(said);
  return new LvsError(
    'LVS_NETFILTER_UNAVAILABLE',
    `${command} failed with status ${result.status}${said === '' ? '' : `: ${said}`}.`,
    {
      operation: command,
      hint: isPermission
        ? 'Run as root or with CAP_NET_ADMIN.'
        : 'Check that the kernel has the netfilter modules that the message names (xt_multiport, xt_ipvs, xt_conntrack, xt_TCPMSS, xt_MASQUERADE), or choose the other iptables backend in the director configuration.',
    },
  );
}
