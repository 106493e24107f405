/**
 * `npm run check`: everything that can be said about the sources without running them, side by side.
 * `-- --fix` first formats, applies the linter's safe fixes and regenerates, then checks.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { performance } from 'node:perf_hooks';

const root = path.resolve(import.meta.dirname, '..');
const folders = ['src', 'test', 'tools', 'demo', 'bench'].filter((folder) =>
  existsSync(path.join(root, folder)),
);

interface Step {
  readonly name: string;
  readonly command: readonly string[];
  readonly fix?: readonly string[];
}

interface StepResult {
  readonly step: Step;
  readonly isPassed: boolean;
  readonly output: string;
}

const steps: readonly Step[] = [
  { name: 'types', command: [binary('tsc'), '--project', '.', '--pretty'] },
  {
    name: 'lint',
    command: [binary('oxlint'), '--type-aware', '--quiet', ...folders],
    fix: [binary('oxlint'), '--type-aware', '--quiet', '--fix', ...folders],
  },
  {
    name: 'format',
    command: [binary('prettier'), '--check', '--log-level', 'warn', '.'],
    fix: [binary('prettier'), '--write', '--log-level', 'warn', '.'],
  },
  { name: 'unused', command: [binary('knip'), '--no-progress'] },
  {
    name: 'generated',
    command: [process.execPath, path.join(root, 'tools/generate.ts'), '--check'],
    fix: [process.execPath, path.join(root, 'tools/generate.ts')],
  },
];

function binary(name: string): string {
  return path.join(root, 'node_modules/.bin', name);
}

/** Both streams in one, in the order in which they came. */
function run(command: readonly string[]): Promise<{ code: number; output: string }> {
  const [file = '', ...args] = command;
  return new Promise((resolve, reject) => {
    // The tools start "node" by name: put the one that runs us first, as npm does.
    const searchPath = `${path.dirname(process.execPath)}${path.delimiter}${process.env['PATH'] ?? ''}`;
    const child = spawn(file, args, {
      cwd: root,
      env: {
        ...process.env,
        PATH: searchPath,
        ...(process.stdout.isTTY ? { FORCE_COLOR: '1' } : { NO_COLOR: '1' }),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    }
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 1, output: output.trim() }));
  });
}

async function check(step: Step): Promise<StepResult> {
  const start = performance.now();
  const { code, output } = await run(step.command);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${code === 0 ? 'ok    ' : 'FAILED'}  ${step.name.padEnd(10)} ${seconds.padStart(5)} s`);
  return { step, isPassed: code === 0, output };
}

if (process.argv.includes('--fix')) {
  for (const step of steps) {
    if (step.fix !== undefined) await run(step.fix);
  }
  console.log('fixed what can be fixed');
}
const results = await Promise.all(steps.map(check));
const failures = results.filter((result) => !result.isPassed);
for (const { step, output } of failures) console.log(`\n--- ${step.name} ---\n${output}`);
if (failures.length > 0) {
  console.log(
    `\n${failures.length} of ${steps.length} checks failed: ${failures.map((f) => f.step.name).join(', ')}`,
  );
  process.exitCode = 1;
}
