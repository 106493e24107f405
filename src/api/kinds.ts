import type * as z from 'zod';
import { addressPoolRules } from './address-pool-rules.ts';
import { addressPoolStatusSchema } from './address-pool-status.ts';
import { addressPoolSpecSchema } from './address-pool.ts';
import type { CelRule } from './cel.ts';
import { directorStatusSchema } from './director-status.ts';
import { directorRules, directorSpecSchema } from './director.ts';
import {
  addressPoolColumns,
  directorColumns,
  realServerColumns,
  realServerSliceColumns,
  virtualServiceColumns,
} from './printer-columns.ts';
import type { PrinterColumn } from './printer-columns.ts';
import { realServerRules } from './real-server-rules.ts';
import { realServerSliceRules } from './real-server-slice-rules.ts';
import { realServerSliceSpecSchema } from './real-server-slice.ts';
import { realServerStatusSchema } from './real-server-status.ts';
import { realServerSpecSchema } from './real-server.ts';
import { virtualServiceRules } from './virtual-service-rules.ts';
import { virtualServiceStatusSchema } from './virtual-service-status.ts';
import { virtualServiceSpecSchema } from './virtual-service.ts';

/** What Kubernetes and the reference need to know of a kind beside its fields. */
export interface KindDescription {
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortName: string;
  readonly scope: 'Namespaced' | 'Cluster';
  /** Written by the operator for itself; people may look. */
  readonly isInternal?: boolean;
  /** Whole sentences: `kubectl explain` and the reference begin with them. */
  readonly purpose: string;
  readonly spec: z.ZodType;
  /** Undefined: the kind has none. */
  readonly status: z.ZodObject | undefined;
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
    status: virtualServiceStatusSchema,
    rules: virtualServiceRules,
    columns: virtualServiceColumns,
    selectableFields: [],
  },
  {
    kind: 'RealServer',
    plural: 'realservers',
    singular: 'realserver',
    shortName: 'lvsrs',
    scope: 'Namespaced',
    purpose:
      'A RealServer is one or more servers behind a VirtualService that are treated alike: fixed addresses, pods that ' +
      'a selector finds, or the endpoints of a Service. Several RealServers may stand behind one VirtualService, with ' +
      'weights of their own.',
    spec: realServerSpecSchema,
    status: realServerStatusSchema,
    rules: realServerRules,
    columns: realServerColumns,
    selectableFields: ['.spec.virtualServiceRef.name'],
  },
  {
    kind: 'RealServerSlice',
    plural: 'realserverslices',
    singular: 'realserverslice',
    shortName: 'lvsrss',
    scope: 'Namespaced',
    isInternal: true,
    purpose:
      'A RealServerSlice holds a part of the real servers of a RealServer, at most 100. It is internal: the controller ' +
      'writes it and directors read it, and what people change is written back.',
    spec: realServerSliceSpecSchema,
    status: undefined,
    rules: realServerSliceRules,
    columns: realServerSliceColumns,
    selectableFields: ['.spec.virtualServiceName', '.spec.realServerName'],
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
    status: addressPoolStatusSchema,
    rules: addressPoolRules,
    columns: addressPoolColumns,
    selectableFields: [],
  },
  {
    kind: 'Director',
    plural: 'directors',
    singular: 'director',
    shortName: 'lvsdir',
    scope: 'Cluster',
    purpose:
      'A Director is a node that runs IPVS, under the name of the node. The director itself makes the object and ' +
      'reports in its status. People write its spec, to take it out for maintenance.',
    spec: directorSpecSchema.prefault({}),
    status: directorStatusSchema,
    rules: directorRules,
    columns: directorColumns,
    selectableFields: [],
  },
];
