/** Tokens of ServiceAccounts, bound to pods, as TokenRequest gives them and as kubelets put them into pods. */
import { randomUUID } from 'node:crypto';
import { badRequest, notFound } from './api-error.ts';
import { isMapping, valueAt } from './objects.ts';
import type { Mapping } from './objects.ts';
import type { Resources } from './resources.ts';
import type { User } from './reviews.ts';

export class ServiceAccountTokens {
  readonly #resources: Resources;
  readonly #users = new Map<string, User>();

  constructor(resources: Resources) {
    this.#resources = resources;
  }

  userOf(token: string): User | undefined {
    return this.#users.get(token);
  }

  /**
   * Answers a TokenRequest.
   * @throws ApiError 404 where account or pod are missing, 400 for a pod of another account
   */
  create(namespace: string, name: string, body: unknown): Mapping {
    const account = this.#get('serviceaccounts', namespace, name);
    const { uid = '' } = account.metadata;
    const token = randomUUID();
    this.#users.set(token, {
      username: `system:serviceaccount:${namespace}:${name}`,
      uid,
      groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
      extra: {
        'authentication.kubernetes.io/credential-id': [`JTI=${randomUUID()}`],
        ...this.#podClaims(namespace, name, valueAt(body, '.spec.boundObjectRef')),
      },
    });
    const expirationTimestamp = '2100-01-01T00:00:00Z';
    return { ...(isMapping(body) ? body : {}), status: { token, expirationTimestamp } };
  }

  #podClaims(
    namespace: string,
    account: string,
    reference: unknown,
  ): Readonly<Record<string, readonly string[]>> {
    if (reference === undefined) return {};
    if (!isMapping(reference) || reference['kind'] !== 'Pod') {
      throw badRequest('cannot bind token for serviceaccount: this server binds tokens to pods only');
    }
    const pod = this.#get('pods', namespace, String(reference['name']));
    if (valueAt(pod, '.spec.serviceAccountName') !== account) {
      throw badRequest(
        'cannot bind token for serviceaccount to pod running with different serviceaccount name.',
      );
    }
    const prefix = 'authentication.kubernetes.io';
    const nodeName = valueAt(pod, '.spec.nodeName');
    return {
      [`${prefix}/pod-name`]: [pod.metadata.name],
      [`${prefix}/pod-uid`]: [pod.metadata.uid ?? ''],
      ...(typeof nodeName === 'string' ? { [`${prefix}/node-name`]: [nodeName] } : {}),
    };
  }

  #get(plural: string, namespace: string, name: string) {
    const type = this.#resources.types.find((known) => known.group === '' && known.plural === plural);
    if (type === undefined) throw new Error(`this server has no ${plural}`);
    const found = this.#resources.find({ type, namespace, name });
    if (found === undefined) throw notFound(type, name);
    return found;
  }
}
