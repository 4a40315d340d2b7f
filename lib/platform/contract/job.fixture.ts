// The job of the job runner's contract suite: `job.fixture.ts <what to do> <argument>…`.
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

const [what, ...args] = process.argv.slice(2);
switch (what) {
  case 'exit':
    process.exit(Number(args[0]));
    break;
  case 'say':
    for (const line of args) console.log(line);
    break;
  case 'count':
    for (let i = 1; i <= Number(args[0]); i++) {
      console.log(i);
      await delay(50);
    }
    break;
  case 'throw':
    throw new Error('the job broke');
  case 'environment':
    for (const name of args) console.log(`${name}=${process.env[name] ?? ''}`);
    break;
  case 'thread': {
    // A worker thread inherits the flags of the process; its end is not the job's.
    await new Promise((resolve) => new Worker('process.exit(5)', { eval: true }).on('exit', resolve));
    console.log('after the thread');
    break;
  }
  case 'checkpoint':
    process.on('SIGTERM', () => {
      console.log('saved');
      process.exit(0);
    });
    console.log(`running ${process.pid}`);
    await delay(60_000);
    break;
  case 'interruptible':
    process.on('SIGTERM', () => process.exit(75));
    console.log(`running ${process.pid}`);
    await delay(60_000);
    break;
  case 'stubborn':
    process.on('SIGTERM', () => console.log('no'));
    console.log(`running ${process.pid}`);
    for (;;) await delay(1000);
  default:
    process.exit(64);
}
