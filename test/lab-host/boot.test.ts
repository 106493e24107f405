import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { bootLab, describeLabResult } from '../lab/kernel.ts';
import type { LabOptions, LabResult } from '../lab/kernel.ts';

const repository = path.resolve(import.meta.dirname, '../..');
const nobody = 65534;

// Every lab of this file keeps its files here, so that what a boot leaves behind can be told from other labs.
const temporary = mkdtempSync(path.join(tmpdir(), 'lvs-lab-host-'));
chmodSync(temporary, 0o777);
process.env['TMPDIR'] = temporary;

interface Boot {
  result: LabResult;
  stdout: string;
  stderr: string;
}

async function boot(script: string, options: LabOptions = {}): Promise<Boot> {
  let stdout = '';
  let stderr = '';
  const result = await bootLab(
    { argv: ['sh', '-c', script] },
    { onStdout: (chunk) => (stdout += chunk), onStderr: (chunk) => (stderr += chunk), ...options },
  );
  return { result, stdout, stderr };
}

/** Runs a program on this machine to its end. */
function run(program: string, args: readonly string[], cwd = repository) {
  const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** Command lines of the processes that belong to labs of this file. */
function labProcesses(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return '';
      }
    })
    .filter((line) => line.includes('linux.uml') && line.includes(temporary));
}

function assertNothingLeft(): void {
  assert.deepEqual(labProcesses(), []);
  assert.deepEqual(
    readdirSync(temporary).filter((name) => name.startsWith('lvs-lab-')),
    [],
  );
}

suite('booting the lab', () => {
  after(() => rmSync(temporary, { recursive: true, force: true }));

  test('exit status and both streams come out apart, and the scratch folder is seen once', async () => {
    let scratch = '';
    const { result, stdout, stderr } = await boot(
      'echo out; echo err >&2; echo kept >$LAB_SCRATCH/file; echo private >/tmp/lab-was-here; cat; exit 7',
      { onScratch: (folder) => (scratch = readFileSync(path.join(folder, 'file'), 'utf8')) },
    );
    assert.deepEqual(result, { outcome: 'exited', code: 7 });
    assert.deepEqual([stdout, stderr, scratch], ['out\n', 'err\n', 'kept\n']);
    assert.equal(existsSync('/tmp/lab-was-here'), false);
    assertNothingLeft();
  });

  test('a program that leaves others behind ends at once, a large output is whole', async () => {
    const startMs = performance.now();
    const { result, stdout } = await boot('sleep 600 & seq 1 20000; exit 0');
    assert.deepEqual(result, { outcome: 'exited', code: 0 });
    assert.ok(performance.now() - startMs < 60_000);
    assert.equal(stdout, Array.from({ length: 20_000 }, (_, i) => `${i + 1}\n`).join(''));
    assertNothingLeft();
  });

  test('a crash of the kernel is told from any exit of the program', async () => {
    const { result } = await boot('echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger; sleep 60');
    assert.equal(result.outcome, 'crashed');
    assert.match(describeLabResult(result), /crashed before the program ended[^]*panic/i);
    assertNothingLeft();
  });

  test('a lab that takes too long is stopped', async () => {
    const { result, stdout } = await boot('echo begun; sleep 600', { timeoutMs: 8000 });
    assert.equal(result.outcome, 'timed out');
    assert.equal(stdout, 'begun\n');
    assertNothingLeft();
  });

  test('an abort ends every process of the lab', async () => {
    const abort = new AbortController();
    const { result } = await boot('echo begun; sleep 600', {
      signal: abort.signal,
      onStdout: () => {
        assert.notDeepEqual(labProcesses(), []);
        abort.abort();
      },
    });
    assert.deepEqual(result, { outcome: 'aborted' });
    assertNothingLeft();
  });

  test('an abort before the start boots nothing that lasts', async () => {
    const { result } = await boot('sleep 600', { signal: AbortSignal.abort() });
    assert.deepEqual(result, { outcome: 'aborted' });
    assertNothingLeft();
  });

  test('a lab whose parent is killed without warning ends too', async () => {
    const parent = spawn(process.execPath, ['test/lab/main.ts', 'sh', '-c', 'echo begun; sleep 600'], {
      cwd: repository,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await once(parent.stdout, 'data');
    assert.notDeepEqual(labProcesses(), []);
    parent.kill('SIGKILL');
    for (let tries = 0; tries < 100 && labProcesses().length > 0; tries += 1) await sleep(100);
    assert.deepEqual(labProcesses(), []);
    for (const left of readdirSync(temporary)) rmSync(path.join(temporary, left), { recursive: true });
  });

  test('npm run lab passes output and exit status through', async () => {
    const { code, stdout } = await run('npm', [
      'run',
      '--silent',
      'lab',
      '--',
      'sh',
      '-c',
      'echo "$1 $#"; exit 7',
      'sh',
      "it's one",
      'two',
    ]);
    assert.equal(stdout, "it's one 2\n");
    assert.equal(code, 7);
  });

  test('npm run lab without a command and without a terminal says what to do', async () => {
    const { code, stderr } = await run(process.execPath, ['test/lab/main.ts']);
    assert.equal(code, 125);
    assert.match(stderr, /^Nothing to run\. [^\n]*\n$/);
  });

  test('a program that does not exist is the program’s own failure', async () => {
    const { code, stderr } = await run(process.execPath, ['test/lab/main.ts', 'no-such-program']);
    assert.equal(code, 127);
    assert.match(stderr, /no-such-program/);
  });

  test('needs no root', async () => {
    // A copy, because the repository may lie where nobody else can read.
    const home = path.join(temporary, 'nobody');
    mkdirSync(path.join(home, 'bin'), { recursive: true });
    cpSync(path.join(repository, 'test/lab'), path.join(home, 'test/lab'), { recursive: true });
    copyFileSync(path.join(repository, 'package.json'), path.join(home, 'package.json'));
    copyFileSync(process.execPath, path.join(home, 'bin/node'));
    const asNobody = [`--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', '--'];
    const script =
      'id -u; ip netns add a && ip netns exec a ipvsadm -A -t 192.0.2.1:80 -s wlc && ip netns exec a ipvsadm -Sn';
    const command = [path.join(home, 'bin/node'), 'test/lab/main.ts', 'sh', '-c', script];
    const isRoot = process.getuid?.() === 0;
    const { code, stdout, stderr } = isRoot
      ? await run('setpriv', [...asNobody, ...command], home)
      : await run(command[0] ?? '', command.slice(1), home);
    assert.equal(stderr, '');
    assert.equal(stdout, '0\n-A -t 192.0.2.1:80 -s wlc\n');
    assert.equal(code, 0);
    assertNothingLeft();
  });
});
