import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { after, describe, it } from 'node:test';
import { encodeDnsQuery } from '../../src/health/dns-codec.ts';
import type { DnsQuestion, Question } from '../../src/health/question.ts';
import { askOnce, serve } from './servers.ts';

const hex = (text: string) => Buffer.from(text).toString('hex');

describe('udp and dns', () => {
  const sockets: ReturnType<typeof createSocket>[] = [];
  after(() => {
    for (const socket of sockets) socket.close();
  });
  async function datagrams(
    onMessage: (message: Buffer, reply: (bytes: Uint8Array) => void) => void,
  ): Promise<number> {
    const socket = createSocket('udp4', (message, from) =>
      onMessage(message, (bytes) => socket.send(bytes, from.port, from.address)),
    );
    sockets.push(socket);
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return socket.address().port;
  }
  const udp: Question = { type: 'udp', payloadHex: hex('ping'), expectHex: hex('pong') };
  const dns: DnsQuestion = {
    type: 'dns',
    name: 'a.example',
    recordType: 'A',
    expect: ['192.0.2.7'],
    transport: 'UDP',
  };
  /** The answer to a query: its header and question, and one address. */
  const resolve = (query: Buffer, last = 7): Buffer => {
    const head = Buffer.from(query);
    head.writeUInt16BE(0x8180, 2);
    head.writeUInt16BE(1, 6);
    return Buffer.concat([
      head,
      Buffer.from(`c00c000100010000000000 04c00002`.replaceAll(' ', ''), 'hex'),
      Buffer.from([last]),
    ]);
  };

  it('the expected answer', async () => {
    const port = await datagrams((message, reply) => reply(Buffer.from(`${message.toString()}pong`)));
    assert.equal((await askOnce(udp, port)).outcome, 'passed');
  });

  it('another answer', async () => {
    const port = await datagrams((_, reply) => reply(Buffer.from('what?')));
    assert.equal((await askOnce(udp, port)).outcome, 'AnswerUnexpected');
  });

  it('a lost question is asked again within the timeout', async () => {
    let count = 0;
    const port = await datagrams((_, reply) => ++count > 2 && reply(Buffer.from('pong')));
    const { outcome, tookMs } = await askOnce(udp, port, 300);
    assert.equal(outcome, 'passed');
    assert.ok(tookMs >= 150);
  });

  it('silence is a failure, not a success', async () => {
    const port = await datagrams(() => {});
    assert.equal((await askOnce(udp, port, 100)).outcome, 'AnswerTimeout');
  });

  it('a closed port is refused', async () => {
    const port = await datagrams(() => {});
    sockets.pop()?.close();
    assert.equal((await askOnce(udp, port)).outcome, 'ConnectionRefused');
  });

  it('a name that resolves as expected', async () => {
    const port = await datagrams((query, reply) => reply(resolve(query)));
    assert.equal((await askOnce(dns, port)).outcome, 'passed');
    assert.equal((await askOnce({ ...dns, expect: ['192.0.2.8'] }, port)).outcome, 'AnswerUnexpected');
  });

  it('a forged answer with another id is passed over', async () => {
    const port = await datagrams((query, reply) => {
      const forged = Buffer.from(resolve(query));
      forged[0] = (forged[0] ?? 0) ^ 0xff;
      reply(forged);
      reply(resolve(query));
    });
    assert.equal((await askOnce(dns, port)).outcome, 'passed');
  });

  it('over TCP, in pieces', async () => {
    const server = await serve((socket) =>
      socket.once('data', (bytes: Buffer) => {
        const reply = resolve(bytes.subarray(2));
        const frame = Buffer.concat([Buffer.from([reply.length >> 8, reply.length & 0xff]), reply]);
        socket.write(frame.subarray(0, 5));
        setTimeout(() => socket.write(frame.subarray(5)), 20);
      }),
    );
    assert.equal((await askOnce({ ...dns, transport: 'TCP' }, server.port)).outcome, 'passed');
    await server.stop();
  });

  it('the query is one that its own decoder would take', () => {
    assert.equal(encodeDnsQuery(dns, 1).length, 12 + 11 + 4);
  });
});
