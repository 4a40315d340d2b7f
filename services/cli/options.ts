// Parsers of option values: what is no number is refused by name.
import { InvalidArgumentError } from 'commander';

export function toNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('It has to be a number.');
  return value;
}
