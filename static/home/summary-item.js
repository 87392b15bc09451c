/**
 * One summary in the list. Its sentences are fetched when it is opened.
 */

import { make } from '../page/dom.js';
import { count, timecode } from '../page/format.js';
import { Problem, requestJson } from '../page/problem.js';

const date = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

export class SummaryItem {
  #summary;
  #details;
  #body = make('div');
  #text = '';
  #asked = false;

  /** @param {{id: string, title: string, source: string, model_used: string, created_at: string}} summary */
  constructor(summary) {
    this.#summary = summary;
    this.#text = summary.title.toLowerCase();
    this.#details = make('details', {},
      make('summary', {}, make('h3', {}, summary.title), make('span', { className: 'meta numbers' }, meta(summary))),
      this.#body);
    this.#details.addEventListener('toggle', () => this.#details.open && this.#load());
    this.element = make('li', {}, this.#details);
  }

  /** Draws the eye to it, and opens it if that is wanted. */
  reveal(open) {
    this.element.classList.add('fresh');
    this.#details.open ||= open;
  }

  /** Whether its title, or what is known of its sentences, contains the text. */
  matches(wanted) {
    return this.#text.includes(wanted);
  }

  async #load() {
    if (this.#asked) return;
    this.#asked = true;
    this.#body.replaceChildren(make('p', { className: 'muted sentences' }, 'Fetching…'));
    try {
      this.#show(await requestJson(`/api/v1/summaries/${encodeURIComponent(this.#summary.id)}`));
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      this.#asked = false;
      this.#body.replaceChildren(make('p', { className: 'notice', data: { tone: 'bad' } }, problem.message));
    }
  }

  #show(summary) {
    const { sentences } = summary;
    this.#text = [summary.title, ...sentences.map(({ text }) => text)].join('\n').toLowerCase();
    const timed = sentences.some(({ start_seconds: start }) => Number.isFinite(start));
    const list = make('ol', { className: timed ? 'sentences' : 'sentences untimed' });
    list.append(...sentences.map((sentence) => sentenceElement(sentence, timed)));
    this.#body.replaceChildren(list, foot(summary));
  }
}

function meta({ source, model_used: model, created_at: created }) {
  return [source === 'cache' ? 'from the cache' : model, date.format(Date.parse(created))].filter(Boolean).join(' · ');
}

function sentenceElement({ text, start_seconds: start }, timed) {
  const time = Number.isFinite(start) ? timecode(start) : '';
  return make('li', {},
    timed ? make('span', { className: 'time numbers' }, time) : null,
    make('span', { className: 'said' }, text));
}

function foot({ sentences, sentence_count: all, word_count: words }) {
  const size = `${count(sentences.length)} of ${count(all)} sentences, ${count(words)} words`;
  const copy = make('button', { className: 'button small quiet', type: 'button' }, 'Copy');
  copy.addEventListener('click', async () => {
    await navigator.clipboard.writeText(sentences.map(({ text }) => text).join('\n\n'));
    copy.textContent = 'Copied';
    setTimeout(() => (copy.textContent = 'Copy'), 2000);
  });
  // The clipboard exists only where the connection is secure, or on the machine itself.
  return make('div', { className: 'summary-foot small muted' }, make('span', {}, size), navigator.clipboard ? copy : null);
}
