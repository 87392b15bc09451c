//! Tidings turns any back end into a live one.
//!
//! Back ends publish events; Tidings holds the browsers' connections and delivers each event to
//! those who asked for it and may see it. The modules stand in the order an event passes them.

// The clock that every part is handed, so that tests decide what time it is.
pub mod clock;

// What travels: events that can only be built valid, whom they are for, who wants them, how they
// look on the wire.
pub mod event;

// Who puts events in: the one door into the hub, and the ways that lead to it.
pub mod publish;

// Who gets them: order, history, queues, dispatch. Knows no HTTP and no TCP.
pub mod hub;

// What is to outlive the process: the embedded database.
pub mod store;

// How they leave: connections, HTTP, and one door for each family of clients.
pub mod serve;

// Who may do what: tokens and the keys they are signed with.
pub mod access;

// The other end of the wire: what the program does as a client of such a server.
pub mod client;

// How it is told what to do: flags, environment and file.
pub mod settings;

// What occurs too often to be written down one by one.
pub mod histogram;

// How it is told to stop.
pub mod shutdown;

// Which descriptors have something to read.
pub mod readiness;
