import { readFileSync, readdirSync } from 'node:fs';

/** Milliseconds of CPU, in user and kernel mode, that a process, its threads and its descendants have used so far. */
export function cpuMsOfTree(pid: number): number {
  return familyOf(pid).reduce((sum, member) => sum + cpuMs(member), 0);
}

/** The most memory that they ever had in MB (10^6 bytes), each for itself. */
export function peakMbOfTree(pid: number): number {
  return familyOf(pid).reduce((sum, member) => sum + peakMb(member), 0);
}

function familyOf(pid: number): number[] {
  const parents = readParents();
  const family = new Set([pid]);
  for (let size = 0; size < family.size;) {
    size = family.size;
    for (const [child, parent] of parents) if (family.has(parent)) family.add(child);
  }
  return [...family];
}

function peakMb(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return (Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024) / 1e6;
}

function cpuMs(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  const nanoseconds = readdirSync(tasks).map((task) =>
    Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0]),
  );
  return nanoseconds.reduce((sum, ns) => sum + ns, 0) / 1e6;
}

function readParents(): Map<number, number> {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      // The name of the program is in brackets and may hold anything.
      const rest = /^.*\)\s\S\s(\d+)/s.exec(readFileSync(`/proc/${name}/stat`, 'utf8'));
      if (rest !== null) parents.set(Number(name), Number(rest[1]));
    } catch {
      // Ended between the listing and now.
    }
  }
  return parents;
}
