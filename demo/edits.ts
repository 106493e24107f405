import type { LabDirector } from '../test/lab/director-process.ts';
import type { LabNetwork } from '../test/lab/network.ts';
import { holdConnections, startRequests } from '../test/lab/traffic.ts';
import { chapter, check, say, showCommand, showEdit } from './screen.ts';

interface Edit {
  readonly title: string;
  readonly file: string;
  /** The text to replace, once, and its replacement. An empty replacement of the whole file removes it. */
  readonly from: string;
  readonly to: string;
  /** What the kernel table must say afterwards; lines as `ipvsadm -Sn` prints them. */
  readonly isDone: (lines: readonly string[]) => boolean;
  readonly promise: string;
}

const vip = '192.0.2.10:80';
const has =
  (...words: readonly string[]) =>
  (line: string): boolean =>
    words.every((word) => line.includes(word));

const edits: readonly Edit[] = [
  {
    title: 'A server leaves for maintenance: its addresses go from the list',
    file: 'nat.yaml',
    from: '    - 198.51.100.13\n',
    to: '',
    isDone: (lines) => !lines.some(has(`-t ${vip}`, '-r 198.51.100.13:8080')),
    promise: 'quiesced first, removed when its connections had ended',
  },
  {
    title: 'It comes back',
    file: 'nat.yaml',
    from: '    - 198.51.100.12\n',
    to: '    - 198.51.100.12\n    - 198.51.100.13\n',
    isDone: (lines) => lines.some(has(`-t ${vip}`, '-r 198.51.100.13:8080', '-w 100')),
    promise: 'server added',
  },
  {
    title: 'The scheduler changes',
    file: 'nat.yaml',
    from: 'scheduler: wlc',
    to: 'scheduler: wrr',
    isDone: (lines) => lines.some(has(`-A -t ${vip} -s wrr`)),
    promise: 'changed in place, never deleted and made anew',
  },
  {
    title: 'The weight of all of them changes',
    file: 'nat.yaml',
    from: '  virtualServiceRef:\n    name: nat\n',
    to: '  virtualServiceRef:\n    name: nat\n  weight: 50\n',
    isDone: (lines) =>
      lines.filter((line) => line.includes(`-a -t ${vip}`) && line.includes('-w 50')).length === 3,
    promise: 'three weights changed',
  },
];

const longConnections = 20;

/** Edits of each kind while requests and long connections run through the VIPs that are edited. */
export async function tellOfEdits(network: LabNetwork, director: LabDirector): Promise<void> {
  chapter(`Live edits under traffic: 40 requests a second, ${longConnections} long connections`);
  const { client } = network;
  const nat = await startRequests(client, { host: '192.0.2.10', port: 80, perSecond: 20 });
  const direct = await startRequests(client, { host: '192.0.2.11', port: 80, perSecond: 20 });
  const held = await holdConnections(client, {
    host: '192.0.2.11',
    port: 80,
    http: true,
    connections: longConnections,
    everyMs: 200,
  });
  for (const edit of edits) await showOneEdit(edit, director);
  await showDrain(director);
  await showRemoval(director);
  const heldCounts = await held.stop();
  check(
    'the long connections have ended, so the drained server has left the table',
    await isReached(director, (lines) => !lines.some(has('-t 192.0.2.11:80', '-r 198.51.100.13:80'))),
  );
  const counts = [await nat.stop(), await direct.stop()];
  const sent = counts.reduce((sum, { sent: each }) => sum + each, 0);
  const failed = counts.reduce((sum, { failed: each }) => sum + each, 0);
  say();
  say(`  requests during the edits: ${sent}, failed: ${failed}`);
  say(
    `  long connections: ${heldCounts.opened}, broken: ${heldCounts.broken}, exchanges on them: ${heldCounts.messages}`,
  );
  check('no request failed during the edits', failed === 0 && sent > 100);
  check('no long connection broke', heldCounts.broken === 0 && heldCounts.opened === longConnections);
  showCommand('ipvsadm -Ln', await director.host.check(['ipvsadm', '-Ln']));
}

async function showOneEdit(edit: Edit, director: LabDirector): Promise<void> {
  say();
  say(`  ${edit.title}:`);
  showEdit(edit.file, linesOf(edit.from, edit.to), linesOf(edit.to, edit.from));
  director.edit(edit.file, edit.from, edit.to);
  const since = performance.now();
  const isDone = await isReached(director, edit.isDone);
  check(`${edit.promise} (seen after ${((performance.now() - since) / 1000).toFixed(1)} s)`, isDone);
}

/** state: Drained on a server with long connections: they go on, new ones go elsewhere. */
async function showDrain(director: LabDirector): Promise<void> {
  say();
  say('  The big server of the DR service drains, long connections and all:');
  const from = '  weight: 200\n';
  const to = `${from}  state: Drained\n`;
  showEdit('direct-route.yaml', [], linesOf(to, from));
  director.edit('direct-route.yaml', from, to);
  const isQuiesced = await isReached(director, (lines) =>
    lines.some(has('-t 192.0.2.11:80', '-r 198.51.100.13:80', '-w 0')),
  );
  check('quiesced: weight 0, no new connections, the old ones go on', isQuiesced);
}

/** A whole service goes: the tunnel over GUE. */
async function showRemoval(director: LabDirector): Promise<void> {
  say();
  say('  A service is removed: the second half of tunnel.yaml goes');
  const documents = director.read('tunnel.yaml').split('\n---\n');
  director.write('tunnel.yaml', documents.slice(0, 2).join('\n---\n'));
  const isGone = await isReached(director, (lines) => !lines.some((line) => line.includes('192.0.2.13')));
  check('its servers drained, the service is gone', isGone);
  check('its VIP is released', await isVipReleased(director, '192.0.2.13'));
}

/** The address goes once no service uses it, a moment after the service. */
async function isVipReleased(director: LabDirector, released: string): Promise<boolean> {
  const listAddresses = () => director.host.check(['ip', '-brief', 'address', 'show', 'dev', 'eth0']);
  try {
    await director.waitUntil(
      `${released} is released`,
      async () => !(await listAddresses()).includes(released),
      {
        timeoutMs: 60_000,
      },
    );
    return true;
  } catch {
    return false;
  }
}

async function isReached(
  director: LabDirector,
  isDone: (lines: readonly string[]) => boolean,
): Promise<boolean> {
  try {
    await director.waitForTable('done', isDone, 60_000);
    return true;
  } catch {
    return false;
  }
}

function linesOf(text: string, without: string): readonly string[] {
  const others = new Set(without.split('\n'));
  return text.split('\n').filter((line) => line.trim() !== '' && !others.has(line));
}
