// Runs while an image is built: writes /app/sbom.json (CycloneDX), which names what is in this image and nothing else: the npm packages that are
// there, Node, the outside libraries of deploy/tools.json that are there, and the Debian packages below them.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface Component {
  type: string;
  name: string;
  version: string;
  purl?: string;
  [key: string]: unknown;
}

interface Bom {
  metadata: { component: Component; [key: string]: unknown };
  components: Component[];
  dependencies: { ref: string; dependsOn?: string[] }[];
  serialNumber?: string;
}

interface Tool {
  name: string;
  version: string;
  licence: string;
  origin: string;
  description: string;
}

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(path, 'utf8');

const npmSbom = join(root, '.npm-sbom.json');
const bom = JSON.parse(read(npmSbom)) as Bom;
const architecture = { x64: 'amd64' }[process.arch as string] ?? process.arch;

/** Several versions of one package may be there; one of them is at the top. */
const isHere = ({ name }: Component): boolean => existsSync(join(root, 'node_modules', name));

const library = (name: string, version: string, rest: Record<string, unknown>): Component => ({
  type: 'library',
  name,
  version,
  'bom-ref': `${name}@${version}`,
  ...rest,
});

function tools(): Component[] {
  const folder = join(process.env.STRATA_CACHE_DIR ?? '', 'tools');
  const rows = JSON.parse(read(join(root, 'deploy/tools.json'))) as Tool[];
  return rows
    .filter(({ name, version }) => existsSync(join(folder, `${name}-${version}`)))
    .map(({ name, version, licence, origin, description }) =>
      library(name, version, {
        description,
        licenses: [{ license: { id: licence } }],
        externalReferences: [{ type: 'website', url: origin }],
      }),
    );
}

/** The package manager's own list. */
function debianPackages(): Component[] {
  const status = '/var/lib/dpkg/status';
  if (!existsSync(status)) return [];
  const field = (paragraph: string, name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(paragraph)?.[1] ?? '';
  return read(status)
    .split('\n\n')
    .filter((paragraph) => field(paragraph, 'Status').endsWith(' installed'))
    .map((paragraph) => {
      const [name, version] = [field(paragraph, 'Package'), field(paragraph, 'Version')];
      return library(name, version, {
        purl: `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${architecture}`,
      });
    });
}

const node = library('node', process.versions.node, {
  purl: `pkg:generic/node@${process.versions.node}`,
  licenses: [{ license: { id: 'MIT' } }],
});

const { serialNumber: _, ...rest } = bom;
const npm = bom.components.filter(isHere);
const components = [...npm, node, ...tools(), ...debianPackages()];
const refs = new Set([bom.metadata.component['bom-ref'], ...npm.map((component) => component['bom-ref'])]);
const dependencies = bom.dependencies
  .filter(({ ref }) => refs.has(ref))
  .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((each) => refs.has(each)) }));
// Named after its contents, so that the same image has the same file.
const digest = createHash('sha256').update(JSON.stringify(components)).digest('hex');
const uuid = digest.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-5$3-8$4-$5');
const metadata = { component: { ...bom.metadata.component, name: 'strata' } };
const written = { ...rest, serialNumber: `urn:uuid:${uuid}`, metadata, components, dependencies };
writeFileSync(join(root, 'sbom.json'), `${JSON.stringify(written, null, 1)}\n`);
rmSync(npmSbom);
