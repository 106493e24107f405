/** What documents say about the chart is what the chart does. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { formatRight } from '../apiserver/role-based-access.ts';
import { accountUser, controllerAccount, directorAccount, grantedRights, readAccess } from './deployment.ts';

it('docs/rbac.md lists every right of controller and director, and no other', () => {
  const text = readFileSync('docs/rbac.md', 'utf8');
  const accountOf = (who: string | undefined) =>
    accountUser(who === 'controller' ? controllerAccount : directorAccount);
  const paths = [...text.matchAll(/^\| (controller|director) \| `(\/[^`]+)` \| get \|/gm)].map(
    ([, who, path]) => `${accountOf(who)}: get ${path}`,
  );
  const rows = text.matchAll(
    /^\| (?<who>controller|director)[^|]*\| `(?:(?<group>[^`/]+\.[^`/]+)\/)?(?<resource>[^`/]+)(?:\/(?<subresource>[^`]+))?` \| (?<verbs>[^|]+) \|/gm,
  );
  const listed = [...rows].flatMap(({ groups = {} }) => {
    const { who, group = '', resource = '', subresource = '', verbs = '' } = groups;
    return verbs
      .split(', ')
      .map((verb) => `${accountOf(who)}: ${formatRight({ verb, group, resource, subresource })}`);
  });
  assert.deepEqual([...listed, ...paths].toSorted(), [...grantedRights(readAccess())].toSorted());
});

it('no right of deploy/ has a wildcard, and none is about Secrets', () => {
  const rights = [...grantedRights(readAccess())];
  assert.ok(rights.length > 40);
  assert.deepEqual(
    rights.filter((right) => /\*|secrets|escalate|bind|impersonate/.test(right)),
    [],
  );
});
