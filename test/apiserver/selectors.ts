/** Label and field selectors as functions of an object. */
import { badRequest } from './api-error.ts';
import { asText, valueAt } from './objects.ts';
import type { KubeObject } from './objects.ts';
import type { ResourceType } from './resource-type.ts';

export type Selector = (object: KubeObject) => boolean;

/** `app=web,tier in (a,b),!old,new,zone!=z`; undefined where everything is selected. */
export function labelSelector(expression: string | null): Selector | undefined {
  if (expression === null || expression.trim() === '') return undefined;
  const terms = expression.split(/,(?![^(]*\))/).map((term) => labelTerm(term.trim()));
  return (object) => terms.every((term) => term(object.metadata.labels ?? {}));
}

function labelTerm(term: string): (labels: Readonly<Record<string, string>>) => boolean {
  const set = /^([\w./-]+)\s+(in|notin)\s+\(([^)]*)\)$/.exec(term);
  if (set !== null) {
    const [, key = '', operator, values = ''] = set;
    const wanted = new Set(values.split(',').map((value) => value.trim()));
    return (labels) => {
      const value = labels[key];
      return operator === 'in'
        ? value !== undefined && wanted.has(value)
        : value === undefined || !wanted.has(value);
    };
  }
  const equality = /^([\w./-]+)\s*(==|=|!=)\s*([\w.-]*)$/.exec(term);
  if (equality !== null) {
    const [, key = '', operator, wanted] = equality;
    return (labels) => (operator === '!=' ? labels[key] !== wanted : labels[key] === wanted);
  }
  const existence = /^(!?)\s*([\w./-]+)$/.exec(term);
  if (existence === null) throw badRequest(`unable to parse requirement: ${term}`);
  const [, not, key = ''] = existence;
  return (labels) => Object.hasOwn(labels, key) === (not === '');
}

/** Only fields that the kind offers can be asked for. */
export function fieldSelector(type: ResourceType, expression: string | null): Selector | undefined {
  if (expression === null || expression === '') return undefined;
  const terms = expression.split(',').map((term): Selector => {
    const match = /^([^=!]+)(==|=|!=)(.*)$/.exec(term);
    if (match === null) throw badRequest(`invalid selector: '${term}'; can't understand '${term}'`);
    const [, field = '', operator, wanted] = match;
    const known = ['.metadata.name', ...(type.isNamespaced ? ['.metadata.namespace'] : [])];
    if (![...known, ...type.selectableFields].includes(`.${field}`)) {
      throw badRequest(
        `Unable to find "${type.group === '' ? '' : `${type.group}/`}${type.version}, Resource=${type.plural}" that match label selector "", field selector "${expression}": field label not supported: ${field}`,
      );
    }
    return (object) => {
      const value = valueAt(object, `.${field}`);
      return (asText(value) === wanted) === (operator !== '!=');
    };
  });
  return (object) => terms.every((term) => term(object));
}

export function both(one: Selector | undefined, other: Selector | undefined): Selector | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return (object) => one(object) && other(object);
}
