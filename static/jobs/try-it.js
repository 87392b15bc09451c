/**
 * The form that puts a job in a queue, and a worker of the page's own, so that a newcomer sees something move.
 */

import { arrange, byId, complain, make } from '../page/dom.js';
import { Problem, posting, requestJson } from '../page/problem.js';
import { linkTo } from './fragment.js';
import { shortId } from './job.js';
import { workOnOne } from './page-worker.js';

/** The form's fields by their names in the request, which are also the names a problem uses. */
const fields = { queueName: 'queue-name', jobName: 'job-name', data: 'job-data' };

const isIdentifier = (text) => /^[A-Za-z0-9_.:@-]{1,128}$/.test(text);

export class TryIt {
  #onAdded;

  /** @param {{onAdded: () => void}} owner */
  constructor({ onAdded }) {
    this.#onAdded = onAdded;
    byId('try-form').addEventListener('submit', (submitted) => {
      submitted.preventDefault();
      this.#add();
    });
    byId('work').addEventListener('click', () => this.#work());
  }

  /** @param {string[]} names The queues there are. */
  knowQueues(names) {
    const list = byId('known-queues');
    const known = new Map([...list.children].map((option) => [option.value, option]));
    arrange(list, names.map((name) => known.get(name) ?? make('option', { value: name })));
  }

  async #add() {
    const typed = Object.fromEntries(Object.entries(fields).map(([name, id]) => [name, byId(id).value.trim()]));
    if (!this.#show(mistakes(typed))) return;
    byId('add-job').disabled = true;
    try {
      const { jobId } = await requestJson('/api/v1/queue/add', posting(bodyOf(typed)));
      answer('good', 'Added as ', make('a', { href: linkTo('job', jobId), className: 'mono', title: jobId }, shortId(jobId)), '.');
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      this.#refused(problem);
    } finally {
      byId('add-job').disabled = false;
    }
    this.#onAdded();
  }

  async #work() {
    const queue = byId('queue-name').value.trim();
    if (!this.#show({ queueName: isIdentifier(queue) ? '' : nameRule })) return;
    byId('work').disabled = true;
    try {
      const id = await workOnOne(queue, {
        onBegin: (id) => {
          answer('good', 'Working on ', make('a', { href: linkTo('job', id), className: 'mono', title: id }, shortId(id)), '…');
          this.#onAdded();
        },
      });
      if (id) answer('good', 'Completed ', make('a', { href: linkTo('job', id), className: 'mono', title: id }, shortId(id)), '.');
      else answer('fair', `No job waits in ${queue}. Add one first.`);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      answer('bad', problem.message);
    } finally {
      byId('work').disabled = false;
      this.#onAdded();
    }
  }

  #refused(problem) {
    const name = Object.keys(fields).find((name) => problem.field?.split(/[.[/]/).includes(name));
    if (name) this.#show({ [name]: problem.detail ?? problem.title });
    answer('bad', problem.message);
  }

  /** @returns {boolean} Whether all is well. */
  #show(wrong) {
    for (const [name, id] of Object.entries(fields)) complain(byId(id), wrong[name] ?? '');
    const first = Object.keys(fields).find((name) => wrong[name]);
    if (!first) return true;
    byId('try-answer').replaceChildren();
    byId(fields[first]).focus();
    return false;
  }
}

const nameRule = '1–128 letters, digits and _ . : @ -';

function mistakes({ queueName: queue, jobName: name, data }) {
  return {
    queueName: isIdentifier(queue) ? '' : nameRule,
    jobName: name ? '' : 'A name for this kind of job',
    data: jsonMistake(data),
  };
}

function jsonMistake(text) {
  if (!text) return '';
  try {
    JSON.parse(text);
    return '';
  } catch (error) {
    return `No valid JSON: ${error.message}`;
  }
}

/** The data goes as it was typed: reading and writing it here would round its long numbers. */
function bodyOf({ queueName: queue, jobName: name, data }) {
  const parts = [`"queueName":${JSON.stringify(queue)}`, `"jobName":${JSON.stringify(name)}`];
  if (data) parts.push(`"data":${data}`);
  return `{${parts.join(',')}}`;
}

function answer(tone, ...words) {
  byId('try-answer').replaceChildren(make('p', { className: 'notice numbers', data: { tone } }, ...words));
}
