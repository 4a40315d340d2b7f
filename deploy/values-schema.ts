// Makes charts/strata/values.schema.json from the commented values.yaml: a name that values.yaml does not have is an error, comments become
// descriptions. `node deploy/values-schema.ts` writes it. The marks in comments are explained at the top of values.yaml.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMap, isPair, isScalar, isSeq, type Pair, parseDocument, type YAMLMap } from 'yaml';

export interface Schema {
  $schema?: string;
  type?: string;
  description?: string;
  enum?: string[];
  minimum?: number;
  properties?: Record<string, Schema>;
  additionalProperties?: boolean;
}

interface Comment {
  description: string;
  isMap: boolean;
  isItems: boolean;
  isNumber: boolean;
  values: string[];
  like: string | undefined;
}

/** The schema of a values.yaml. */
export function toSchema(valuesYaml: string): Schema {
  const { contents } = parseDocument(valuesYaml);
  if (!isMap(contents)) throw new TypeError('values.yaml: a map is expected');
  const schema = toObject(contents, {});
  // Helm adds `global` to the values of every chart.
  const properties = { ...schema.properties, global: { type: 'object' } };
  return { $schema: 'http://json-schema.org/draft-07/schema#', ...schema, properties };
}

/** `shared`: the sections before this one, which `@like` may name. */
function toObject(map: YAMLMap, shared: Record<string, Schema>): Schema {
  const properties: Record<string, Schema> = {};
  for (const [index, pair] of map.items.entries()) {
    const name = String(pair.key);
    properties[name] = toProperty(pair, commentOf(pair, index === 0 ? map : undefined), { ...shared, ...properties });
  }
  return { type: 'object', properties, additionalProperties: false };
}

function toProperty({ key, value }: Pair, comment: Comment, shared: Record<string, Schema>): Schema {
  const described = comment.description ? { description: comment.description } : {};
  if (comment.isMap) return { ...described, type: 'object' };
  if (comment.isItems) return { ...described, type: 'array' };
  if (comment.isNumber) return { ...described, type: 'number', minimum: 0 };
  if (comment.values.length) return { ...described, type: 'string', enum: comment.values };
  if (isMap(value)) {
    const own = toObject(value, shared);
    const like = comment.like === undefined ? {} : (shared[comment.like]?.properties ?? unknownLike(key, comment.like));
    return { ...described, ...own, properties: { ...like, ...own.properties } };
  }
  if (isSeq(value)) throw new TypeError(`values.yaml: ${key}: a list needs @items`);
  return { ...described, ...typeOf(isScalar(value) ? value.value : value, key) };
}

const unknownLike = (key: unknown, like: string): never => {
  throw new TypeError(`values.yaml: ${key}: @like ${like} has to stand above it`);
};

function typeOf(value: unknown, key: unknown): Schema {
  if (typeof value === 'string' || typeof value === 'boolean') return { type: typeof value };
  if (typeof value === 'number') return { type: Number.isInteger(value) ? 'integer' : 'number', minimum: 0 };
  throw new TypeError(`values.yaml: ${key}: give it a default, or mark it @map or @items`);
}

/** The parser hangs the first comment of a nested map on the map. */
function commentOf(pair: Pair, map: YAMLMap | undefined): Comment {
  const before = isPair(pair) && isScalar(pair.key) ? pair.key.commentBefore : undefined;
  // A paragraph of its own above (the head of the file) does not belong to the key.
  const text = (before ?? map?.commentBefore ?? '').split('\n\n').at(-1) ?? '';
  const words = text.replaceAll(/\s+/g, ' ').trim();
  return {
    description: words.replace(/ ?@(map|items|number)\b| ?@(like|enum) .*$/g, '').trim(),
    isMap: /@map\b/.test(words),
    isItems: /@items\b/.test(words),
    isNumber: /@number\b/.test(words),
    values: /@enum (.*)$/.exec(words)?.[1]?.split(' ') ?? [],
    like: /@like (\w+)/.exec(words)?.[1],
  };
}

const chart = join(import.meta.dirname, '../charts/strata');

/** The text of values.schema.json as it should be. */
export const schemaText = (): string =>
  `${JSON.stringify(toSchema(readFileSync(join(chart, 'values.yaml'), 'utf8')), null, 2)}\n`;

if (import.meta.main) writeFileSync(join(chart, 'values.schema.json'), schemaText());
