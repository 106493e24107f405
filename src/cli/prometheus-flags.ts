import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { PrometheusOptions } from '../load/index.ts';
import { UsageError } from './command.ts';
import type { CommandInput } from './command.ts';

/**
 * Which Prometheus is asked is for whoever runs the controller to say: a URL in a VirtualService would let its author
 * send requests, and a token, to anything that the controller can reach.
 *
 * @throws UsageError
 */
export function readPrometheus({ strings }: CommandInput): PrometheusOptions | undefined {
  const {
    'prometheus-url': text,
    'prometheus-token-file': tokenFile,
    'prometheus-ca-file': caFile,
  } = strings;
  if (text === undefined) {
    if (tokenFile !== undefined || caFile !== undefined)
      throw new UsageError('--prometheus-token-file and --prometheus-ca-file need --prometheus-url');
    return undefined;
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '')
    throw new UsageError(`--prometheus-url must be a URL such as http://prometheus:9090, not "${text}"`);
  if (url.username !== '' || url.password !== '')
    throw new UsageError('--prometheus-url must have no user and no password; use --prometheus-token-file');
  if (url.protocol === 'http:' && (tokenFile !== undefined || caFile !== undefined))
    throw new UsageError(
      '--prometheus-token-file and --prometheus-ca-file need https: a token would go in clear',
    );
  return {
    url,
    ...(tokenFile === undefined
      ? {}
      : { authorization: async () => `Bearer ${(await readFile(tokenFile, 'utf8')).trim()}` }),
    ...(caFile === undefined ? {} : { ca: readAuthorities(caFile) }),
  };
}

function readAuthorities(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new UsageError(`--prometheus-ca-file ${file} cannot be read`, { cause });
  }
}
