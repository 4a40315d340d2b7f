// Reads every source file of the repository into the facts that the rules speak about.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { type Module, parseSync } from '@swc/core';

export interface Source {
  /** Relative to the repository: `lib/model/gpt.ts`. */
  path: string;
  /** What it imports, in any way (also types, `import()`, and `new URL('./x.ts', import.meta.url)`): repository paths, or package names. */
  imports: string[];
  /** `process.env`, `Date.now`, `new Date`, …: hidden inputs that it reads. */
  hiddenInputs: string[];
  /** `enum`, `namespace`, `export default`, `export … from`: what the house does not use. */
  unwanted: string[];
}

export const repository = join(__dirname, '../..');

/** Every file that git knows, or would if it were added. */
export const listFiles = (): string[] =>
  execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: repository, encoding: 'utf8' })
    .split('\n')
    .filter((path) => path && existsSync(join(repository, path)));

export const readSources = (): Source[] =>
  listFiles()
    .filter((path) => path.endsWith('.ts') && !path.startsWith('lib/contracts/gen/'))
    .map((path) => readSource(path, readFileSync(join(repository, path), 'utf8')));

export function readSource(path: string, text: string): Source {
  const source: Source = { path, imports: [], hiddenInputs: [], unwanted: [] };
  visit(parseSync(text, { syntax: 'typescript', target: 'es2022' }), source);
  return source;
}

/** `./gpt.ts` in lib/model -> lib/model/gpt.ts; `#lib/x.ts` -> lib/x.ts; packages as they are. */
function resolve(from: string, specifier: string): string {
  if (specifier.startsWith('#lib/')) return specifier.slice(1);
  return specifier.startsWith('.') ? posix.join(posix.dirname(from), specifier) : specifier;
}

interface Node {
  type: string;
  [key: string]: unknown;
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';

function visit(node: Node | Module, source: Source): void {
  note(node as Node, source);
  for (const child of Object.values(node).flat()) {
    if (isNode(child)) visit(child, source);
    else if (typeof child === 'object' && child !== null) {
      // Arguments and elements are wrapped: { spread, expression }.
      for (const inner of Object.values(child).flat()) if (isNode(inner)) visit(inner, source);
    }
  }
}

const textOf = (node: unknown): string | undefined =>
  isNode(node) && node.type === 'StringLiteral' ? (node.value as string) : undefined;
const nameOf = (node: unknown): string | undefined =>
  isNode(node) && node.type === 'Identifier' ? (node.value as string) : undefined;
const firstArgument = (node: Node): unknown =>
  (node.arguments as { expression: unknown }[] | undefined)?.[0]?.expression;

function note(node: Node, { path, imports, hiddenInputs, unwanted }: Source): void {
  const add = (specifier: string | undefined) => specifier !== undefined && imports.push(resolve(path, specifier));
  switch (node.type) {
    case 'ImportDeclaration':
      add(textOf(node.source));
      break;
    case 'ExportAllDeclaration':
    case 'ExportNamedDeclaration':
      add(textOf(node.source));
      // A package may be wrapped in a file of ours; our own files are imported where they are.
      if (/^[.#]/.test(textOf(node.source) ?? ''))
        unwanted.push('`export … from` (import from the file that owns the thing)');
      break;
    case 'CallExpression':
      if (isNode(node.callee) && node.callee.type === 'Import') add(textOf(firstArgument(node)));
      break;
    case 'NewExpression':
      if (nameOf(node.callee) === 'URL' && textOf(firstArgument(node))?.startsWith('.'))
        add(textOf(firstArgument(node)));
      if (nameOf(node.callee) === 'Date' && (node.arguments as unknown[]).length === 0) hiddenInputs.push('new Date()');
      break;
    case 'MemberExpression': {
      const name = `${nameOf(node.object)}.${nameOf(node.property)}`;
      if (hidden.includes(name) || name.startsWith('console.')) hiddenInputs.push(name);
      break;
    }
    case 'ExportDefaultDeclaration':
    case 'ExportDefaultExpression':
      unwanted.push('`export default`');
      break;
    case 'TsEnumDeclaration':
      unwanted.push('`enum`');
      break;
    case 'TsModuleDeclaration':
      unwanted.push('`namespace`');
      break;
  }
}

const hidden = ['process.env', 'Date.now', 'performance.now', 'Math.random'];
