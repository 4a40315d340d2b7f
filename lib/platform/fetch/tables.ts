// The two tables of what is fetched: deploy/tools.json (programs and libraries) and deploy/catalogue.json (data and open weights).
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { notFound } from '../errors.ts';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const bytes = z.number().int().positive();
/** No path may leave its folder. */
const path = z.string().regex(/^(?!\.)[\w.-]+(\/(?!\.)[\w.-]+)*$/);

const wheelSchema = z.object({
  from: z.literal('pypi'),
  /** `name==version` */
  requirement: z.string().regex(/^[\w.-]+==[\w.]+$/),
  /** Platform tag, where the wheel is not for every platform. */
  tag: z.string().optional(),
  /** Of the wheel. */
  sha256,
  size_bytes: bytes,
  /** The members of the wheel that are wanted begin with this; of a folder (`go/`), all that is in it, as it is there. */
  members: z.string().min(1),
});

/** A program that is compiled on this machine, because nobody publishes it. */
const goProgramSchema = z.object({
  from: z.literal('go'),
  /** `path@version` */
  module: z.string().regex(/^[\w./-]+@v[\w.+-]+$/),
  /** The program's folder in the module; absent: its root. */
  package: path.optional(),
  /** Of the module, as a go.sum has it; the sums of what it is built from stand in its own. */
  sum: z.string().regex(/^h1:[A-Za-z0-9+/]{43}=$/),
  /** Of the program, about. */
  size_bytes: bytes,
});

const toolSourceSchema = z.discriminatedUnion('from', [
  wheelSchema.extend({ unpacked_bytes: bytes }),
  goProgramSchema,
  /** Brought by deploy/node.sh, before anything here can run. */
  z.object({ from: z.literal('npm'), package: z.string() }),
]);

const toolSchema = z.object({
  name: z.string(),
  version: z.string(),
  licence: z.string(),
  description: z.string(),
  origin: z.url(),
  /** By `<process.platform>-<process.arch>`. */
  platforms: z.record(z.string(), toolSourceSchema),
});

const sourceSchema = z.discriminatedUnion('from', [
  /** A file below STRATA_DATA_DIR. */
  z.object({ from: z.literal('data-dir'), path }),
  wheelSchema,
  /** `member`: of the zip archive at the address. */
  z.object({ from: z.literal('url'), url: z.url({ protocol: /^https$/ }), member: z.string().optional() }),
  /** Made from another file of the same entry. */
  z.object({ from: z.literal('derived'), rule: z.literal('book-split'), file: path }),
]);

const fileSchema = z.object({ path, sha256, size_bytes: bytes, sources: z.array(sourceSchema).min(1) });

export const entryKinds = ['text', 'labelled', 'instructions', 'evaluation', 'model'] as const;

const entrySchema = z.object({
  name: z.string().regex(/^[a-z0-9-]+$/),
  kind: z.enum(entryKinds),
  licence: z.string(),
  description: z.string(),
  origin: z.url(),
  files: z.array(fileSchema).min(1),
});

export type Wheel = z.output<typeof wheelSchema>;
export type GoProgram = z.output<typeof goProgramSchema>;
export type Tool = z.output<typeof toolSchema>;
export type Source = z.output<typeof sourceSchema>;
export type SourceFile = z.output<typeof fileSchema>;
export type CatalogueEntry = z.output<typeof entrySchema>;

function readTable<T>(file: string, schema: z.ZodType<T>): T {
  return schema.parse(JSON.parse(readFileSync(new URL(`../../../deploy/${file}`, import.meta.url), 'utf8')));
}

let tools: Tool[] | undefined;
let catalogue: CatalogueEntry[] | undefined;

/** Both tables are small, come with the code and are read once. */
export const readTools = (): readonly Tool[] => (tools ??= readTable('tools.json', z.array(toolSchema)));
export const readCatalogue = (): readonly CatalogueEntry[] =>
  (catalogue ??= readTable('catalogue.json', z.array(entrySchema)));

/** The row called `name`; NOT_FOUND lists the names there are. */
export function rowOf<T extends { name: string }>(rows: readonly T[], thing: string, name: string): T {
  const row = rows.find((candidate) => candidate.name === name);
  if (row) return row;
  throw notFound(thing, name, `there are ${rows.map((candidate) => candidate.name).join(', ')}`);
}
