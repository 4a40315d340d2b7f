// Class names and their ids. Given names fix both; otherwise the names found are sorted (numbers by value) once all rows are known.
import { DataError } from './data-error.ts';

export interface Labels {
  /** The class of a row's label; undefined where it is none of the given ones. */
  idOf(label: string): number | undefined;
  /** Names in the order of their final ids, and for each id handed out the final one. */
  finish(): { names: string[]; finalIds: number[] };
}

/** More classes than this are a wrong column rather than labels. */
const mostClasses = 1000;

export function createLabels(given: readonly string[]): Labels {
  if (given.length > 0) return givenLabels(given);
  const found = new Map<string, number>();
  return {
    idOf: (label) => {
      const id = found.get(label) ?? found.size;
      found.set(label, id);
      if (found.size > mostClasses) {
        const examples = [...found.keys()].slice(0, 3).map((name) => JSON.stringify(name.slice(0, 40)));
        throw new DataError(
          'columns',
          `more than ${mostClasses} different labels (${examples.join(', ')}, …): name the right column for label`,
        );
      }
      return id;
    },
    finish: () => {
      const names = [...found.keys()].sort(byNumberOrText);
      return { names, finalIds: [...found.keys()].map((name) => names.indexOf(name)) };
    },
  };
}

/** Rows may write a name or its id. */
function givenLabels(names: readonly string[]): Labels {
  const ids = new Map([
    ...names.map((_, id) => [String(id), id] as const),
    ...names.map((name, id) => [name, id] as const),
  ]);
  return { idOf: (label) => ids.get(label), finish: () => ({ names: [...names], finalIds: names.map((_, id) => id) }) };
}

const byNumberOrText = (a: string, b: string): number => {
  const difference = Number(a) - Number(b);
  return Number.isNaN(difference) || difference === 0 ? Number(a > b) - Number(a < b) : difference;
};
