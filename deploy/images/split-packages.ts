// Runs while an image is built, beside node_modules: parts it into common/, tensor/, onnx/ and kubernetes/ (each a node_modules of its own, laid into /app in
// a layer of its own), so that an image carries what its service can load. Drops what no program reads: source maps, declarations, bundles for
// browsers, libraries for other machines.
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

interface LockedPackage {
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
}

/** A part -> the direct dependencies that make it; what only these need goes with them. All else, and what two parts need, is common. */
const parts: Record<string, (name: string) => boolean> = {
  tensor: (name) => name.startsWith('@tensorflow/'),
  onnx: (name) => name === 'onnxruntime-node',
  kubernetes: (name) => name === '@kubernetes/client-node',
};

const unread = [
  '**/*.map',
  '**/*.d.{ts,mts,cts}',
  '**/*.md',
  '**/*.tsbuildinfo',
  '**/.rollup.cache',
  // One vocabulary is used, and it stands in one file.
  'js-tiktoken/dist/index.*',
  'js-tiktoken/dist/ranks/!(gpt2).*',
  // The whole is called through its C interface.
  `onnxruntime-node/!(bin|package.json|LICENSE)`,
  `onnxruntime-node/bin/*/!(${process.platform})`,
  `onnxruntime-node/bin/*/*/!(${process.arch})`,
  'onnxruntime-node/bin/*/*/*/*.node',
];
/** TensorFlow.js: the one bundle for Node of each package, and the whole of tfjs-node. */
const isBundleForNode = (path: string): boolean =>
  path.endsWith('.node.js') ||
  path.startsWith('@tensorflow/tfjs-node-gpu/dist/') ||
  /(package\.json|LICENSE)$/.test(path);

const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
  packages: Record<string, LockedPackage>;
};

/** As Node resolves: the nearest node_modules above. */
function resolve(from: string, name: string): string | undefined {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    const path = `${at}${at && '/'}node_modules/${name}`;
    if (packages[path]) return path;
    if (!at) return undefined;
  }
}

function reachable(roots: string[]): Set<string> {
  const found = new Set<string>();
  const visit = (path: string | undefined): void => {
    if (path === undefined || found.has(path)) return;
    found.add(path);
    const { dependencies, optionalDependencies, peerDependencies } = packages[path] as LockedPackage;
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) {
      visit(resolve(path, name));
    }
  };
  for (const name of roots) visit(resolve('', name));
  return found;
}

function move(path: string, part: string): void {
  const target = join(part, path);
  mkdirSync(dirname(target), { recursive: true });
  renameSync(path, target);
}

const direct = Object.keys(packages['']?.dependencies ?? {});
const isCommon = (name: string): boolean => !Object.values(parts).some((owns) => owns(name));
const common = reachable(direct.filter(isCommon));
const needs = Object.entries(parts).map(([part, owns]) => ({ part, needed: reachable(direct.filter(owns)) }));
const isShared = (path: string): boolean =>
  common.has(path) || needs.filter(({ needed }) => needed.has(path)).length > 1;
const topLevel = Object.keys(packages).filter((path) => path.lastIndexOf('node_modules/') === 0 && existsSync(path));

for (const pattern of unread) {
  for (const path of globSync(pattern, { cwd: 'node_modules' }))
    rmSync(join('node_modules', path), { recursive: true });
}
for (const path of globSync('@tensorflow/**/*', { cwd: 'node_modules', withFileTypes: true })) {
  const file = join(path.parentPath, path.name);
  if (path.isFile() && !isBundleForNode(file.slice('node_modules/'.length))) rmSync(file);
}
for (const { part, needed } of needs) {
  mkdirSync(part, { recursive: true });
  for (const path of topLevel) if (needed.has(path) && !isShared(path) && existsSync(path)) move(path, part);
}
mkdirSync('common', { recursive: true });
renameSync('node_modules', 'common/node_modules');
