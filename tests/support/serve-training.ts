// The services of a training run as a process of its own, for tests that kill it: `node serve-training.ts HOME` prints the trainer's address.
import { startTrainingServices } from './services.ts';

const { addresses } = await startTrainingServices(process.argv[2] ?? '');
console.log(addresses.trainer);
