/**
 * The test page: its parts, and what they tell each other.
 */

import { Toasts } from '/static/tidings.js';
import { Broadcast } from './sse-test/broadcast.js';
import { Connection } from './sse-test/connection.js';
import { EventLog } from './sse-test/event-log.js';
import { Faults } from './sse-test/faults.js';
import { ServerFaults } from './sse-test/server-faults.js';
import { Server } from './sse-test/server.js';
import { SimulatedNetwork } from './sse-test/simulated-network.js';

const network = new SimulatedNetwork();
const log = new EventLog();
const toasts = new Toasts();
const server = new Server();
// The panel is there only if the server was started for it.
const serverFaults = document.getElementById('server-faults') && new ServerFaults();

const connection = new Connection(network.environment, {
  onEvent: (event) => log.add(event),
  onClient: (tidings) => {
    tidings.on('gap', () => toasts.show({ type: 'warning', title: 'Some events were missed', text: 'They are marked in the list.' }));
  },
  onStatus: ({ connectionId, sessionId }) => {
    broadcast.knowSession(sessionId);
    log.knowMe(connectionId, sessionId);
    server.knowMe(connectionId, sessionId);
    serverFaults?.knowMe(connectionId, sessionId);
  },
});

const broadcast = new Broadcast({
  // An event that goes to the subscribers of another type comes under its own name.
  onSending: (type) => connection.listen(type),
  onSent: () => server.refresh(),
});

new Faults({ connection, network, onChange: () => server.refresh() });
connection.connect();
