/** From nothing to the first answer that a client gets through a VIP. */
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { layOutNetwork, type LabNetwork } from '../test/lab/network.ts';
import { ProductProcess } from './product-process.ts';
import type { BenchmarkOptions } from './options.ts';
import type { PartResult } from './report.ts';

const port = 80;

/** Answers every connection. */
const serverProgram = `
import net from 'node:net';
net.createServer((socket) => socket.end('served')).listen(${port}, '::', () => console.log('listening'));
`;

/** Tries until it is served, a few milliseconds apart, and prints when that was on the clock that all hosts share. */
const clientProgram = `
import net from 'node:net';
const [vip] = process.argv.slice(1);
function attempt() {
  let isServed = false;
  const socket = net.connect({ host: vip, port: ${port} });
  const timer = setTimeout(() => socket.destroy(), 100);
  socket.on('error', () => {});
  socket.on('data', () => (isServed = true));
  socket.on('close', () => {
    clearTimeout(timer);
    if (isServed) console.log(String(process.hrtime.bigint()));
    else setTimeout(attempt, 5);
  });
}
console.log('trying');
attempt();
`;

export async function benchmarkTraffic(
  options: BenchmarkOptions,
  folder: string,
  progress: (line: string) => void,
): Promise<PartResult> {
  const onLink: number[] = [];
  const routed: number[] = [];
  for (let round = 0; round < options.rounds; round++) {
    onLink.push(await timeFirstAnswer(options, folder, (network) => network.vip4(0)));
    routed.push(await timeFirstAnswer(options, folder, (network) => network.routedVip4(0)));
    progress(
      `traffic ${round + 1}/${options.rounds}: VIP on the link ${onLink.at(-1)?.toFixed(0)} ms, ` +
        `routed VIP ${routed.at(-1)?.toFixed(0)} ms`,
    );
  }
  return {
    measurements: [
      {
        id: 'first-answer-link',
        title: 'director: process start to first answer, VIP on the link',
        unit: 'ms',
        samples: onLink,
      },
      {
        id: 'first-answer-routed',
        title: 'director: process start to first answer, routed VIP',
        unit: 'ms',
        samples: routed,
      },
    ],
    comparisons: [],
  };
}

async function timeFirstAnswer(
  options: BenchmarkOptions,
  folder: string,
  chooseVip: (network: LabNetwork) => string,
): Promise<number> {
  const network = await layOutNetwork({ realServers: 1 });
  const vip = chooseVip(network);
  const server = network.realServers[0];
  if (server === undefined) throw new Error('the network has no real server');
  const work = mkdtempSync(path.join(folder, 'traffic-'));
  writeFileSync(path.join(work, 'service.yaml'), manifest(vip, server.rip4));
  let director: ProductProcess | undefined;
  try {
    const running = server.spawn(evaluate(serverProgram));
    await firstLine(running.stdout);
    const client = network.client.spawn([...evaluate(clientProgram), vip]);
    await firstLine(client.stdout);
    const start = process.hrtime.bigint();
    director = ProductProcess.start(network.director, {
      product: options.product,
      manifests: work,
      stateDirectory: mkdtempSync(path.join(folder, 'state-')),
    });
    const served = BigInt(await firstLine(client.stdout));
    director.checkAlive();
    return Number(served - start) / 1e6;
  } finally {
    await director?.stop();
    await network.remove();
  }
}

function evaluate(program: string): string[] {
  return [process.execPath, '--input-type=module', '--eval', program];
}

async function firstLine(stream: NodeJS.ReadableStream | null): Promise<string> {
  if (stream === null) throw new Error('the program has no output');
  const [text] = await once(stream, 'data', { signal: AbortSignal.timeout(60_000) });
  return String(text).trim();
}

function manifest(vip: string, rip: string): string {
  return `apiVersion: networking.lvs-operator.io/v1alpha1
kind: AddressPool
metadata:
  name: bench
spec:
  addresses: [${vip}]
  realServerCIDRs: [${rip}]
  namespaces: ["*"]
---
apiVersion: networking.lvs-operator.io/v1alpha1
kind: VirtualService
metadata:
  name: first
spec:
  addresses: [{ip: ${vip}}]
  ports: [{port: ${port}}]
---
apiVersion: networking.lvs-operator.io/v1alpha1
kind: RealServer
metadata:
  name: first
spec:
  virtualServiceRef: {name: first}
  addresses: [${rip}]
`;
}
