// GPT-2's alphabet: each of the 256 bytes as one visible character, so that vocabularies of bytes can be written as JSON strings.
// Printable Latin-1 stands for itself; the other 68 bytes become U+0100, U+0101, … in their order. A space is "Ġ", a line feed "Ċ".

const isPrintable = (byte: number) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;

/** Bytes in the order of GPT-2's first 256 ids: the printable ones, then the rest. */
export const bytesInOrder: readonly number[] = [
  ...Array.from({ length: 256 }, (_, byte) => byte).filter(isPrintable),
  ...Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => !isPrintable(byte)),
];

/** Byte -> its character. */
export const charOfByte: readonly string[] = (() => {
  const chars = new Array<string>(256);
  let others = 0;
  for (const byte of bytesInOrder) chars[byte] = String.fromCharCode(isPrintable(byte) ? byte : 256 + others++);
  return chars;
})();

const byteOfCharCode = new Int16Array(256 + 68).fill(-1);
for (const [byte, char] of charOfByte.entries()) byteOfCharCode[char.charCodeAt(0)] = byte;

/** "Ġthe" -> the bytes of " the"; undefined where a character is not of the alphabet. */
export const bytesOfToken = (token: string): Uint8Array | undefined => {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = byteOfCharCode[token.charCodeAt(i)] ?? -1;
    if (byte < 0) return undefined;
    bytes[i] = byte;
  }
  return bytes;
};

/** The bytes of " the" -> "Ġthe". */
export const tokenOfBytes = (bytes: Uint8Array): string => {
  let token = '';
  for (const byte of bytes) token += charOfByte[byte];
  return token;
};
