import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { LabDirector } from '../lab/director-process.ts';
import { layOutNetwork } from '../lab/network.ts';
import type { LabNetwork } from '../lab/network.ts';
import { Eyes, until } from './director-eyes.ts';
import { file, labPool, realServer, virtualService } from './director-objects.ts';

/** `plan` says what the director then does: the same changes, in the same order, and it does none of them itself. */

let network: LabNetwork;
let director: LabDirector;
let eyes: Eyes;

before(async () => {
  network = await layOutNetwork({ realServers: 0 });
  eyes = new Eyes(network.director);
  director = new LabDirector(network.director, {
    'pool.yaml': labPool,
    'web.yaml': file(
      virtualService('web', network.vip4(0), { drain: { timeoutSeconds: 0 } }),
      realServer('web', ['198.51.100.11', '198.51.100.12']),
    ),
    'routed.yaml': file(
      virtualService('routed', network.routedVip4(0), { scheduler: 'wlc' }),
      realServer('routed', '198.51.100.11', { weight: 7 }),
    ),
  });
});

after(async () => {
  await director.stop();
  eyes.close();
  await network.remove();
});

function plan() {
  return director.command([
    'plan',
    '--manifests',
    director.manifests,
    '--state-dir',
    director.stateDirectory,
  ]);
}

/** Writes of a director to the table, as NETLINK_DEBUG prints them; its probes for schedulers are on a mark. */
function written(log: string): string[] {
  return log
    .split('\n')
    .filter((line) => /^> IPVS_CMD_(NEW|SET|DEL)_/.test(line) && !line.includes('FWMARK'))
    .map((line) => /^> (IPVS_CMD_\w+)/.exec(line)?.[1] ?? '');
}

/** What the lines of a plan will be on the wire. */
function announced(text: string): string[] {
  return text.split('\n').flatMap((line) => {
    const sign = /^([+~-]) (?:TCP|UDP|SCTP|mark) /.exec(line)?.[1];
    if (sign === undefined) return [];
    const command = { '+': 'NEW', '~': 'SET', '-': 'DEL' }[sign] ?? '';
    return [`IPVS_CMD_${command}_${line.includes(' -> ') ? 'DEST' : 'SERVICE'}`];
  });
}

describe('plan', () => {
  it('shows the first pass, changes nothing, and the director then does that', async () => {
    const before = [...eyes.tableLines(), ...eyes.addressLines()];
    const shown = await plan();
    console.log(shown.stdout);
    assert.equal(shown.code, 3, shown.stderr);
    assert.deepEqual([...eyes.tableLines(), ...eyes.addressLines()], before, 'it changes nothing');
    const expected = announced(shown.stdout);
    assert.ok(expected.length >= 5, shown.stdout);
    director.spawn({ NETLINK_DEBUG: '1' });
    await director.waitForLog(/director serves/);
    assert.deepEqual(written(director.log).toSorted(), expected.toSorted());
  });

  it('shows nothing when nothing is to be done, also beside a running director', async () => {
    const shown = await plan();
    assert.equal(shown.code, 0, `${shown.stdout}${shown.stderr}`);
  });

  it('shows an edit and the drain that it begins', async () => {
    await director.stop();
    director.write(
      'web.yaml',
      file(virtualService('web', network.vip4(0)), realServer('web', '198.51.100.12')),
    );
    const shown = await plan();
    console.log(shown.stdout);
    assert.equal(shown.code, 3);
    const from = director.log.length;
    director.spawn({ NETLINK_DEBUG: '1' });
    await director.waitForLog(/director serves/, { from });
    const expected = announced(shown.stdout);
    assert.deepEqual(written(director.log.slice(from)).slice(0, expected.length), expected);
    await until(
      'the server is gone',
      () => eyes.weight(`TCP ${network.vip4(0)}:80`, '198.51.100.11:80') === undefined,
    );
  });

  it('shows refusals with file and line, and drops nothing that a director would keep', async () => {
    director.edit('routed.yaml', network.routedVip4(0), '198.18.0.1');
    const shown = await plan();
    assert.equal(shown.code, 0, shown.stdout);
    assert.match(shown.stderr, /routed\.yaml:\d+:\d+: .*198\.18\.0\.1/);
    await director.kill();
    const alone = await plan();
    assert.equal(alone.code, 0, alone.stdout);
  });
});
