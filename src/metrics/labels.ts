/** Labels as they are written: `{protocol="TCP",port="80"}`, or nothing. Made once for all metrics of one thing. */
export type LabelText = string & { readonly labels: unique symbol };

export function labels(values: Readonly<Record<string, string>>): LabelText {
  const written = Object.entries(values).map(([name, value]) => `${name}="${escape(value)}"`);
  return (written.length === 0 ? '' : `{${written.join(',')}}`) as LabelText;
}

/** The same, and more behind it. */
export function withLabels(text: LabelText, more: Readonly<Record<string, string>>): LabelText {
  const added = labels(more);
  if (text === '' || added === '') return text === '' ? added : text;
  return `${text.slice(0, -1)},${added.slice(1)}` as LabelText;
}

export function escape(value: string): string {
  return /[\\"\n]/.test(value)
    ? value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
    : value;
}
