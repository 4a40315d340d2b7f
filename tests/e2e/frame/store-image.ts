// MinIO's image: its authors publish none any more, so where the nodes have none it is made of the program that deploy/tools.json builds.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { fetchTool } from '#lib/platform/artifacts.ts';
import { readConfig } from '#lib/platform/config.ts';
import { readTools, rowOf } from '#lib/platform/fetch/tables.ts';
import { platformSettings } from '#lib/platform/settings.ts';
import { exec } from './exec.ts';
import { cluster, release } from './places.ts';

/** The name under which the chart asks for it. */
const storeImage = (): string =>
  (parse(readFileSync(join(release.chart, 'values.yaml'), 'utf8')) as { minio: { image: string } }).minio.image;

/** The image, where it has to be loaded; undefined where the cluster has it. */
export async function buildStoreImage(): Promise<string | undefined> {
  const image = storeImage();
  const list = ['exec', cluster.controlPlane, 'ctr', '--namespace=k8s.io', 'images', 'list', '--quiet'];
  if ((await exec('docker', list)).split('\n').includes(`docker.io/${image}`)) return undefined;
  const isBuilt = await exec('docker', ['image', 'inspect', image]).then(
    () => true,
    () => false,
  );
  if (!isBuilt) await build(image);
  return image;
}

const runs = `ENV MC_CONFIG_DIR=/tmp/.mc
EXPOSE 9000
ENTRYPOINT ["minio"]
CMD ["server", "/data"]`;

/** On Linux with this machine's own Go or the fetched one; elsewhere a program for Linux is compiled in Go's image. */
async function build(image: string): Promise<void> {
  if (process.platform === 'linux') {
    const { cacheDir } = readConfig({ cacheDir: platformSettings.cacheDir }, process.env);
    const folder = await fetchTool('minio', { cacheDir });
    const input = `FROM scratch\nENV PATH=/usr/local/bin\nCOPY minio /usr/local/bin/\n${runs}`;
    await exec('docker', ['build', '--tag', image, '--file', '-', folder], { input });
    return;
  }
  const source = rowOf(readTools(), 'tool', 'minio').platforms[`linux-${process.arch}`];
  if (source?.from !== 'go') throw new Error('deploy/tools.json: minio is not built with Go any more');
  const install = `RUN CGO_ENABLED=0 go install -trimpath -ldflags '-s -w' ${source.module}`;
  const input = `FROM golang:1.26 AS build\n${install}\nFROM scratch\nENV PATH=/usr/local/bin\nCOPY --from=build /go/bin/minio /usr/local/bin/\n${runs}`;
  await exec('docker', ['build', '--tag', image, '-'], { input, timeoutMs: 1_800_000 });
}
