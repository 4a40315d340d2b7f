// The command line's output to nowhere, for tests that call what is behind a command.
import { PassThrough } from 'node:stream';

export const nowhere = (): NodeJS.WriteStream => new PassThrough().resume() as unknown as NodeJS.WriteStream;
