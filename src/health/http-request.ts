import { assert } from '../base/index.ts';
import type { HttpQuestion, Target } from './question.ts';

/** RFC 9110, section 5.6.2. */
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Visible ASCII, and in values also spaces; nothing that could end a line. */
const pathForm = /^\/[\x21-\x7e]*$/;
const valueForm = /^[\x20-\x7e]*$/;

/**
 * The bytes of one request. The connection ends with the answer, and the body is wanted as it is.
 *
 * The API admits only what fits on its line. It is asserted here again, because this is where a line break would become
 * a second request (CRLF injection).
 */
export function formatHttpRequest(question: HttpQuestion, target: Target): string {
  const { method, path, headers } = question;
  assert(pathForm.test(path), 'the path of a probe has characters that a request line cannot hold');
  const authority = target.ip.includes(':') ? `[${target.ip}]:${target.port}` : `${target.ip}:${target.port}`;
  const own = new Set(headers.map(([name]) => name.toLowerCase()));
  const all: (readonly [string, string])[] = [
    ['Host', question.host ?? authority],
    ['User-Agent', 'lvs-operator'],
    ['Accept', '*/*'],
    ['Accept-Encoding', 'identity'],
    ['Connection', 'close'],
  ];
  const lines = [...all.filter(([name]) => !own.has(name.toLowerCase())), ...headers].map(([name, value]) => {
    assert(
      token.test(name) && valueForm.test(value),
      `header ${name.slice(0, 40)} of a probe does not fit on a line`,
    );
    return `${name}: ${value}\r\n`;
  });
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}
