// JSON.parse keeps the last of two equal keys in silence. In a file header that is a way to smuggle in a second tensor,
// so headers are scanned for it.

const tokens = /"(?:[^"\\]|\\.)*"|[{}[\]:]/g;

/** The first key that an object of the (valid) JSON text has twice. */
export function findDuplicateKey(json: string): string | undefined {
  const open: (Set<string> | undefined)[] = []; // the keys of each open object; undefined for an array
  let text = '';
  for (const [token] of json.matchAll(tokens)) {
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(undefined);
    else if (token === '}' || token === ']') open.pop();
    else if (token !== ':') text = token;
    else {
      const key: string = JSON.parse(text);
      const keys = open.at(-1);
      if (keys?.has(key)) return key;
      keys?.add(key);
    }
  }
  return undefined;
}
