// Listing and deleting. Keys come URL-encoded, so the answer's XML is plain enough to be read here: the client's reader takes keys that
// look like numbers for numbers.
import { AppError } from '../errors.ts';
import type { ObjectInfo } from '../object-store.ts';
import { type Connection, textOf } from './connection.ts';

interface Page {
  objects: ObjectInfo[];
  /** Where the next page begins; undefined: this was the last. */
  next: string | undefined;
}

/** One page, at most a thousand objects, in the order of their keys. */
export function listPage(connection: Connection, prefix: string, token = '', most = 1000): Promise<Page> {
  const { client, place, request } = connection;
  const query = [
    token && `continuation-token=${encodeURIComponent(token)}`,
    'encoding-type=url',
    'list-type=2',
    `max-keys=${most}`,
    `prefix=${encodeURIComponent(prefix)}`,
  ].filter(Boolean);
  const get = async (): Promise<Page> => {
    const what = { method: 'GET', bucketName: place.bucket, query: query.join('&') };
    return pageOf(await textOf(await client.makeRequestAsync(what)));
  };
  return request(get);
}

function pageOf(xml: string): Page {
  const objects = Array.from(xml.matchAll(/<Contents>(.*?)<\/Contents>/gs), ([, content = '']) => ({
    key: decodeURIComponent(field(content, 'Key').replaceAll('+', ' ')),
    sizeBytes: Number(field(content, 'Size')),
    etag: field(content, 'ETag'),
    modifiedAt: new Date(field(content, 'LastModified')),
  }));
  const isTruncated = field(xml, 'IsTruncated') === 'true';
  return { objects, next: isTruncated ? field(xml, 'NextContinuationToken') : undefined };
}

const entities: Record<string, string> = { '&quot;': '"', '&#34;': '"', '&amp;': '&', '&lt;': '<', '&gt;': '>' };

const field = (xml: string, name: string): string =>
  (new RegExp(`<${name}>(.*?)</${name}>`, 's').exec(xml)?.[1] ?? '').replace(/&#?\w+;/g, (all) => entities[all] ?? all);

async function* pagesOf(connection: Connection, prefix: string): AsyncGenerator<ObjectInfo[]> {
  let token: string | undefined = '';
  while (token !== undefined) {
    const { objects, next }: Page = await listPage(connection, prefix, token);
    yield objects;
    token = next;
  }
}

export async function* listObjects(connection: Connection, prefix: string): AsyncGenerator<ObjectInfo> {
  for await (const objects of pagesOf(connection, prefix)) yield* objects;
}

export async function deleteObject({ client, place, request }: Connection, key: string): Promise<void> {
  const what = { method: 'DELETE', bucketName: place.bucket, objectName: key };
  await request(() => client.makeRequestAsyncOmit(what, '', [200, 204, 404]), { key });
}

/** Deletes in batches of a page. */
export async function deleteBelow(connection: Connection, prefix: string): Promise<void> {
  const { client, place, request } = connection;
  for await (const objects of pagesOf(connection, prefix)) {
    if (objects.length === 0) continue;
    const failures = await request(() =>
      client.removeObjects(
        place.bucket,
        objects.map(({ key }) => key),
      ),
    );
    const [first] = failures.flatMap((failure) => (failure ? [failure] : []));
    if (first)
      throw new AppError(
        'UNAVAILABLE',
        `${failures.length} objects below "${prefix}" could not be deleted: ${describe(first)}`,
      );
  }
}

const describe = (failure: object): string => JSON.stringify(failure);
