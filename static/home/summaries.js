/**
 * The library: everyone's summaries of videos and this session's own, newest first or what fits a search best.
 * It is the server that searches; the page asks again whenever something may have changed.
 */

import { arrange, byId, make, setText } from '../page/dom.js';
import { count } from '../page/format.js';
import { Problem, requestJson } from '../page/problem.js';
import { SummaryItem } from './summary-item.js';

/** Several may become ready at once; one question is enough for them. */
const GATHER_MS = 120;
/** While somebody types. */
const TYPING_MS = 200;
/** Summaries on a page. */
const PAGE = 20;
/** As many as a question may ask for. */
const MOST = 1000;

/** Of many that become ready together, only some open by themselves: nobody reads fifty at a time. */
const OPEN_AT_ONCE = 3;

export class Summaries {
  /** @type {Map<string, SummaryItem>} */
  #items = new Map();
  #fresh = new Set();
  #timer = null;
  #loaded = false;
  #limit = PAGE;
  /** Of several questions only the latest answer counts: who asked before waits for it. */
  #question = 0;
  #latest = Promise.resolve();
  #owner;

  /** @param {{onRefresh: (answer: object) => void}} owner A summary is being made anew: the server's answer. */
  constructor({ onRefresh }) {
    this.#owner = { onRefresh, onDelete: (id) => this.#deleted(id) };
    const { searchParams } = new URL(location.href);
    byId('search').value = searchParams.get('q') ?? '';
    byId('search-field').addEventListener('submit', (submitted) => {
      submitted.preventDefault();
      this.#search();
    });
    byId('search').addEventListener('input', () => this.#soon(TYPING_MS, () => this.#search()));
    byId('playlist-filter').addEventListener('change', () => this.#search());
    byId('summaries-retry').addEventListener('click', () => this.refresh());
    byId('more').addEventListener('click', (clicked) => {
      clicked.preventDefault();
      this.#showMore();
    });
    this.refresh();
  }

  /** A new one is ready. */
  arrive(id) {
    this.#fresh.add(id);
    this.changed();
  }

  /** Something may be there, or gone. */
  changed() {
    this.#soon(GATHER_MS, () => this.refresh());
  }

  /** Asks for the list, and shows it. */
  refresh() {
    this.#latest = this.#load(++this.#question);
    return this.#latest;
  }

  async #load(question) {
    try {
      const answer = await this.#ask();
      if (question !== this.#question) return this.#latest;
      this.#show(answer);
      this.#problem('');
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (question !== this.#question) return this.#latest;
      this.#problem(problem.message);
    }
  }

  /** Page after page, because of what a search finds the server gives only so many at once. */
  async #ask() {
    const query = this.#query();
    const kept = this.#lastToStay();
    const found = new Map();
    const isShort = () => found.size < this.#limit || (kept && !found.has(kept) && found.size < this.#limit + PAGE);
    let answer = {};
    do {
      query.set('limit', String(found.size < this.#limit ? this.#limit - found.size : PAGE));
      if (answer.next) query.set('after', answer.next);
      answer = await requestJson(`/api/v1/summaries?${query}`);
      for (const summary of answer.summaries) found.set(summary.id, summary);
    } while (answer.next && isShort());
    const summaries = [...found.values()];
    const end = Math.max(this.#limit, summaries.findIndex(({ id }) => id === kept) + 1);
    return { ...answer, summaries: summaries.slice(0, end), hasMore: Boolean(answer.next) || summaries.length > end };
  }

  /** Who has asked for more, or is in the list, does not lose its end to what comes new at its beginning. */
  #lastToStay() {
    const list = byId('summaries');
    const isRead = this.#limit > PAGE || list.matches(':focus-within');
    return isRead ? list.lastElementChild?.dataset.id : undefined;
  }

  /** What is looked for. */
  #query() {
    const wanted = { q: byId('search').value.trim(), playlist: byId('playlist-filter').value };
    return new URLSearchParams(Object.entries(wanted).filter(([, value]) => value));
  }

  #soon(ms, then) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, ms);
  }

  #search() {
    this.#limit = PAGE;
    const address = this.#query();
    // A reload, and the link that somebody copies, show the same.
    history.replaceState(null, '', address.size > 0 ? `?${address}` : location.pathname);
    return this.refresh();
  }

  async #showMore() {
    const list = byId('summaries');
    const last = list.lastElementChild;
    this.#limit = Math.min(this.#limit + PAGE, MOST);
    await this.refresh();
    if (!byId('more').hidden && !last.nextElementSibling) return;
    // The button may be gone, and what it was for is here; but nobody is called away from elsewhere.
    if (![byId('more'), document.body].includes(document.activeElement)) return;
    (last.nextElementSibling ?? list.lastElementChild)?.querySelector('summary').focus();
  }

  async #deleted(id) {
    const items = [...byId('summaries').children];
    const place = items.findIndex((item) => item.dataset.id === id);
    await this.refresh();
    const next = byId('summaries').children[Math.min(place, this.#items.size - 1)]?.querySelector('summary');
    // Where nothing is left, there is nothing to search either.
    (next ?? byId(byId('search-field').hidden ? 'main' : 'search')).focus();
  }

  #show({ summaries, total, hasMore, playlists = [] }) {
    this.#loaded = true;
    this.#limit = Math.min(Math.max(this.#limit, summaries.length), MOST);
    const items = summaries.map((summary) => {
      const item = this.#items.get(summary.id) ?? new SummaryItem(summary, this.#owner);
      item.showSnippet(summary.snippet);
      return item;
    });
    this.#items = new Map(summaries.map((summary, index) => [summary.id, items[index]]));
    arrange(byId('summaries'), items.map((item) => item.element));
    byId('more').hidden = !hasMore || this.#limit >= MOST;
    this.#showPlaylists(playlists);
    this.#reveal();
    this.#tell(total);
  }

  /** What is chosen stays a choice, also when its last summary is gone. The list is not touched for nothing: it may be open. */
  #showPlaylists(playlists) {
    const filter = byId('playlist-filter');
    const chosen = filter.value;
    const names = new Map(playlists.map(({ name, count: size }) => [name, `${name} (${size})`]));
    if (chosen && !names.has(chosen)) names.set(chosen, `${chosen} (0)`);
    const options = [['', 'All playlists'], ...names].map(([value, text]) => make('option', { value, selected: value === chosen }, text));
    const isSame = filter.options.length === options.length && options.every((option, index) => option.isEqualNode(filter.options[index]));
    if (!isSame) filter.replaceChildren(...options);
    hide(byId('playlist-field'), names.size === 0);
  }

  #reveal() {
    const fresh = [...this.#fresh].filter((id) => this.#items.has(id));
    fresh.forEach((id, index) => {
      this.#items.get(id).reveal(index < OPEN_AT_ONCE);
      this.#fresh.delete(id);
    });
  }

  #tell(total) {
    const isFiltered = byId('search').value.trim() !== '' || byId('playlist-filter').value !== '';
    const empty = isFiltered ? 'No summary matches.' : 'No summaries yet. The first one appears here as soon as it is ready.';
    byId('summaries-empty').textContent = empty;
    byId('summaries-empty').hidden = this.#items.size > 0;
    byId('summaries-loading').hidden = true;
    hide(byId('search-field'), this.#items.size === 0 && !isFiltered);
    setText(byId('summaries-count'), isFiltered ? `${count(total)} found` : `${count(total)} ${total === 1 ? 'summary' : 'summaries'}`);
  }

  #problem(text) {
    byId('summaries-problem').hidden = !text;
    byId('summaries-problem-text').textContent = text;
    if (text && !this.#loaded) byId('summaries-loading').hidden = true;
  }
}

/** Hides what is of no use now, but not from under somebody's hands. */
function hide(field, isUseless) {
  field.hidden = isUseless && !field.contains(document.activeElement);
}
