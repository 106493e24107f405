import assert from 'node:assert/strict';
import { before, beforeEach, it } from 'node:test';
import {
  apiGroup,
  describeRealServerStatus,
  describeVirtualServiceStatus,
  readRealServerStatus,
  readVirtualServiceStatus,
} from '../../src/api/index.ts';
import { kindDescriptions } from '../../src/api/kinds.ts';
import { onEveryServer } from '../apiserver/environment.ts';
import type { Kubectl } from '../apiserver/kubectl.ts';

/** Our definitions as a person meets them: at the shell, with the real kubectl. */
onEveryServer('kubectl and our kinds', (server) => {
  let anywhere: Kubectl;
  before(() => {
    anywhere = server.kubectl();
  });

  async function good(...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await anywhere(['-n', server.namespace, ...args]);
    assert.equal(status, 0, `${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  const examples = 'examples-cluster';
  const versions = () => good('get', '-f', examples, '-o', 'jsonpath={.items[*].metadata.resourceVersion}');
  const setStatus = (what: string, status: unknown) =>
    good('patch', what, '--subresource=status', '--type=merge', '-p', JSON.stringify({ status }));
  const rowsOf = (table: string) =>
    table
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/).map((cell) => cell.trim()));

  beforeEach(async () => {
    await good('delete', '-f', examples, '--ignore-not-found');
  });

  it('apply of the examples for a cluster, client-side and then server-side, changes nothing the second time', async () => {
    const first = await good('apply', '-f', examples);
    assert.match(first, /^realserver\S*\/checkout-canary created$/m);
    assert.doesNotMatch(first, /unchanged|configured/);
    // The default of a status is in what is read, and in the store from the first write on.
    await good('apply', '-f', examples);
    const applied = await versions();
    await good('apply', '-f', examples);
    assert.equal(await versions(), applied);
    assert.match(await good('apply', '--server-side', '-f', examples), /checkout-canary serverside-applied/);
    const owned = await versions();
    await good('apply', '--server-side', '-f', examples);
    assert.equal(await versions(), owned);
  });

  it('apply of the examples for a cluster, server-side alone, leaves no difference', async () => {
    await good('apply', '--server-side', '-f', examples);
    assert.equal(await good('diff', '--server-side', '-f', examples), '');
  });

  it('get shows what an operator of load balancers looks for', async () => {
    await good('apply', '-f', examples);
    const time = '2026-01-31T12:00:00Z';
    const ready = {
      type: 'Ready',
      status: 'True',
      reason: 'Serving',
      message: 'Served.',
      lastTransitionTime: time,
    };
    const service = readVirtualServiceStatus({
      status: {
        addresses: [
          { ip: '192.0.2.64', since: time },
          { ip: '2001:db8:0:64::', since: time },
        ],
        ports: [
          { name: 'http', protocol: 'TCP', port: 80 },
          { name: 'https', protocol: 'TCP', port: 443 },
        ],
        counts: { realServers: 3, serving: 2, draining: 1, directors: 2, programmed: 2 },
        conditions: [ready],
      },
    });
    await setStatus('lvsvs/frontend', describeVirtualServiceStatus(service));
    const [head, , row] = rowsOf(await good('get', 'lvsvs', '-o', 'wide'));
    assert.deepEqual(head?.slice(0, 9), [
      'NAME',
      'VIP',
      'PORTS',
      'SCHEDULER',
      'FORWARDING',
      'REAL-SERVERS',
      'READY',
      'AGE',
      'REASON',
    ]);
    assert.deepEqual(row?.slice(0, 7), [
      'frontend',
      '192.0.2.64,2001:db8:0:64::',
      '80,443/TCP',
      'wlc',
      'NAT',
      '2/3',
      'True',
    ]);
    assert.deepEqual(row.slice(8, 10), ['Serving', '2/2']);

    const realServer = readRealServerStatus({
      status: { counts: { endpoints: 3, serving: 2, draining: 1 }, conditions: [ready] },
    });
    await setStatus('lvsrs/frontend', describeRealServerStatus(realServer));
    const [, servers] = rowsOf(await good('get', 'lvsrs', 'frontend'));
    assert.deepEqual(servers?.slice(0, 6), ['frontend', 'frontend', '100', 'Enabled', '2/3', 'True']);
  });

  it('get by the fields that directors and people choose by', async () => {
    await good('apply', '-f', examples);
    const named = async (...selection: string[]) =>
      (await good('get', ...selection, '-o', 'jsonpath={.items[*].metadata.name}')).split(' ').sort();
    assert.deepEqual(await named('lvsrs', '--field-selector', 'spec.virtualServiceRef.name=checkout'), [
      'checkout-canary',
      'checkout-stable',
    ]);
    assert.deepEqual(
      await named('lvsrss', '--field-selector', 'spec.virtualServiceName=checkout,spec.realServerName=x'),
      [''],
    );
  });

  it('wait does not take an object for finished that nobody has looked at', async () => {
    await good('apply', '-f', examples);
    const args = ['-n', server.namespace, 'wait', '--for=condition=Ready', '--timeout=1s', 'lvsvs/frontend'];
    assert.notEqual((await anywhere(args)).status, 0);
    const condition = await good('get', 'lvsvs', 'frontend', '-o', 'jsonpath={.status.conditions[0].reason}');
    assert.equal(condition, 'Pending');
  });

  it('explain has words for every field, the status too', async () => {
    for (const { plural, status } of kindDescriptions) {
      for (const part of ['spec', ...(status === undefined ? [] : ['status', 'status.conditions'])]) {
        const said = await good('explain', `${plural}.${apiGroup}.${part}`);
        assert.doesNotMatch(said, /no description/, `${plural}.${part}`);
      }
    }
    assert.match(await good('explain', 'lvsrs.spec.weight'), /From 0 to 1000\. Default 100\./);
    assert.match(await good('explain', 'lvsrs.spec.podSelector'), /matchLabels\s+<map\[string\]string>/);
  });
});
