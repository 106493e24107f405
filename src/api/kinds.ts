import type * as z from 'zod';
import { addressPoolRules } from './address-pool-rules.ts';
import { addressPoolSpecSchema } from './address-pool.ts';
import type { CelRule } from './cel.ts';
import { realServerRules } from './real-server-rules.ts';
import { realServerSpecSchema } from './real-server.ts';
import { virtualServiceRules } from './virtual-service-rules.ts';
import { virtualServiceSpecSchema } from './virtual-service.ts';

export interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'boolean' | 'date';
  readonly description: string;
  /** One value of the object; lists print as raw JSON. */
  readonly jsonPath: string;
  /** 1: only with `kubectl get -o wide`. */
  readonly priority?: 1;
}

/** What Kubernetes and the reference need to know of a kind beside its fields. */
export interface KindDescription {
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortName: string;
  readonly scope: 'Namespaced' | 'Cluster';
  /** Whole sentences: `kubectl explain` and the reference begin with them. */
  readonly purpose: string;
  readonly spec: z.ZodType;
  readonly rules: readonly {
    readonly name: string;
    readonly promise: string;
    readonly cel: readonly CelRule[];
    readonly beyondApiServer?: string;
  }[];
  readonly columns: readonly PrinterColumn[];
  /** Fields that `kubectl get --field-selector` can choose by. */
  readonly selectableFields: readonly string[];
}

export const kindDescriptions: readonly KindDescription[] = [
  {
    kind: 'VirtualService',
    plural: 'virtualservices',
    singular: 'virtualservice',
    shortName: 'lvsvs',
    scope: 'Namespaced',
    purpose:
      'A VirtualService is what clients connect to: virtual addresses and ports, and how their connections are spread ' +
      'over the real servers behind them. RealServer objects of the same namespace name it.',
    spec: virtualServiceSpecSchema,
    rules: virtualServiceRules,
    columns: [
      {
        name: 'Scheduler',
        type: 'string',
        description: 'How the kernel chooses the real server of a new connection.',
        jsonPath: '.spec.scheduler',
      },
      {
        name: 'Forwarding',
        type: 'string',
        description: 'How packets reach the real servers.',
        jsonPath: '.spec.forwarding.method',
      },
      {
        name: 'Grouping',
        type: 'string',
        description: 'Whether ports balance separately or together.',
        jsonPath: '.spec.portGrouping',
        priority: 1,
      },
      {
        name: 'Persistence',
        type: 'integer',
        description: 'For how many seconds a client returns to its real server.',
        jsonPath: '.spec.persistence.timeoutSeconds',
        priority: 1,
      },
    ],
    selectableFields: [],
  },
  {
    kind: 'RealServer',
    plural: 'realservers',
    singular: 'realserver',
    shortName: 'lvsrs',
    scope: 'Namespaced',
    purpose:
      'A RealServer is one or more servers behind a VirtualService that are treated alike. Several RealServers may ' +
      'stand behind one VirtualService, with weights of their own.',
    spec: realServerSpecSchema,
    rules: realServerRules,
    columns: [
      {
        name: 'Virtual-Service',
        type: 'string',
        description: 'The VirtualService that these real servers stand behind.',
        jsonPath: '.spec.virtualServiceRef.name',
      },
      {
        name: 'Weight',
        type: 'integer',
        description: 'Share of each of these addresses.',
        jsonPath: '.spec.weight',
      },
      {
        name: 'State',
        type: 'string',
        description: 'Enabled, or Drained to leave.',
        jsonPath: '.spec.state',
      },
    ],
    selectableFields: ['.spec.virtualServiceRef.name'],
  },
  {
    kind: 'AddressPool',
    plural: 'addresspools',
    singular: 'addresspool',
    shortName: 'lvspool',
    scope: 'Cluster',
    purpose:
      'An AddressPool says which namespaces may use which virtual addresses, and where their real servers may be. ' +
      'Without one that admits a namespace, nothing of that namespace is served.',
    spec: addressPoolSpecSchema,
    rules: addressPoolRules,
    columns: [
      {
        name: 'Default',
        type: 'boolean',
        description: 'Whether VirtualServices without addresses take theirs from here.',
        jsonPath: '.spec.default',
      },
    ],
    selectableFields: [],
  },
];
