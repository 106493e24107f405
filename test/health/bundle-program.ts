/** What the product does with its prober, alone: bundled by a test and run as one file. */
import { createServer } from 'node:net';
import { isMainThread } from 'node:worker_threads';
import { parseIpAddress } from '../../src/base/index.ts';
import { Checker, sharedNowMs, startProbeWorker } from '../../src/health/index.ts';
import { check } from './checks.ts';
import { realTimers } from './timers.ts';

if (isMainThread) {
  const server = createServer((socket) => socket.on('error', () => {}));
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger };
    const checker: Checker = new Checker({
      nowMs: sharedNowMs,
      timers: realTimers,
      logger,
      startWorker: startProbeWorker,
      allowLoopback: true,
      onVerdicts: () => {
        process.stdout.write(checker.verdictOf('a')?.isUp === true ? 'up\n' : 'down\n');
        server.close();
        void checker.close();
      },
    });
    const target = { ip: parseIpAddress('127.0.0.1'), port };
    checker.setChecks([
      check('a', { probe: { target, question: { type: 'tcp' }, intervalMs: 1000, timeoutMs: 900 } }),
    ]);
  });
}
