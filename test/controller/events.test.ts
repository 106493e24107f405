/** What a person reads of events, with the real kubectl, and how many there are. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { onEveryServer, until } from '../apiserver/environment.ts';
import { podType } from '../../src/cluster/index.ts';
import { ClusterRig } from './cluster-rig.ts';

onEveryServer('events', (server) => {
  let rig: ClusterRig;

  before(async () => {
    rig = new ClusterRig(server);
    await rig.node('a');
    await rig.pool('public', { addresses: ['192.0.2.10-192.0.2.200'], default: true });
    await rig.start();
  });
  after(() => rig.close());

  async function describe(what: string): Promise<string> {
    const { status, stdout, stderr } = await server.kubectl()(['-n', server.namespace, 'describe', what]);
    assert.equal(status, 0, stderr);
    return stdout;
  }

  /** `Type Reason Message` of each line of the table of events, in its order. */
  const eventsOf = (text: string): string[] =>
    (text.split(/^Events:/m)[1] ?? '')
      .split('\n')
      .map((line) => /^ {2}(Normal|Warning) +(\S+) +\S+(?: \(.*\))? +\S+ +(.*)$/.exec(line))
      .filter((match) => match !== null)
      .map(([, type = '', reason = '', message = '']) => `${type} ${reason} ${message}`);

  it('tell the life of a VirtualService in kubectl describe, each in a sentence', async () => {
    await rig.virtualService('web');
    await rig.realServer('web', 'web');
    const pod = await rig.pod('web-1', '10.8.0.1', { app: 'web' });
    await rig.waitFor('web', 'RealServersAvailable', 'True Serving');
    await rig.director('a');
    await rig.waitFor('web', 'Ready', 'True Ready');
    await rig.client.delete(podType, pod.metadata, String(pod.metadata.uid));
    await rig.waitFor('web', 'RealServersAvailable', 'False NoRealServers');
    let text = '';
    await until('all is told', async () => {
      text = await describe('lvsvs/web');
      return text.includes('RealServersUnavailable');
    });
    const events = eventsOf(text);
    console.log(text.split(/^(?=Events:)/m)[1]);
    assert.deepEqual(
      events.map((event) => event.split(' ').slice(0, 2).join(' ')).toSorted(),
      [
        'Normal Accepted',
        'Normal AddressAssigned',
        'Normal Programmed',
        'Normal RealServersAvailable',
        'Warning RealServersUnavailable',
      ],
      text,
    );
    for (const event of events) assert.match(event, /^\w+ \w+ [A-Z0-9].{10,}[.]$/);
    assert.ok(
      events.some((event) => event.includes('192.0.2.')),
      'the address is named',
    );
  });

  it('of a VirtualService that is refused say what to do', async () => {
    await rig.virtualService('refused', { addresses: [{ ip: '203.0.113.9' }] });
    let text = '';
    await until('it is told', async () => {
      text = await describe('lvsvs/refused');
      return eventsOf(text).length > 0;
    });
    assert.match(eventsOf(text).join('\n'), /^Warning \w+ .*203\.0\.113\.9/);
  });

  it('of many objects that fail at once are one each, and end', async () => {
    const names = Array.from({ length: 20 }, (_, at) => `many-${at}`);
    for (const name of names) await rig.virtualService(name, { addresses: [{ ip: '203.0.113.9' }] });
    const counts = async () =>
      (await Promise.all(names.map((name) => rig.events(name)))).map(({ length }) => length);
    await until('each has its event', async () => (await counts()).every((count) => count > 0));
    await rig.settled();
    assert.deepEqual([...new Set(await counts())], [1]);
  });
});
