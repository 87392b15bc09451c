/**
 * The page of the jobs: its parts, and what they tell each other.
 */

import { StatusDot, Tidings, Toasts } from '/static/tidings.js';
import { ConnectionNotice } from './page/connection-notice.js';
import { byId } from './page/dom.js';
import { BatchDetails } from './jobs/batch-details.js';
import { Batches } from './jobs/batches.js';
import { linkTo } from './jobs/fragment.js';
import { Frame } from './jobs/frame.js';
import { JobDetails } from './jobs/job-details.js';
import { JobList } from './jobs/job-list.js';
import { Live } from './jobs/live.js';
import { Panel } from './jobs/panel.js';
import { Queues } from './jobs/queues.js';
import { TryIt } from './jobs/try-it.js';

const tidings = new Tidings({
  url: '/api/v1/sse/connect',
  // The server tells how things are, not what they were meanwhile.
  history: false,
  // A browser has six connections for all tabs of a plain HTTP server; a tab nobody sees needs none.
  timings: { hiddenMs: 300_000 },
});

const frame = new Frame();
const live = new Live(tidings);
const toasts = new Toasts();

/** What is done with a job in one place is seen in all of them. */
const actions = {
  onDone: (action, job, answer) => {
    if (action === 'remove') {
      jobs.forget(job.id);
      panel.leave(job.id);
    }
    if (action === 'retry') location.hash = linkTo('job', answer.jobId);
    jobs.askSoon();
    batches.refresh();
  },
  onProblem: (problem) => {
    toasts.show({ type: 'error', title: 'That could not be done', text: problem.message });
    jobs.askSoon();
  },
};

const jobs = new JobList({
  live,
  frame,
  actions,
  onOpen: (id) => (location.hash = linkTo('job', id)),
  onQueue: () => queues.refresh(),
});
const batches = new Batches();
const tryIt = new TryIt({
  onAdded: () => {
    jobs.askSoon();
    queues.refresh();
  },
});
const queues = new Queues({
  live,
  frame,
  toasts,
  onChange: () => jobs.askSoon(),
  onChoose: (queue, status) => jobs.choose(queue, status),
  onNames: (names) => {
    jobs.knowQueues(names);
    tryIt.knowQueues(names);
  },
});
const panel = new Panel({
  job: (id, body) => new JobDetails(id, body, { frame, actions, onJob: (job) => jobs.take(job) }),
  batch: (id, body) => new BatchDetails(id, body, { frame, actions }),
});

new StatusDot(byId('status-dot'), tidings);
new ConnectionNotice(tidings, {
  // What happened meanwhile may never be told.
  onReturn: () => {
    queues.refresh();
    jobs.refresh();
    batches.refresh();
  },
});

tidings.on('queue_update', ({ data }) => queues.update(data));
tidings.on('worker_status', ({ data }) => queues.worker(data));
tidings.on('job_update', ({ data }) => jobs.update(data));
tidings.on('heartbeat', () => {});
