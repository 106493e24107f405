import { parseDirectorConfiguration } from '../api/index.ts';
import type { DirectorConfiguration } from '../api/index.ts';
import { LvsError } from '../base/index.ts';
import { formatPosition, positionOfOffset } from './position.ts';
import { readTextFile } from './read-file.ts';
import { locateInYaml, parseYaml } from './yaml.ts';

/**
 * Reads the director's configuration file.
 * @throws LvsError LVS_CONFIG_INVALID with one line `file:line:column: what to correct` per mistake.
 */
export function readDirectorConfiguration(file: string): DirectorConfiguration {
  const read = readTextFile(file);
  if (!read.ok) throw refuse(file, [`${formatPosition({ file, ...read })}: ${read.message}`]);
  const { text } = read;
  const at = (offset: number) => formatPosition({ file, ...positionOfOffset(text, offset, 1) });
  const [document, ...others] = parseYaml(text);
  if (document === undefined)
    throw refuse(file, [`${at(0)}: the file is empty; leave the option away for the defaults`]);
  const problems = [document, ...others].flatMap((each) => each.problems);
  if (problems.length > 0)
    throw refuse(
      file,
      problems.map(({ offset, message }) => `${at(offset)}: ${message}`),
    );
  if (others.length > 0)
    throw refuse(file, [`${at(0)}: holds ${others.length + 1} documents; a configuration is one`]);
  const parsed = parseDirectorConfiguration(document.value);
  if (parsed.ok) return parsed.value;
  throw refuse(
    file,
    parsed.problems.map(({ path, message }) => `${at(locateInYaml(text, 0, path))}: ${message}`),
  );
}

function refuse(file: string, lines: readonly string[]): LvsError {
  return new LvsError('LVS_CONFIG_INVALID', lines.join('\n'), { subject: file });
}
