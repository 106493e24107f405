import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseIpAddress } from '../../src/base/index.ts';
import { decodeDnsResponse, encodeDnsQuery, formatRecord } from '../../src/health/dns-codec.ts';
import { encodeGrpcHealthRequest, judgeGrpcHealthResponse } from '../../src/health/grpc-codec.ts';
import { formatHttpRequest } from '../../src/health/http-request.ts';
import { HttpResponseReader, bodyLimit } from '../../src/health/http-response.ts';
import { decodeEchoReply, encodeEchoRequest, internetChecksum } from '../../src/health/icmp-codec.ts';
import type { HttpQuestion } from '../../src/health/question.ts';
import { SmtpReplyReader } from '../../src/health/smtp-reply.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const bytes = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));

describe('DNS', () => {
  const question = { name: 'a.example', recordType: 'A' as const };
  // id, QR+RD+RA, one question, two answers: a.example CNAME b.example by pointer, b.example A 192.0.2.7
  const answer = bytes(
    '1234 8180 0001 0002 0000 0000 0161 07 6578616d706c65 00 0001 0001' +
      'c00c 0005 0001 0000003c 0004 0162 c00e  c027 0001 0001 0000003c 0004 c0000207',
  );

  it('a question is the bytes of RFC 1035', () => {
    assert.equal(
      hex(encodeDnsQuery(question, 0x1234)),
      '1234010000010000000000000161076578616d706c650000010001',
    );
  });

  it('answers of the type that was asked for are read, through pointers', () => {
    assert.deepEqual(decodeDnsResponse(answer, question, 0x1234), {
      kind: 'answers',
      records: ['192.0.2.7'],
    });
    const cname = Uint8Array.from(answer);
    cname[24] = 5;
    assert.deepEqual(decodeDnsResponse(cname, { ...question, recordType: 'CNAME' }, 0x1234), {
      kind: 'answers',
      records: ['b.example.'],
    });
  });

  const record = (type: number, data: string) =>
    bytes(`1234 8180 0001 0001 0000 0000 00 ${type.toString(16).padStart(4, '0')} 0001
      00 ${type.toString(16).padStart(4, '0')} 0001 00000000 ${(data.length / 2).toString(16).padStart(4, '0')} ${data}`);
  const records: [
    type: 'AAAA' | 'MX' | 'TXT' | 'SOA' | 'SRV',
    number: number,
    data: string,
    written: string,
  ][] = [
    ['AAAA', 28, '20010db8000000000000000000000001', '2001:db8::1'],
    ['MX', 15, '000a0161000000'.slice(0, 10), '10 A'],
    ['TXT', 16, '03763d3102206f', 'v=1 o'],
    ['SRV', 33, '0001000200500000'.slice(0, 14), '1 2 80 .'],
    ['SOA', 6, '00000000000100000002000000030000000400000005', '. . 1 2 3 4 5'],
  ];
  for (const [recordType, number, data, written] of records) {
    it(`${recordType} is compared in the form of a zone file`, () => {
      const full = recordType === 'MX' ? '000a016100' : data;
      const read = decodeDnsResponse(record(number, full), { name: '.', recordType }, 0x1234);
      assert.deepEqual(read, { kind: 'answers', records: [formatRecord(recordType, written)] });
    });
  }

  const refusals: [scenario: string, at: number, value: number, kind: string][] = [
    ['the answer to another question', 0, 0x99, 'foreign'],
    ['a question instead of an answer', 2, 0x01, 'foreign'],
    ['an answer about another name', 13, 0x7a, 'foreign'],
    ['NXDOMAIN', 3, 0x83, 'StatusUnexpected'],
    ['a pointer to itself', 44, 0x2b, 'AnswerMalformed'],
    ['a record that is longer than the message', 54, 0xff, 'AnswerMalformed'],
    ['more answers than there are', 7, 9, 'AnswerMalformed'],
  ];
  for (const [scenario, at, value, kind] of refusals) {
    it(scenario, () => {
      const changed = Uint8Array.from(answer);
      changed[at] = value;
      const read = decodeDnsResponse(changed, question, 0x1234);
      assert.equal(read.kind === 'failed' ? read.reason : read.kind, kind);
    });
  }

  it('bytes of any kind give a reading and never an exception', () => {
    const flip = fc.array(fc.tuple(fc.nat(answer.length - 1), fc.nat(255)), { maxLength: 6 });
    fc.assert(
      fc.property(flip, fc.nat(answer.length), (changes, length) => {
        const changed = Uint8Array.from(answer);
        for (const [at, value] of changes) changed[at] = value;
        decodeDnsResponse(changed.subarray(0, length), question, 0x1234);
      }),
      { numRuns: 20_000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (noise) => {
        const message = Uint8Array.from([0x12, 0x34, 0x81, 0x80, 0, 1, 0, 9, 0, 0, 0, 0, ...noise]);
        decodeDnsResponse(message, question, 0x1234);
      }),
      { numRuns: 5000 },
    );
  });
});

describe('gRPC health', () => {
  it('a request is the bytes of the protocol', () => {
    assert.equal(hex(encodeGrpcHealthRequest('')), '0000000000');
    assert.equal(hex(encodeGrpcHealthRequest('ab')), '00000000040a026162');
  });

  const table: [scenario: string, frame: string, reason: string | undefined][] = [
    ['serving', '0000000002 0801', undefined],
    ['not serving', '0000000002 0802', 'NotServing'],
    ['unknown, which proto3 leaves out', '0000000000', 'NotServing'],
    ['service unknown', '0000000002 0803', 'ServiceUnknown'],
    ['the last of two', '0000000004 0801 0802', 'NotServing'],
    [
      'unknown fields before it',
      '000000000d 1205 6162636465 1d01020304 0801'.replace('000d', '000e'),
      undefined,
    ],
    ['compressed', '0100000002 0801', 'AnswerMalformed'],
    ['a length that lies', '0000000003 0801', 'AnswerMalformed'],
    ['a varint without an end', '0000000002 08ff', 'AnswerMalformed'],
    ['a group', '0000000001 0b', 'AnswerMalformed'],
    ['nothing', '', 'AnswerMalformed'],
  ];
  for (const [scenario, frame, reason] of table) {
    it(scenario, () => assert.equal(judgeGrpcHealthResponse(bytes(frame)), reason));
  }

  it('never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (body) => {
        judgeGrpcHealthResponse(Uint8Array.from([0, 0, 0, 0, body.length, ...body]));
      }),
      { numRuns: 10_000 },
    );
  });
});

describe('SMTP replies', () => {
  const read = (text: string) => {
    const { kind, ...rest } = new SmtpReplyReader().push(Buffer.from(text, 'latin1'));
    return kind === 'reply' ? rest : kind;
  };
  const table: [text: string, expected: unknown][] = [
    ['220 mail.example ESMTP\r\n', { code: 220, hasStartTls: false }],
    ['250-mail\r\n250-STARTTLS\r\n250 8BITMIME\r\n', { code: 250, hasStartTls: true }],
    ['250-mail\r\n', 'reading'],
    ['220\n', { code: 220, hasStartTls: false }],
    ['SSH-2.0-x\r\n', 'malformed'],
    ['250-a\r\n220 b\r\n', 'malformed'],
    ['220 a\r\n250 smuggled\r\n', 'malformed'],
    ['2'.repeat(5000), 'malformed'],
    ['250-x\r\n'.repeat(200), 'malformed'],
  ];
  for (const [text, expected] of table) {
    it(JSON.stringify(text.slice(0, 40)), () => assert.deepEqual(read(text), expected));
  }
});

describe('ICMP echo', () => {
  it('a request carries a checksum that sums to nothing', () => {
    const request = encodeEchoRequest('IPv4', { id: 0x1234, sequence: 7 });
    assert.equal(request[0], 8);
    assert.equal(internetChecksum(request), 0);
  });

  it('the reply to it is recognised, and nothing else', () => {
    const reply = encodeEchoRequest('IPv4', { id: 0x1234, sequence: 7 });
    reply[0] = 0;
    const ipHeader = [0x45, ...Array.from({ length: 19 }, () => 0)];
    assert.deepEqual(decodeEchoReply('IPv4', Uint8Array.from([...ipHeader, ...reply])), {
      id: 0x1234,
      sequence: 7,
    });
    const request = encodeEchoRequest('IPv6', { id: 1, sequence: 2 });
    assert.equal(decodeEchoReply('IPv6', request), undefined);
    request[0] = 129;
    assert.deepEqual(decodeEchoReply('IPv6', request), { id: 1, sequence: 2 });
    request[20] = 0;
    assert.equal(decodeEchoReply('IPv6', request), undefined);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (noise) => void decodeEchoReply('IPv4', noise)));
  });
});

describe('an HTTP request', () => {
  const question: HttpQuestion = {
    type: 'http',
    method: 'GET',
    path: '/x?y',
    headers: [['X-A', 'b c']],
    statuses: [[200, 200]],
  };
  const target = { ip: parseIpAddress('2001:db8::1'), port: 8080 };

  it('is one request with everything that ends the connection', () => {
    assert.equal(
      formatHttpRequest(question, target),
      'GET /x?y HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\nUser-Agent: lvs-operator\r\nAccept: */*\r\n' +
        'Accept-Encoding: identity\r\nConnection: close\r\nX-A: b c\r\n\r\n',
    );
  });

  it('has a header once: one that was asked for replaces ours', () => {
    const text = formatHttpRequest({ ...question, headers: [['user-agent', 'me']] }, target);
    assert.equal(text.match(/user-agent/gi)?.length, 1);
  });

  it('is one request line and one empty line, or none at all, whatever is put into it', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary-ascii' }),
        fc.string({ unit: 'binary-ascii' }),
        fc.string({ unit: 'binary-ascii' }),
        (path, name, value) => {
          let text: string;
          try {
            text = formatHttpRequest(
              { ...question, path: `/${path}`, host: value, headers: [[name, value]] },
              target,
            );
          } catch {
            return;
          }
          assert.equal(text.indexOf('\r\n\r\n'), text.length - 4);
          assert.equal(text.match(/[^\r]\n|\r[^\n]/), null);
          assert.equal(text.split('\r\n')[0], `GET /${path} HTTP/1.1`);
        },
      ),
      { numRuns: 20_000 },
    );
  });
});

describe('an HTTP response', () => {
  /** Status and body, or why not; in pieces of the given size. */
  function read(text: string, size = text.length || 1, method = 'GET'): string {
    const body: Buffer[] = [];
    const reader = new HttpResponseReader(method, (part) => body.push(Buffer.from(part)));
    let status: number | undefined;
    const all = Buffer.from(text, 'latin1');
    for (let at = 0; at < all.length; at += size) {
      let part: Uint8Array = all.subarray(at, at + size);
      if (status === undefined) {
        const { progress, rest } = reader.pushHead(part);
        if (progress.kind === 'failed') return progress.reason;
        if (progress.kind !== 'head') continue;
        status = progress.status;
        part = rest;
      }
      const progress = reader.pushBody(part);
      if (progress.kind === 'failed') return progress.reason;
      if (progress.kind === 'complete') return `${status} ${Buffer.concat(body).toString('latin1')}`;
    }
    const end = reader.end();
    return end.kind === 'failed' ? end.reason : `${status} ${Buffer.concat(body).toString('latin1')}`;
  }

  const table: [scenario: string, text: string, expected: string][] = [
    ['a body of a known length', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokmore', '200 ok'],
    ['a body until the end', 'HTTP/1.0 404 \r\nA: b\r\n\r\ngone', '404 gone'],
    [
      'chunks',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n',
      '200 abc',
    ],
    ['no body at all', 'HTTP/1.1 204 No Content\r\n\r\n', '204 '],
    ['bare line feeds', 'HTTP/1.1 200 OK\nContent-Length: 1\n\nx', '200 x'],
    [
      'an early hint before the answer',
      'HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx',
      '200 x',
    ],
    ['hints without end', 'HTTP/1.1 100 C\r\n\r\n'.repeat(9), 'AnswerMalformed'],
    ['another protocol', 'SSH-2.0-OpenSSH\r\n\r\n', 'AnswerMalformed'],
    ['HTTP/2 in the clear', 'HTTP/2 200\r\n\r\n', 'AnswerMalformed'],
    ['a folded header', 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n', 'AnswerMalformed'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n', 'AnswerMalformed'],
    [
      'a length and chunks',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n',
      'AnswerMalformed',
    ],
    ['a length that is none', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n', 'AnswerMalformed'],
    [
      'a chunk size that is none',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
      'AnswerMalformed',
    ],
    ['a head that stops', 'HTTP/1.1 200 OK\r\nA:', 'ClosedEarly'],
    ['a body that stops', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx', 'ClosedEarly'],
    ['a head without end', `HTTP/1.1 200 OK\r\nA: ${'x'.repeat(20_000)}`, 'AnswerTooLarge'],
    ['too many headers', `HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(200)}\r\n`, 'AnswerMalformed'],
    ['a body above the limit', `HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(bodyLimit + 1)}`, 'AnswerTooLarge'],
    [
      'a chunk above the limit',
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n${'x'.repeat(bodyLimit + 1)}`,
      'AnswerTooLarge',
    ],
  ];
  for (const [scenario, text, expected] of table) {
    it(scenario, () => {
      for (const size of [text.length, 1, 7, 4096])
        assert.equal(read(text, size), expected, `in pieces of ${size}`);
    });
  }

  it('to HEAD has no body, whatever its length', () => {
    assert.equal(read('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', 3, 'HEAD'), '200 ');
  });

  it('damaged in any way is read the same in one piece and in many, and never throws', () => {
    const good = Buffer.from(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
      'latin1',
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 5 }),
        fc.integer({ min: 1, max: 9 }),
        (changes, size) => {
          const damaged = Buffer.from(good);
          for (const [at, value] of changes) damaged[at] = value;
          const text = damaged.toString('latin1');
          assert.equal(read(text, size), read(text));
        },
      ),
      { numRuns: 20_000 },
    );
  });
});
