import './small-heap.ts';
import { runCommandLine } from './run.ts';

/** The program. The one place that touches the process: everything else gets it as arguments. */
export async function runProcess(): Promise<void> {
  // A reader that has seen enough ("| head") closes the pipe: no reason to fail, least of all for a director whose log
  // nobody collects any more.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
  process.exitCode = await runCommandLine(process.argv.slice(2), {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    env: process.env,
    isTerminal: process.stdout.isTTY === true,
  });
}
