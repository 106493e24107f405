import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { describe, it } from 'node:test';
import { askControlSocket, controlSocketFile, openControlSocket } from '../../src/cli/control-socket.ts';
import { openLogLevelSwitch } from '../../src/cli/log-level-switch.ts';
import { createLogger } from '../../src/cli/logger.ts';
import type { LogLevel } from '../../src/cli/logger.ts';
import { Environment, until } from '../apiserver/environment.ts';
import { temporaryFolder } from '../manifests/temporary-folder.ts';
import { productFile, runProduct } from './run-product.ts';

/** A log whose lines are kept, with the timers of its switch to be called by hand. */
function openTestLog(level: LogLevel) {
  const lines: string[] = [];
  const threshold = { level };
  const logger = createLogger(threshold, 'text', (line) => lines.push(line.slice(13).trim()));
  const due: (() => void)[] = [];
  const timers = {
    after: (delayMs: number, callback: () => void) => {
      assert.equal(delayMs, 60_000);
      due.push(callback);
      return () => void due.splice(due.indexOf(callback), 1);
    },
  };
  return { log: { logger, threshold }, lines, timers, due };
}

describe('the log level of a process', () => {
  it('changes for loggers that were there before, and goes back when its time is over', async () => {
    using temporary = temporaryFolder();
    const folder = temporary.path;
    const { log, lines, timers, due } = openTestLog('info');
    const room = log.logger.child({ room: 'kube' });
    const opened = await openLogLevelSwitch(folder, log, timers);
    const ask = async (question: unknown): Promise<unknown> =>
      JSON.parse(await askControlSocket(controlSocketFile(folder), JSON.stringify(question)));
    room.debug('unheard');
    assert.deepEqual(await ask({}), { level: 'info', started: 'info' });
    assert.deepEqual(await ask({ level: 'debug', seconds: 60 }), { level: 'debug', started: 'info' });
    room.debug('heard');
    assert.deepEqual(await ask({ level: 'error', seconds: 60 }), { level: 'error', started: 'info' });
    room.warn('unheard');
    assert.equal(due.length, 1, 'the earlier end is forgotten');
    due[0]?.();
    room.debug('unheard');
    room.info('heard');
    await opened.close();
    assert.deepEqual(lines, [
      'warn  log level changed  from=info to=debug seconds=60',
      'debug heard  room=kube',
      'warn  log level changed  from=debug to=error seconds=60',
      'warn  log level changed  from=error to=info',
      'info  heard  room=kube',
    ]);
    assert.equal(existsSync(controlSocketFile(folder)), false);
  });

  it('is not changed by what is no question', async (t) => {
    using temporary = temporaryFolder();
    const folder = temporary.path;
    const { log, timers, lines } = openTestLog('warn');
    const opened = await openLogLevelSwitch(folder, log, timers);
    t.after(() => opened.close());
    for (const line of [
      '',
      'debug',
      '[]x',
      'null',
      '{"level":"trace"}',
      '{"level":"debug","seconds":-1}',
      '{"level":"debug","seconds":1e9}',
      '{"level":"debug","seconds":"60"}',
      '{"other":1}',
    ])
      assert.match(await askControlSocket(controlSocketFile(folder), line), /"problem"/, line);
    await assert.rejects(askControlSocket(controlSocketFile(folder), 'x'.repeat(5000)));
    assert.deepEqual([log.threshold.level, lines], ['warn', []]);
  });
});

describe('the control socket', () => {
  it('is for its own user, survives a reader who goes away, and replaces what a killed process left', async (t) => {
    using temporary = temporaryFolder();
    const folder = temporary.path;
    const file = controlSocketFile(folder);
    writeFileSync(file, 'left behind');
    const socket = await openControlSocket(folder, (line) => `you said ${line}`);
    t.after(() => socket.close());
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const rude = connect(file);
    await once(rude, 'connect');
    rude.write('half a li');
    rude.destroy();
    assert.equal(await askControlSocket(file, 'hello'), 'you said hello');
  });

  it('is left to a process that answers there already; the other one goes on without', async (t) => {
    using temporary = temporaryFolder();
    const folder = temporary.path;
    const first = await openControlSocket(folder, () => 'first');
    t.after(() => first.close());
    const { log, lines, timers } = openTestLog('info');
    const second = await openLogLevelSwitch(folder, log, timers);
    await second.close();
    assert.match(
      lines.join(),
      /^warn {2}the log level cannot be changed while this runs {2}reason=.*another/,
    );
    assert.equal(await askControlSocket(controlSocketFile(folder), 'who'), 'first');
  });

  it('makes its folder, and says when it cannot', async () => {
    using temporary = temporaryFolder();
    const folder = temporary.path;
    const made = await openControlSocket(path.join(folder, 'run'), () => '');
    await made.close();
    assert.equal(statSync(path.join(folder, 'run')).mode & 0o777, 0o700);
    await assert.rejects(
      openControlSocket(path.join(folder, 'a/b'), () => ''),
      /ENOENT|EACCES/,
    );
  });
});

describe('lvs-operator log-level', () => {
  const mistakes: [scenario: string, args: readonly string[], stderr: RegExp][] = [
    ['a level that there is not', ['verbose'], /the level must be one of debug, info, warn, error/],
    ['two levels', ['debug', 'info'], /one level, please/],
    ['a time without a level', ['--for', '60'], /--for needs a level/],
    ['a time that is none', ['debug', '--for', 'ever'], /--for must be a number of seconds from 1 to 86400/],
  ];
  for (const [scenario, args, stderr] of mistakes) {
    it(`refuses ${scenario}`, async () => {
      const run = await runProduct(['log-level', ...args]);
      assert.equal(run.code, 2);
      assert.match(run.stderr, stderr);
    });
  }

  it('says when nobody answers', async () => {
    using temporary = temporaryFolder();
    const folder = temporary.path;
    const none = await runProduct(['log-level', '--control-dir', folder]);
    assert.deepEqual([none.code, none.stdout], [1, '']);
    assert.match(none.stderr, /nobody answers: there is no .*control\.sock/);
    writeFileSync(controlSocketFile(folder), '');
    const gone = await runProduct(['log-level', 'debug', '--control-dir', folder]);
    assert.equal(gone.code, 1);
    assert.match(gone.stderr, /no answer at .*control\.sock \(ECONNREFUSED\)\. Does the process still run\?/);
  });

  it('makes a controller talk, and be silent again', async (t) => {
    using temporary = temporaryFolder();
    const folder = temporary.path;
    const environment = new Environment('in-process');
    await environment.open();
    t.after(() => environment.close());
    const flags = ['--kubeconfig', environment.kubeconfigFile, '--namespace', environment.namespace];
    const child = spawn(
      process.execPath,
      [await productFile(), 'controller', ...flags, '--listen', 'off', '--control-dir', folder],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let log = '';
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (log += chunk));
    t.after(() => child.kill('SIGKILL'));
    await until('it leads', async () => Promise.resolve(log.includes('"leading"')));
    const set = (...args: readonly string[]) => runProduct(['log-level', ...args, '--control-dir', folder]);
    assert.deepEqual(await set('debug', '--for', '1'), {
      code: 0,
      stdout: 'debug for 1 s, then info\n',
      stderr: '',
    });
    await until('it goes back', async () => Promise.resolve(log.includes('"to":"info"')));
    assert.deepEqual(await set(), { code: 0, stdout: 'info\n', stderr: '' });
    assert.match(log, /"from":"info","to":"debug","seconds":1,"message":"log level changed"/);
    child.kill('SIGTERM');
    await once(child, 'close');
    assert.deepEqual(existsSync(controlSocketFile(folder)), false);
  });
});
