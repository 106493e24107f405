import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseIpAddress } from '../../src/base/index.ts';
import { healthCheckCel, healthCheckSchema, healthCheckViolations } from '../../src/api/health-check.ts';
import { openApiSchema, withRules } from '../../src/api/open-api.ts';
import type { OpenApiSchema } from '../../src/api/index.ts';
import { formatFieldPath } from '../../src/api/problem.ts';
import { questionOf } from '../../src/health/question-of.ts';
import { tlsOf } from '../../src/health/question.ts';
import { isForbiddenTarget } from '../../src/health/target-guard.ts';
import { celNode } from '../api/cel-environment.ts';

const pem = '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n';

function violationsOf(written: object): string[] {
  const parsed = healthCheckSchema.safeParse(written);
  if (!parsed.success) return parsed.error.issues.map(({ path }) => `schema ${path.join('.')}`);
  return healthCheckViolations(parsed.data, []).map(({ path }) => formatFieldPath(path));
}

/** Fields that CEL refuses, with the rule at the node that carries it. */
function celViolationsOf(written: object): string[] {
  const schema = withRules(openApiSchema(healthCheckSchema, { forms: false }), healthCheckCel([]));
  const value: unknown = healthCheckSchema.parse(written);
  return [...judge(schema, value, [])];
}

function* judge(
  schema: OpenApiSchema,
  value: unknown,
  path: readonly (string | number)[],
): Generator<string> {
  if (value === undefined) return;
  for (const { rule, fieldPath } of schema['x-kubernetes-validations'] ?? []) {
    const verdict = celNode(schema).evaluate(rule, structuredClone(value));
    if (verdict !== true)
      yield `${formatFieldPath(path)}${path.length === 0 ? (fieldPath ?? '').slice(1) : (fieldPath ?? '')}`;
  }
  if (Array.isArray(value) && schema.items !== undefined) {
    for (const [index, entry] of value.entries()) yield* judge(schema.items, entry, [...path, index]);
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, child] of Object.entries(schema.properties ?? {}))
      yield* judge(child, Reflect.get(value, name), [...path, name]);
  }
}

describe('a health check as it is written', () => {
  const table: [scenario: string, written: object, ...fields: string[]][] = [
    ['tcp alone', { tcp: {} }],
    [
      'http with everything',
      {
        http: {
          method: 'HEAD',
          path: '/x',
          host: 'a:80',
          headers: [{ name: 'X', value: '' }],
          statuses: ['204'],
          body: { contains: 'x' },
        },
      },
    ],
    ['https', { https: { tls: { caBundle: pem, serverName: 'a.example', minVersion: 'TLSv1.3' } } }],
    ['a mail server', { smtp: { startTls: {} }, port: 25 }],
    ['no type at all', {}, ''],
    ['two types', { tcp: {}, icmp: {} }, ''],
    ['a timeout above the interval', { tcp: {}, intervalSeconds: 2, timeoutSeconds: 3 }, 'timeoutSeconds'],
    ['bytes in no form', { tcp: { send: {} } }, 'tcp.send'],
    [
      'bytes in two forms',
      { udp: { payload: { text: 'a', hex: '61' }, expect: { text: 'a' } } },
      'udp.payload',
    ],
    ['a body to match by nothing', { http: { body: {} } }, 'http.body'],
    [
      'a header that the probe sets',
      { http: { headers: [{ name: 'hOst', value: 'b' }] } },
      'http.headers[0].name',
    ],
    [
      'a header that frames the message',
      { https: { headers: [{ name: 'Transfer-Encoding', value: 'b' }] } },
      'https.headers[0].name',
    ],
    ['statuses that end before they begin', { http: { statuses: ['399-200'] } }, 'http.statuses[0]'],
  ];
  for (const [scenario, written, ...fields] of table) {
    it(scenario, () => {
      assert.deepEqual(violationsOf(written), fields);
      assert.deepEqual(celViolationsOf(written), fields, 'as an API server judges');
    });
  }

  const malformed: [scenario: string, written: object, field: string][] = [
    ['a path with a line break', { http: { path: '/\r\nHost: x' } }, 'http.path'],
    [
      'a header value with a line break',
      { http: { headers: [{ name: 'A', value: 'b\nc' }] } },
      'http.headers.0.value',
    ],
    ['a method that changes things', { http: { method: 'POST' } }, 'http.method'],
    ['a host with a line break', { http: { host: 'a\r\nb' } }, 'http.host'],
    ['a name to greet with that carries a command', { smtp: { heloName: 'a\r\nRCPT' } }, 'smtp.heloName'],
    ['half a byte', { tcp: { send: { hex: 'abc' } } }, 'tcp.send.hex'],
  ];
  for (const [scenario, written, field] of malformed) {
    it(`refuses ${scenario}`, () => assert.deepEqual(violationsOf(written), [`schema ${field}`]));
  }

  it('refuses a domain name that DNS cannot hold', () => {
    assert.deepEqual(violationsOf({ dns: { name: `${'a'.repeat(64)}.example` } }), ['dns.name']);
  });

  it('has the defaults that are promised', () => {
    const { intervalSeconds, timeoutSeconds, successThreshold, failureThreshold, initialState, http } =
      healthCheckSchema.parse({ http: {} });
    assert.deepEqual(
      [intervalSeconds, timeoutSeconds, successThreshold, failureThreshold, initialState, http?.statuses],
      [2, 1, 2, 3, 'Down', ['200-399']],
    );
    assert.equal(healthCheckSchema.parse({ https: {} }).https?.tls.insecureSkipVerify, false);
  });
});

describe('the question of a check', () => {
  const ask = (written: object) => questionOf(healthCheckSchema.parse(written));

  it('holds everything that was written, with nothing left open', () => {
    assert.deepEqual(ask({ http: { statuses: ['204', '300-301'], body: { matches: 'a+' } } }), {
      ok: true,
      question: {
        type: 'http',
        method: 'GET',
        path: '/',
        host: undefined,
        headers: [],
        statuses: [
          [204, 204],
          [300, 301],
        ],
        body: { kind: 'matches', pattern: 'a+' },
        tls: undefined,
      },
    });
  });

  it('verifies the server by default, and takes TLS 1.2 at least', () => {
    for (const written of [{ https: {} }, { grpc: { tls: {} } }, { smtp: { startTls: {} } }]) {
      const asked = ask(written);
      const tls = asked.ok && asked.question !== undefined ? tlsOf(asked.question) : undefined;
      assert.deepEqual([tls?.isVerified, tls?.minVersion, tls?.references], [true, 'TLSv1.2', undefined]);
    }
  });

  it('names what it refers to, and holds no byte of it', () => {
    for (const [type, field] of [
      ['https', 'tls'],
      ['grpc', 'tls'],
      ['smtp', 'startTls'],
    ] as const) {
      const refs = { caBundleRef: { name: 'ca' }, clientCertificateRef: { name: 'client' } };
      const asked = ask({ [type]: { [field]: refs } });
      const tls = asked.ok && asked.question !== undefined ? tlsOf(asked.question) : undefined;
      assert.deepEqual(tls?.references, {
        caBundle: { name: 'ca', key: 'ca.crt' },
        clientCertificate: { name: 'client' },
      });
    }
  });

  it('bytes are the same in text and in hex', () => {
    assert.deepEqual(ask({ tcp: { send: { text: 'é\n' } } }), ask({ tcp: { send: { hex: 'C3A90A' } } }));
  });

  it('none asks nothing', () => assert.deepEqual(ask({ none: {} }), { ok: true, question: undefined }));

  it('a pattern that is no pattern is refused by its field', () => {
    const result = ask({ https: { body: { matches: '(?=x)' } } });
    assert.deepEqual(result.ok ? undefined : result.path, ['https', 'body', 'matches']);
  });
});

describe('targets that are never probed', () => {
  const table: [ip: string, isForbidden: boolean][] = [
    ['192.0.2.1', false],
    ['10.0.0.1', false],
    ['2001:db8::1', false],
    ['fd00::1', false],
    ['127.0.0.1', true],
    ['127.255.0.9', true],
    ['0.0.0.0', true],
    ['169.254.169.254', true],
    ['100.100.100.200', true],
    ['224.0.0.1', true],
    ['255.255.255.255', true],
    ['::', true],
    ['::1', true],
    ['::7f00:1', true],
    ['fe80::1', true],
    ['ff02::1', true],
    ['fd00:ec2::254', true],
  ];
  for (const [ip, expected] of table)
    it(ip, () => assert.equal(isForbiddenTarget(parseIpAddress(ip)), expected));
});
