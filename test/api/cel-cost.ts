import assert from 'node:assert/strict';
import { parse } from '@marcbachmann/cel-js';
import type { ASTNode } from '@marcbachmann/cel-js';
import type { OpenApiSchema } from '../../src/api/index.ts';

/**
 * What a rule could cost at most, in the units of an API server, which refuses a definition with a rule above ten
 * million or with all rules above a hundred million (apiextensions-apiserver: pkg/apiserver/schema/cel/limits.go). Prices
 * follow cel-go's checker/cost.go and kubernetes' pkg/cel/library/cost.go, rounded up: where their versions differ, or
 * where they know no size, the higher price is taken.
 */
export const ruleCostLimit = 10_000_000;
export const totalCostLimit = 100_000_000;
/**
 * What it lets a rule cost when it judges an object, and all rules of the object together; beyond it the object is
 * refused (apiserver: pkg/apis/cel/config.go).
 */
export const callCostLimit = 1_000_000;
export const objectCostLimit = 10_000_000;

/** What an expression costs, how large its value can be, and the schema of the value when it is a field. */
interface Estimate {
  readonly cost: number;
  /** Bytes of a text, entries of a list, 1 for what has one size. */
  readonly size: number;
  readonly schema?: OpenApiSchema | undefined;
}

type Scope = ReadonlyMap<string, Estimate>;

const createListCost = 10;
const createMapCost = 30;
const traversalFactor = 0.1;

export function worstCost(expression: string, self: OpenApiSchema): number {
  return estimate(parse(expression).ast, new Map([['self', field(self)]])).cost;
}

function field(schema: OpenApiSchema | undefined): Estimate {
  // An API server counts a character as four bytes.
  if (schema?.type === 'string') {
    const bytes =
      schema.enum === undefined ? 4 * (schema.maxLength ?? Number.POSITIVE_INFINITY) : longest(schema.enum);
    return { cost: 1, size: bytes, schema };
  }
  if (schema?.type === 'array') return { cost: 1, size: schema.maxItems ?? Number.POSITIVE_INFINITY, schema };
  if (schema?.additionalProperties !== undefined) {
    return { cost: 1, size: schema.maxProperties ?? Number.POSITIVE_INFINITY, schema };
  }
  return { cost: 1, size: 1, schema };
}

/** No schema limits a key, and an API server takes it for empty. Here it has the length of the longest key of a label. */
const mapKey: Estimate = { cost: 1, size: 317 };

const longest = (words: readonly string[]) => Math.max(...words.map((word) => word.length));

function estimate(node: ASTNode, scope: Scope): Estimate {
  const sum = (...nodes: readonly ASTNode[]) =>
    nodes.reduce((cost, child) => cost + estimate(child, scope).cost, 0);
  switch (node.op) {
    case 'value':
      return { cost: 0, size: typeof node.args === 'string' ? node.args.length : 1 };
    case 'id': {
      const known = scope.get(node.args);
      assert.ok(known, `${node.args} is known`);
      return known;
    }
    case '.': {
      const operand = estimate(node.args[0], scope);
      return { ...field(operand.schema?.properties?.[node.args[1]]), cost: operand.cost + 1 };
    }
    case 'in': {
      const [value, list] = [estimate(node.args[0], scope), estimate(node.args[1], scope)];
      return { cost: value.cost + list.cost + list.size, size: 1 };
    }
    case 'map': {
      const entries = node.args.flat();
      return { cost: createMapCost + sum(...entries), size: node.args.length };
    }
    case '[]': {
      const list = estimate(node.args[0], scope);
      return { ...field(list.schema?.items), cost: list.cost + 1 + sum(node.args[1]) };
    }
    case 'list':
      return { cost: createListCost + sum(...node.args), size: node.args.length };
    case '!_':
    case '-_':
      return { cost: 1 + sum(node.args), size: 1 };
    case '&&':
    case '||':
      return { cost: sum(...node.args), size: 1 };
    case '?:': {
      const [yes, no] = [estimate(node.args[1], scope), estimate(node.args[2], scope)];
      return { cost: sum(node.args[0]) + Math.max(yes.cost, no.cost), size: Math.max(yes.size, no.size) };
    }
    case 'call':
      return callEstimate(node.args[0], node.args[1], scope);
    case 'rcall':
      return methodEstimate(node.args[0], estimate(node.args[1], scope), node.args[2], scope);
    case '==':
    case '!=':
    case '<':
    case '<=':
    case '>':
    case '>=':
    case '+': {
      const [left, right] = [estimate(node.args[0], scope), estimate(node.args[1], scope)];
      const size = node.op === '+' ? left.size + right.size : Math.min(left.size, right.size);
      return { cost: left.cost + right.cost + Math.max(1, size * traversalFactor), size };
    }
    // Every entry is looked at, whatever it is (cel-go: checker/cost.go, InList).
    case '-':
    case '*':
    case '/':
    case '%':
    case '.?':
    case '[?]':
      return assert.fail(`${node.op} has no price here`);
  }
}

function callEstimate(name: string, args: readonly ASTNode[], scope: Scope): Estimate {
  assert.match(name, /^(?:has|dyn|ip|isIP|cidr|isCIDR)$/, 'a function with a price');
  const values = args.map((argument) => estimate(argument, scope));
  const cost = values.reduce(
    (total, value) => total + value.cost + Math.max(1, value.size * traversalFactor),
    0,
  );
  return name === 'has' ? { cost, size: 1 } : { ...values[0], cost, size: 1 };
}

function methodEstimate(name: string, target: Estimate, args: readonly ASTNode[], scope: Scope): Estimate {
  const [variable, body] = args;
  const perEntry = loopCosts.get(name);
  if (perEntry !== undefined) {
    assert.ok(variable?.op === 'id' && body !== undefined);
    const isMap = target.schema?.additionalProperties !== undefined;
    const entry = estimate(
      body,
      new Map([...scope, [variable.args, isMap ? mapKey : field(target.schema?.items)]]),
    );
    return {
      cost: target.cost + createListCost + 2 + target.size * (perEntry + entry.cost),
      size: target.size,
      schema: name === 'filter' ? target.schema : undefined,
    };
  }
  const values = args.map((argument) => estimate(argument, scope));
  const argumentCost = values.reduce((cost, value) => cost + value.cost, 0);
  const traversal = Math.max(1, target.size * traversalFactor);
  switch (name) {
    case 'size':
    case 'family':
    case 'masked':
      return { cost: target.cost + 1, size: 1 };
    case 'startsWith':
      return {
        cost: target.cost + argumentCost + Math.max(1, (values[0]?.size ?? 0) * traversalFactor),
        size: 1,
      };
    case 'matches': {
      const pattern = values[0]?.size ?? 0;
      // cel-go: a traversal of the text times a quarter of the length of the pattern.
      return { cost: target.cost + argumentCost + traversal * Math.max(1, pattern * 0.25), size: 1 };
    }
    case 'contains':
      return { cost: target.cost + argumentCost + traversal * Math.max(1, values[0]?.size ?? 0), size: 1 };
    case 'indexOf':
      return { cost: target.cost + argumentCost + traversal, size: 1 };
    case 'substring':
    case 'lowerAscii':
    case 'trim':
    case 'format':
      return { cost: target.cost + argumentCost + traversal, size: target.size };
    default:
      return assert.fail(`${name} has no price here`);
  }
}

/** What one round of a macro costs beside its body: its condition and its step, as cel-go expands them. */
const loopCosts: ReadonlyMap<string, number> = new Map([
  ['all', 3],
  ['exists_one', 2],
  ['filter', 3 + createListCost],
  ['map', 2 + createListCost],
]);
