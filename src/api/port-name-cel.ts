import type { CelRule } from './cel.ts';

/** Every port has a name when there are several. @param why the message of the rule, without the field. */
export function portNameMissingCel(why: string): CelRule {
  return {
    at: ['spec', 'ports'],
    rule: 'self.size() < 2 || self.all(p, has(p.name))',
    message: `name ${why}`,
    reason: 'FieldValueRequired',
  };
}

export const duplicatePortNameCel: CelRule = {
  at: ['spec', 'ports'],
  rule: 'self.all(p, !has(p.name) || self.exists_one(q, has(q.name) && q.name == p.name))',
  message: 'Port names are unique.',
};
