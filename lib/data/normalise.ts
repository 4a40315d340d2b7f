// What every text goes through before it is compared, split and encoded: well-formed Unicode in NFC, line feeds only, no control characters.
// Spaces and blank lines stay as they are.

const untouched = /^[\t\n\x20-\x7e]*$/;
// C0 without tab and line feed, DEL, C1 without NEL.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is about
const controls = /[\0-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]/g;
const lineEnds = /\r\n?|[\v\f\x85]/g;

/** The text in its one form; applying it again changes nothing. */
export function normalise(text: string): string {
  if (untouched.test(text)) return text;
  return text
    .toWellFormed()
    .replace(lineEnds, '\n')
    .replace(controls, '')
    .replace(/^\uFEFF+/, '')
    .normalize('NFC');
}
