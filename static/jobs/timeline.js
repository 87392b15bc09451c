/**
 * A job's steps as people read them: when each came, how long it took, and what it was.
 */

import { make } from '../page/dom.js';
import { dayAndTime, elapsed, preciseTime } from '../page/format.js';
import { badgeOf, isOver, timeOf } from './job.js';

/**
 * @typedef {object} Step
 * @property {string} time
 * @property {string} status
 * @property {string} [stage]
 * @property {number} attempt
 * @property {boolean} [stalled]
 * @property {string} [error]
 */

/**
 * How long each step took; the last one of a job that goes on is not over.
 *
 * @param {Step[]} steps
 * @param {number} now
 * @returns {{at: number, ms: number | null, isLast: boolean, step: Step}[]}
 */
export function lasted(steps, now) {
  return steps.map((step, index) => {
    const at = timeOf(step.time);
    const isLast = index === steps.length - 1;
    const end = isLast ? now : timeOf(steps[index + 1].time);
    return { at, ms: isLast && isOver(step) ? null : Math.max(0, end - at), isLast, step };
  });
}

/**
 * @param {Step[]} steps
 * @param {number} now
 */
export function timelineElement(steps, now) {
  return make('ol', { className: 'timeline' }, ...lasted(steps, now).map(stepElement));
}

function stepElement({ at, ms, isLast, step }) {
  const { word, tone } = badgeOf({ ...step, dueAt: null }, at);
  const time = make('time', { className: 'small muted numbers', dateTime: new Date(at).toISOString(), title: dayAndTime(at) }, preciseTime(at));
  const badge = make('span', { className: 'badge', data: { tone } }, word);
  const stage = make('span', { className: 'stage' }, [step.stage, step.attempt > 1 ? `attempt ${step.attempt}` : ''].filter(Boolean).join(' · '));
  const took = make('span', { className: 'small muted numbers took' }, ms === null ? '' : `${elapsed(ms)}${isLast ? ' so far' : ''}`);
  const why = step.error ? make('p', { className: 'small why' }, step.error) : null;
  return make('li', {}, time, make('div', { className: 'step' }, badge, stage), took, why);
}
