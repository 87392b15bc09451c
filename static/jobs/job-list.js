/**
 * The list of jobs: the newest first, a page at a time, those that are shown live.
 *
 * The stream tells of jobs that are named; new ones are found by asking again, when a queue has changed and
 * now and then. While somebody reads or works in the list nothing is put in before their eyes.
 */

import { arrange, byId } from '../page/dom.js';
import { count } from '../page/format.js';
import { Problem, requestJson } from '../page/problem.js';
import { Filters } from './filters.js';
import { after, isOver, jobFrom } from './job.js';
import { JobRow } from './job-row.js';
import { Trouble } from './trouble.js';

const PER_PAGE = 50;

/** More are found by filters, not by scrolling. */
const MAX_ROWS = 500;

/** Between two questions: when something has changed, and when nothing has. */
const SOON_MS = 1000;
const CALM_MS = 5000;

const AGES_MS = 5000;

export class JobList {
  #owner;
  #filters;
  /** @type {Map<string, JobRow>} In the order of the list. */
  #rows = new Map();
  /** @type {import('./job.js').Job[]} New ones that are kept back while somebody is at the list. */
  #newer = [];
  #next = null;
  #isLoaded = false;
  #trouble = new Trouble('jobs-problem', () => this.refresh());
  #timer = null;
  #dueAt = Infinity;
  #round = 0;
  #askedAt = -Infinity;

  /**
   * @param {{live: import('./live.js').Live, frame: import('./frame.js').Frame, actions: import('./actions.js').Owner,
   *   onOpen: (id: string) => void, onQueue: () => void}} owner `onOpen`: somebody typed a job's id. `onQueue`: there is
   *   a queue that was not known.
   */
  constructor(owner) {
    this.#owner = owner;
    this.#filters = new Filters({ onChange: () => this.#startOver(), onText: () => this.#arrange(), onId: owner.onOpen });
    byId('more-jobs').addEventListener('click', () => this.#loadMore());
    byId('show-newer').addEventListener('click', () => this.#showNewer());
    byId('hold').addEventListener('click', () => this.#toggleHold());
    document.addEventListener('visibilitychange', () => this.refresh());
    setInterval(() => document.hidden || this.#showAges(), AGES_MS);
    this.refresh();
  }

  knowQueues(names) {
    this.#filters.knowQueues(names);
  }

  /** Shows a queue's jobs of a status. */
  choose(queue, status) {
    this.#filters.choose(queue, status);
    byId('jobs-title').scrollIntoView({ block: 'start' });
  }

  /** A `job_update` event. */
  update(said) {
    this.take(jobFrom(said));
  }

  /** News of a job that may be in the list. */
  take(news) {
    const row = this.#rows.get(news.id);
    if (!row) return;
    const wasOver = isOver(row.job);
    row.job = after(row.job, news);
    this.#owner.frame.ask(row);
    if (isOver(row.job) !== wasOver) this.#watch();
  }

  /** A job is not there any more. */
  forget(id) {
    const row = this.#rows.get(id);
    if (!row) return;
    const neighbour = row.element.nextElementSibling ?? row.element.previousElementSibling;
    const hadFocus = row.element.contains(document.activeElement) || document.activeElement === document.body;
    this.#rows.delete(id);
    this.#arrange();
    if (hadFocus) neighbour?.querySelector('a')?.focus();
  }

  /** Something has changed: there may be new ones. */
  askSoon() {
    const pause = Math.max(0, this.#askedAt + SOON_MS - performance.now());
    this.#plan(pause);
  }

  /** Asks for the newest. */
  async refresh() {
    if (document.hidden) return;
    clearTimeout(this.#timer);
    this.#dueAt = Infinity;
    this.#askedAt = performance.now();
    const round = this.#round;
    try {
      const answer = await this.#page(null);
      if (round !== this.#round) return;
      this.#merge(answer.jobs.map(jobFrom), answer.next ?? null);
      this.#trouble.clear();
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (round !== this.#round) return;
      this.#trouble.show(problem);
      byId('jobs-loading').hidden = true;
    }
    this.#plan(CALM_MS);
  }

  /** What is planned earlier stays. */
  #plan(ms) {
    const at = performance.now() + ms;
    if (at >= this.#dueAt) return;
    clearTimeout(this.#timer);
    this.#dueAt = at;
    this.#timer = setTimeout(() => this.refresh(), ms);
  }

  #page(after) {
    const query = new URLSearchParams({ limit: PER_PAGE });
    const { statuses, queue } = this.#filters;
    if (statuses.length > 0) query.set('status', statuses.join(','));
    if (after) query.set('after', after);
    const path = queue ? `/api/v1/queues/${encodeURIComponent(queue)}/jobs` : '/api/v1/jobs';
    return requestJson(`${path}?${query}`);
  }

  #startOver() {
    this.#round += 1;
    this.#rows.clear();
    this.#newer = [];
    this.#next = null;
    this.#isLoaded = false;
    byId('jobs-loading').hidden = false;
    byId('jobs-empty').hidden = true;
    arrange(byId('jobs'), []);
    this.refresh();
  }

  /** Takes the newest page: what it has is so; behind its end stays what was loaded. */
  #merge(jobs, next) {
    const fresh = jobs.filter(({ id }) => !this.#rows.has(id));
    this.#newer = this.#isLoaded && this.#isHeld() ? fresh : [];
    const page = new Set(jobs.map(({ id }) => id));
    const known = [...this.#rows.keys()];
    const end = known.findLastIndex((id) => page.has(id));
    // With nothing in common the page is all that is certain.
    const isAll = end < 0 || !next;
    const behind = isAll ? [] : known.slice(end + 1).filter((id) => this.#filters.isFor(this.#rows.get(id).job));
    const held = this.#newer.length > 0;
    const order = held ? known : [...page, ...behind].slice(0, MAX_ROWS);
    for (const job of jobs) this.take(job);
    if (fresh.some(({ queue }) => !this.#filters.knows(queue))) this.#owner.onQueue();
    const made = new Map(jobs.map((job) => [job.id, job]));
    this.#rows = new Map(order.map((id) => [id, this.#rows.get(id) ?? this.#newRow(made.get(id))]));
    if (!held && (behind.length === 0 || !this.#isLoaded)) this.#next = next;
    this.#isLoaded = true;
    this.#arrange();
    this.#watch();
  }

  #newRow(job) {
    const row = new JobRow(job, this.#owner.actions);
    this.#owner.frame.ask(row);
    return row;
  }

  #arrange() {
    const shown = [...this.#rows.values()].filter(({ job }) => this.#filters.hasText(job));
    arrange(byId('jobs'), shown.map((row) => row.element));
    this.#say(shown.length);
  }

  #say(shown) {
    const { text, isAny } = this.#filters;
    byId('jobs-loading').hidden = this.#isLoaded;
    byId('jobs-empty').hidden = shown > 0 || !this.#isLoaded;
    byId('jobs-empty').textContent = emptyWords(isAny, text, this.#rows.size);
    byId('more-jobs').hidden = !this.#next || this.#rows.size >= MAX_ROWS;
    byId('show-newer').hidden = this.#newer.length === 0;
    const all = this.#next ? `the newest ${count(this.#rows.size)}` : `${count(this.#rows.size)} ${this.#rows.size === 1 ? 'job' : 'jobs'}`;
    byId('jobs-line').textContent = this.#rows.size === 0 ? '' : text ? `${count(shown)} of ${all}` : all;
  }

  async #loadMore() {
    const button = byId('more-jobs');
    const round = this.#round;
    button.disabled = true;
    try {
      const { jobs, next } = await this.#page(this.#next);
      if (round !== this.#round) return;
      for (const job of jobs.map(jobFrom)) if (!this.#rows.has(job.id)) this.#rows.set(job.id, this.#newRow(job));
      this.#next = next ?? null;
      this.#arrange();
      this.#watch();
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      // What the next page follows is not there any more.
      if (problem.status === 400) this.#startOver();
      else this.#trouble.show(problem);
    } finally {
      button.disabled = false;
    }
  }

  /** Whether somebody is at the list, or wants it to stay. */
  #isHeld() {
    if (byId('hold').getAttribute('aria-pressed') === 'true') return true;
    const list = byId('jobs');
    const isPointedAt = matchMedia('(hover: hover)').matches && list.matches(':hover');
    return isPointedAt || list.contains(document.activeElement);
  }

  #toggleHold() {
    const button = byId('hold');
    const isHeld = button.getAttribute('aria-pressed') !== 'true';
    button.setAttribute('aria-pressed', String(isHeld));
    if (!isHeld) this.refresh();
  }

  #showNewer() {
    byId('hold').setAttribute('aria-pressed', 'false');
    byId('jobs-title').scrollIntoView({ block: 'nearest' });
    byId('hold').focus();
    this.refresh();
  }

  /** The stream tells of those that can still change. */
  #watch() {
    const open = [...this.#rows.values()].filter(({ job }) => !isOver(job)).map(({ job }) => job.id);
    this.#owner.live.want('jobs', open);
  }

  #showAges() {
    for (const row of this.#rows.values()) row.showAge();
  }
}

function emptyWords(isFiltered, text, loaded) {
  if (text && loaded > 0) return 'None of these jobs has that in its id or name. Enter opens the job with exactly this id.';
  return isFiltered ? 'No such jobs.' : 'No jobs yet. The first one appears here as soon as it is made.';
}
