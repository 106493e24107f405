/**
 * `node tools/assemble-image.ts FOLDER`: lays out the root of the container image. The Dockerfile copies that folder as it
 * is, so a test that assembles it tests the image, where no image can be built or pulled.
 *
 * In it: Node.js as the lock file has it, the bundle, koffi with its one native file, iptables in both notations with its
 * extensions, the shared libraries of all these from the Debian that this runs on, and V8's compiled code of the bundle.
 * No shell, no package manager, nothing that is set-uid.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { buildProduct } from './build.ts';
import { imageEnvironment, imagePaths, nonRootUid } from './image-layout.ts';

const repository = path.resolve(import.meta.dirname, '..');
const modules = path.join(repository, 'node_modules');

const families = ['iptables', 'ip6tables'];
const verbs = ['', '-save', '-restore'];

/**
 * @param root is emptied first
 * @throws Error where this machine lacks iptables or a library
 */
export async function assembleImage(root: string): Promise<void> {
  const { file } = await buildProduct();
  const next = `${root}.${process.pid}`;
  rmSync(next, { recursive: true, force: true });
  const image = new ImageRoot(next);
  // As in Debian, where the folders of /usr are the only ones.
  for (const folder of ['bin', 'sbin', 'lib', 'lib64']) {
    if (existsSync(`/${folder}`)) image.link(`/${folder}`, `usr/${folder}`);
    image.folder(`/usr/${folder}`);
  }
  for (const folder of [...imagePaths.writable, ...imagePaths.mounted]) image.folder(folder);
  image.write(
    '/etc/passwd',
    `root:x:0:0:root:/:/sbin/nologin\nlvs:x:${nonRootUid}:${nonRootUid}::/:/sbin/nologin\n`,
  );
  image.write('/etc/group', `root:x:0:\nlvs:x:${nonRootUid}:\n`);

  image.program(path.join(modules, 'node/bin/node'), imagePaths.node);
  // The interpreter is named outright: there is no env to look for it.
  const bundle = readFileSync(file, 'utf8').replace(/^#!.*/, `#!${imagePaths.node}`);
  image.write(imagePaths.product, bundle, 0o755);
  image.link('/usr/bin/lvs-operator', '../lib/lvs-operator/lvs-operator.mjs');
  image.write('/usr/share/doc/lvs-operator/LICENSE', readFileSync(path.join(repository, 'LICENSE'), 'utf8'));
  image.write('/usr/share/doc/lvs-operator/dependencies', readFileSync(`${file}.LEGAL.txt`, 'utf8'));
  addKoffi(image);
  addIptables(image);
  image.addLibraries();
  image.addPackageNotes();
  warmCompileCache(next);
  const old = `${next}.old`;
  if (existsSync(root)) renameSync(root, old);
  renameSync(next, root);
  rmSync(old, { recursive: true, force: true });
}

/** What `require('koffi')` reads, and of the native files the one for this architecture and glibc. */
function addKoffi(image: ImageRoot): void {
  const to = path.join(path.dirname(imagePaths.product), 'node_modules');
  const native = `@koromix/koffi-linux-${process.arch}`;
  const files = [
    ...['package.json', 'index.cjs', 'src/koffi/index.cjs', 'src/koffi/src/static.cjs', 'LICENSE.txt'].map(
      (name) => `koffi/${name}`,
    ),
    ...['package.json', 'index.js'].map((name) => `${native}/${name}`),
  ];
  for (const file of files) image.copy(path.join(modules, file), path.join(to, file));
  const file = `${native}/linux_${process.arch}/koffi.node`;
  image.program(path.join(modules, file), path.join(to, file));
}

/** The names that the director calls, and no others: the programs look at the name that they are called by. */
function addIptables(image: ImageRoot): void {
  for (const backend of ['nft', 'legacy']) {
    const multi = `xtables-${backend}-multi`;
    image.program(`/usr/sbin/${multi}`, `/usr/sbin/${multi}`);
    for (const family of families) {
      for (const verb of verbs) image.link(`/usr/sbin/${family}-${backend}${verb}`, multi);
    }
  }
  // Both notations are there; where the host uses neither yet, the newer one is taken.
  for (const family of families) {
    for (const verb of verbs) image.link(`/usr/sbin/${family}${verb}`, 'xtables-nft-multi');
  }
  const folder = path.dirname(libraryOf('/usr/sbin/xtables-nft-multi', 'libxtables'));
  const extensions = path.join(realpathSync(folder), 'xtables');
  for (const name of readdirSync(extensions)) {
    const from = path.join(extensions, name);
    const isLink = lstatSync(from).isSymbolicLink();
    if (isLink) image.link(from, readlinkSync(from));
    else image.program(from, from);
  }
}

function libraryOf(program: string, name: string): string {
  const found = librariesOf([program]).find((library) => path.basename(library).startsWith(name));
  if (found === undefined) throw new Error(`${program} uses no ${name}: install the package iptables.`);
  return found;
}

/** Every shared library that the files need, and the loader. */
function librariesOf(files: readonly string[]): string[] {
  const told = execFileSync('ldd', files, { encoding: 'utf8' });
  const missing = /^\s*(\S+) => not found/m.exec(told)?.[1];
  if (missing !== undefined) throw new Error(`${missing} is not on this machine.`);
  return [...new Set([...told.matchAll(/(?:=> |^\s*)(\/\S+) \(0x/gm)].map(([, file]) => file ?? ''))];
}

/** Runs the bundle once where it will be, so that later starts find its code compiled; whoever they run as may read it. */
function warmCompileCache(root: string): void {
  const cache = path.join(root, imagePaths.compileCache);
  mkdirSync(cache, { recursive: true });
  const command = [path.join(root, imagePaths.product), 'controller', '--help'];
  execFileSync(path.join(root, imagePaths.node), command, {
    env: { ...imageEnvironment, NODE_COMPILE_CACHE: cache },
    stdio: 'ignore',
  });
  const files = readdirSync(cache, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  if (files.length === 0) throw new Error('Node.js has kept no compiled code of the bundle.');
  for (const { parentPath, name } of files) chmodSync(path.join(parentPath, name), 0o644);
}

class ImageRoot {
  readonly #root: string;
  /** Files that are run or loaded: their libraries come with them, from where they were. */
  readonly #loaded: string[] = [];
  readonly #copied = new Set<string>();

  constructor(root: string) {
    this.#root = root;
  }

  folder(at: string): void {
    mkdirSync(path.join(this.#root, at), { recursive: true });
  }

  write(at: string, text: string, mode = 0o644): void {
    this.folder(path.dirname(at));
    writeFileSync(path.join(this.#root, at), text, { mode });
  }

  link(at: string, target: string): void {
    this.folder(path.dirname(at));
    symlinkSync(target, path.join(this.#root, at));
  }

  copy(from: string, at: string, mode = 0o644): void {
    this.folder(path.dirname(at));
    const to = path.join(this.#root, at);
    cpSync(realpathSync(from), to);
    chmodSync(to, mode);
    this.#copied.add(from);
  }

  program(from: string, at: string): void {
    this.copy(from, at, 0o755);
    this.#loaded.push(from);
  }

  addLibraries(): void {
    for (const library of librariesOf(this.#loaded)) {
      // /lib is a link to /usr/lib, in the image as here.
      const at = library.startsWith('/usr/') ? library : `/usr${library}`;
      if (!existsSync(path.join(this.#root, at))) this.copy(library, at, 0o755);
    }
  }

  /** What Debian packages the files are from, where scanners look for it in images without a package manager. */
  addPackageNotes(): void {
    const debian = [...this.#copied]
      .filter((file) => !file.startsWith(repository))
      .map((file) => realpathSync(file));
    const packages = new Set(packagesOf(debian));
    for (const name of packages) {
      const [plain = name] = name.split(':');
      this.write(`/var/lib/dpkg/status.d/${plain}`, execFileSync('dpkg', ['-s', name], { encoding: 'utf8' }));
      const notice = `/usr/share/doc/${plain}/copyright`;
      if (existsSync(notice)) this.copy(notice, notice);
    }
    this.copy(realpathSync('/etc/os-release'), '/usr/lib/os-release');
    this.link('/etc/os-release', '../usr/lib/os-release');
  }
}

/** @throws Error where a file comes from no package */
function packagesOf(files: readonly string[]): string[] {
  // A package may know a file by the folder that is only a link today.
  const spellings = files.flatMap((file) => [file, file.replace(/^\/usr\/lib/, '/lib')]);
  const { stdout } = spawnSync('dpkg', ['-S', ...spellings], { encoding: 'utf8' });
  const owners = new Map(
    [...stdout.matchAll(/^([^\s,]+): (\S+)$/gm)].map(([, name = '', file = '']) => [
      file.replace(/^\/lib/, '/usr/lib'),
      name,
    ]),
  );
  return files.map((file) => {
    const owner = owners.get(file);
    if (owner === undefined) throw new Error(`${file} belongs to no Debian package.`);
    return owner;
  });
}

/** Bytes of all files below a folder; links are not followed. */
export function sizeOf(folder: string): number {
  return readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) return sum + sizeOf(file);
    return sum + (entry.isFile() ? statSync(file).size : 0);
  }, 0);
}

if (import.meta.main) {
  const [folder] = process.argv.slice(2);
  if (folder === undefined) throw new Error('usage: node tools/assemble-image.ts FOLDER');
  await assembleImage(path.resolve(folder));
  console.log(`${folder}: ${(sizeOf(folder) / 1024 / 1024).toFixed(0)} MiB`);
}
