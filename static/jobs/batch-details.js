/**
 * One batch: its roll-up by its own stream, and its jobs.
 */

import { arrange, byId, make, setText } from '../page/dom.js';
import { count } from '../page/format.js';
import { Problem, requestJson } from '../page/problem.js';
import { BatchView, isOver, nameOf } from './batch-view.js';
import { jobFrom } from './job.js';
import { JobRow } from './job-row.js';
import { ask } from './question.js';

const PER_PAGE = 50;
const MAX_ROWS = 500;

/** While the batch goes on its jobs are asked for, at most so often. */
const PAUSE_MS = 2000;

export class BatchDetails {
  #id;
  #frame;
  #actions;
  #batch = null;
  #view = new BatchView();
  #source = null;
  #rows = new Map();
  #limit = PER_PAGE;
  #timer = null;
  #isClosed = false;
  #notice = make('p', { className: 'notice', role: 'alert', hidden: true, data: { tone: 'bad' } });
  #cancel = make('button', { className: 'button small', type: 'button', hidden: true }, 'Cancel the batch');
  #jobs = make('ul', { className: 'jobs' });
  #status = make('select', { id: 'batch-status' }, ...statusOptions());
  #more = make('button', { className: 'button small', type: 'button', hidden: true }, 'Load more');

  /**
   * @param {string} id
   * @param {HTMLElement} body
   * @param {{frame: import('./frame.js').Frame, actions: import('./actions.js').Owner}} owner
   */
  constructor(id, body, owner) {
    this.#id = id;
    this.#frame = owner.frame;
    this.#actions = {
      onDone: (action, job, answer) => {
        owner.actions.onDone(action, job, answer);
        this.#askJobs();
      },
      // A toast would be behind the panel.
      onProblem: (problem) => this.#complain(problem),
    };
    this.#cancel.addEventListener('click', () => this.#askToCancel());
    this.#status.addEventListener('change', () => this.#startOver());
    this.#more.addEventListener('click', () => {
      this.#limit = Math.min(MAX_ROWS, this.#limit + PER_PAGE);
      this.#askJobs();
    });
    byId('details-title').textContent = 'Batch';
    body.replaceChildren(this.#notice,
      make('div', { className: 'stack tight' }, make('div', { className: 'row spread' }, this.#view.head, this.#cancel), this.#view.bar, this.#view.foot),
      make('div', { className: 'card-head' }, make('h3', {}, 'Its jobs'), make('label', { className: 'row small', htmlFor: 'batch-status' }, 'Only', this.#status)),
      this.#jobs, this.#more);
    this.#begin();
  }

  /** Called before the next picture when something has changed. */
  show() {
    if (!this.#batch || this.#isClosed) return;
    setText(byId('details-title'), nameOf(this.#batch));
    this.#view.show(this.#batch);
    this.#cancel.hidden = isOver(this.#batch);
  }

  close() {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#source?.close();
  }

  #path(rest = '') {
    return `/api/v1/batches/${encodeURIComponent(this.#id)}${rest}`;
  }

  async #begin() {
    await this.#try(async () => {
      this.#take(await requestJson(this.#path()));
      if (!isOver(this.#batch)) this.#listen();
    });
    await this.#askJobs();
  }

  #take(batch) {
    if (this.#batch && batch.revision < this.#batch.revision) return;
    this.#batch = batch;
    this.#frame.ask(this);
  }

  #listen() {
    this.#source = new EventSource(this.#path('/events'));
    this.#source.addEventListener('message', ({ data }) => {
      this.#take(JSON.parse(data));
      if (isOver(this.#batch)) this.#source.close();
      this.#timer ??= setTimeout(() => this.#askJobs(), PAUSE_MS);
    });
  }

  async #askJobs() {
    clearTimeout(this.#timer);
    this.#timer = null;
    await this.#try(async () => {
      const status = this.#status.value ? `&status=${this.#status.value}` : '';
      const { jobs, next } = await requestJson(this.#path(`/jobs?limit=${this.#limit}${status}`));
      if (this.#isClosed) return;
      this.#showJobs(jobs);
      this.#more.hidden = !next || this.#limit >= MAX_ROWS;
    });
  }

  #showJobs(jobs) {
    const rows = jobs.map(jobFrom).map((job) => {
      const row = this.#rows.get(job.id) ?? new JobRow(job, this.#actions);
      row.job = job;
      this.#frame.ask(row);
      return [job.id, row];
    });
    this.#rows = new Map(rows);
    arrange(this.#jobs, rows.map(([, row]) => row.element));
  }

  #startOver() {
    this.#limit = PER_PAGE;
    this.#askJobs();
  }

  async #askToCancel() {
    const open = this.#batch.total - this.#batch.ended;
    const text = `${count(open)} of its jobs ${open === 1 ? 'has' : 'have'} not ended and will be cancelled.`;
    if (!(await ask({ title: 'Cancel this batch?', text, action: 'Cancel the batch' }))) return;
    await this.#try(async () => this.#take(await requestJson(this.#path('/cancel'), { method: 'POST' })));
    await this.#askJobs();
  }

  async #try(attempt) {
    try {
      await attempt();
      this.#notice.hidden = true;
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      this.#complain(problem);
    }
  }

  #complain(problem) {
    this.#notice.textContent = problem.status === 404 ? 'It is not there any more.' : problem.message;
    this.#notice.hidden = false;
  }
}

function statusOptions() {
  const choices = { '': 'all', pending: 'waiting', processing: 'active', completed: 'completed', failed: 'failed', cancelled: 'cancelled' };
  return Object.entries(choices).map(([value, word]) => make('option', { value }, word));
}
