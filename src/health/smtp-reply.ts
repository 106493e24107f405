/**
 * Reads SMTP replies (RFC 5321, section 4.2): lines of a code and a text, all but the last with "-" behind the code.
 * Texts are looked at only for the STARTTLS keyword.
 */
const longestLine = 1024;
const mostLines = 100;

export type SmtpReply =
  | { readonly kind: 'reading' }
  | { readonly kind: 'malformed' }
  | { readonly kind: 'reply'; readonly code: number; readonly hasStartTls: boolean };

export class SmtpReplyReader {
  #line = '';
  #lines = 0;
  #code: string | undefined;
  #hasStartTls = false;

  /**
   * Takes bytes up to the end of one reply. What comes after it in one piece is refused: nobody speaks before being
   * asked, and text that is smuggled in front of STARTTLS is an old attack (CVE-2011-0411).
   */
  push(bytes: Uint8Array): SmtpReply {
    for (const [index, byte] of bytes.entries()) {
      if (byte !== 0x0a) {
        if (this.#line.length >= longestLine) return { kind: 'malformed' };
        this.#line += String.fromCharCode(byte);
        continue;
      }
      const match = /^([2-5]\d\d)(?:([ -])(.*?))?\r?$/.exec(this.#line);
      this.#line = '';
      if (match === null || ++this.#lines > mostLines) return { kind: 'malformed' };
      const [, code, separator, text = ''] = match;
      if (this.#code !== undefined && this.#code !== code) return { kind: 'malformed' };
      this.#code = code;
      if (/^STARTTLS$/i.test(text.trim())) this.#hasStartTls = true;
      if (separator === '-') continue;
      if (index !== bytes.length - 1) return { kind: 'malformed' };
      const reply: SmtpReply = { kind: 'reply', code: Number(code), hasStartTls: this.#hasStartTls };
      this.#code = undefined;
      this.#lines = 0;
      this.#hasStartTls = false;
      return reply;
    }
    return { kind: 'reading' };
  }
}
