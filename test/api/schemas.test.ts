import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as z from 'zod';
import { addressPoolSpecSchema } from '../../src/api/address-pool.ts';
import { schedulerNames } from '../../src/api/index.ts';
import { realServerSpecSchema } from '../../src/api/real-server.ts';
import { virtualServiceSpecSchema } from '../../src/api/virtual-service.ts';
import { schedulers as kernelSchedulers } from '../../src/ipvs/types.ts';

/** The part of JSON Schema that the walk below needs. */
interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly enum?: readonly string[];
  readonly anyOf?: unknown;
  readonly oneOf?: unknown;
}

const kinds = {
  VirtualService: virtualServiceSpecSchema,
  RealServer: realServerSpecSchema,
  AddressPool: addressPoolSpecSchema,
};

/** Every field below a schema with its path. Fails on what has no structural OpenAPI form: zod throws there. */
function fieldsOf(schema: z.ZodType): readonly [path: string, schema: Schema][] {
  const found: [string, Schema][] = [];
  const walk = (path: string, node: Schema) => {
    if (path !== 'spec') found.push([path, node]);
    for (const [name, child] of Object.entries(node.properties ?? {})) walk(`${path}.${name}`, child);
    if (node.items !== undefined) walk(`${path}[]`, node.items);
  };
  walk('spec', z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' }) as Schema);
  return found;
}

describe('schemas from which a CRD and a reference can be made', () => {
  for (const [kind, schema] of Object.entries(kinds)) {
    it(`${kind}: every field has a type and no union hides one`, () => {
      for (const [path, field] of fieldsOf(schema)) {
        assert.equal(typeof field.type, 'string', path);
        assert.equal(field.anyOf ?? field.oneOf, undefined, path);
      }
    });

    it(`${kind}: every field is described in whole sentences`, () => {
      for (const [path, { description = '' }] of fieldsOf(schema).filter(([name]) => !name.endsWith('[]'))) {
        assert.match(description, /^[A-Za-z].*[.]$/s, path);
      }
    });

    it(`${kind}: every text and every list has a limit`, () => {
      for (const [path, field] of fieldsOf(schema)) {
        if (field.type === 'string' && field.enum === undefined) assert.ok(field.maxLength, path);
        if (field.type === 'array') assert.ok(field.maxItems, path);
      }
    });
  }
});

describe('words that two rooms share', () => {
  it('the schedulers of the API are those of the kernel table, in the same order', () => {
    assert.deepEqual(schedulerNames, kernelSchedulers);
  });
});
