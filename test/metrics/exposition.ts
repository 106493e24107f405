/** A strict reader of Prometheus' text format 0.0.4, so that a test notices what a scraper would refuse. */

export interface Exposition {
  readonly types: ReadonlyMap<string, string>;
  readonly help: ReadonlyMap<string, string>;
  /** By name and labels as written. */
  readonly samples: ReadonlyMap<string, number>;
}

const sample =
  /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*"(?:,(?!\}))?)+\})? (\S+)$/;
const number = /^(?:[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN)$/;

/** @throws Error that says what is wrong, with the line */
export function parseExposition(text: string): Exposition {
  const types = new Map<string, string>();
  const help = new Map<string, string>();
  const samples = new Map<string, number>();
  if (!text.endsWith('\n')) throw new Error('the text does not end with a line break');
  let current = '';
  for (const line of text.slice(0, -1).split('\n')) {
    const refuse = (why: string): never => {
      throw new Error(`${why}: ${line}`);
    };
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (kind !== undefined) {
      const known = kind === 'HELP' ? help : types;
      if (known.has(name)) refuse(`a second ${kind}`);
      if (kind === 'TYPE' && !/^(?:counter|gauge|histogram)$/.test(rest)) refuse('an unknown type');
      known.set(name, rest);
      current = name;
      continue;
    }
    const [, written = '', labels = '', value = ''] = sample.exec(line) ?? refuse('no sample');
    const family =
      types.get(current) === 'histogram' ? written.replace(/_(?:bucket|sum|count)$/, '') : written;
    if (family !== current) refuse('a sample that is not with its own');
    if (!number.test(value)) refuse('no number');
    if (samples.has(written + labels)) refuse('a series twice');
    samples.set(written + labels, Number(value.replace('Inf', 'Infinity')));
  }
  return { types, help, samples };
}
