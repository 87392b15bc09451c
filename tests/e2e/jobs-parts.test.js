/**
 * The parts of the page of the jobs that need no page: what a job is, what is subscribed to, what is drawn.
 */

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { countsOf, paceOf } from '../../static/jobs/batch-view.js';
import { linkTo, read } from '../../static/jobs/fragment.js';
import { Frame } from '../../static/jobs/frame.js';
import { actionsFor, after, badgeOf, isOver, jobFrom, saidOf, shortId } from '../../static/jobs/job.js';
import { Live, changes } from '../../static/jobs/live.js';
import { Ended } from '../../static/jobs/throughput.js';
import { lasted } from '../../static/jobs/timeline.js';
import { Handlers } from '../../static/tidings/handlers.js';
import { age, elapsed } from '../../static/page/format.js';
import { until } from './support/browser.js';

const listed = {
  jobId: 'a', status: 'processing', progress: 40, stage: 's', message: 'm', timestamp: '2026-01-02T03:04:05.678Z', attempt: 1,
  createdAt: '2026-01-02T03:04:05.000Z', queueName: 'q', jobName: 'n',
};
const told = (more) => ({ type: 'job_update', jobId: 'a', status: 'in_progress', progress: 50, stage: 's', message: 'm', timestamp: Date.parse(listed.timestamp), ...more });

test('a list, the page’s stream and a job’s own stream tell of the same job', () => {
  const before = jobFrom(listed);
  const now = after(before, jobFrom(told({ progress: 60 })));
  assert.deepEqual(now, { ...before, progress: 60 });
  assert.equal(jobFrom(told({ status: 'started' })).status, 'processing');
  assert.deepEqual(after(now, jobFrom({ ...listed, progress: 70 })), { ...before, progress: 70 });
});

test('what comes late changes nothing', () => {
  const before = jobFrom({ ...listed, attempt: 2 });
  assert.equal(after(before, jobFrom(told({ attempt: 2, timestamp: before.time - 1 }))), before);
  assert.equal(after(before, jobFrom(told({ timestamp: before.time + 1 }))), before);
});

test('progress that is none is drawn as none', () => {
  for (const [said, shown] of [[undefined, 0], ['x', 0], [-5, 0], [130, 100], [99.5, 99.5]]) assert.equal(jobFrom({ ...listed, progress: said }).progress, shown);
});

test('a job is called what it is', () => {
  const check = (more, word, over) => {
    const job = jobFrom({ ...listed, ...more });
    assert.equal(badgeOf(job, Date.parse('2026-01-02T04:00:00Z')).word, word);
    assert.equal(isOver(job), over);
  };
  check({ status: 'pending' }, 'waiting', false);
  check({ status: 'pending', notBefore: '2026-01-02T05:00:00Z' }, 'delayed', false);
  check({ status: 'pending', notBefore: '2026-01-02T03:30:00Z' }, 'waiting', false);
  check({}, 'active', false);
  check({ stalled: true }, 'stalled', false);
  check({ status: 'failed', retryable: true }, 'trying again', false);
  check({ status: 'failed' }, 'failed', true);
  check({ status: 'completed' }, 'completed', true);
  check({ status: 'cancelled' }, 'cancelled', true);
});

test('what can be done with a job follows from how it is', () => {
  const check = (more, expected) => assert.deepEqual(actionsFor(jobFrom({ ...listed, ...more })), expected);
  check({}, ['cancel']);
  check({ status: 'failed' }, ['retry', 'remove']);
  check({ status: 'failed', retryable: true }, ['cancel']);
  check({ status: 'failed', retriedAs: 'b' }, ['remove']);
  check({ status: 'failed', queueName: undefined }, ['remove']);
  check({ status: 'completed' }, ['remove']);
  check({ status: 'completed', gone: true }, []);
});

test('a failure is said, else the message, else the stage', () => {
  assert.equal(saidOf(jobFrom({ ...listed, status: 'failed', error: 'no paper' })), 'no paper');
  assert.equal(saidOf(jobFrom(listed)), 'm');
  assert.equal(saidOf(jobFrom({ ...listed, message: '' })), 's');
});

test('jobs that were made in the same minute look different', () => {
  const [one, other] = ['019dbe01-7c3a-7d2e-9b11-0f3a5c7e9a01', '019dbe01-7c3b-7aa0-8c22-55aa01b2c3d4'];
  assert.deepEqual([shortId(one), shortId(other)], ['…5c7e9a01', '…01b2c3d4']);
  assert.equal(shortId('resume-123'), 'resume-123');
});

test('only what changed is subscribed to and left', () => {
  const sets = (jobs, queues) => ({ jobs: new Set(jobs), queues: new Set(queues), workers: new Set() });
  assert.deepEqual(changes(sets('ab', 'q'), sets('bc', 'q')), {
    add: { jobs: ['c'], queues: [], workers: [] },
    remove: { jobs: ['a'], queues: [], workers: [] },
  });
});

const realFetch = globalThis.fetch;
afterEach(() => (globalThis.fetch = realFetch));

test('a new connection is told everything, an old one what changed', async () => {
  const asked = [];
  globalThis.fetch = async (url, { body }) => {
    asked.push({ url, ...JSON.parse(body) });
    return new Response('{}');
  };
  const handlers = new Handlers();
  const live = new Live(handlers);
  live.want('jobs', ['a', 'b']);
  live.want('queues', ['q']);
  handlers.tell('connected', { data: { connectionId: 'one' } });
  await until(() => asked.length === 1, 'the first request');
  assert.equal(asked[0].url, '/api/v1/sse/one/subscriptions');
  assert.deepEqual(asked[0].add, { jobs: ['a', 'b'], queues: ['q'], workers: [] });
  live.want('jobs', ['b', 'c']);
  await until(() => asked.length === 2, 'the second request');
  assert.deepEqual([asked[1].add.jobs, asked[1].remove.jobs, asked[1].add.queues], [['c'], ['a'], []]);
  handlers.tell('connected', { data: { connectionId: 'two' } });
  await until(() => asked.length === 3, 'the third request');
  assert.equal(asked[2].url, '/api/v1/sse/two/subscriptions');
  assert.deepEqual([asked[2].add.jobs, asked[2].add.queues], [['b', 'c'], ['q']]);
});

test('a connection that is gone is told nothing more, the next one all', async () => {
  const asked = [];
  globalThis.fetch = async (url) => {
    asked.push(url);
    return new Response('{}', { status: url.includes('/gone/') ? 404 : 200 });
  };
  const handlers = new Handlers();
  const live = new Live(handlers);
  handlers.tell('connected', { data: { connectionId: 'gone' } });
  live.want('jobs', ['a']);
  await until(() => asked.length === 1, 'a request');
  handlers.tell('connected', { data: { connectionId: 'here' } });
  await until(() => asked.length === 2, 'another');
  assert.equal(asked[1], '/api/v1/sse/here/subscriptions');
});

test('between two pictures a thing is drawn once, however much happens', () => {
  const pictures = [];
  globalThis.requestAnimationFrame = (draw) => pictures.push(draw);
  let drawn = 0;
  const thing = { show: () => (drawn += 1) };
  const frame = new Frame();
  for (let news = 0; news < 20_000; news += 1) frame.ask(thing);
  assert.equal(pictures.length, 1);
  pictures.pop()();
  assert.equal(drawn, 1);
  frame.ask(thing);
  pictures.pop()();
  assert.equal(drawn, 2);
  delete globalThis.requestAnimationFrame;
});

test('throughput is what ended while one counted', () => {
  const ended = new Ended();
  ended.note('a', 1000);
  assert.equal(ended.total, 0);
  ended.note('a', 1003);
  ended.note('b', 50);
  ended.note('b', 51);
  assert.equal(ended.total, 4);
  // A server that lost its memory begins anew.
  ended.note('a', 2);
  ended.note('a', 5);
  assert.equal(ended.total, 7);
});

test('a timeline says how long each step took, and of the last one how long so far', () => {
  const steps = [
    { time: '2026-01-02T03:00:00.000Z', status: 'pending', attempt: 1 },
    { time: '2026-01-02T03:00:01.500Z', status: 'processing', attempt: 1 },
  ];
  const now = Date.parse('2026-01-02T03:00:04.000Z');
  assert.deepEqual(lasted(steps, now).map(({ ms, isLast }) => [ms, isLast]), [[1500, false], [2500, true]]);
  const ended = [...steps, { time: '2026-01-02T03:00:02.000Z', status: 'completed', attempt: 1 }];
  assert.deepEqual(lasted(ended, now).map(({ ms }) => ms), [1500, 500, null]);
  assert.deepEqual(lasted([], now), []);
});

test('a fragment names a job or a batch, whatever its id', () => {
  for (const id of ['a', 'x:y@z.1', '50%']) assert.deepEqual(read(linkTo('job', id)), { kind: 'job', id });
  assert.deepEqual(read('#batch=b'), { kind: 'batch', id: 'b' });
  for (const none of ['', '#', '#main', '#job=', '#other=a', '#job=%E0%A4%A']) assert.equal(read(none), null, none);
});

test('a batch says its counts and its pace', () => {
  const batch = { status: 'processing', total: 40, counts: { completed: 22, failed: 2, processing: 4, pending: 12 }, ratePerMinute: 24.4, etaSeconds: 94.2 };
  assert.equal(countsOf(batch), '22 of 40 completed, 2 failed, 4 active');
  assert.equal(paceOf(batch), '24 a minute, about 1 min 35 s left');
  assert.equal(paceOf({ ...batch, ratePerMinute: 0, etaSeconds: null }), '');
  assert.equal(paceOf({ ...batch, status: 'completed' }), '');
});

test('times are said as people say them', () => {
  assert.deepEqual([0, 87.4, 999.6, 4200, 61_000].map(elapsed), ['0 ms', '87 ms', '1.0 s', '4.2 s', '1 min 01 s']);
  assert.deepEqual([0, 40_000, 720_000, 18_000_000, 259_200_000].map(age), ['now', '40 s', '12 min', '5 h', '3 days']);
});
