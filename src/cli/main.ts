import { isMainThread } from 'node:worker_threads';

// Once all is one file, the thread of the prober begins with this file, too. It needs its own room and nothing of the
// commands; so each is loaded only where it is wanted.
if (isMainThread) {
  const { runProcess } = await import('./run-process.ts');
  await runProcess();
} else {
  await import('../health/index.ts');
}
