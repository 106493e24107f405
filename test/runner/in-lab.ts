import { bootLab, describeLabResult } from '../lab/kernel.ts';
import { bundleForLab } from './bundle.ts';
import type { FileRun, ProcessEnd } from './file-run.ts';
import { nodeTestArguments, reporterFile } from './native.ts';
import type { NativeOptions } from './native.ts';

let reporterBundle: Promise<string> | undefined;

/** Runs a test file alone in a lab kernel of its own: a crash or a hang costs this file and no other. */
export async function runInOwnLab(run: FileRun, options: NativeOptions): Promise<ProcessEnd> {
  let bundle: string;
  let reporter: string;
  try {
    reporterBundle ??= bundleForLab(reporterFile);
    reporter = await reporterBundle;
    bundle = await bundleForLab(run.file);
  } catch (error) {
    return { isClean: false, how: `could not be bundled: ${messageOf(error)}` };
  }
  try {
    const argv = [process.execPath, ...nodeTestArguments(reporter, bundle, options.namePattern)];
    const result = await bootLab(
      { argv, env: settingsOfTests() },
      {
        timeoutMs: options.timeoutMs,
        signal: options.signal,
        onStdout: (chunk) => run.stdout(chunk),
        onStderr: (chunk) => run.stderr(chunk),
      },
    );
    if (result.outcome === 'exited') {
      return { isClean: result.code === 0, how: describeLabResult(result) };
    }
    const limit = result.outcome === 'timed out' ? ` of ${options.timeoutMs / 1000} s` : '';
    return { isClean: false, how: `did not end: ${describeLabResult(result)}${limit}` };
  } catch (error) {
    return { isClean: false, how: `found no lab to run in: ${messageOf(error)}` };
  }
}

/** What people set for a run, such as LVS_OUTAGE_SECONDS: a lab has an environment of its own and inherits nothing. */
function settingsOfTests(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      name.startsWith('LVS_') && value !== undefined ? [[name, value]] : [],
    ),
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
