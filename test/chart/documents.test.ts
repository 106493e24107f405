/** What documents say about the chart is what the chart does. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { formatRight } from '../apiserver/role-based-access.ts';
import { accountUser, controllerAccount, directorAccount, grantedRights, readAccess } from './deployment.ts';

it('docs/rbac.md lists every right of controller and director, and no other', () => {
  const rows = readFileSync('docs/rbac.md', 'utf8').matchAll(
    /^\| (?<who>controller|director)[^|]*\| `(?:(?<group>[^`/]+\.[^`/]+)\/)?(?<resource>[^`/]+)(?:\/(?<subresource>[^`]+))?` \| (?<verbs>[^|]+) \|/gm,
  );
  const listed = [...rows].flatMap(({ groups = {} }) => {
    const { who, group = '', resource = '', subresource = '', verbs = '' } = groups;
    const account = accountUser(who === 'controller' ? controllerAccount : directorAccount);
    return verbs
      .split(', ')
      .map((verb) => `${account}: ${formatRight({ verb, group, resource, subresource })}`);
  });
  assert.deepEqual(listed.toSorted(), [...grantedRights(readAccess())].toSorted());
});

it('no right of deploy/ has a wildcard, and none is about Secrets', () => {
  const rights = [...grantedRights(readAccess())];
  assert.ok(rights.length > 40);
  assert.deepEqual(
    rights.filter((right) => /\*|secrets|escalate|bind|impersonate/.test(right)),
    [],
  );
});
