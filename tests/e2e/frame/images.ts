// The images: built as `make images` does, and loaded into the cluster's nodes where they are new or have changed.
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { get } from '../support/kubectl.ts';
import { exec } from './exec.ts';
import { cluster, folder, root } from './places.ts';
import { buildStoreImage } from './store-image.ts';

/** What was loaded into which cluster: image -> id. */
interface Loaded {
  cluster: string;
  images: Record<string, string>;
}

const record = join(folder, 'loaded.json');

/** Builds (unchanged layers come from docker's cache), then loads what the nodes do not have: those images. */
export async function bringImages(): Promise<string[]> {
  const env = { ...process.env, BUILDX_NO_DEFAULT_ATTESTATIONS: '1' };
  await exec(process.execPath, [join(root, 'deploy/images.ts')], { cwd: root, env, timeoutMs: 1_800_000 });
  const store = await buildStoreImage();
  const ids = await idsOf([...(await ourImages()), ...(store ? [store] : [])]);
  const known = await readRecord();
  const changed = Object.keys(ids).filter((image) => known.images[image] !== ids[image]);
  if (changed.length) await load(changed);
  await writeFile(record, JSON.stringify({ ...known, images: ids } satisfies Loaded));
  return changed;
}

async function ourImages(): Promise<string[]> {
  const text = await exec('docker', [
    'image',
    'ls',
    '--format',
    '{{.Repository}}:{{.Tag}}',
    '--filter',
    'reference=strata/*',
  ]);
  return text.split('\n').filter(Boolean);
}

async function idsOf(images: string[]): Promise<Record<string, string>> {
  const text = await exec('docker', ['image', 'inspect', '--format', '{{.Id}}', ...images]);
  const ids = text.split('\n').filter(Boolean);
  return Object.fromEntries(images.map((image, index) => [image, ids[index] ?? '']));
}

/** A cluster that was made anew has none of them. */
async function readRecord(): Promise<Loaded> {
  const uid = (await get('namespace', 'kube-system'))?.metadata.uid ?? '';
  try {
    const loaded = JSON.parse(await readFile(record, 'utf8')) as Loaded;
    if (loaded.cluster === uid) return loaded;
  } catch {
    // The first run here.
  }
  return { cluster: uid, images: {} };
}

/** What Jobs run on the GPU pool; nothing else is allowed there. */
const jobImage = /\/engine:/;

/** One archive a node, so that layers which images share travel once. kind reads an archive more than once: it has to be a file. */
async function load(images: string[]): Promise<void> {
  const archive = join(folder, 'images.tar');
  const nodes = { [cluster.controlPlane]: images, [cluster.gpuNode]: images.filter((image) => jobImage.test(image)) };
  try {
    for (const [node, wanted] of Object.entries(nodes).filter(([, each]) => each.length)) {
      await exec('docker', ['save', '--output', archive, ...wanted], { timeoutMs: 900_000 });
      const where = [`--name=${cluster.name}`, `--nodes=${node}`];
      await exec('kind', ['load', 'image-archive', archive, ...where], { timeoutMs: 900_000 });
    }
  } finally {
    await rm(archive, { force: true });
  }
}
