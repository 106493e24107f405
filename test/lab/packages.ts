import { spawnSync } from 'node:child_process';

/**
 * The Debian packages that the lab needs, with the reason for each. This list is the only one: `.ci/run`, the demo
 * and the tests all install from here.
 */
export const labPackages: Readonly<Record<string, string>> = {
  'user-mode-linux': 'the kernel that the lab boots, and its modules',
  kmod: 'modprobe, with which that kernel loads IPVS',
  iproute2: 'network namespaces, links and addresses',
  ipvsadm: 'oracle: the standard IPVS tool reads what we wrote',
  iptables: 'the VIP guard, firewall marks and source NAT',
  nftables: 'foreign rules that must stay untouched',
  keepalived: 'oracle and rival in benchmarks',
  tcpdump: 'announcements on the wire',
  'iputils-ping': 'reachability of a VIP',
};

/** The lab cannot run on this machine; `message` is one line that says why and what to do. */
export class LabUnavailable extends Error {
  override readonly name = 'LabUnavailable';
}

/** Names of lab packages that are not installed. Throws `LabUnavailable` where there is no dpkg at all. */
export function missingLabPackages(): string[] {
  const names = Object.keys(labPackages);
  const query = spawnSync('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\n', ...names], {
    encoding: 'utf8',
  });
  if (query.error !== undefined) {
    throw new LabUnavailable(
      `The lab needs a Debian or Ubuntu machine: dpkg-query could not be run (${query.error.message}).`,
    );
  }
  const installed = new Set(
    query.stdout
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0]),
  );
  return names.filter((name) => !installed.has(name));
}

/**
 * Sees to it that every lab package is installed: as root by apt-get, otherwise by saying what to install.
 *
 * @param progress receives one line for a person when something has to be installed
 * @throws LabUnavailable when a package is missing and cannot be installed here
 */
export function ensureLabPackages(progress: (line: string) => void): void {
  const missing = missingLabPackages();
  if (missing.length === 0) return;
  const byHand = `apt-get install ${missing.join(' ')}`;
  if (process.getuid?.() !== 0) {
    throw new LabUnavailable(`The lab needs Debian packages that are missing here. As root, run: ${byHand}`);
  }
  progress(`Installing Debian packages for the lab: ${missing.join(' ')}`);
  for (const step of [
    ['update', '-qq'],
    ['install', '-qq', '-y', '--no-install-recommends', ...missing],
  ]) {
    const apt = spawnSync('apt-get', step, {
      encoding: 'utf8',
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    if (apt.status !== 0 && step[0] === 'install') {
      const reason = (apt.error?.message ?? apt.stderr).trim().split('\n').slice(-3).join(' ');
      throw new LabUnavailable(`"${byHand}" failed: ${reason}`);
    }
  }
}

if (import.meta.main) {
  try {
    ensureLabPackages((line) => console.log(line));
    console.log('All Debian packages of the lab are installed.');
  } catch (error) {
    if (!(error instanceof LabUnavailable)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
