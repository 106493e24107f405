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
  /** Of what is no resource: `/metrics`. The fields of a resource are empty then. */
  readonly path?: string;
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

/** What a review is created as; undefined: the path is none. */
export function reviewOf(path: string): { readonly group: string; readonly resource: string } | undefined {
  const [, group, resource] =
    /^\/apis\/(authentication\.k8s\.io|authorization\.k8s\.io)\/v1\/(\w+reviews)$/.exec(path) ?? [];
  return group === undefined || resource === undefined ? undefined : { group, resource };
}

/** @returns undefined for a review that is not known here */
export function answerReview(
  resource: string,
  body: unknown,
  self: User,
  userOf: (token: string) => User | undefined,
  authorize: (attributes: Attributes) => boolean,
): Mapping | undefined {
  const spec = isMapping(body) && isMapping(body['spec']) ? body['spec'] : {};
  const answer = (status: Mapping): Mapping => ({ ...(isMapping(body) ? body : {}), metadata: {}, status });
  switch (resource) {
    case 'tokenreviews': {
      const user = userOf(String(spec['token']));
      if (user === undefined) return answer({ user: {}, error: 'invalid bearer token' });
      const audiences: unknown = spec['audiences'];
      return answer({ authenticated: true, user, ...(audiences === undefined ? {} : { audiences }) });
    }
    case 'selfsubjectreviews':
      return answer({ userInfo: self });
    case 'subjectaccessreviews':
    case 'selfsubjectaccessreviews': {
      const groups: unknown = spec['groups'];
      const user = resource.startsWith('self')
        ? self
        : { username: asText(spec['user']), groups: Array.isArray(groups) ? groups.map(String) : [] };
      return answer({ allowed: authorize({ user, ...attributesOf(spec) }) });
    }
    default:
      return undefined;
  }
}

function attributesOf(spec: Mapping): Omit<Attributes, 'user'> {
  const { resourceAttributes, nonResourceAttributes } = spec;
  const asked = isMapping(resourceAttributes) ? resourceAttributes : {};
  const word = (field: string) => asText(asked[field]);
  const resource = {
    verb: word('verb'),
    group: word('group'),
    resource: word('resource'),
    subresource: word('subresource'),
    namespace: word('namespace'),
    name: word('name'),
  };
  if (!isMapping(nonResourceAttributes)) return resource;
  const { path, verb } = nonResourceAttributes;
  return { ...resource, verb: asText(verb), path: asText(path) };
}
