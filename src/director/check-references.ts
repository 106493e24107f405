import { formatObjectRef } from '../api/index.ts';
import type { ObjectRef } from '../api/index.ts';
import type { Logger, Timers } from '../base/index.ts';
import { configMapType, secretType } from '../cluster/index.ts';
import { tlsOf, withTls } from '../health/index.ts';
import type { Question, TlsReferences } from '../health/index.ts';
import { isKubeError } from '../kube/index.ts';
import type { KubeClient } from '../kube/index.ts';
import { isSameMaterial, readPart } from './referred-object.ts';
import type { Material, ReferredKind } from './referred-object.ts';

export interface CheckReferencesOptions {
  readonly client: Pick<KubeClient, 'get'>;
  readonly timers: Timers;
  /** 0 ≤ random() < 1 */
  readonly random: () => number;
  readonly logger: Logger;
  /** Something that checks refer to has come, changed or gone, or cannot be had any more. */
  readonly onChange: () => void;
}

/** A check that refers to objects of its namespace. */
export interface ReferenceUse {
  /** The VirtualService that is told when something is missing. */
  readonly object: ObjectRef;
  readonly namespace: string;
  readonly references: TlsReferences;
}

/** What keeps real servers from being asked. */
export interface ReferenceProblem {
  readonly object: ObjectRef;
  readonly reason:
    'CheckReferenceDenied' | 'CheckReferenceNotFound' | 'CheckReferenceUnusable' | 'CheckReferenceUnread';
  readonly message: string;
}

/** One entry of one object. */
interface Reference {
  readonly field: 'caBundleRef' | 'clientCertificateRef';
  readonly kind: ReferredKind;
  readonly namespace: string;
  readonly name: string;
  readonly key: string;
}

type Trouble = Pick<ReferenceProblem, 'reason'> & { readonly text: string };

/** What is held of an object. */
interface Holding {
  readonly kind: ReferredKind;
  readonly namespace: string;
  readonly name: string;
  /** Entries that are referred to. */
  keys: ReadonlySet<string>;
  /** The last good form of each. The revision changes with it. */
  readonly parts: Map<string, { readonly material: Material; readonly revision: number }>;
  /** Of the whole object. */
  trouble: Trouble | undefined;
  readonly partTroubles: Map<string, Trouble>;
  /** There was an answer, good or bad. */
  isAnswered: boolean;
  cancel: () => void;
}

/** A certificate that is renewed is in use a minute later. */
const refreshMs = 60_000;
/** Somebody who has just given the right, or the object, need not wait for that. */
const retryMs = 15_000;
const jitterShare = 0.2;
const askTimeoutMs = 5000;
const types = { ConfigMap: configMapType, Secret: secretType } as const;

/**
 * Fetches what TLS settings of checks refer to, each object by its name, now and then: whoever wants his Secret to be
 * read lets a director `get` it and nothing more, so there is no watch. The bytes live in this process and nowhere else.
 * While nobody answers, the last good form stands; when the API server says that it is not there, or that we may not
 * have it, it is forgotten.
 */
export class CheckReferences {
  readonly #options: CheckReferencesOptions;
  readonly #holdings = new Map<string, Holding>();
  #uses: readonly ReferenceUse[] = [];
  #problems: readonly ReferenceProblem[] = [];
  #version = 0;
  #lastRevision = 0;
  #isClosed = false;
  readonly #filled = new WeakMap<Question, Question>();

  constructor(options: CheckReferencesOptions) {
    this.#options = options;
  }

  /** Another one when `fill` or `problems` may answer otherwise than before. */
  get version(): number {
    return this.#version;
  }

  /** The same list while it says the same. */
  get problems(): readonly ReferenceProblem[] {
    return this.#problems;
  }

  /** All that is referred to from now on. What is new is fetched at once, what is not there is forgotten. */
  want(uses: readonly ReferenceUse[]): void {
    this.#uses = uses;
    const wanted = new Map<string, { reference: Reference; keys: Set<string> }>();
    for (const use of uses) {
      for (const reference of referencesOf(use)) {
        const id = idOf(reference);
        const known = wanted.get(id);
        if (known === undefined) wanted.set(id, { reference, keys: new Set([reference.key]) });
        else known.keys.add(reference.key);
      }
    }
    for (const [id, holding] of this.#holdings) if (!wanted.has(id)) this.#drop(id, holding);
    for (const [id, { reference, keys }] of wanted) this.#hold(id, reference, keys);
    this.#tell();
  }

  /** The question with all that it refers to; as it is while something is missing. */
  fill(question: Question, namespace: string): Question {
    const tls = tlsOf(question);
    if (tls?.references === undefined) return question;
    const found = referencesOf({ namespace, references: tls.references }).map((reference) => ({
      reference,
      part: this.#holdings.get(idOf(reference))?.parts.get(reference.key),
    }));
    if (found.some(({ part }) => part === undefined)) return question;
    const fetched = found
      .map(({ reference, part }) => `${idOf(reference)} ${reference.key} ${part?.revision ?? 0}`)
      .join(', ');
    const last = this.#filled.get(question);
    if (last !== undefined && tlsOf(last)?.fetched === fetched) return last;
    const materials = found.flatMap(({ part }) => (part === undefined ? [] : [part.material]));
    const authorities = materials.find((material) => material.kind === 'authorities');
    const certificate = materials.find((material) => material.kind === 'certificate');
    const filled = withTls(question, {
      ...tls,
      references: undefined,
      fetched,
      caBundle: authorities?.pem ?? tls.caBundle,
      clientCertificate: certificate && { certificate: certificate.certificate, key: certificate.key },
    });
    this.#filled.set(question, filled);
    return filled;
  }

  /** Ends all reading, and forgets what was read. */
  close(): void {
    this.#isClosed = true;
    for (const [id, holding] of this.#holdings) this.#drop(id, holding);
  }

  #hold(id: string, reference: Reference, keys: ReadonlySet<string>): void {
    const known = this.#holdings.get(id);
    if (known !== undefined) {
      const hasNews = [...keys].some((key) => !known.keys.has(key));
      known.keys = keys;
      for (const key of known.parts.keys()) if (!keys.has(key)) known.parts.delete(key);
      if (hasNews) this.#schedule(known, 0);
      return;
    }
    const { kind, namespace, name } = reference;
    const holding: Holding = {
      kind,
      namespace,
      name,
      keys,
      parts: new Map(),
      trouble: undefined,
      partTroubles: new Map(),
      isAnswered: false,
      cancel: () => {},
    };
    this.#holdings.set(id, holding);
    this.#schedule(holding, 0);
  }

  #drop(id: string, holding: Holding): void {
    holding.cancel();
    holding.parts.clear();
    this.#holdings.delete(id);
  }

  #schedule(holding: Holding, delayMs: number): void {
    holding.cancel();
    if (this.#isClosed) return;
    const { timers, random } = this.#options;
    const jitter = 1 + (random() - 0.5) * jitterShare;
    holding.cancel = timers.after(delayMs * jitter, () => void this.#read(holding));
  }

  async #read(holding: Holding): Promise<void> {
    const { kind, namespace, name } = holding;
    const found = await this.#options.client
      .get(types[kind], { namespace, name }, { timeoutMs: askTimeoutMs })
      .catch((error: unknown) => ({ error }));
    if (this.#holdings.get(idOf(holding)) !== holding) return;
    const hasChanged = 'error' in found ? this.#miss(holding, found.error) : this.#take(holding, found);
    const isWell = holding.trouble === undefined && holding.partTroubles.size === 0;
    this.#schedule(holding, isWell ? refreshMs : retryMs);
    if (!hasChanged) return;
    this.#tell();
    this.#options.onChange();
  }

  /** There is an answer. @returns whether it says something new */
  #take(holding: Holding, object: Parameters<typeof readPart>[1]): boolean {
    let hasChanged = holding.trouble !== undefined || !holding.isAnswered;
    holding.isAnswered = true;
    holding.trouble = undefined;
    const before = [...holding.partTroubles.values()].map(({ text }) => text).join();
    holding.partTroubles.clear();
    for (const key of holding.keys) {
      const reading = readPart(holding.kind, object, key);
      if (!reading.ok) {
        const text = `${nameOf(holding)} ${reading.why}`;
        holding.partTroubles.set(key, { reason: 'CheckReferenceUnusable', text });
        continue;
      }
      const last = holding.parts.get(key);
      if (last !== undefined && isSameMaterial(last.material, reading.material)) continue;
      holding.parts.set(key, { material: reading.material, revision: ++this.#lastRevision });
      hasChanged = true;
    }
    return hasChanged || before !== [...holding.partTroubles.values()].map(({ text }) => text).join();
  }

  /** There is none, or it is a refusal. @returns whether that is new */
  #miss(holding: Holding, error: unknown): boolean {
    const before = holding.trouble?.reason;
    const hadParts = holding.parts.size > 0;
    if (isKubeError(error) && error.status === 403) {
      const text =
        `this director may not get ${nameOf(holding)}; bind the ClusterRole lvs-operator-check-references to the account ` +
        `of the directors in namespace ${holding.namespace}`;
      holding.trouble = { reason: 'CheckReferenceDenied', text };
      holding.parts.clear();
    } else if (isKubeError(error, 'LVS_KUBE_NOT_FOUND')) {
      const text = `there is no ${nameOf(holding)} in namespace ${holding.namespace}`;
      holding.trouble = { reason: 'CheckReferenceNotFound', text };
      holding.parts.clear();
    } else if (!hadParts) {
      const text = `${nameOf(holding)} could not be read yet, as the API server does not answer`;
      holding.trouble = { reason: 'CheckReferenceUnread', text };
    }
    holding.isAnswered ||= holding.trouble !== undefined;
    return before !== holding.trouble?.reason || (hadParts && holding.parts.size === 0);
  }

  #tell(): void {
    this.#version++;
    const before = this.#problems;
    const known = new Set(before.map(({ object, message }) => `${formatObjectRef(object)} ${message}`));
    const problems = this.#uses.flatMap((use) => this.#problemsOf(use));
    const isSame =
      problems.length === before.length &&
      problems.every(({ object, message }) => known.has(`${formatObjectRef(object)} ${message}`));
    if (isSame) return;
    this.#problems = problems;
    for (const { object, reason, message } of problems) {
      const name = formatObjectRef(object);
      if (!known.has(`${name} ${message}`))
        this.#options.logger.warn('a health check cannot be asked', { object: name, reason, message });
    }
  }

  #problemsOf(use: ReferenceUse): readonly ReferenceProblem[] {
    return referencesOf(use).flatMap((reference) => {
      const holding = this.#holdings.get(idOf(reference));
      const trouble = holding?.trouble ?? holding?.partTroubles.get(reference.key);
      if (trouble === undefined) return [];
      const sequel =
        holding?.parts.has(reference.key) === true
          ? 'What was read before is used'
          : 'Its real servers are not asked, and keep the verdicts they have';
      const message = `healthCheck: ${reference.field}: ${trouble.text} (docs/health.md). ${sequel}.`;
      return [{ object: use.object, reason: trouble.reason, message }];
    });
  }
}

function referencesOf({
  namespace,
  references: { caBundle, clientCertificate },
}: Pick<ReferenceUse, 'namespace' | 'references'>): readonly Reference[] {
  return [
    ...(caBundle === undefined
      ? []
      : [
          {
            field: 'caBundleRef',
            kind: 'ConfigMap',
            namespace,
            name: caBundle.name,
            key: caBundle.key,
          } as const,
        ]),
    ...(clientCertificate === undefined
      ? []
      : [
          {
            field: 'clientCertificateRef',
            kind: 'Secret',
            namespace,
            name: clientCertificate.name,
            key: '',
          } as const,
        ]),
  ];
}

function idOf({ kind, namespace, name }: Pick<Holding, 'kind' | 'namespace' | 'name'>): string {
  return `${kind} ${namespace}/${name}`;
}

function nameOf({ kind, name }: Pick<Holding, 'kind' | 'name'>): string {
  return `${kind} ${name}`;
}
