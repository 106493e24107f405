import { isIPv4, isIPv6 } from 'node:net';
import { Environment } from '@marcbachmann/cel-js';
import type { OpenApiSchema } from '../../src/api/index.ts';

/**
 * CEL as a Kubernetes API server speaks it about one node of a schema: `self` has the type of the node, a field that
 * does not exist is an error of types, and the functions for addresses are those of
 * kubernetes: staging/src/k8s.io/apiserver/pkg/cel/library/ip.go and cidr.go. Addresses are read by the platform and
 * not by our own parser, so that the two can be compared.
 */
export interface CelNode {
  /** The type that an expression has, or why it has none. */
  check(expression: string): { readonly type: string | undefined; readonly error: string | undefined };
  /** @param self plain data of the node, with defaults applied. */
  evaluate(expression: string, self: unknown): unknown;
}

class Ip {
  readonly text: string;
  readonly family: 4 | 6;
  constructor(text: string, family: 4 | 6) {
    this.text = text;
    this.family = family;
  }
}

class Cidr {
  readonly ip: Ip;
  readonly prefixLength: number;
  constructor(ip: Ip, prefixLength: number) {
    this.ip = ip;
    this.prefixLength = prefixLength;
  }
}

export function celNode(schema: OpenApiSchema): CelNode {
  const environment = new Environment();
  registerNetworkLibrary(environment);
  const types = new NodeTypes(environment);
  environment.registerVariable('self', types.typeOf(schema, 'Self'));
  // A rule is read once and tried on every object.
  const programs = new Map<string, ReturnType<Environment['parse']>>();
  return {
    check: (expression) => {
      const { type, error } = environment.check(expression);
      return { type, error: error?.message };
    },
    evaluate: (expression, self): unknown => {
      const program = programs.get(expression) ?? environment.parse(expression);
      programs.set(expression, program);
      return program({ self: types.convert(schema, self) });
    },
  };
}

/** The objects of a schema as types of CEL, one class each. */
class NodeTypes {
  readonly #environment: Environment;
  readonly #classes = new Map<OpenApiSchema, new (fields: object) => object>();

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  typeOf(schema: OpenApiSchema, name: string): string {
    switch (schema.type) {
      case 'string':
        return schema.format === 'date-time' ? 'google.protobuf.Timestamp' : 'string';
      case 'integer':
        return 'int';
      case 'number':
        return 'double';
      case 'boolean':
        return 'bool';
      case 'array':
        return schema.items === undefined ? 'list' : `list<${this.typeOf(schema.items, `${name}Entry`)}>`;
      case 'object': {
        if (schema.additionalProperties !== undefined) {
          return `map<string, ${this.typeOf(schema.additionalProperties, `${name}Value`)}>`;
        }
        const fields = Object.entries(schema.properties ?? {}).map(
          ([field, child]) => [field, this.typeOf(child, `${name}_${field}`)] as const,
        );
        const ctor = class {
          constructor(values: object) {
            Object.assign(this, values);
          }
        };
        this.#classes.set(schema, ctor);
        this.#environment.registerType(name, { ctor, fields: Object.fromEntries(fields) });
        return name;
      }
    }
  }

  convert(schema: OpenApiSchema, value: unknown): unknown {
    if (schema.type === 'integer') return BigInt(Number(value));
    if (schema.format === 'date-time') return new Date(String(value));
    if (Array.isArray(value)) {
      const { items } = schema;
      return items === undefined ? value : value.map((entry: unknown) => this.convert(items, entry));
    }
    if (typeof value !== 'object' || value === null) return value;
    const { additionalProperties } = schema;
    if (additionalProperties !== undefined) {
      return new Map(
        Object.entries(value).map(([key, entry]: [string, unknown]) => [
          key,
          this.convert(additionalProperties, entry),
        ]),
      );
    }
    const ctor = this.#classes.get(schema);
    if (ctor === undefined) return value;
    const fields = Object.entries(value).flatMap(([field, child]: [string, unknown]) => {
      const known = schema.properties?.[field];
      return known === undefined ? [] : [[field, this.convert(known, child)] as const];
    });
    return new ctor(Object.fromEntries(fields));
  }
}

/** The functions for addresses that every expression of an API server may call. */
export function registerNetworkLibrary(environment: Environment): void {
  const orThrow = <Value>(value: Value | undefined, text: string): Value => {
    if (value === undefined) throw new Error(`"${text}" cannot be parsed`);
    return value;
  };
  environment
    .registerType('IP', { ctor: Ip, fields: {} })
    .registerType('CIDR', { ctor: Cidr, fields: {} })
    .registerFunction('isIP(string): bool', (text: string) => readIp(text) !== undefined)
    .registerFunction('ip(string): IP', (text: string) => orThrow(readIp(text), text))
    .registerFunction('IP.family(): int', (ip: Ip) => BigInt(ip.family))
    .registerFunction('isCIDR(string): bool', (text: string) => readCidr(text) !== undefined)
    .registerFunction('cidr(string): CIDR', (text: string) => orThrow(readCidr(text), text))
    .registerFunction('CIDR.masked(): CIDR', (cidr: Cidr) => new Cidr(mask(cidr), cidr.prefixLength))
    .registerOperator('IP == IP', (a: Ip, b: Ip) => a.text === b.text)
    .registerOperator(
      'CIDR == CIDR',
      (a: Cidr, b: Cidr) => a.ip.text === b.ip.text && a.prefixLength === b.prefixLength,
    )
    .registerFunction('string.format(list): string', (pattern: string, values: readonly unknown[]) => {
      const left = [...values];
      const text = pattern.replaceAll(/%[sd]/g, (verb) => {
        const value = left.shift();
        if (typeof value !== (verb === '%d' ? 'bigint' : 'string'))
          throw new Error(`${verb} of a ${typeof value}`);
        return String(value);
      });
      if (left.length > 0) throw new Error(`"${pattern}" leaves values over`);
      return text;
    });
}

/** The address in its canonical form, which for IPv6 is how the platform writes it in a URL. */
function readIp(text: string): Ip | undefined {
  if (isIPv4(text)) return new Ip(text, 4);
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const canonical = new URL(`http://[${text}]/`).hostname.slice(1, -1);
  // In a URL the mapped form ends in two groups: ::ffff:c000:201.
  return canonical.startsWith('::ffff:') && canonical.split(':').length <= 5
    ? undefined
    : new Ip(canonical, 6);
}

function readCidr(text: string): Cidr | undefined {
  const match = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text);
  const ip = match?.[1] === undefined ? undefined : readIp(match[1]);
  const prefixLength = Number(match?.[2]);
  return ip === undefined || prefixLength > (ip.family === 4 ? 32 : 128)
    ? undefined
    : new Cidr(ip, prefixLength);
}

/** The address without its bits below the prefix, computed on its digits. */
function mask({ ip, prefixLength }: Cidr): Ip {
  const bitsPerGroup = ip.family === 4 ? 8 : 16;
  const masked = groupsOf(ip).map((group, index) => {
    const kept = Math.min(bitsPerGroup, Math.max(0, prefixLength - index * bitsPerGroup));
    return Math.floor(group / 2 ** (bitsPerGroup - kept)) * 2 ** (bitsPerGroup - kept);
  });
  const text = ip.family === 4 ? masked.join('.') : masked.map((group) => group.toString(16)).join(':');
  const read = readIp(text);
  if (read === undefined) throw new Error(`"${text}" was masked wrongly`);
  return read;
}

function groupsOf({ text, family }: Ip): number[] {
  if (family === 4) return text.split('.').map(Number);
  const [head = '', tail] = text.split('::');
  const read = (part: string) =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  if (tail === undefined) return read(head);
  const [before, after] = [read(head), read(tail)];
  return [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after];
}
