/** Who asks, and whether they may: tokens, TokenReview and the access reviews. */
import { ApiError } from './api-error.ts';
import { asText, isMapping } from './objects.ts';
import type { Mapping } from './objects.ts';

export interface User {
  readonly username: string;
  readonly groups: readonly string[];
  readonly uid?: string;
  /** Claims of the token, by name: of the pod that it is bound to, and of its node. */
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** What is asked for, as in a SubjectAccessReview. */
export interface Attributes {
  readonly user: User;
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
}

export const administrator: User = { username: 'kubernetes-admin', groups: ['system:masters'] };

/**
 * @param accountOf whose a token of a ServiceAccount is
 * @throws ApiError 401
 */
export function authenticate(
  header: string | undefined,
  tokens: ReadonlyMap<string, User> | undefined,
  accountOf: (token: string) => User | undefined,
): User {
  const token = /^Bearer (.+)$/.exec(header ?? '')?.[1] ?? '';
  const account = accountOf(token);
  if (account !== undefined) return account;
  if (tokens === undefined) return administrator;
  const user = tokens.get(token);
  if (user === undefined) throw new ApiError(401, 'Unauthorized', 'Unauthorized');
  return user;
}

/** @returns undefined where the path is no review */
export function answerReview(
  path: string,
  body: unknown,
  self: User,
  tokens: ReadonlyMap<string, User> | undefined,
  authorize: (attributes: Attributes) => boolean,
): Mapping | undefined {
  const spec = isMapping(body) && isMapping(body['spec']) ? body['spec'] : {};
  const answer = (status: Mapping): Mapping => ({ ...(isMapping(body) ? body : {}), metadata: {}, status });
  switch (path) {
    case '/apis/authentication.k8s.io/v1/tokenreviews': {
      const user = (tokens ?? new Map<string, User>()).get(String(spec['token']));
      if (user === undefined) return answer({ user: {}, error: 'invalid bearer token' });
      const audiences: unknown = spec['audiences'];
      return answer({ authenticated: true, user, ...(audiences === undefined ? {} : { audiences }) });
    }
    case '/apis/authentication.k8s.io/v1/selfsubjectreviews':
      return answer({ userInfo: self });
    case '/apis/authorization.k8s.io/v1/subjectaccessreviews':
    case '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews': {
      const groups: unknown = spec['groups'];
      const user = path.includes('self')
        ? self
        : { username: asText(spec['user']), groups: Array.isArray(groups) ? groups.map(String) : [] };
      const asked = isMapping(spec['resourceAttributes']) ? spec['resourceAttributes'] : {};
      const word = (field: string) => asText(asked[field]);
      const attributes = {
        user,
        verb: word('verb'),
        group: word('group'),
        resource: word('resource'),
        subresource: word('subresource'),
        namespace: word('namespace'),
        name: word('name'),
      };
      return answer({ allowed: authorize(attributes) });
    }
    default:
      return undefined;
  }
}
