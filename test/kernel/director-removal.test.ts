import assert from 'node:assert/strict';
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { LabDirector } from '../lab/director-process.ts';
import { runInLab } from '../lab/host.ts';
import { layOutNetwork } from '../lab/network.ts';
import type { LabNetwork } from '../lab/network.ts';
import { Eyes, conditionOf, configFlags, sleep, until } from './director-eyes.ts';
import { file, labPool, realServer, virtualService } from './director-objects.ts';

/**
 * Nothing goes because a list was short: a folder that loses most of its files is asked twice, one that cannot be read
 * is no list, and what is broken keeps its last good form. What a person takes away on purpose goes at once.
 */

const services = 8;
/** Time for a status to be written, and for an edit to reach the kernel, in a busy lab while a removal is held. */
const confirmSeconds = 8;
let network: LabNetwork;
let director: LabDirector;
let eyes: Eyes;

function key(index: number): string {
  return `TCP ${network.routedVip4(index)}:80`;
}

function serviceFile(index: number): string {
  const name = `s${index}`;
  return file(
    virtualService(name, network.routedVip4(index), { drain: { timeoutSeconds: 0 } }),
    realServer(name, ['198.51.100.11', '198.51.100.12']),
  );
}

before(async () => {
  network = await layOutNetwork({ realServers: 0 });
  const manifests = Object.fromEntries(
    Array.from({ length: services }, (_, index) => [`s${index}.yaml`, serviceFile(index)]),
  );
  director = new LabDirector(
    network.director,
    { 'pool.yaml': labPool, ...manifests },
    configFlags({ massRemoval: { fraction: 0.5, entries: 10, confirmSeconds } }),
  );
  await director.start();
  eyes = new Eyes(network.director);
});

after(async () => {
  await director.stop();
  eyes.close();
  await network.remove();
});

/** Each test begins with all services. */
beforeEach(async () => {
  for (let index = 0; index < services; index++) director.write(`s${index}.yaml`, serviceFile(index));
  await until('all services are served', () => eyes.table().size === services);
});

/** Nothing that the director does falls between the beginning and the end of this. */
async function whileItStandsStill<T>(action: () => T | Promise<T>): Promise<T> {
  const pid = director.pid ?? assert.fail('no director runs');
  process.kill(pid, 'SIGSTOP');
  try {
    return await action();
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}

/** The first so many services, all gone from one list to the next: a look between two files would make two lists. */
async function removeServices(count: number): Promise<void> {
  await whileItStandsStill(() => {
    for (let index = 0; index < count; index++) director.remove(`s${index}.yaml`);
  });
}

async function untilCondition(type: string, value: string): Promise<void> {
  await until(`${type} is ${value}`, () => conditionOf(director, type) === value).catch(() =>
    assert.equal(conditionOf(director, type), value),
  );
}

describe('a folder that loses most of its files', () => {
  it('is asked again, and believed when it says the same', async () => {
    const from = director.log.length;
    const startMs = performance.now();
    await removeServices(6);
    await director.waitForLog(/mass removal held/, { from });
    assert.equal(eyes.table().size, services, 'nothing is gone yet');
    // Watched from here on, so that what follows takes nothing from the time that is measured.
    const confirmed = until('the removal is confirmed', () => eyes.table().size === 2).then(
      () => performance.now() - startMs,
    );
    await untilCondition('Programmed', 'False RemovalHeld');
    // The program that prints the status may take longer to start than the removal is held.
    const { stdout } = await whileItStandsStill(() => director.status());
    assert.match(stdout, /held since .*: removal of \d+ entries/);
    const tookMs = await confirmed;
    console.log(`mass removal confirmed after ${Math.round(tookMs)} ms (confirmSeconds ${confirmSeconds})`);
    assert.ok(tookMs > confirmSeconds * 1000, `not before ${confirmSeconds} s: ${tookMs} ms`);
    await untilCondition('Programmed', 'True TableEqualsGoal');
  });

  it('begins anew when it lacks even more, and is forgotten when the files are back', async () => {
    let from = director.log.length;
    await removeServices(5);
    await director.waitForLog(/mass removal held.*entries=15/, { from });
    from = director.log.length;
    director.remove('s5.yaml');
    await director.waitForLog(/mass removal held.*entries=18/, { from });
    for (let index = 0; index < 6; index++) director.write(`s${index}.yaml`, serviceFile(index));
    await director.waitForLog(/mass removal no longer held/, { from });
    await sleep(confirmSeconds * 1000);
    assert.equal(eyes.table().size, services);
  });

  it('still takes edits: what a person drains, drains at once', async () => {
    const from = director.log.length;
    await removeServices(6);
    await director.waitForLog(/mass removal held/, { from });
    director.edit(
      's7.yaml',
      '"addresses":["198.51.100.11","198.51.100.12"]',
      '"addresses":["198.51.100.13"],"weight":7',
    );
    await until('the new server is there', () => eyes.weight(key(7), '198.51.100.13:80') === 7, 6000);
    assert.equal(eyes.table().size, services);
  });
});

describe('a folder that is no list', () => {
  const moved = (): string => `${director.manifests}.moved`;

  it('removes nothing while it is gone, and goes on when it is back', async () => {
    renameSync(director.manifests, moved());
    await untilCondition('ManifestsRead', 'False Problems');
    await sleep(1500);
    assert.equal(eyes.table().size, services);
    renameSync(moved(), director.manifests);
    await untilCondition('ManifestsRead', 'True Read');
    director.edit(
      's0.yaml',
      '"addresses":["198.51.100.11","198.51.100.12"]',
      '"addresses":["198.51.100.11"],"weight":9',
    );
    await until('an edit is seen again', () => eyes.weight(key(0), '198.51.100.11:80') === 9);
  });

  it('removes nothing when an empty file system is mounted over it', async () => {
    await runInLab(['mount', '-t', 'tmpfs', 'none', director.manifests]);
    try {
      const from = director.log.length;
      process.kill(director.pid ?? 0, 'SIGHUP');
      await director.waitForLog(/no manifest|empty|holds no/i, { from });
      await untilCondition('ManifestsRead', 'False Problems');
      assert.equal(eyes.table().size, services);
    } finally {
      await runInLab(['umount', director.manifests]);
    }
    process.kill(director.pid ?? 0, 'SIGHUP');
    await untilCondition('ManifestsRead', 'True Read');
  });

  it('is replaced by the last good state when a director starts without it', async () => {
    const goal = eyes.tableLines();
    await director.stop();
    renameSync(director.manifests, moved());
    await network.director.check(['ipvsadm', '-C']);
    await director.start();
    await until(
      'the last good state is served',
      () => eyes.tableLines().join('\n') === goal.join('\n'),
    ).catch(() => assert.deepEqual(eyes.tableLines(), goal));
    // Of this process: the one before left a status that says that all is well.
    await untilCondition('ManifestsRead', 'False Problems');
    renameSync(moved(), director.manifests);
    await untilCondition('ManifestsRead', 'True Read');
    assert.deepEqual(eyes.tableLines(), goal);
  });
});

describe('a manifest that is broken', () => {
  it('keeps its last good form, and is named with line and column in the log and in status', async () => {
    const before = eyes.tableLines();
    const from = director.log.length;
    const good = director.read('s3.yaml');
    director.write('s3.yaml', good.replace('kind: RealServer', 'kind: RealServer\n\tbad: [tab'));
    await director.waitForLog(/s3\.yaml:\d+:\d+: /, { from });
    await untilCondition('ManifestsRead', 'False Problems');
    assert.match((await director.status()).stdout, /s3\.yaml:\d+:\d+: /);
    assert.deepEqual(eyes.tableLines(), before);
    director.write('s3.yaml', good);
    await untilCondition('ManifestsRead', 'True Read');
  });

  it('keeps what was accepted when a rule refuses it, also over a restart', async () => {
    const before = eyes.tableLines();
    const from = director.log.length;
    director.edit('s4.yaml', network.routedVip4(4), '198.18.0.1');
    await director.waitForLog(/198\.18\.0\.1.*s4\.yaml:\d+:\d+/, { from });
    assert.deepEqual(eyes.tableLines(), before);
    await director.kill();
    await director.start();
    await sleep(1200);
    assert.deepEqual(eyes.tableLines(), before);
    const plan = await director.command([
      'plan',
      '--manifests',
      director.manifests,
      '--state-dir',
      join(director.stateDirectory),
    ]);
    assert.deepEqual([plan.code, plan.stdout.includes('delete')], [0, false], plan.stdout);
    assert.match(plan.stderr, /s4\.yaml:\d+:\d+: .*198\.18\.0\.1/);
  });
});
