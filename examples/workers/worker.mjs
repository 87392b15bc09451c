#!/usr/bin/env node
// A worker for one queue of Tidings. Put your own code in `doJob`; the rest can stay as it is.
//
// It leases one job after the other, says that it is alive while it works, and reports how far it is. If it dies,
// the server gives its job to the next worker when the lease is over. On SIGTERM it finishes its job and ends;
// a second SIGTERM ends it at once. It needs nothing but Node.js 18.

import http from 'node:http';
import https from 'node:https';
import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';

/** Throw it in `doJob` if another attempt would fail as well; any other error is tried again. */
class GiveUp extends Error {}

/**
 * Does one job; resolves to its result. Replace it.
 *
 * `job` has `jobId`, `jobName`, `data`, `attempt` and `attempts`. `progress(percent, stage, message)` tells those
 * who watch, and throws `Over` if nobody wants the job from this worker any more: let that through.
 */
async function doJob(job, progress) {
  const { steps = 5, pause = 0.2, fail } = job.data ?? {};
  for (let step = 0; step < steps; step += 1) {
    await progress((100 * step) / steps, 'counting', `Step ${step + 1} of ${steps}`);
    await sleep(pause * 1000);
  }
  if (fail !== undefined) throw new GiveUp(fail);
  return { steps };
}

/** The job was cancelled, or is another worker's by now. */
class Over extends Error {}

/** The server cannot be reached, or wants to be asked again later. */
class Away extends Error {
  constructor(why, pauseMs) {
    super(why);
    this.pauseMs = pauseMs;
  }
}

const { values: asked, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    server: { type: 'string', default: 'http://127.0.0.1:5001' },
    id: { type: 'string', default: `${hostname()}-${process.pid}` },
    // Seconds in which it is heard of, and seconds to wait for a job.
    lease: { type: 'string', default: '30' },
    wait: { type: 'string', default: '20' },
  },
});
const queue = positionals[0] ?? 'demo';
const base = asked.server.replace(/\/$/, '');
const stopping = new AbortController();
/** The request that waits for a job, if one does. */
let waiting = null;

/** Resolves to the status and the JSON of the answer. */
async function post(path, body, { timeoutMs = 15_000, mayWait = false } = {}) {
  const { status, headers, text } = await new Promise((resolve, reject) => {
    const away = (error) => reject(new Away(`the server cannot be reached: ${error.message}`));
    const client = base.startsWith('https:') ? https : http;
    const json = JSON.stringify(body);
    const length = Buffer.byteLength(json);
    const request = client.request(base + path, {
      method: 'POST',
      agent: false,
      timeout: timeoutMs,
      headers: { 'Content-Type': 'application/json', 'Content-Length': length, Connection: 'close' },
    });
    request.on('error', away);
    request.on('timeout', () => request.destroy(new Error('no answer in time')));
    request.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part) => (text += part));
      response.on('error', away);
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
    });
    request.end(json);
    if (mayWait) waiting = request;
  }).finally(() => mayWait && (waiting = null));
  if ([429, 502, 503, 504].includes(status)) {
    const seconds = Number.parseInt(headers['retry-after'], 10);
    throw new Away(`the server answers ${status}`, Number.isNaN(seconds) ? undefined : seconds * 1000);
  }
  return { status, answer: text === '' ? null : JSON.parse(text) };
}

/** The next job; null if there is none for so long. */
async function lease() {
  const [leaseSeconds, waitSeconds] = [Number(asked.lease), Number(asked.wait)];
  const path = `/api/v1/queues/${encodeURIComponent(queue)}/lease`;
  const wish = { workerId: asked.id, leaseSeconds, waitSeconds };
  const timeoutMs = (waitSeconds + 15) * 1000;
  const { status, answer } = await post(path, wish, { timeoutMs, mayWait: true });
  if (status !== 200 && status !== 204) {
    console.error('the server gives no lease:', answer);
    process.exit(1);
  }
  return answer;
}

/** A job that is this worker's for now. */
class Lease {
  isOver = false;

  constructor(job) {
    this.job = job;
    // It says that somebody works on the job, three times in a lease.
    this.keeper = setInterval(() => this.keep().catch(() => {}), (job.leaseSeconds * 1000) / 3);
  }

  async post(what, body) {
    const path = `/api/v1/jobs/${encodeURIComponent(this.job.jobId)}/${what}`;
    const told = await post(path, { leaseToken: this.job.leaseToken, ...body });
    if (told.status === 404 || told.status === 409) this.isOver = true;
    return told;
  }

  async keep() {
    const { answer } = await this.post('heartbeat', {});
    if (answer?.cancelled) this.isOver = true;
  }

  report(status, said) {
    return this.post('status', { status, attempt: this.job.attempt, ...said });
  }

  async progress(percent, stage, message) {
    if (!this.isOver) {
      // If the server is away, the next one will tell it.
      await this.report('processing', { progress: percent, stage, message }).catch(() => {});
    }
    if (this.isOver) throw new Over();
  }

  /** Says how it ended, until the server has heard it. The name makes a second try no second end. */
  async end(status, said) {
    const updateId = `${this.job.leaseToken}-end`;
    for (let failures = 1; failures < 30; failures += 1) {
      try {
        return await this.report(status, { updateId, ...said });
      } catch (error) {
        if (!(error instanceof Away)) throw error;
        await sleep(error.pauseMs ?? backoffMs(failures));
      }
    }
    return { status: 0, answer: 'the server is away; the end is not told' };
  }
}

async function work(job) {
  const held = new Lease(job);
  let told;
  try {
    const result = await doJob(job, (...said) => held.progress(...said));
    told = await held.end('completed', { result });
  } catch (error) {
    if (error instanceof Over) return console.log(`${job.jobId}: not wanted any more`);
    const retryable = !(error instanceof GiveUp);
    told = await held.end('failed', { error: error.message || String(error), retryable });
  } finally {
    clearInterval(held.keeper);
  }
  console.log(`${job.jobId}:`, told.status === 200 ? told.answer.status : told.answer);
}

/** 1, 2, 4 … 30 s, each up to half less by chance, so that many workers do not come at once. */
function backoffMs(failures) {
  return Math.min(30, 2 ** (failures - 1)) * (500 + Math.random() * 500);
}

/**
 * Takes no other job. The server is told that nobody waits for its answer, and answers at once: with nothing, or
 * with a job that it had given already, which is then done.
 */
function stop() {
  stopping.abort();
  if (base.startsWith('http:')) waiting?.socket?.end();
}
process.once('SIGTERM', stop);
process.once('SIGINT', stop);

let failures = 0;
while (!stopping.signal.aborted) {
  try {
    const job = await lease();
    failures = 0;
    if (job) await work(job);
  } catch (error) {
    if (!(error instanceof Away)) throw error;
    failures += 1;
    console.error(`${error.message}; trying again`);
    await sleep(error.pauseMs ?? backoffMs(failures), null, { signal: stopping.signal }).catch(() => {});
  }
}
