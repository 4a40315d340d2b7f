// The balanced split of the SMS spam collection that Raschka's book makes with pandas (chapter 6), to the byte: as many ham messages as
// there are spam, drawn and shuffled by NumPy's generator with seed 123, cut 70 / 10 / 20. The catalogue's hashes say that it is the same.

const seed = 123;

type Row = readonly [label: string, text: string];

/** SMSSpamCollection -> train.csv, validation.csv, test.csv. */
export function bookSplit(collection: string): Record<string, string> {
  const rows = parseRows(collection);
  const spam = rows.filter(([label]) => label === 'spam');
  const ham = rows.filter(([label]) => label === 'ham');
  const balanced = shuffled([...shuffled(ham).slice(0, spam.length), ...spam]);
  const trainEnd = Math.trunc(balanced.length * 0.7);
  const validationEnd = trainEnd + Math.trunc(balanced.length * 0.1);
  return {
    'train.csv': toCsv(balanced.slice(0, trainEnd)),
    'validation.csv': toCsv(balanced.slice(trainEnd, validationEnd)),
    'test.csv': toCsv(balanced.slice(validationEnd)),
  };
}

/** As pandas reads it: a field that begins with a quotation mark ends with the next one, beyond the end of the line if need be. */
function parseRows(text: string): Row[] {
  const field = /(?:"((?:[^"]|"")*)")?([^\t\n]*)([\t\n])/y;
  const fields: string[] = [];
  for (let match = field.exec(text); match; match = field.exec(text)) {
    fields.push((match[1] ?? '').replaceAll('""', '"') + match[2]);
  }
  return Array.from({ length: fields.length / 2 }, (_, i) => [fields[2 * i] as string, fields[2 * i + 1] as string]);
}

const quoted = (text: string): string => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

const toCsv = (rows: readonly Row[]): string =>
  `Label,Text\n${rows.map(([label, text]) => `${label === 'spam' ? 1 : 0},${quoted(text)}\n`).join('')}`;

/** NumPy's RandomState(seed).permutation: Fisher-Yates from the end, indices by masked rejection. */
function shuffled(rows: readonly Row[]): Row[] {
  const result = [...rows];
  const next = mersenneTwister(seed);
  for (let i = result.length - 1; i > 0; i--) {
    const mask = 2 ** (32 - Math.clz32(i)) - 1;
    let j = next() & mask;
    while (j > i) j = next() & mask;
    [result[i], result[j]] = [result[j] as Row, result[i] as Row];
  }
  return result;
}

/** MT19937 (Matsumoto and Nishimura 1998): 32-bit integers. */
function mersenneTwister(start: number): () => number {
  const size = 624;
  const state = new Uint32Array(size);
  state[0] = start;
  for (let i = 1; i < size; i++) {
    const before = state[i - 1] as number;
    state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
  }
  const at = (i: number): number => state[i % size] as number;
  let index = size;
  return () => {
    if (index === size) {
      for (let i = 0; i < size; i++) {
        const y = (at(i) & 0x80000000) | (at(i + 1) & 0x7fffffff);
        state[i] = at(i + 397) ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      index = 0;
    }
    let y = at(index++);
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
}
