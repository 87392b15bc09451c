/**
 * All that is known of one job, live by the job's own stream.
 */

import { byId, make, setText } from '../page/dom.js';
import { dayAndTime, elapsed } from '../page/format.js';
import { Problem, requestJson } from '../page/problem.js';
import { Actions } from './actions.js';
import { codeBlock } from './code-block.js';
import { linkTo } from './fragment.js';
import { after, badgeOf, isOver, jobFrom, saidOf, shortId, timeOf } from './job.js';
import { timelineElement } from './timeline.js';

/** The rest of a job is asked for when its stream tells of a change, at most so often. */
const PAUSE_MS = 500;

export class JobDetails {
  #id;
  #owner;
  #job = null;
  #whole = null;
  #source = null;
  #timer = null;
  #askedAt = -Infinity;
  #isClosed = false;
  #badge = make('span', { className: 'badge' });
  #percent = make('span', { className: 'numbers' });
  #bar = make('progress', { max: 100 });
  #said = make('p', { className: 'said-large' });
  #notice = make('p', { className: 'notice', data: { tone: 'bad' } });
  #facts = make('dl', { className: 'facts numbers' });
  #timeline = make('div', { className: 'stack' });
  #texts = make('div', { className: 'stack' });
  #actions;

  /**
   * @param {string} id
   * @param {HTMLElement} body
   * @param {{frame: import('./frame.js').Frame, actions: import('./actions.js').Owner, onJob: (job: import('./job.js').Job) => void}} owner
   */
  constructor(id, body, owner) {
    this.#id = id;
    this.#owner = owner;
    this.#actions = new Actions({
      onDone: (action, job, answer) => {
        this.#complain('');
        owner.actions.onDone(action, job, answer);
        this.#askSoon();
      },
      onProblem: (problem) => {
        this.#complain(problem.message);
        this.#askSoon();
      },
    });
    this.#bar.setAttribute('aria-label', 'Progress');
    this.#notice.setAttribute('role', 'alert');
    this.#notice.hidden = true;
    byId('details-title').textContent = 'Job';
    body.replaceChildren(make('p', { className: 'muted' }, 'Asking…'));
    this.#ask(() => body.replaceChildren(this.#notice, ...this.#parts()));
  }

  /** Called before the next picture when something has changed. */
  show() {
    const job = this.#job;
    if (!job || this.#isClosed) return;
    setText(byId('details-title'), job.name || `Job ${shortId(job.id)}`);
    const { word, tone } = badgeOf(job, Date.now());
    setText(this.#badge, word);
    this.#badge.dataset.tone = tone;
    setText(this.#percent, `${Math.floor(job.progress)} %`);
    this.#bar.value = job.progress;
    this.#bar.parentElement.dataset.status = job.status;
    // What went wrong stands below, in full.
    const said = job.error ? job.message : saidOf(job);
    setText(this.#said, said);
    this.#said.hidden = said === '';
    this.#actions.show(job);
  }

  close() {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#source?.close();
  }

  #parts() {
    const head = make('div', { className: 'stack tight' },
      make('div', { className: 'row spread' }, make('div', { className: 'row' }, this.#badge, this.#percent), this.#actions.element),
      make('div', { className: 'job-bar' }, this.#bar), this.#said);
    return [head, this.#facts, make('section', {}, make('h3', {}, 'Timeline'), this.#timeline), this.#texts];
  }

  async #ask(first = () => {}) {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#askedAt = performance.now();
    try {
      const whole = await requestJson(`/api/v1/jobs/${encodeURIComponent(this.#id)}`);
      if (this.#isClosed) return;
      first();
      this.#know(whole);
      if (!isOver(this.#job) && !this.#source) this.#listen();
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (this.#isClosed) return;
      this.#failed(problem);
    }
  }

  #failed(problem) {
    if (!this.#job) byId('details-body').replaceChildren(this.#notice);
    const isGone = problem.status === 404 || problem.status === 400;
    this.#complain(isGone ? 'There is no such job. It may have been removed, or kept for as long as jobs are kept.' : problem.message);
    if (!isGone) this.#askSoon(3000);
  }

  #know(whole) {
    this.#whole = whole;
    this.#take(jobFrom(whole));
    this.#facts.replaceChildren(...factsOf(whole, this.#job));
    const steps = whole.timeline ?? [];
    this.#timeline.replaceChildren(timelineElement(steps, Date.now()));
    this.#texts.replaceChildren(...textsOf(whole));
  }

  #take(news) {
    this.#job = this.#job ? after(this.#job, news) : news;
    this.#owner.onJob(this.#job);
    this.#owner.frame.ask(this);
  }

  /** The job's stream begins with its present state and ends with its last; the browser comes back by itself. */
  #listen() {
    this.#source = new EventSource(`/api/v1/jobs/${encodeURIComponent(this.#id)}/events`);
    this.#source.addEventListener('message', ({ data }) => {
      const before = this.#job;
      this.#take(jobFrom(JSON.parse(data)));
      const { status, stage, attempt } = this.#job;
      const isStep = status !== before.status || stage !== before.stage || attempt !== before.attempt;
      if (isOver(this.#job)) {
        this.#source.close();
        this.#askSoon(0);
      } else if (isStep) this.#askSoon();
    });
  }

  #askSoon(ms = PAUSE_MS) {
    const pause = Math.max(ms, this.#askedAt + PAUSE_MS - performance.now());
    this.#timer ??= setTimeout(() => this.#ask(), pause);
  }

  #complain(text) {
    this.#notice.textContent = text;
    this.#notice.hidden = !text;
  }
}

function factsOf(whole, job) {
  const created = timeOf(whole.createdAt);
  const updated = timeOf(whole.updatedAt);
  const rows = [
    ['Id', make('span', { className: 'mono' }, job.id)],
    ['Queue', job.queue],
    ['Attempt', whole.attempts > 1 ? `${job.attempt} of ${whole.attempts}` : job.attempt > 1 ? String(job.attempt) : ''],
    ['Made', created && dayAndTime(created)],
    ['Begins', job.status === 'pending' && job.dueAt > Date.now() ? dayAndTime(job.dueAt) : ''],
    [isOver(job) ? 'Ended' : 'Last news', updated && `${dayAndTime(updated)}${created ? `, ${elapsed(updated - created)} after it was made` : ''}`],
    ['Worker', whole.workerId],
    ['Lease', whole.leaseSeconds ? `${whole.leaseSeconds} s: without a word for so long it counts as stalled` : ''],
    ['Retried as', job.retriedAs && make('a', { className: 'mono', href: linkTo('job', job.retriedAs) }, job.retriedAs)],
  ];
  return rows.filter(([, value]) => value).flatMap(([name, value]) => [make('dt', {}, name), make('dd', {}, value)]);
}

function textsOf({ request, data, result, error }) {
  return [
    error ? codeBlock('Error', error) : null,
    result === undefined ? null : codeBlock('Result', result),
    data === undefined ? null : codeBlock('Data of the last report', data),
    request === undefined ? null : codeBlock('What is to be done', request),
  ].filter(Boolean);
}
