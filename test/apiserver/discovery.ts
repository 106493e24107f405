/** What the server offers: discovery in both forms, and OpenAPI v3 for `kubectl explain` and `kubectl apply`. */
import type { Mapping } from './objects.ts';
import { apiVersionOf } from './resource-type.ts';
import type { ResourceType } from './resource-type.ts';
import type { Schema } from './schema.ts';

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

const groupsOf = (types: readonly ResourceType[]) =>
  [...new Set(types.map(({ group }) => group))].filter((group) => group !== '').sort();

/** @param isCore of /api, not of /apis */
export function aggregatedDiscovery(types: readonly ResourceType[], isCore: boolean): Mapping {
  const groups = isCore ? [''] : groupsOf(types);
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    metadata: {},
    items: groups.map((group) => {
      const members = types.filter((type) => type.group === group);
      return {
        metadata: group === '' ? {} : { name: group },
        versions: [
          {
            version: members[0]?.version ?? 'v1',
            freshness: 'Current',
            resources: members.map((type) => ({
              resource: type.plural,
              responseKind: { group, version: type.version, kind: type.kind },
              scope: type.isNamespaced ? 'Namespaced' : 'Cluster',
              singularResource: type.singular,
              verbs: type.verbs ?? verbs,
              shortNames: type.shortNames,
              categories: type.categories,
              ...(type.hasStatus
                ? {
                    subresources: [
                      {
                        subresource: 'status',
                        responseKind: { group, version: type.version, kind: type.kind },
                        verbs: ['get', 'patch', 'update'],
                      },
                    ],
                  }
                : {}),
            })),
          },
        ],
      };
    }),
  };
}

export function groupDocument(types: readonly ResourceType[], group: string): Mapping | undefined {
  const version = types.find((type) => type.group === group)?.version;
  if (version === undefined) return undefined;
  const preferred = { groupVersion: `${group}/${version}`, version };
  return { name: group, versions: [preferred], preferredVersion: preferred };
}

export function groupList(types: readonly ResourceType[]): Mapping {
  return {
    kind: 'APIGroupList',
    apiVersion: 'v1',
    groups: groupsOf(types).map((group) => groupDocument(types, group)),
  };
}

/** @param groupVersion `v1`, `networking.lvs-operator.io/v1alpha1` */
export function resourceList(types: readonly ResourceType[], groupVersion: string): Mapping | undefined {
  const members = types.filter((type) => apiVersionOf(type) === groupVersion);
  if (members.length === 0) return undefined;
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion,
    resources: members.flatMap((type) => {
      const common = { singularName: type.singular, namespaced: type.isNamespaced, kind: type.kind };
      const { plural, shortNames, categories } = type;
      const main = {
        name: plural,
        ...common,
        verbs: type.verbs ?? verbs,
        ...(shortNames.length > 0 ? { shortNames } : {}),
        ...(categories.length > 0 ? { categories } : {}),
      };
      const status = {
        ...common,
        name: `${plural}/status`,
        singularName: '',
        verbs: ['get', 'patch', 'update'],
      };
      return type.hasStatus ? [main, status] : [main];
    }),
  };
}

const groupVersions = (types: readonly ResourceType[]) => [...new Set(types.map(apiVersionOf))];
const pathOf = (groupVersion: string) =>
  groupVersion.includes('/') ? `apis/${groupVersion}` : `api/${groupVersion}`;

export function openApiIndex(types: readonly ResourceType[]): Mapping {
  return {
    paths: Object.fromEntries(
      groupVersions(types).map((groupVersion) => {
        const path = pathOf(groupVersion);
        return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=1` }];
      }),
    ),
  };
}

/** @param path `apis/networking.lvs-operator.io/v1alpha1` */
export function openApiDocument(types: readonly ResourceType[], path: string): Mapping | undefined {
  const members = types.filter((type) => pathOf(apiVersionOf(type)) === path);
  if (members.length === 0) return undefined;
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'v1.35.0' },
    paths: Object.fromEntries(members.flatMap((type) => pathEntries(type, path))),
    components: {
      schemas: Object.fromEntries(
        members.map((type) => [
          schemaName(type),
          { ...openApi(type.schema), 'x-kubernetes-group-version-kind': [gvk(type)] },
        ]),
      ),
    },
  };
}

const gvk = ({ group, version, kind }: ResourceType) => ({ group, version, kind });

function schemaName({ group, version, kind }: ResourceType): string {
  const prefix = group === '' ? 'io.k8s.api.core' : group.split('.').toReversed().join('.');
  return `${prefix}.${version}.${kind}`;
}

function pathEntries(type: ResourceType, path: string): [string, Mapping][] {
  const base = `/${path}/${type.isNamespaced ? 'namespaces/{namespace}/' : ''}${type.plural}`;
  const reference = { $ref: `#/components/schemas/${schemaName(type)}` };
  const content = { 'application/json': { schema: reference } };
  const parameter = (name: string) => ({
    name,
    in: 'query',
    schema: { type: 'string', uniqueItems: true },
  });
  const operation = (action: string, isWrite: boolean): Mapping => ({
    parameters: isWrite ? ['dryRun', 'fieldManager', 'fieldValidation'].map(parameter) : [],
    ...(isWrite ? { requestBody: { content, required: true } } : {}),
    responses: { '200': { description: 'OK', content } },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': gvk(type),
  });
  return [
    [base, { get: operation('list', false), post: operation('post', true) }],
    [
      `${base}/{name}`,
      {
        get: operation('get', false),
        put: operation('put', true),
        patch: operation('patch', true),
        delete: operation('delete', false),
      },
    ],
  ];
}

/** The schema as OpenAPI writes it: without what only a definition says. */
function openApi(schema: Schema): Mapping {
  const { properties, items, additionalProperties, ...rest } = schema;
  const { 'x-kubernetes-validations': _, 'x-kubernetes-int-or-string': isEither, type, ...plain } = rest;
  return {
    ...plain,
    ...(isEither === true ? { oneOf: [{ type: 'integer' }, { type: 'string' }] } : { type }),
    ...(properties === undefined
      ? {}
      : {
          properties: Object.fromEntries(
            Object.entries(properties).map(([field, child]) => [field, openApi(child)]),
          ),
        }),
    ...(items === undefined ? {} : { items: openApi(items) }),
    ...(additionalProperties === undefined ? {} : { additionalProperties: openApi(additionalProperties) }),
  };
}
