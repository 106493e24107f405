import { readFileSync } from 'node:fs';

/**
 * Bytes of a golden file: hexadecimal, written by hand from the kernel's headers, a comment behind each field. They
 * are never rewritten from the code, for then they would prove nothing. Little endian, as the hosts that we run on.
 */
export function readGolden(name: string): Buffer {
  const text = readFileSync(new URL(`${name}.hex`, import.meta.url), 'utf8');
  return Buffer.from(text.replaceAll(/#.*|\s/g, ''), 'hex');
}
