// tfjs-node calls two functions that Node has removed (23) or deprecated. They have to exist before it is loaded.
import { createRequire } from 'node:module';

const util = createRequire(import.meta.url)('node:util') as Record<string, unknown>;
util.isNullOrUndefined = (value: unknown) => value === null || value === undefined;
util.isArray = Array.isArray;
