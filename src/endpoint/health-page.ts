import { plainText } from './page.ts';
import type { Page } from './page.ts';

/** One thing that has to be well. */
export interface HealthCheck {
  readonly name: string;
  /** Undefined: well. Otherwise what is wrong, for people; everybody may read it. */
  readonly problem: string | undefined;
}

/** 200 when all is well, else 503, with a line per check as Kubernetes' own `/readyz?verbose` has it. */
export function healthPage(check: () => readonly HealthCheck[]): Page {
  return {
    isOpen: true,
    answer: () => {
      const checks = check();
      const isWell = checks.every(({ problem }) => problem === undefined);
      const lines = checks.map(({ name, problem }) =>
        problem === undefined ? `[+]${name} ok` : `[-]${name} failed: ${problem}`,
      );
      return {
        status: isWell ? 200 : 503,
        contentType: plainText,
        body: `${[...lines, isWell ? 'ok' : 'failed'].join('\n')}\n`,
      };
    },
  };
}
