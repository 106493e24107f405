import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { AdmissionPolicies } from './admission-policies.ts';
import type { AdmissionRequest } from './admission-policies.ts';
import { ApiError, forbidden } from './api-error.ts';
import { builtInTypes } from './built-in-types.ts';
import { Collector } from './collector.ts';
import {
  aggregatedDiscovery,
  groupDocument,
  groupList,
  openApiDocument,
  openApiIndex,
  resourceList,
} from './discovery.ts';
import { Faults } from './faults.ts';
import type { FaultAction, Verb } from './faults.ts';
import { kubeconfigOf } from './kubeconfig.ts';
import { listPage } from './lists.ts';
import type { KubeObject, Mapping } from './objects.ts';
import { podMetricsType } from './pod-metrics.ts';
import type { PodMetrics } from './pod-metrics.ts';
import { podExecRequest, refuseExec, serveExec } from './pod-exec.ts';
import type { PodExec, PodExecRequest } from './pod-exec.ts';
import { Resources, keyOf, view } from './resources.ts';
import type { Target } from './resources.ts';
import {
  deleteOptions,
  patchTypeOf,
  readBody,
  readObject,
  resourceRequest,
  writeOptions,
} from './request.ts';
import type { ResourceRequest } from './request.ts';
import { apiVersionOf, customResourceType, readDefinitions, storageOf } from './resource-type.ts';
import type { ResourceType } from './resource-type.ts';
import { administrator, answerReview, authenticate, reviewOf } from './reviews.ts';
import type { Attributes, User } from './reviews.ts';
import { RoleBasedAccess, formatRight } from './role-based-access.ts';
import { send } from './send-answer.ts';
import type { Answer } from './send-answer.ts';
import { ServiceAccountTokens } from './service-account-tokens.ts';
import { Store } from './store.ts';
import { metadataOnly, presentationOf, tableOf } from './table.ts';
import { Watch } from './watches.ts';

export interface ApiServerOptions {
  /** CustomResourceDefinitions; default: those of `crds/`. */
  readonly definitions?: readonly unknown[];
  /** Beside default, kube-system, kube-public and kube-node-lease. */
  readonly namespaces?: readonly string[];
  /** How many changes a watch can go back. Default 10,000. */
  readonly watchWindow?: number;
  /** Default a minute, as in Kubernetes. */
  readonly bookmarkMs?: number;
  /** Who has which bearer token. The map may change while the server runs; without it, everybody is administrator. */
  readonly tokens?: ReadonlyMap<string, User>;
  /** Default: everything is allowed. */
  readonly authorize?: (attributes: Attributes) => boolean;
  /** Roles and bindings decide instead of `authorize`. */
  readonly usesRoles?: boolean;
  /** Without it, plain HTTP. */
  readonly tls?: Certificate;
  /** Deletes dependents and ends namespaces, as kube-controller-manager does. Default true. */
  readonly collectsGarbage?: boolean;
  /** Milliseconds since 1970 for timestamps. */
  readonly now?: () => number;
  /** Undefined: a cluster without metrics-server, where the API is not even registered. */
  readonly podMetrics?: PodMetrics;
  /** What `exec` of pods does; undefined: no kubelet answers. */
  readonly podExec?: PodExec;
}

export interface Certificate {
  /** PEM */
  readonly key: string;
  readonly cert: string;
}

/** One request as it was answered. */
export interface RequestRecord {
  readonly verb: Verb;
  readonly method: string;
  readonly path: string;
  readonly group: string;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly user: string;
  readonly userAgent: string;
  /** 0 where the connection was closed without an answer. */
  readonly status: number;
  readonly bytesIn: number;
}

export interface ApiServer {
  readonly url: string;
  readonly faults: Faults;
  readonly store: Store;
  /** What was asked, oldest first; emptied by whoever wants to count anew. */
  readonly requests: RequestRecord[];
  /** With `usesRoles`: the rights that requests have needed and had. */
  readonly usedRights: ReadonlySet<string>;
  /** A kubeconfig for this server, as JSON, which is YAML. */
  kubeconfig(token?: string): string;
  /** From the next connection on. */
  setCertificate(certificate: Certificate): void;
  close(): Promise<void>;
}

/** An API server on a free port of the loopback address, with its objects in memory. */
export async function startApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  const core = new ApiServerCore(options);
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    void core.serve(request, response);
  };
  let certificate = options.tls;
  const tlsServer = options.tls === undefined ? undefined : createTlsServer(options.tls, listener);
  const server = tlsServer ?? createServer(listener);
  const upgraded = new Set<Duplex>();
  server.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    upgraded.add(socket);
    socket.once('close', () => upgraded.delete(socket));
    void core.upgrade(request, socket);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  const url = `${tlsServer === undefined ? 'http' : 'https'}://127.0.0.1:${address.port}`;
  return {
    url,
    faults: core.faults,
    store: core.store,
    requests: core.requests,
    usedRights: core.roles.used,
    kubeconfig: (token) => kubeconfigOf(url, token, certificate?.cert),
    setCertificate: (next) => {
      certificate = next;
      tlsServer?.setSecureContext(next);
    },
    close: async () => {
      core.close();
      const closed = new Promise((resolve) => {
        server.close(resolve);
      });
      server.closeAllConnections();
      for (const socket of upgraded) socket.destroy();
      await closed;
    },
  };
}

const bootNamespaces = ['default', 'kube-node-lease', 'kube-public', 'kube-system'];

class ApiServerCore {
  readonly store: Store;
  readonly requests: RequestRecord[] = [];
  readonly faults: Faults;
  readonly roles: RoleBasedAccess;
  readonly #options: ApiServerOptions;
  readonly #resources: Resources;
  readonly #tokens: ServiceAccountTokens;
  readonly #policies: AdmissionPolicies;
  readonly #collector: Collector | undefined;
  readonly #watches = new Set<Watch>();
  readonly #now: () => number;

  constructor(options: ApiServerOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.store = new Store(options.watchWindow ?? 10_000);
    this.faults = new Faults(this.#watches);
    this.roles = new RoleBasedAccess(this.store);
    this.#policies = new AdmissionPolicies(this.store);
    const custom = (options.definitions ?? readDefinitions()).map(customResourceType);
    const metrics = options.podMetrics === undefined ? [] : [podMetricsType];
    this.#resources = new Resources(this.store, [...builtInTypes, ...metrics, ...custom], this.#now);
    this.#tokens = new ServiceAccountTokens(this.#resources);
    const namespaces = this.#resources.types.find(({ plural }) => plural === 'namespaces');
    for (const name of [...bootNamespaces, ...(options.namespaces ?? [])]) {
      if (namespaces === undefined) continue;
      this.#resources.create(namespaces, '', { metadata: { name } }, ownWrite);
    }
    this.#collector = options.collectsGarbage === false ? undefined : new Collector(this.#resources);
  }

  close(): void {
    this.#collector?.close();
    for (const watch of this.#watches) watch.end();
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET' } = request;
    const url = new URL(request.url ?? '/', 'http://server');
    const asked = resourceRequest(method, url, this.#resources.types);
    const facts = {
      verb: asked?.verb ?? 'nonresource',
      group: asked?.type.group ?? '',
      resource: asked?.type.plural ?? '',
      name: asked?.name ?? '',
    } as const;
    let user = administrator;
    let bytesIn = 0;
    const record = (status: number) => {
      this.requests.push({
        ...facts,
        method,
        path: `${url.pathname}${url.search}`,
        namespace: asked?.namespace ?? '',
        user: user.username,
        userAgent: request.headers['user-agent'] ?? '',
        status,
        bytesIn,
      });
    };
    const warnings: string[] = [];
    let actions: readonly FaultAction[] = [];
    try {
      const body = await readBody(request);
      bytesIn = Buffer.byteLength(body);
      let answer: Answer | undefined;
      try {
        const accountOf = (token: string) => this.#tokens.userOf(token);
        user = authenticate(request.headers.authorization, this.#options.tokens, accountOf);
        actions = this.faults.take({ ...facts, user: user.username });
        const isAnswered = await this.#suffer(actions, response);
        if (!isAnswered) {
          record(0);
          return;
        }
        answer = this.#answer(asked, request, response, url, body, user, actions, warnings);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        answer = { status: error.code, body: error.toStatus() };
        const { retryAfterSeconds } = error.details ?? {};
        if (retryAfterSeconds !== undefined) response.setHeader('retry-after', String(retryAfterSeconds));
      }
      record(answer?.status ?? 200);
      if (answer !== undefined) send(response, answer, warnings, actions);
    } catch (error) {
      // A fault of this server is an error of the test.
      const message = error instanceof Error ? `${error.message}\n${error.stack ?? ''}` : String(error);
      record(500);
      const broken = new ApiError(500, 'InternalError', `the test API server failed: ${message}`);
      if (response.headersSent) response.destroy();
      else send(response, { status: 500, body: broken.toStatus() }, [], []);
    }
  }

  /** A WebSocket: `exec`, and nothing else. */
  async upgrade(request: IncomingMessage, socket: Duplex): Promise<void> {
    socket.on('error', () => {});
    const exec = podExecRequest(new URL(request.url ?? '/', 'http://server'));
    try {
      if (exec === undefined) throw new ApiError(404, 'NotFound', 'the server could not find the resource');
      const accountOf = (token: string) => this.#tokens.userOf(token);
      const user = authenticate(request.headers.authorization, this.#options.tokens, accountOf);
      // As Kubernetes 1.35 has it: the verb of the method, and create for what it does.
      for (const verb of ['get', 'create']) this.#authorizeExec(exec, verb, user);
      const { podExec } = this.#options;
      if (podExec === undefined)
        throw new ApiError(500, 'InternalError', 'error dialing backend: no kubelet answers');
      await serveExec(request, socket, () => podExec(exec));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      refuseExec(socket, error.code, error.toStatus());
    }
  }

  /** @throws ApiError 403, or 404 where there is no such pod */
  #authorizeExec({ namespace, pod }: PodExecRequest, verb: string, user: User): void {
    const asked = { user, verb, group: '', resource: 'pods', subresource: 'exec', namespace, name: pod };
    const type = this.#resources.types.find(({ group, plural }) => group === '' && plural === 'pods');
    if (type === undefined) return;
    const why = `User "${user.username}" cannot ${formatRight(asked)} in the namespace "${namespace}"`;
    if (!this.#allows(asked)) throw forbidden(type, pod, why);
    this.#resources.get({ type, namespace, name: pod, subresource: undefined });
  }

  /** @returns whether there will be an answer */
  async #suffer(actions: readonly FaultAction[], response: ServerResponse): Promise<boolean> {
    for (const action of actions) {
      switch (action.do) {
        case 'delay':
          await new Promise((resolve) => {
            setTimeout(resolve, action.ms).unref();
          });
          break;
        case 'stall':
          return false;
        case 'drop':
          response.socket?.destroy();
          return false;
        case 'answer': {
          const { code, reason = reasons[code] ?? '', message = 'injected', retryAfterSeconds } = action;
          throw new ApiError(
            code,
            reason,
            message,
            retryAfterSeconds === undefined ? undefined : { retryAfterSeconds },
          );
        }
        case 'reset':
        case 'lose-answer':
        case 'empty-list':
        case 'stale':
          break;
      }
    }
    return true;
  }

  #answer(
    asked: ResourceRequest | undefined,
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    body: string,
    user: User,
    actions: readonly FaultAction[],
    warnings: string[],
  ): Answer | undefined {
    if (asked === undefined) return this.#answerPath(request, url, body, user);
    this.#authorize(asked, user, url.searchParams);
    const { type, namespace, name, subresource, verb } = asked;
    if (type === podMetricsType) return { status: 200, body: this.#options.podMetrics?.answer(asked) };
    const target: Target = { type, namespace, name, subresource };
    const query = url.searchParams;
    const warn = (text: string) => warnings.push(text);
    const admit = (write: AdmissionRequest) => {
      // To apply what is not there is to create it.
      if (write.operation === 'CREATE') this.#authorize({ ...asked, verb: 'create' }, user, query);
      this.#policies.assertAdmitted(write, user);
    };
    const writes = () => ({ ...writeOptions(request, query, warn), admit });
    const one = (object: KubeObject, status = 200): Answer =>
      this.#present(type, object, request, query, status);
    switch (verb) {
      case 'get': {
        const stale = actions.find((action) => action.do === 'stale');
        if (stale === undefined) return one(this.#resources.get(target));
        const old = this.store.list(storageOf(type), stale.revision) ?? [];
        const found = old.find(([key]) => key === keyOf(namespace, name))?.[1];
        return found === undefined
          ? one(this.#resources.get({ ...target, name: '' }))
          : one(view(type, found));
      }
      case 'list':
        return this.#list(asked, request, query, actions);
      case 'watch':
        this.#watch(asked, request, query, response);
        return undefined;
      case 'create':
        return one(this.#resources.create(type, namespace, readObject(request, body), writes()), 201);
      case 'update':
        return one(this.#resources.update(target, readObject(request, body), writes()));
      case 'patch': {
        const patchType = patchTypeOf(request);
        const patch = readObject(request, body);
        const { object, isNew } = this.#resources.patch(target, patchType, patch, writes());
        return one(object, isNew ? 201 : 200);
      }
      case 'delete': {
        const given = body === '' ? undefined : readObject(request, body);
        const { object, isGone } = this.#resources.delete(target, {
          ...deleteOptions(given, query),
          admit,
        });
        if (!isGone) return one(object);
        const { uid } = object.metadata;
        const group = type.group === '' ? {} : { group: type.group };
        return { status: 200, body: success({ name, ...group, kind: type.plural, uid }) };
      }
      case 'deletecollection': {
        const given = body === '' ? undefined : readObject(request, body);
        const page = listPage(this.store, type, namespace, query);
        for (const { metadata } of page.items) {
          const each = { type, namespace: metadata.namespace ?? '', name: metadata.name };
          this.#resources.delete(each, { ...deleteOptions(given, query), admit });
        }
        return {
          status: 200,
          body: {
            apiVersion: apiVersionOf(type),
            kind: type.listKind,
            metadata: page.listMeta,
            items: page.items,
          },
        };
      }
      case 'nonresource':
        return undefined;
    }
  }

  #present(
    type: Target['type'],
    object: KubeObject,
    request: IncomingMessage,
    query: URLSearchParams,
    status: number,
  ): Answer {
    switch (presentationOf(request.headers.accept)) {
      case 'table': {
        const listMeta = { resourceVersion: object.metadata.resourceVersion };
        const table = tableOf(type, [object], listMeta, query.get('includeObject'), this.#now());
        return { status, body: table };
      }
      case 'metadata':
        return { status, body: metadataOnly(object) };
      case 'object':
        return { status, body: object };
    }
  }

  #list(
    { type, namespace }: ResourceRequest,
    request: IncomingMessage,
    query: URLSearchParams,
    actions: readonly FaultAction[],
  ): Answer {
    const stale = actions.find((action) => action.do === 'stale');
    const page = listPage(this.store, type, namespace, query, stale?.revision);
    const isEmpty = actions.some((action) => action.do === 'empty-list');
    const items = isEmpty ? [] : page.items;
    const metadata = isEmpty ? { resourceVersion: page.listMeta['resourceVersion'] } : page.listMeta;
    switch (presentationOf(request.headers.accept)) {
      case 'table':
        return {
          status: 200,
          body: tableOf(type, items, metadata, query.get('includeObject'), this.#now()),
        };
      case 'metadata': {
        const kind = 'PartialObjectMetadataList';
        const body = { kind, apiVersion: 'meta.k8s.io/v1', metadata, items: items.map(metadataOnly) };
        return { status: 200, body };
      }
      case 'object':
        return {
          status: 200,
          body: {
            apiVersion: apiVersionOf(type),
            kind: type.listKind,
            metadata,
            items: asListed(type, items),
          },
        };
    }
  }

  #watch(
    { type, namespace }: ResourceRequest,
    request: IncomingMessage,
    query: URLSearchParams,
    response: ServerResponse,
  ): void {
    const asked = { type, namespace, query, presentation: presentationOf(request.headers.accept) };
    const watch = new Watch(asked, this.store, response, this.#now, this.#options.bookmarkMs ?? 60_000);
    this.#watches.add(watch);
    void watch.isOver.then(() => this.#watches.delete(watch));
  }

  #allows(attributes: Attributes): boolean {
    if (this.#options.usesRoles === true) return this.roles.allows(attributes);
    return this.#options.authorize?.(attributes) ?? true;
  }

  #authorize(asked: ResourceRequest, user: User, query: URLSearchParams): void {
    const { verb, type, namespace } = asked;
    const subresource = asked.subresource ?? '';
    const { group, plural: resource } = type;
    // Who asks for all that are called so asks for one.
    const name = asked.name || (/^metadata\.name=([^,]+)$/.exec(query.get('fieldSelector') ?? '')?.[1] ?? '');
    if (this.#allows({ user, verb, group, resource, subresource, namespace, name })) return;
    const what = subresource === '' ? resource : `${resource}/${subresource}`;
    const where = namespace === '' ? 'at the cluster scope' : `in the namespace "${namespace}"`;
    const who = `User "${user.username}" cannot ${verb} resource "${what}"`;
    throw forbidden(type, name, `${who} in API group "${group}" ${where}`);
  }

  /** What is created without being kept: tokens and reviews. */
  #answerPost(pathname: string, body: unknown, user: User): Mapping | undefined {
    const assertAllowed = (what: Pick<Attributes, 'group' | 'resource'> & Partial<Attributes>): void => {
      const asked = { user, verb: 'create', subresource: '', namespace: '', name: '', ...what };
      if (this.#allows(asked)) return;
      throw new ApiError(403, 'Forbidden', `User "${user.username}" cannot ${formatRight(asked)}`);
    };
    const review = reviewOf(pathname);
    if (review !== undefined) {
      // Everybody may ask about himself.
      if (!review.resource.startsWith('self')) assertAllowed(review);
      const userOf = (token: string) => this.#tokens.userOf(token) ?? this.#options.tokens?.get(token);
      return answerReview(review.resource, body, user, userOf, (attributes) => this.#allows(attributes));
    }
    const account = /^\/api\/v1\/namespaces\/([^/]+)\/serviceaccounts\/([^/]+)\/token$/.exec(pathname);
    if (account === null) return undefined;
    const [, namespace = '', name = ''] = account;
    assertAllowed({ group: '', resource: 'serviceaccounts', subresource: 'token', namespace, name });
    return this.#tokens.create(namespace, name, body);
  }

  #answerPath(request: IncomingMessage, url: URL, body: string, user: User): Answer {
    const { pathname } = url;
    const { types } = this.#resources;
    const exec = podExecRequest(url);
    if (exec !== undefined) {
      this.#authorizeExec(exec, request.method === 'POST' ? 'create' : 'get', user);
      throw new ApiError(400, 'BadRequest', 'Upgrade request required');
    }
    if (request.method === 'POST') {
      const answer = this.#answerPost(pathname, readObject(request, body), user);
      if (answer !== undefined) return { status: 201, body: answer };
    }
    const found = (value: unknown): Answer => {
      if (value !== undefined) return { status: 200, body: value };
      return { status: 404, body: '404 page not found\n', contentType: 'text/plain' };
    };
    const isAggregated = /;g=apidiscovery\.k8s\.io;v=v2;as=APIGroupDiscoveryList/.test(
      request.headers.accept ?? '',
    );
    const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
    switch (pathname) {
      case '/version':
        return found({ major: '1', minor: '35', gitVersion: 'v1.35.0', platform: 'linux/amd64' });
      case '/healthz':
      case '/livez':
      case '/readyz':
        return { status: 200, body: 'ok', contentType: 'text/plain' };
      case '/api':
      case '/apis': {
        const isCore = pathname === '/api';
        if (isAggregated) {
          return { status: 200, body: aggregatedDiscovery(types, isCore), contentType: aggregated };
        }
        return found(isCore ? { kind: 'APIVersions', versions: ['v1'] } : groupList(types));
      }
      case '/openapi/v3':
        return found(openApiIndex(types));
    }
    const openApi = /^\/openapi\/v3\/(.+)$/.exec(pathname)?.[1];
    if (openApi !== undefined) return found(openApiDocument(types, openApi));
    const groupVersion = /^\/(?:api|apis)\/(v1|[^/]+\/[^/]+)$/.exec(pathname)?.[1];
    if (groupVersion !== undefined) return found(resourceList(types, groupVersion));
    const group = /^\/apis\/([^/]+)$/.exec(pathname)?.[1];
    return found(group === undefined ? undefined : groupDocument(types, group));
  }
}

/** Entries of a list of a built-in kind do not say again what they are. */
function asListed(type: ResourceType, items: readonly KubeObject[]): readonly Mapping[] {
  if (type.isCustom) return items;
  return items.map((object) => {
    const { apiVersion: _, kind: __, ...rest } = object;
    return rest;
  });
}

const ownWrite = {
  manager: 'kube-apiserver',
  isDryRun: false,
  fieldValidation: 'Strict',
  isForced: false,
  warn: () => {},
} as const;

const reasons: Readonly<Record<number, string>> = {
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Expired',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

function success(details: Mapping): Mapping {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details };
}
