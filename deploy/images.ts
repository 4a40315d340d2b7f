// Builds the images: `node deploy/images.ts [SERVICE…] [--cuda]` (make images). TAG and REGISTRY name them; docker's cache keeps what is current.
// Ends with a table of sizes; the software bill of materials of each image lies in .cache/images/.
import { execFile, spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { engineTools, fetchTool } from '#lib/platform/artifacts.ts';
import { readConfig } from '#lib/platform/config.ts';
import { platformSettings } from '#lib/platform/settings.ts';
import { createProgressLine } from './fetch/progress-line.ts';

interface Image {
  /** The room in services/ that it starts with. */
  service: string;
  /** The stage of deploy/Dockerfile below it: which packages it has beside the common ones. */
  packages: 'common' | 'kubernetes' | 'tensor' | 'engine' | 'onnx';
}

/** The evaluator's image is also that of training and evaluation Jobs: what computes with libtensorflow. */
const images: Record<string, Image> = {
  tokenizer: { service: 'tokenizer', packages: 'common' },
  'data-sampler': { service: 'data-sampler', packages: 'common' },
  trainer: { service: 'trainer', packages: 'kubernetes' },
  orchestrator: { service: 'orchestrator', packages: 'kubernetes' },
  gateway: { service: 'gateway', packages: 'common' },
  cli: { service: 'cli', packages: 'common' },
  'weight-loader': { service: 'weight-loader', packages: 'tensor' },
  inference: { service: 'inference', packages: 'onnx' },
  engine: { service: 'evaluator', packages: 'engine' },
};

const root = join(import.meta.dirname, '..');
const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
const { REGISTRY: registry, TAG: tag = version } = process.env;
const reference = (name: string, suffix = ''): string =>
  `${registry ? `${registry}/` : ''}strata/${name}:${tag}${suffix}`;

const run = promisify(execFile);
const docker = async (...args: string[]): Promise<string> =>
  (await run('docker', args, { cwd: root, maxBuffer: 256 * 1024 * 1024 })).stdout.trim();

interface Build {
  image: string;
  args?: Record<string, string>;
  dockerfile?: string;
  context?: string;
}

/** docker build, whose output is shown only when it fails. */
async function build({ image, args = {}, dockerfile = 'deploy/Dockerfile', context = root }: Build): Promise<void> {
  const began = performance.now();
  const flags = Object.entries(args).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
  const source = dockerfile.startsWith('FROM') ? '-' : join(root, dockerfile);
  const child = spawn('docker', ['build', '--tag', image, '--file', source, ...flags, context], { cwd: root });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
  child.stdin.end(source === '-' ? dockerfile : '');
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  if (code !== 0) throw new Error(`${image} cannot be built\n${output.slice(-4000)}`);
  console.error(`${image} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
}

/** libtensorflow as an image of its own, from the cache of this machine: the builds copy from it and send no such file themselves. */
async function buildLibrary(device: keyof typeof engineTools): Promise<string> {
  const { cacheDir } = readConfig({ cacheDir: platformSettings.cacheDir }, process.env);
  const line = createProgressLine(process.stderr);
  const folder = await fetchTool(engineTools[device], { cacheDir, onProgress: line.show }).finally(line.end);
  const image = `strata-build/${basename(folder).replace(/-(?=[^-]*$)/, ':')}`;
  const isThere = await docker('image', 'inspect', image).catch(() => '');
  if (!isThere) {
    await build({ image, dockerfile: `FROM scratch\nCOPY . /tools/${basename(folder)}/\n`, context: folder });
  }
  return image;
}

async function buildCuda(): Promise<string[]> {
  const base = 'strata-build/node-cuda:12.5';
  const { CUDA } = process.env;
  const dockerfile = 'deploy/images/Dockerfile.cuda';
  await build({ image: base, dockerfile, args: CUDA ? { CUDA } : {}, context: dirname(join(root, dockerfile)) });
  const image = reference('engine', '-cuda');
  const { service, packages } = images.engine as Image;
  const args = { SERVICE: service, PACKAGES: packages, BASE: base, LIBTENSORFLOW: await buildLibrary('cuda') };
  await build({ image, args });
  return [image];
}

async function buildAll(names: string[]): Promise<string[]> {
  const library = await buildLibrary('cpu');
  for (const name of names) {
    const { service, packages } = images[name] as Image;
    await build({ image: reference(name), args: { SERVICE: service, PACKAGES: packages, LIBTENSORFLOW: library } });
  }
  return names.map((name) => reference(name));
}

/** The list of what is in an image, out of the image. */
async function keepSbom(image: string): Promise<void> {
  const folder = join(root, '.cache/images');
  await mkdir(folder, { recursive: true });
  const text = await docker('run', '--rm', '--entrypoint', 'cat', image, '/app/sbom.json');
  await writeFile(join(folder, `${basename(image).replace(':', '-')}.sbom.json`), text);
}

async function tell(built: string[]): Promise<void> {
  console.log(`${'image'.padEnd(44)}${'MB'.padStart(7)}`);
  for (const image of built) {
    const bytes = Number(await docker('image', 'inspect', '--format', '{{.Size}}', image));
    console.log(`${image.padEnd(44)}${(bytes / 1e6).toFixed(0).padStart(7)}`);
  }
}

const wanted = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const unknown = wanted.find((name) => !images[name]);
if (unknown) {
  console.error(`strata: no image "${unknown}": one of ${Object.keys(images).join(', ')}`);
  process.exit(2);
}
try {
  const built = process.argv.includes('--cuda')
    ? await buildCuda()
    : await buildAll(wanted.length ? wanted : Object.keys(images));
  for (const image of built) await keepSbom(image);
  await tell(built);
} catch (error) {
  console.error(`strata: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
