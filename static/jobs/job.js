/**
 * A job as the page knows it, whichever way the news of it came.
 *
 * Three tell of it: lists and answers (seed 000's words, ISO times), the page's own stream (seed 001's words,
 * milliseconds) and a job's stream. All become the same here, and what comes late changes nothing.
 */

/**
 * @typedef {object} Job
 * @property {string} id
 * @property {'pending' | 'processing' | 'completed' | 'failed' | 'cancelled'} status
 * @property {number} progress From 0 to 100.
 * @property {string} stage
 * @property {string} message
 * @property {number} attempt
 * @property {number} time When it was so, in milliseconds since 1970.
 * @property {number | null} createdAt
 * @property {number | null} dueAt It does not begin before.
 * @property {string} queue Empty if it is in none.
 * @property {string} name What its maker calls this kind of job; may be empty.
 * @property {string} error
 * @property {boolean} retryable It has failed, and another attempt follows.
 * @property {boolean} stalled Nothing was heard of it for longer than was agreed.
 * @property {string} retriedAs The job that tries it again.
 * @property {boolean} gone It is not kept any more; only a batch still knows of it.
 */

/** Seed 001 has other words. */
const statuses = { started: 'processing', in_progress: 'processing' };

const words = { pending: 'waiting', processing: 'active', completed: 'completed', failed: 'failed', cancelled: 'cancelled' };
const tones = { pending: '', processing: 'tide', completed: 'good', failed: 'bad', cancelled: 'fair' };

/** An ISO time or milliseconds, as milliseconds; null for none. */
export function timeOf(value) {
  const ms = typeof value === 'string' ? Date.parse(value) : value;
  return Number.isFinite(ms) ? ms : null;
}

/**
 * What any of the three says of a job, as the page's own.
 *
 * @returns {Job}
 */
export function jobFrom(said) {
  return {
    id: said.jobId,
    status: statuses[said.status] ?? said.status,
    progress: Math.min(100, Math.max(0, Number(said.progress) || 0)),
    stage: said.stage ?? '',
    message: said.message ?? '',
    attempt: said.attempt ?? 1,
    time: timeOf(said.timestamp) ?? 0,
    createdAt: timeOf(said.createdAt),
    dueAt: timeOf(said.notBefore),
    queue: said.queueName ?? '',
    name: said.jobName ?? '',
    error: typeof said.error === 'string' ? said.error : '',
    retryable: said.retryable === true,
    stalled: said.stalled === true,
    retriedAs: said.retriedAs ?? '',
    gone: said.gone === true,
  };
}

/** What does not change, and is not said in every word on a job. */
const lasting = ['createdAt', 'dueAt', 'queue', 'name', 'retriedAs'];

/**
 * How a job is after news of it; the same as before if the news is old.
 *
 * @param {Job} before
 * @param {Job} news
 * @returns {Job}
 */
export function after(before, news) {
  if (news.time < before.time || news.attempt < before.attempt) return before;
  const kept = lasting.map((name) => [name, news[name] || before[name]]);
  return { ...news, ...Object.fromEntries(kept) };
}

/** Whether nothing more comes. */
export function isOver({ status, retryable }) {
  return status === 'completed' || status === 'cancelled' || (status === 'failed' && !retryable);
}

/** How it is, in a word, and in which tone. */
export function badgeOf(job, now) {
  if (job.stalled) return { word: 'stalled', tone: 'fair' };
  if (job.status === 'failed' && job.retryable) return { word: 'trying again', tone: 'fair' };
  if (job.status === 'pending' && job.dueAt > now) return { word: 'delayed', tone: '' };
  return { word: words[job.status] ?? job.status, tone: tones[job.status] ?? '' };
}

/** What is said beside its bar. */
export function saidOf({ status, stage, message, error }) {
  if (status === 'failed' && error) return error;
  return message || stage;
}

/** What can be done with it. */
export function actionsFor(job) {
  if (job.gone) return [];
  if (!isOver(job)) return ['cancel'];
  return job.status === 'failed' && job.queue && !job.retriedAs ? ['retry', 'remove'] : ['remove'];
}

/** The server's own ids begin with the time and are told apart by their end; those people choose are shown as they are. */
export function shortId(id) {
  return /^[0-9a-f]{8}-[0-9a-f-]{27}$/.test(id) ? `…${id.slice(-8)}` : id;
}
