/**
 * The list of this session's summaries: newest first, each opens to its sentences.
 */

import { arrange, byId } from '../page/dom.js';
import { count } from '../page/format.js';
import { Problem, requestJson } from '../page/problem.js';
import { SummaryItem } from './summary-item.js';

/** Several may become ready at once; one question is enough for them. */
const GATHER_MS = 120;

/** Of many that become ready together, only some open by themselves: nobody reads fifty at a time. */
const OPEN_AT_ONCE = 3;

export class Summaries {
  /** @type {Map<string, SummaryItem>} */
  #items = new Map();
  #fresh = new Set();
  #timer = null;
  #loaded = false;

  constructor() {
    byId('search').addEventListener('input', () => this.#filter());
    byId('summaries-retry').addEventListener('click', () => this.refresh());
    this.refresh();
  }

  /** A new one is ready. */
  arrive(id) {
    this.#fresh.add(id);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.refresh(), GATHER_MS);
  }

  /** Asks for the list. */
  async refresh() {
    try {
      this.#show((await requestJson('/api/v1/summaries')).summaries);
      this.#problem('');
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      this.#problem(problem.message);
    }
  }

  #show(summaries) {
    this.#loaded = true;
    const newestFirst = [...summaries].sort((one, other) => Date.parse(other.created_at) - Date.parse(one.created_at));
    const items = newestFirst.map((summary) => this.#items.get(summary.id) ?? new SummaryItem(summary));
    this.#items = new Map(newestFirst.map((summary, index) => [summary.id, items[index]]));
    arrange(byId('summaries'), items.map((item) => item.element));
    this.#reveal();
    this.#filter();
  }

  #reveal() {
    const fresh = [...this.#fresh].filter((id) => this.#items.has(id));
    fresh.forEach((id, index) => {
      this.#items.get(id).reveal(index < OPEN_AT_ONCE);
      this.#fresh.delete(id);
    });
  }

  #filter() {
    const wanted = byId('search').value.trim().toLowerCase();
    let shown = 0;
    for (const item of this.#items.values()) {
      item.element.hidden = !item.matches(wanted);
      shown += item.element.hidden ? 0 : 1;
    }
    const empty = this.#items.size === 0 ? 'No summaries yet. The first one appears here as soon as it is ready.' : 'No summary matches.';
    byId('summaries-empty').textContent = empty;
    byId('summaries-empty').hidden = shown > 0;
    byId('summaries-loading').hidden = true;
    byId('search-field').hidden = this.#items.size === 0;
    byId('summaries-count').textContent = wanted ? `${count(shown)} of ${count(this.#items.size)} shown` : `${count(this.#items.size)} summaries`;
  }

  #problem(text) {
    byId('summaries-problem').hidden = !text;
    byId('summaries-problem-text').textContent = text;
    if (text && !this.#loaded) byId('summaries-loading').hidden = true;
  }
}
