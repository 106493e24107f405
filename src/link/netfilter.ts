import { LvsError } from '../base/index.ts';
import type { IpFamily } from '../base/index.ts';
import { emptyPacketRules, isSamePacketRules, normalizePacketRules } from './packet-rules.ts';
import { readRuleTables } from './read-rules.ts';
import type { CommandResult, RunCommand, StartCommand } from './run-command.ts';
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

/** Never there when a commit is over. */
const probeChain = 'LVS-PROBE';

/** What we last wrote, and how the next look that read it spelled it. */
interface Written {
  readonly rules: PacketRules;
  readonly desired: FamilyTables;
  /** Another version of iptables may print a rule differently than we do: then its spelling is learnt here. */
  spelling: 'unseen' | 'ours' | FamilyTables;
}

interface Seen {
  readonly fingerprint: string;
  /** As exact as the host can tell; undefined: the tables were not read, and the next full look has to. */
  readonly exact: string | undefined;
  readonly tables: FamilyTables;
  readonly rules: PacketRules | undefined;
}

export interface NetfilterOptions {
  readonly run: RunCommand;
  /** For `lookAgain`. @default run */
  readonly start?: StartCommand;
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
  readonly #start: StartCommand;
  readonly #probe: RuleChangeProbe;
  readonly #wanted: NetfilterBackend | 'auto';
  #backend: NetfilterBackend | undefined;
  /** The last look, and the fingerprint at that time. */
  #seen: Seen | undefined;
  /** Fingerprint at the last poll. */
  #polled: string | undefined;
  #written: Written | undefined;
  /** Whether the chosen commands were seen to work, or not to. */
  #isProven = false;
  #isLookingAgain = false;

  constructor(options: NetfilterOptions) {
    this.#run = options.run;
    this.#start = options.start ?? ((command, args) => Promise.resolve(options.run(command, args)));
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
   * @param isFull believe only an exact fingerprint that nothing changed since the tables were read
   * @throws LvsError LVS_NETFILTER_UNAVAILABLE
   */
  observe(isFull = false): PacketRules | undefined {
    return this.#look(isFull).rules;
  }

  /**
   * Reads the tables again, whatever the fingerprint says, without holding anybody up: starting two programs takes tens of
   * milliseconds and more. What it finds, `observe` says from then on. It finds nothing where something changes meanwhile;
   * what does, the fingerprint shows. Of several at a time one is enough.
   * @throws LvsError LVS_NETFILTER_UNAVAILABLE
   */
  async lookAgain(): Promise<void> {
    if (this.#isLookingAgain) return;
    this.#isLookingAgain = true;
    try {
      const backend = this.#chooseBackend();
      const fingerprint = this.#probe.fingerprint(backend);
      const exact = this.#probe.fingerprint(backend, true);
      const seen = this.#seen;
      const isUnchanged = seen?.fingerprint === fingerprint && seen?.exact === exact;
      if (fingerprint === undefined || (exact !== undefined && isUnchanged)) return;
      const [IPv4, IPv6] = await Promise.all([this.#fetchFamily('IPv4'), this.#fetchFamily('IPv6')]);
      const isStillSo =
        this.#seen === seen &&
        this.#backend === backend &&
        this.#probe.fingerprint(backend) === fingerprint &&
        this.#probe.fingerprint(backend, true) === exact;
      if (!isStillSo) return;
      const tables = { IPv4, IPv6 };
      this.#seen = { fingerprint, exact, tables, rules: this.#interpret(tables) };
    } finally {
      this.#isLookingAgain = false;
    }
  }

  /**
   * Makes our chains say `rules`. Where they do already, nothing is run.
   * @throws LvsError LVS_NETFILTER_UNAVAILABLE
   */
  apply(rules: PacketRules): void {
    const normal = normalizePacketRules(rules);
    const desired: FamilyTables = {
      IPv4: renderRuleTables(normal, 'IPv4'),
      IPv6: renderRuleTables(normal, 'IPv6'),
    };
    let before = this.#look(false);
    let retriesLeft = 3;
    while (before.rules === undefined || !isSamePacketRules(before.rules, normal)) {
      try {
        const { tables } = before;
        if (this.#mayBeRefused()) {
          before = this.#look(true);
          continue;
        }
        for (const family of families) this.#restore(family, formatRestore(desired[family], tables[family]));
        const isKnownSpelling = before.rules !== undefined && this.#written?.spelling === 'ours';
        this.#written = { rules: normal, desired, spelling: isKnownSpelling ? 'ours' : 'unseen' };
        this.#seen = isKnownSpelling ? this.#trustWrite(desired, normal) : undefined;
        return;
      } catch (error) {
        this.#seen = undefined;
        if (retriesLeft-- === 0) throw error;
        const after = this.#look(true);
        // Somebody's hand between our look and our change makes the change fail as a whole: look and try again.
        const isRace = !isSameFamilyTables(before.tables, after.tables);
        if (isRace) before = after;
        else if (this.#switchBackend()) before = this.#look(true);
        else {
          this.#seen = undefined;
          throw error;
        }
      }
    }
  }

  /**
   * A commit that succeeded did as it was told. Once this iptables was seen to spell our rules as we do, its later
   * commits are not read back before the next full look; what others change in the instant before the fingerprint is
   * taken waits for that look, too. The first commit is read back: an edit must not pass for a spelling.
   */
  #trustWrite(tables: FamilyTables, rules: PacketRules): Seen | undefined {
    const fingerprint = this.#probe.fingerprint(this.#chooseBackend());
    return fingerprint === undefined ? undefined : { fingerprint, exact: undefined, tables, rules };
  }

  /**
   * A kernel may have nf_tables and none of the tables that iptables needs there. With thousands of rules it takes
   * seconds to be told so; an empty chain, made and removed in one commit, tells at once. Asked once, before the first
   * rule is written.
   * @returns true when the other notation was chosen for that
   */
  #mayBeRefused(): boolean {
    if (this.#wanted !== 'auto' || this.#isProven || this.#chooseBackend() !== 'nft') return false;
    this.#isProven = true;
    const { status } = this.#run(
      this.#command('IPv4', 'restore'),
      ['-w', lockWaitSeconds, '--noflush'],
      `*filter\n:${probeChain} - [0:0]\n-X ${probeChain}\nCOMMIT\n`,
    );
    return status !== undefined && status !== 0 && this.#switchBackend();
  }

  /** Removes every chain of ours and every jump to it, and nothing else. */
  remove(): void {
    this.apply(emptyPacketRules);
  }

  #look(isFull: boolean): { tables: FamilyTables; rules: PacketRules | undefined } {
    const fingerprint = this.#probe.fingerprint(this.#chooseBackend());
    const seen = this.#seen;
    if (!isFull && fingerprint !== undefined && fingerprint === seen?.fingerprint) return seen;
    // Taken before the reading: what changes during it shows at the next look.
    const exact = this.#probe.fingerprint(this.#chooseBackend(), true);
    if (isFull && exact !== undefined && seen?.exact === exact && seen.fingerprint === fingerprint)
      return seen;
    const tables = this.#readTables();
    const rules = this.#interpret(tables);
    this.#seen = fingerprint === undefined ? undefined : { fingerprint, exact, tables, rules };
    return { tables, rules };
  }

  #interpret(tables: FamilyTables): PacketRules | undefined {
    const rules = readRuleTables(tables);
    const written = this.#written;
    if (written === undefined) return rules;
    if (written.spelling === 'unseen') {
      const isForeignSpelling = rules === undefined && hasSameShape(written.desired, tables);
      written.spelling = isForeignSpelling ? tables : 'ours';
    }
    if (rules !== undefined || written.spelling === 'ours') return rules;
    return isSameFamilyTables(written.spelling, tables) ? written.rules : undefined;
  }

  #readTables(): FamilyTables {
    return { IPv4: this.#readFamily('IPv4'), IPv6: this.#readFamily('IPv6') };
  }

  #readFamily(family: IpFamily): RuleTables {
    if (!this.#hasTables(family)) return noTables[family];
    const command = this.#command(family, 'save');
    return parseSave(family, command, this.#run(command, []));
  }

  async #fetchFamily(family: IpFamily): Promise<RuleTables> {
    if (!this.#hasTables(family)) return noTables[family];
    const command = this.#command(family, 'save');
    return parseSave(family, command, await this.#start(command, []));
  }

  /** Legacy save prints the tables in use and no others; with none there is nothing to run. */
  #hasTables(family: IpFamily): boolean {
    return this.#chooseBackend() !== 'legacy' || this.#probe.listLegacyTables(family).length > 0;
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

/** @throws LvsError LVS_NETFILTER_UNAVAILABLE */
function parseSave(family: IpFamily, command: string, result: CommandResult): RuleTables {
  // No command, no rules that it could have written.
  if (result.status === undefined) return noTables[family];
  if (result.status !== 0) throw netfilterError(command, result);
  return parseSavedRules(result.stdout);
}

function isSameFamilyTables(a: FamilyTables, b: FamilyTables): boolean {
  return families.every((family) => isSameRuleTables(a[family], b[family]));
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
