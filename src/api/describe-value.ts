/**
 * A value that did not fit, in words that help: what it is, and the YAML accident that made it so. Long text is cut.
 */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'empty (null)';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'string') return describeText(value);
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return 'a mapping';
}

function describeText(value: string): string {
  const shown = `"${value.length > 60 ? `${value.slice(0, 60)}…` : value}"`;
  if (/^-?\d+$/.test(value)) return `the text ${shown} (remove the quotes)`;
  if (/^0[xX][\da-fA-F]+$|^0[oO][0-7]+$/.test(value)) return `the text ${shown} (write it in decimal)`;
  if (/^(yes|on|y)$/i.test(value)) return `${shown} (in YAML 1.2 only true is true)`;
  if (/^(no|off|n)$/i.test(value)) return `${shown} (in YAML 1.2 only false is false)`;
  return shown;
}
