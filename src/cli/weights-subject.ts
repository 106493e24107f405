import type { RealServerResource, VirtualServiceResource } from '../api/index.ts';
import { formatErrorForPeople } from '../base/index.ts';
import { parserOf, realServerType, virtualServiceType } from '../cluster/index.ts';
import { isKubeError, leaseType } from '../kube/index.ts';
import type { KubeClient, KubeObject, ObjectName } from '../kube/index.ts';

/** A VirtualService and what stands behind it, as the API server has them. */
export interface WeightsSubject {
  readonly virtualService: VirtualServiceResource;
  readonly realServers: readonly RealServerResource[];
}

/** @throws LvsError when the VirtualService is not there, or the API server does not tell. */
export async function readWeightsSubject(
  client: KubeClient,
  name: Required<ObjectName>,
): Promise<WeightsSubject> {
  const virtualService = parserOf('VirtualService')(await client.get(virtualServiceType, name));
  const parse = parserOf('RealServer');
  const realServers: RealServerResource[] = [];
  const { namespace } = name;
  let continueToken: string | undefined;
  do {
    const page = await client.listPage(realServerType, { namespace }, { limit: 500, continueToken });
    for (const item of page.items) {
      const realServer = tryParse(parse, item as KubeObject);
      if (realServer?.spec.virtualServiceRef.name === name.name) realServers.push(realServer);
    }
    ({ continueToken } = page);
  } while (continueToken !== undefined);
  return { virtualService, realServers };
}

/** One that cannot be read serves nobody, and hides none of the others. */
function tryParse<T>(parse: (object: KubeObject) => T, object: KubeObject): T | undefined {
  try {
    return parse(object);
  } catch {
    return undefined;
  }
}

/** The pod of the controller that leads, or why it is not known. */
export type Leader = { readonly pod: string } | { readonly pod: undefined; readonly why: string };

/** Who holds the Lease. Controllers write the name of their pod into it, and behind it what makes them one process. */
export async function findLeader(client: KubeClient, lease: Required<ObjectName>): Promise<Leader> {
  const where = `${lease.namespace}/${lease.name}`;
  try {
    const { spec } = await client.get(leaseType, lease);
    const holder =
      typeof spec === 'object' && spec !== null && 'holderIdentity' in spec ? spec.holderIdentity : '';
    if (typeof holder !== 'string' || holder === '')
      return { pod: undefined, why: `nobody leads now: the Lease ${where} has no holder` };
    return { pod: holder.replace(/_[^_]*$/, '') };
  } catch (error) {
    if (isKubeError(error, 'LVS_KUBE_NOT_FOUND'))
      return {
        pod: undefined,
        why: `there is no Lease ${where}; where controllers run, --controller-namespace says`,
      };
    return { pod: undefined, why: formatErrorForPeople(error) };
  }
}
