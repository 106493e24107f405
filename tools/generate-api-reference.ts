import { readFileSync } from 'node:fs';
import path from 'node:path';
import { apiGroup, apiVersion, kindReferences, virtualServiceLabel } from '../src/api/index.ts';
import type { KindReference, OpenApiSchema } from '../src/api/index.ts';

const repository = path.resolve(import.meta.dirname, '..');

/** Where the example of a kind is cut from; examples are parsed and planned by tests. */
const exampleFiles: Readonly<Record<string, readonly string[]>> = {
  VirtualService: ['examples/web.yaml'],
  RealServer: ['examples/canary.yaml', 'examples-cluster/pods.yaml', 'examples-cluster/service.yaml'],
  AddressPool: ['examples/address-pool.yaml', 'examples-cluster/address-pool.yaml'],
};

/** Kinds that no folder of manifests holds. */
const inlineExamples: Readonly<Record<string, string>> = {
  RealServerSlice: `apiVersion: ${apiVersion}
kind: RealServerSlice
metadata:
  name: shop-stable-7hq2x
  labels:
    ${virtualServiceLabel}: shop
spec:
  virtualServiceName: shop
  realServerName: shop-stable
  ports:
    - name: https
      port: 8443
  endpoints:
    - address: 198.51.100.101
      phase: Serving
      weight: 85
      nodeName: node-a
      podUID: 0d4a9a3b-5a51-4b52-9c6c-6b8f7d0f8a11
    - address: 198.51.100.102
      phase: Draining
      deadline: 2026-01-31T12:05:00Z
      nodeName: node-b
      podUID: 5b0b7d53-4a76-4d8e-9f0e-2a5ad0a1c2de
`,
  Director: `apiVersion: ${apiVersion}
kind: Director
metadata:
  # The name of its node.
  name: node-a
spec: {}
`,
  DirectorConfiguration: `apiVersion: ${apiVersion}
kind: DirectorConfiguration
uplinks:
  # Virtual addresses of this network are bound to eth1 and announced there.
  - interface: eth1
    cidrs: [192.0.2.0/24]
# The management network: never a virtual address, never a real server.
reservedCIDRs: [198.51.100.0/28]
timeouts:
  tcpSeconds: 1800
`,
};

interface FieldRow {
  readonly path: string;
  readonly schema: OpenApiSchema;
  readonly isRequired: boolean;
}

/** docs/api.md: every kind with its fields, rules and an example. */
export function renderApiReference(): string {
  const references = kindReferences();
  return `<!-- Generated from src/api by "npm run generate". Do not edit. -->

# API reference

Group and version: \`${apiVersion}\`. The same YAML is read from files by
\`lvs-operator director --manifests\` and, with the definitions in [crds](../crds), kept by a Kubernetes API server of
version 1.32 or later. Complete files are in [examples](../examples) and, for what needs a cluster, in
[examples-cluster](../examples-cluster).

${references.map(({ kind, isInternal }) => `- [${kind}](#${kind.toLowerCase()})${isInternal ? ': internal' : ''}`).join('\n')}

How to read the tables:

- \`[]\` stands for every entry of a list.
- A field without a default may be omitted, unless it is **required**; what that means is said beside it.
- Unknown fields are refused.
- An IP address is IPv4 or IPv6, without leading zeros, zone or the IPv4-mapped form (\`::ffff:192.0.2.1\`). A network has
  no bits set below its prefix; an address alone is the network of that one address.
- Names are lower-case letters, digits and \`-\`, beginning and ending with a letter or digit: at most 63 of them for ports
  and namespaces. Names of objects have up to 253 and may also contain \`.\`.
- \`status\` has a table of its own. It is written by the operator, never by people, and fields may be absent from it.
- \`status.conditions[]\` are conditions as everywhere in Kubernetes: \`type\`, \`status\` (True, False or Unknown), \`reason\`
  (one word for programs), \`message\` (a sentence for people), \`lastTransitionTime\` and \`observedGeneration\`. A condition
  that is there only while it holds is abnormal when it is there.

The rules under each table bind several fields of one object. A director refuses an object that breaks one, and names
the rule and the field; an API server refuses it already when it is written. Only a director knows the order of
addresses: a range that ends before it begins passes an API server.

${references.map(renderKind).join('\n')}`;
}

function renderKind(reference: KindReference): string {
  const rows = fieldRows(reference.schema, reference.resource === undefined ? '' : 'spec.');
  const { kind, purpose, isInternal } = reference;
  return `## ${kind}

${isInternal ? `**Internal.** The operator writes it for itself; do not make or edit one. ${purpose}` : purpose}

${renderResource(reference)}

${renderExamples(kind).join('\n\n')}

${renderFields(rows)}${renderRules(reference)}${renderStatus(reference)}`;
}

/** Nothing for a kind in which nothing can be set. */
function renderFields(rows: readonly FieldRow[]): string {
  if (rows.length === 0) return '';
  return `| Field | Type | Default | Limits | Meaning |
| --- | --- | --- | --- | --- |
${rows.map(renderRow).join('\n')}
`;
}

function renderRules({ rules }: KindReference): string {
  return rules.length === 0 ? '' : `\nRules:\n\n${rules.map(renderRule).join('\n')}\n`;
}

function renderStatus({ status }: KindReference): string {
  if (status === undefined) return '';
  const rows = fieldRows(status, 'status.')
    .filter(({ path: field }) => !field.startsWith('status.conditions[]'))
    .map(({ path: field, schema }) =>
      renderCells([`\`${field}\``, typeWords(schema), schema.description ?? '']),
    );
  return `\nWhat the operator says of it:\n\n| Field | Type | Meaning |\n| --- | --- | --- |\n${rows.join('\n')}\n`;
}

function renderResource({ resource }: KindReference): string {
  if (resource === undefined) {
    return 'Read by `lvs-operator director --config FILE`. It has no `metadata` and no `spec`.';
  }
  const { plural, shortName, scope } = resource;
  const where = scope === 'Namespaced' ? 'Belongs to a namespace' : 'Belongs to the whole cluster';
  return (
    `${where}. In a cluster: \`kubectl get ${shortName}\`, in full \`kubectl get ${plural}.${apiGroup}\`, ` +
    'or `kubectl get lvs` for all kinds together.'
  );
}

function renderExamples(kind: string): readonly string[] {
  const files = exampleFiles[kind];
  const texts = files === undefined ? [inlineExamples[kind] ?? ''] : files.map((file) => firstOf(kind, file));
  return texts.map((text) => `\`\`\`yaml\n${text}\`\`\``);
}

/** The first object of a kind in a file. */
function firstOf(kind: string, file: string): string {
  const documents = readFileSync(path.join(repository, file), 'utf8').split(/^---\n/m);
  const document = documents.find((text) => text.includes(`\nkind: ${kind}\n`));
  if (document === undefined) throw new Error(`${file} has no ${kind}.`);
  return `${document.slice(document.indexOf('apiVersion:')).trimEnd()}\n`;
}

/** Every field below a node, parents before children. Entries that are single values are told with their list. */
function fieldRows(schema: OpenApiSchema, prefix: string): FieldRow[] {
  const { properties = {}, required = [] } = schema;
  return Object.entries(properties)
    .filter(([name]) => !(prefix === '' && (name === 'apiVersion' || name === 'kind')))
    .flatMap(([name, child]) => {
      const row = { path: `${prefix}${name}`, schema: child, isRequired: required.includes(name) };
      if (child.type === 'object') return [row, ...fieldRows(child, `${row.path}.`)];
      if (child.items?.type === 'object') return [row, ...fieldRows(child.items, `${row.path}[].`)];
      return [row];
    });
}

function renderRow({ path: field, schema, isRequired }: FieldRow): string {
  const cells = [
    `\`${field}\``,
    typeWords(schema),
    isRequired ? '**required**' : renderDefault(schema),
    limitWords(schema).join('; '),
    schema.description ?? '',
  ];
  return renderCells(cells);
}

function renderCells(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
}

const typeNames: Readonly<Record<OpenApiSchema['type'], string>> = {
  object: 'mapping',
  array: 'list',
  string: 'text',
  integer: 'whole number',
  number: 'number',
  boolean: 'true or false',
};

function typeWords({ type, items, enum: words, additionalProperties }: OpenApiSchema): string {
  if (additionalProperties !== undefined) return `mapping of text to ${typeWords(additionalProperties)}`;
  if (items !== undefined)
    return `list of ${items.type === 'object' ? 'mappings' : items.enum === undefined ? typeWords(items) : 'words'}`;
  return words === undefined ? typeNames[type] : 'one word';
}

function renderDefault(schema: OpenApiSchema): string {
  const value = schema.default;
  if (value === undefined) return '';
  // The default of a mapping is that of its fields.
  if (schema.type === 'object') return '';
  return Array.isArray(value) && value.length === 0
    ? 'empty'
    : `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

function limitWords(schema: OpenApiSchema): string[] {
  const { minimum, maximum, minItems = 0, maxItems, maxProperties, items, enum: words, maxLength } = schema;
  const limits: string[] = [];
  if (words !== undefined) limits.push(words.map((word) => `\`${word}\``).join(', '));
  if (minimum !== undefined && maximum !== undefined) limits.push(`${minimum} to ${maximum}`);
  if (maxItems !== undefined) {
    limits.push(minItems === 0 ? `at most ${maxItems} entries` : `${minItems} to ${maxItems} entries`);
  }
  if (maxProperties !== undefined) limits.push(`at most ${maxProperties} entries`);
  const form = schema['x-lvs-form'];
  // What a name looks like is told once, at the top.
  if (form !== undefined) limits.push(form.replace(/: .*/, ''));
  else if (maxLength !== undefined) limits.push(`at most ${maxLength} characters`);
  if (items !== undefined && items.type !== 'object') {
    limits.push(...limitWords(items).map((limit) => `each: ${limit}`));
  }
  return limits;
}

function renderRule({ name, promise, beyondApiServer }: KindReference['rules'][number]): string {
  return `- \`${name}\`: ${promise}${beyondApiServer === undefined ? '' : ` ${beyondApiServer}`}`;
}
