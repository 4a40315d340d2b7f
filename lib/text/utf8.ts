// UTF-8 of short strings into a buffer that is used again: TextEncoder allocates for every piece.
// Lone surrogates become U+FFFD, as TextEncoder does.

/** Writes the UTF-8 of `text` to `bytes` (at least 3 * text.length long); returns the number of bytes. */
export const writeUtf8 = (text: string, bytes: Uint8Array): number => {
  let end = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x80) {
      bytes[end++] = code;
    } else if (code < 0x800) {
      bytes[end++] = 0xc0 | (code >> 6);
      bytes[end++] = 0x80 | (code & 0x3f);
    } else if (code >>> 10 === 54 && text.charCodeAt(i + 1) >>> 10 === 55) {
      end = writeAstral(text.codePointAt(i++) as number, bytes, end);
    } else {
      const unit = code >>> 11 === 27 ? 0xfffd : code;
      bytes[end++] = 0xe0 | (unit >> 12);
      bytes[end++] = 0x80 | ((unit >> 6) & 0x3f);
      bytes[end++] = 0x80 | (unit & 0x3f);
    }
  }
  return end;
};

const writeAstral = (codePoint: number, bytes: Uint8Array, start: number): number => {
  bytes[start] = 0xf0 | (codePoint >> 18);
  bytes[start + 1] = 0x80 | ((codePoint >> 12) & 0x3f);
  bytes[start + 2] = 0x80 | ((codePoint >> 6) & 0x3f);
  bytes[start + 3] = 0x80 | (codePoint & 0x3f);
  return start + 4;
};
