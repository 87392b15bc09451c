/**
 * The summarizer's page: talks go in on the left, progress and summaries come out on the right.
 */

import { StatusDot, Tidings, Toasts } from '/static/tidings.js';
import { Composer } from './home/composer.js';
import { Summaries } from './home/summaries.js';
import { Work } from './home/work.js';
import { ConnectionNotice } from './page/connection-notice.js';
import { byId } from './page/dom.js';

const tidings = new Tidings({
  subscribe: ['summary_progress', 'summary_complete', 'system'],
  // A browser has six connections for all tabs of a plain HTTP server; a tab nobody sees needs none.
  timings: { hiddenMs: 300_000 },
});

const toasts = new Toasts();
const work = new Work(toasts, { onReady: (id) => summaries.arrive(id) });
const summaries = new Summaries({
  onRefresh: (batch) => {
    work.add(batch);
    work.reveal(batch.batch_id);
  },
});

new StatusDot(byId('status-dot'), tidings);
new ConnectionNotice(tidings, {
  // What happened meanwhile may never be told.
  onReturn: () => {
    work.refresh();
    summaries.refresh();
  },
});
new Composer({
  onAccepted: (batch) => {
    work.add(batch);
    work.reveal(batch.batch_id);
  },
});

toasts.follow(tidings);
tidings.on('summary_progress', ({ data }) => work.progress(data));
tidings.on('summary_complete', ({ data }) => work.complete(data));
// Another tab or another reader has added one, or taken one away.
tidings.on('system', ({ data }) => {
  if (['stored', 'evicted', 'deleted'].includes(data?.cache)) summaries.changed();
});
tidings.on('gap', () => {
  work.refresh();
  summaries.refresh();
});
