/** Acting as a ServiceAccount, with a token as its pods have it, on any API server. */
import { ask } from './client.ts';
import type { Connection } from './client.ts';
import { valueAt } from './objects.ts';

export interface ServiceAccount {
  readonly namespace: string;
  readonly name: string;
  /** The token is that of a pod on this node. Without it, it is bound to nothing. */
  readonly nodeName?: string;
}

/** Makes the account where it is missing, a pod where a node is named, and a token. */
export async function serviceAccountToken(
  administrator: Connection,
  { namespace, name, nodeName }: ServiceAccount,
): Promise<string> {
  const inNamespace = `/api/v1/namespaces/${namespace}`;
  const made = await ask(administrator, 'POST', `${inNamespace}/serviceaccounts`, { metadata: { name } });
  if (made.status !== 201 && made.status !== 409) throw new Error(made.body.message);
  let boundObjectRef: object | undefined;
  if (nodeName !== undefined) {
    const pod = await ask(administrator, 'POST', `${inNamespace}/pods`, {
      metadata: { generateName: `${name}-` },
      spec: { nodeName, serviceAccountName: name, containers: [{ name: 'main', image: 'example.org/main' }] },
    });
    if (pod.status !== 201) throw new Error(pod.body.message);
    const { name: podName, uid } = pod.body.metadata;
    boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name: podName, uid };
  }
  const answer = await ask(administrator, 'POST', `${inNamespace}/serviceaccounts/${name}/token`, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { audiences: [], ...(boundObjectRef === undefined ? {} : { boundObjectRef }) },
  });
  const token = valueAt(answer.body, '.status.token');
  if (typeof token !== 'string') throw new Error(`no token for ${namespace}/${name}: ${answer.body.message}`);
  return token;
}

/** The same server, asked by whom the token belongs to. */
export function withToken(server: Connection, token: string): Connection {
  const { url, dispatcher, headers } = server;
  return { url, dispatcher, headers: { ...headers, authorization: `Bearer ${token}` } };
}
