/**
 * What can be done with a job: buttons that ask first where something is lost, and say what came of it.
 */

import { make } from '../page/dom.js';
import { Problem, requestJson } from '../page/problem.js';
import { actionsFor } from './job.js';
import { ask } from './question.js';

const path = ({ id }, rest = '') => `/api/v1/jobs/${encodeURIComponent(id)}${rest}`;

const actions = {
  cancel: {
    word: 'Cancel',
    look: 'button small',
    question: { title: 'Cancel this job?', text: 'Whoever works on it is told to stop. It cannot be gone on with.', action: 'Cancel the job' },
    perform: (job) => requestJson(path(job, '/cancel'), { method: 'POST' }),
  },
  retry: {
    word: 'Retry',
    look: 'button small',
    perform: (job) => requestJson(path(job, '/retry'), { method: 'POST' }),
  },
  remove: {
    word: 'Remove',
    look: 'button small quiet',
    question: { title: 'Remove this job?', text: 'Its data, its result and its timeline are forgotten.', action: 'Remove the job' },
    perform: (job) => requestJson(path(job), { method: 'DELETE' }),
  },
};

/** What an owner is told: which action was performed on which job, and the server's answer. */
/** @typedef {{onDone: (action: string, job: import('./job.js').Job, answer: any) => void, onProblem: (problem: Problem, job: import('./job.js').Job) => void}} Owner */

/** Buttons for what can be done with a job, as it is at the time. */
export class Actions {
  #owner;
  #most;
  #offered = '';
  #job = null;
  element = make('div', { className: 'row tight actions' });

  /**
   * @param {Owner} owner
   * @param {number} [most] Offer at most so many, the first ones.
   */
  constructor(owner, most = Infinity) {
    this.#owner = owner;
    this.#most = most;
  }

  /** @param {import('./job.js').Job} job */
  show(job) {
    this.#job = job;
    const offered = actionsFor(job).slice(0, this.#most);
    if (this.#offered === offered.join()) return;
    const hadFocus = this.element.contains(document.activeElement);
    this.#offered = offered.join();
    this.element.replaceChildren(...offered.map((name) => this.#button(name)));
    // What was pressed is gone: who works by keyboard stays where they were.
    if (hadFocus) this.element.querySelector('button')?.focus();
  }

  #button(name) {
    const { word, look } = actions[name];
    const label = make('span', { className: 'visually-hidden' }, ` ${this.#job.name || 'job'} ${this.#job.id}`);
    const button = make('button', { className: look, type: 'button', data: { action: name } }, word, label);
    button.addEventListener('click', () => this.#perform(name, button));
    return button;
  }

  async #perform(name, button) {
    const job = this.#job;
    const { question, perform } = actions[name];
    if (question && !(await ask(question))) return;
    button.disabled = true;
    try {
      this.#owner.onDone(name, job, await perform(job));
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      this.#owner.onProblem(problem, job);
    } finally {
      button.disabled = false;
    }
  }
}
