/** docs/chart-values.md: every value of the chart, from the comments in its values.yaml and the types in its schema. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { isMap, isScalar, parseDocument } from 'yaml';
import type { YAMLMap } from 'yaml';
import { chartFolder } from './generate-chart.ts';

interface Schema {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly oneOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
}

interface Row {
  readonly name: string;
  readonly type: string;
  readonly default: string;
  readonly text: string;
}

/** @throws Error for a value without a comment, and for one that the schema does not know */
export function renderChartValues(): string {
  const file = (name: string): string => readFileSync(path.join(chartFolder, name), 'utf8');
  const schema = JSON.parse(file('values.schema.json')) as Schema;
  const values = parseDocument(file('values.yaml')).contents;
  if (!isMap(values)) throw new Error('values.yaml is no mapping');
  const rows = rowsOf(values, schema, '');
  return `${head}${rows.map((row) => `| \`${row.name}\` | ${row.type} | ${row.default} | ${row.text} |\n`).join('')}`;
}

const head = `<!-- Generated from charts/lvs-operator by "npm run generate". Do not edit. -->

# Values of the chart

[install.md](install.md) says how to use them. What is not in this table is refused.

| value | type | default | what it is |
| --- | --- | --- | --- |
`;

/** Groups of fields of Kubernetes, which is where they are explained. */
const whole = new Set(['resources', 'configuration', 'seLinuxOptions', 'prometheusServiceAccount']);

function rowsOf(map: YAMLMap, schema: Schema, prefix: string): Row[] {
  return map.items.flatMap(({ key, value }, index) => {
    if (!isScalar(key)) throw new Error(`a key of ${prefix} is no text`);
    const name = `${prefix}${String(key.value)}`;
    const known = schema.properties?.[String(key.value)];
    if (known === undefined) throw new Error(`${name} is not in values.schema.json`);
    // The comment of a first key belongs to its map, as the parser sees it.
    const comment = index === 0 ? (key.commentBefore ?? map.commentBefore) : key.commentBefore;
    const text = (comment ?? '').replaceAll(/\s*\n\s*/g, ' ').trim();
    const isGroup = known.properties !== undefined && !whole.has(String(key.value));
    if (isMap(value) && isGroup) return rowsOf(value, known, `${name}.`);
    if (text === '') throw new Error(`${name} has no comment in values.yaml`);
    const standard = `\`${JSON.stringify(toJson(value))}\``;
    return [{ name, type: typeOf(known), default: standard, text: text.replaceAll('|', '\\|') }];
  });
}

function toJson(node: unknown): unknown {
  return typeof node === 'object' && node !== null && 'toJSON' in node && typeof node.toJSON === 'function'
    ? (node.toJSON() as unknown)
    : node;
}

function typeOf({ type, enum: words, minimum, maximum, oneOf, properties }: Schema): string {
  if (words !== undefined) return words.join(', ');
  if (oneOf !== undefined) return [...new Set(oneOf.map((one) => one.type ?? ''))].join(' or ');
  if (type === 'integer') return `${minimum} to ${maximum}`;
  if (type === 'object') return properties === undefined ? 'map' : 'fields';
  const names: Readonly<Record<string, string>> = { string: 'text', boolean: 'yes or no', array: 'list' };
  return names[type ?? ''] ?? String(type);
}
