//! Who may hold a connection: limits in all and per client address, and a list of what is open.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::socket::Socket;

/// The open connections. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Admission(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    max_total: usize,
    max_per_address: usize,
    next_number: AtomicU64,
    open: Mutex<Open>,
    /// Told whenever a connection closes.
    closed: Condvar,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    /// Those of them that are only told to go away. They take nobody's place.
    refused: usize,
    by_address: HashMap<IpAddr, usize>,
    /// Connections that wait for requests, to be told when the server stops. Streams are not here:
    /// the hub ends them.
    conversations: HashMap<u64, Socket>,
}

/// Why a connection or stream cannot be had now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// `max_connections` are open.
    Server,
    /// The client's address holds `max_connections_per_address`.
    Address,
}

/// A connection's place among all; dropping it gives the place back.
#[derive(Debug)]
pub struct Place {
    admission: Admission,
    number: u64,
    is_refused: bool,
}

/// An address's claim to one of its places; dropping it gives the claim back.
#[derive(Debug)]
pub struct AddressClaim {
    admission: Admission,
    address: IpAddr,
}

impl Admission {
    /// Nobody yet. A limit of `0` is off.
    pub fn new(max_total: usize, max_per_address: usize) -> Self {
        Self(Arc::new(Shared {
            max_total,
            max_per_address,
            next_number: AtomicU64::new(0),
            open: Mutex::default(),
            closed: Condvar::new(),
        }))
    }

    /// A place for one more connection.
    pub fn enter(&self) -> Result<Place, Full> {
        let mut open = self.0.open.lock();
        if self.0.max_total != 0 && open.total - open.refused >= self.0.max_total {
            return Err(Full::Server);
        }
        open.total += 1;
        Ok(self.place(false))
    }

    /// A place beyond the limit, for a connection that is only told to go away.
    pub fn enter_to_be_refused(&self) -> Place {
        let mut open = self.0.open.lock();
        open.total += 1;
        open.refused += 1;
        self.place(true)
    }

    fn place(&self, is_refused: bool) -> Place {
        Place {
            admission: self.clone(),
            number: self.0.next_number.fetch_add(1, Ordering::Relaxed),
            is_refused,
        }
    }

    /// One of the address's places.
    pub fn claim(&self, address: IpAddr) -> Result<AddressClaim, Full> {
        let mut open = self.0.open.lock();
        let held = open.by_address.entry(address).or_default();
        if self.0.max_per_address != 0 && *held >= self.0.max_per_address {
            return Err(Full::Address);
        }
        *held += 1;
        Ok(AddressClaim { admission: self.clone(), address })
    }

    /// Open connections, streams included.
    pub fn total(&self) -> usize {
        self.0.open.lock().total
    }

    /// Tells all connections that wait for a request that none will be read any more.
    ///
    /// All under the lock: a connection that has left the list in time is never told, and a stream
    /// that it becomes does not pass for one whose client has hung up.
    pub fn stop_reading(&self) {
        for socket in self.0.open.lock().conversations.values() {
            socket.stop_reading();
        }
    }

    /// Waits until nothing is open; false if that takes longer than `at_most`.
    pub fn wait_until_empty(&self, at_most: Duration) -> bool {
        let mut open = self.0.open.lock();
        let is_open = |open: &mut Open| open.total > 0;
        !self.0.closed.wait_while_for(&mut open, is_open, at_most).timed_out()
    }

    /// Waits until something is so that may become so when a connection closes; at most this long.
    pub fn wait_until(&self, at_most: Duration, is_so: impl Fn() -> bool) {
        let mut open = self.0.open.lock();
        self.0.closed.wait_while_for(&mut open, |_| !is_so(), at_most);
    }
}

impl Place {
    /// The connection's number, which its thread carries in its name.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Lists the connection as one that waits for requests.
    pub fn begin_conversation(&self, socket: Socket) {
        self.admission.0.open.lock().conversations.insert(self.number, socket);
    }

    /// Takes it off that list: it became a stream, or ends.
    pub fn end_conversation(&self) {
        self.admission.0.open.lock().conversations.remove(&self.number);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.admission.0.open.lock();
        open.total -= 1;
        open.refused -= usize::from(self.is_refused);
        open.conversations.remove(&self.number);
        self.admission.0.closed.notify_all();
    }
}

impl Drop for AddressClaim {
    fn drop(&mut self) {
        let mut open = self.admission.0.open.lock();
        if let Some(held) = open.by_address.get_mut(&self.address) {
            *held -= 1;
            if *held == 0 {
                open.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_places_as_the_limit_says() {
        let admission = Admission::new(2, 0);
        let first = admission.enter().unwrap();
        let _second = admission.enter().unwrap();
        assert_eq!(admission.enter().unwrap_err(), Full::Server);
        let refused = admission.enter_to_be_refused();
        assert_eq!((admission.enter().unwrap_err(), admission.total()), (Full::Server, 3));
        drop(first);
        let third = admission.enter().expect("who is only refused takes nobody's place");
        drop(refused);
        assert_eq!((admission.enter().unwrap_err(), admission.total()), (Full::Server, 2));
        drop(third);
        assert!(admission.enter().is_ok());
    }

    #[test]
    fn an_address_gets_its_places_back() {
        let admission = Admission::new(0, 1);
        let [here, there] = ["192.0.2.1", "2001:db8::1"].map(|address| address.parse().unwrap());
        let claim = admission.claim(here).unwrap();
        assert_eq!(admission.claim(here).unwrap_err(), Full::Address);
        let _other = admission.claim(there).unwrap();
        drop(claim);
        assert!(admission.claim(here).is_ok());
    }

    #[test]
    fn zero_is_no_limit() {
        let admission = Admission::new(0, 0);
        let held: Vec<_> = (0..1_000).map(|_| admission.enter().unwrap()).collect();
        assert_eq!(admission.total(), held.len());
        assert!(!admission.wait_until_empty(Duration::ZERO));
        drop(held);
        assert!(admission.wait_until_empty(Duration::ZERO));
    }
}
