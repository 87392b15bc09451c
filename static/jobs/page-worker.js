/**
 * The page as a worker: it does what any worker elsewhere does, over the same requests.
 *
 * It leases a job, says how far it is, and completes it. What it does meanwhile is wait, so that one can watch.
 */

import { posting, requestJson } from '../page/problem.js';

const STEPS = [
  { progress: 10, stage: 'reading', message: 'Reading what is to be done' },
  { progress: 40, stage: 'working', message: 'Working on it' },
  { progress: 75, stage: 'working', message: 'Still at it' },
  { progress: 95, stage: 'tidying', message: 'Nearly there' },
];

const STEP_MS = 900;

/** Long enough for all of it; if the page goes away meanwhile, the next worker gets the job after that. */
const LEASE_SECONDS = 15;

const workerId = `page-${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}`;

/**
 * Works on one job of a queue.
 *
 * @param {string} queue
 * @param {{onBegin: (id: string) => void, stepMs?: number}} owner
 * @returns {Promise<string | null>} The job that was completed; null if none waits.
 * @throws {import('../page/problem.js').Problem}
 */
export async function workOnOne(queue, { onBegin, stepMs = STEP_MS }) {
  const wish = JSON.stringify({ workerId, leaseSeconds: LEASE_SECONDS, waitSeconds: 0 });
  const job = await requestJson(`/api/v1/queues/${encodeURIComponent(queue)}/lease`, posting(wish));
  if (!job) return null;
  onBegin(job.jobId);
  const report = (said) => requestJson(`/api/v1/jobs/${encodeURIComponent(job.jobId)}/status`, posting(JSON.stringify({ ...said, leaseToken: job.leaseToken })));
  for (const step of STEPS) {
    await report({ status: 'processing', ...step });
    await new Promise((resume) => setTimeout(resume, stepMs));
  }
  await report({ status: 'completed', progress: 100, message: 'Done in a browser', result: { doneBy: workerId } });
  return job.jobId;
}
