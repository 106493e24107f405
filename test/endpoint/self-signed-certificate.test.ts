import assert from 'node:assert/strict';
import { X509Certificate, createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { makeCertificate } from '../../src/endpoint/index.ts';

const nowMs = Date.UTC(2026, 10, 25, 12);
const serial = Buffer.from('ff00000000000000000000000000ff01', 'hex');

describe('a self-signed certificate', () => {
  it('is one that OpenSSL reads, for a server of that name and for nothing else', () => {
    const { cert, key, sha256 } = makeCertificate('node-1.example', nowMs, serial);
    const read = new X509Certificate(cert);
    assert.equal(read.subject, 'CN=node-1.example');
    assert.equal(read.subjectAltName, 'DNS:node-1.example');
    assert.equal(read.ca, false);
    assert.ok(read.verify(read.publicKey), 'signed by its own key');
    assert.ok(!makeCertificate('other', nowMs, serial).key.includes(key.slice(40, 80)));
    assert.deepEqual(read.keyUsage, ['1.3.6.1.5.5.7.3.1']);
    assert.equal(read.checkHost('node-1.example'), 'node-1.example');
    assert.equal(read.serialNumber, `01${serial.toString('hex').toUpperCase()}`);
    assert.equal(sha256, createHash('sha256').update(read.raw).digest('hex'));
  });

  it('is valid since yesterday, as clocks differ, and for longer than a process lives', () => {
    const read = new X509Certificate(makeCertificate('n', nowMs, serial).cert);
    assert.equal(read.validFromDate.toISOString(), '2026-11-24T12:00:00.000Z');
    assert.equal(read.validToDate.toISOString(), '2036-11-22T12:00:00.000Z');
  });

  it('tells years after 2049 too', () => {
    const read = new X509Certificate(makeCertificate('n', Date.UTC(2045, 0, 1), serial).cert);
    assert.equal(read.validFromDate.getUTCFullYear(), 2044);
    assert.equal(read.validToDate.getUTCFullYear(), 2054);
  });

  it('takes the longest name of a node', () => {
    const name = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`;
    const read = new X509Certificate(makeCertificate(name, nowMs, serial).cert);
    assert.equal(read.subjectAltName, `DNS:${name}`);
    assert.equal(read.subject, `CN=${name.slice(0, 63)}`);
  });
});
