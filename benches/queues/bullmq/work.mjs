// One side of the comparison with BullMQ: publishes jobs that do nothing, or does them.
//
//     node work.mjs publish|work '<what is asked, as JSON>' <Redis's port>
//
// Says `ready` when it could begin, begins at the line `go`, and says what came of it as JSON. All times are of the
// machine's steady clock, in nanoseconds, which counts the same in every process.

import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue, Worker } from 'bullmq';

const [role, asked, port] = process.argv.slice(2);
const work = JSON.parse(asked);
const connection = { host: '127.0.0.1', port: Number(port), maxRetriesPerRequest: null };
const now = () => Number(process.hrtime.bigint());

/** Waits until this process may begin; returns how it stood then. */
async function begin() {
  console.log('ready');
  await once(process.stdin, 'data');
  return { begun: now(), cpu: process.cpuUsage() };
}

/** Says what came of it. */
function tell({ begun, cpu }, delays) {
  const ended = now();
  const used = process.cpuUsage(cpu);
  delays.sort((a, b) => a - b);
  const percentile = (part) => delays[Math.max(0, Math.ceil(delays.length * part) - 1)] ?? 0;
  const delay = { p50: percentile(0.5), p99: percentile(0.99) };
  console.log(JSON.stringify({ begun, ended, cpu: (used.user + used.system) * 1000, delay }));
}

async function publish() {
  // As many ended jobs stay as with Tidings.
  const removeOnComplete = work.keep === 0 ? false : { count: work.keep };
  const queue = new Queue('noop', { connection, defaultJobOptions: { removeOnComplete } });
  await queue.waitUntilReady();
  const start = await begin();
  const delays = [];
  const share = work.jobs / work.publishers;
  await Promise.all(Array.from({ length: work.publishers }, async (_, number) => {
    for (let sent = 0; sent < share; sent += work.bulk) {
      if (work.perSecond > 0) {
        const due = start.begun + ((sent * work.publishers + number) / work.perSecond) * 1e9;
        if (due > now()) await sleep((due - now()) / 1e6);
      }
      const at = now();
      const job = { name: 'noop', data: { at } };
      if (work.bulk === 1) await queue.add(job.name, job.data);
      else await queue.addBulk(Array.from({ length: work.bulk }, () => job));
      delays.push(now() - at);
    }
  }));
  tell(start, delays);
  await queue.close();
}

async function doJobs() {
  const start = await begin();
  const delays = [];
  const worker = new Worker('noop', async () => null, { connection, concurrency: work.concurrency });
  worker.on('error', (error) => console.error(error.message));
  await new Promise((resolve) => {
    worker.on('completed', (job) => {
      delays.push(now() - job.data.at);
      if (delays.length === work.jobs) resolve();
    });
  });
  tell(start, delays);
  await worker.close();
}

await (role === 'publish' ? publish() : doJobs());
process.exit(0);
