// Makes small zip archives for tests: members are stored or deflated, as in wheels; those below bin/ are executable.
import { crc32, deflateRawSync } from 'node:zlib';

interface Member {
  name: Buffer;
  method: number;
  crc: number;
  packed: Buffer;
  size: number;
  offset: number;
}

const fixed = (...fields: [size: 2 | 4, value: number][]): Buffer =>
  Buffer.concat(
    fields.map(([size, value]) => {
      const bytes = Buffer.alloc(size);
      bytes.writeUIntLE(value, 0, size);
      return bytes;
    }),
  );

const describe = ({ name, method, crc, packed, size }: Member): Buffer =>
  fixed([2, 20], [2, 0x800], [2, method], [4, 0], [4, crc], [4, packed.length], [4, size], [2, name.length], [2, 0]);

const madeOnUnix = 0x0314;
const attributesOf = ({ name }: Member): number =>
  (0o100644 | (name.toString().startsWith('bin/') ? 0o111 : 0)) * 0x10000;

export function zipOf(files: Record<string, string | Buffer>): Buffer {
  let offset = 0;
  const members = Object.entries(files).map(([name, content], i): [Member, Buffer] => {
    const data = Buffer.from(content);
    const packed = i % 2 ? data : deflateRawSync(data);
    const member = {
      name: Buffer.from(name),
      method: i % 2 ? 0 : 8,
      crc: crc32(data),
      packed,
      size: data.length,
      offset,
    };
    const local = Buffer.concat([fixed([4, 0x04034b50]), describe(member), member.name, packed]);
    offset += local.length;
    return [member, local];
  });
  const central = Buffer.concat(
    members.flatMap(([member]) => [
      fixed([4, 0x02014b50], [2, madeOnUnix]),
      describe(member),
      fixed([2, 0], [2, 0], [2, 0], [4, attributesOf(member)], [4, member.offset]),
      member.name,
    ]),
  );
  const count = members.length;
  const end = fixed([4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, central.length], [4, offset], [2, 0]);
  return Buffer.concat([...members.map(([, local]) => local), central, end]);
}
