import { spawnSync } from 'node:child_process';

/** What a person should know on entering the lab. `hosts` are names of network namespaces. */
function shellBanner(hosts: readonly string[]): string {
  const lines = [
    '',
    'You are inside the lab: a Linux kernel of its own. The host is read-only; leave with "exit".',
    'At hand: lvs-operator, ipvsadm, ip netns, tcpdump, ping, keepalived.',
  ];
  if (hosts.length > 0) {
    lines.push(`Hosts: ${hosts.join(' ')}`, `For example: ip netns exec ${hosts[0]} ipvsadm -Ln`);
  }
  return `${lines.join('\n')}\n\n`;
}

/** Program and arguments of an interactive shell in the lab, for a boot with `interactive: true`. */
export function labShellArgv(hosts: readonly string[] = []): string[] {
  return ['sh', '-c', 'printf %s "$1"; exec env PS1="lab# " bash --norc -i', 'sh', shellBanner(hosts)];
}

/** Inside an interactive boot: gives the terminal to a shell and returns when the person leaves it. */
export function openLabShell(hosts: readonly string[] = []): void {
  const [program = 'sh', ...rest] = labShellArgv(hosts);
  spawnSync(program, rest, { stdio: 'inherit' });
}
