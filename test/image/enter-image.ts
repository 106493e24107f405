/**
 * Becomes a program inside a folder, as a container run time does it: another root, another user, capabilities taken away
 * for good, and no new ones. One argument: an `Entry` as JSON. No tool of the host is in that folder, so this cannot be
 * done by a chain of commands.
 */
import { createRequire } from 'node:module';
import type * as Koffi from 'koffi';

export interface Entry {
  readonly root: string;
  readonly uid: number;
  /** Numbers of capabilities that are left. For another user than root they are only a bound. */
  readonly capabilities: readonly number[];
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** linux/prctl.h */
const PR_CAPBSET_DROP = 24;
const PR_SET_NO_NEW_PRIVS = 38;
/** linux/capability.h: CAP_CHECKPOINT_RESTORE is the last one. */
const lastCapability = 40;

const { root, uid, capabilities, argv, env } = JSON.parse(process.argv[2] ?? '') as Entry;
const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi;
const libc = koffi.load(null);
const call = (prototype: string) => {
  const run = libc.func(prototype) as (...values: readonly (number | string | null)[]) => number;
  return (...values: readonly (number | string | null)[]): void => {
    if (run(...values) !== 0) throw new Error(`${prototype}: errno ${koffi.errno()}`);
  };
};
const prctl = call(
  'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
);
const chroot = call('int chroot(const char *path)');
const setgroups = call('int setgroups(size_t count, void *groups)');
const setresgid = call('int setresgid(int real, int effective, int saved)');
const setresuid = call('int setresuid(int real, int effective, int saved)');

for (let capability = 0; capability <= lastCapability; capability++) {
  if (!capabilities.includes(capability)) prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
}
prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
chroot(root);
process.chdir('/');
setgroups(0, null);
setresgid(uid, uid, uid);
setresuid(uid, uid, uid);
process.execve?.(argv[0] ?? '', [...argv], { ...env });
