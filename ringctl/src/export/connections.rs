//! The open connections. If there are too many, one that keeps this program waiting makes room for a new one: first the
//! oldest that has sent no request yet, else the oldest that does not read its answer.

use std::collections::BTreeMap;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// For its client to send a request.
    Reading,
    /// For its client to take the answer.
    Writing,
    /// For the answer to be made. It keeps nobody waiting.
    Answering,
}

/// The open connections, by the order in which they came.
pub(super) struct Connections {
    most: usize,
    open: Mutex<BTreeMap<u64, Open>>,
    left: Condvar,
}

struct Open {
    stream: Arc<TcpStream>,
    phase: Phase,
    /// It was shut down to make room.
    ended: bool,
}

/// A place among the connections. Dropping it gives it back.
pub(super) struct Place<'a> {
    connections: &'a Connections,
    number: u64,
    pub(super) stream: Arc<TcpStream>,
}

impl Connections {
    /// At most `most` connections at a time.
    pub(super) fn new(most: usize) -> Self {
        Connections { most, open: Mutex::default(), left: Condvar::new() }
    }

    /// Gives a new connection a place. If there is none, ends a connection that keeps this program waiting, and waits until
    /// its thread has left. `None` if there is no such connection: answers are being made for all of them.
    pub(super) fn admit(&self, stream: TcpStream) -> Option<Place<'_>> {
        let mut open = self.open();
        while open.len() >= self.most {
            if !open.values().any(|connection| connection.ended) {
                let waiting = open.iter_mut().filter(|(_, connection)| connection.phase != Phase::Answering);
                // The first of the smallest phase: the oldest.
                let (_, victim) = waiting.min_by_key(|(_, connection)| connection.phase)?;
                victim.ended = true;
                // Its thread's read or write returns at once. One that is shut down already needs nothing more.
                let _ = victim.stream.shutdown(Shutdown::Both);
            }
            open = self.left.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
        let number = open.last_key_value().map_or(0, |(last, _)| last + 1);
        let stream = Arc::new(stream);
        open.insert(number, Open { stream: Arc::clone(&stream), phase: Phase::Reading, ended: false });
        Some(Place { connections: self, number, stream })
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<u64, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// Goes on to the next phase. False if the connection was ended to make room.
    pub(super) fn begin(&self, phase: Phase) -> bool {
        let mut open = self.connections.open();
        let Some(connection) = open.get_mut(&self.number) else { return false };
        connection.phase = phase;
        !connection.ended
    }

    /// Whether the connection was ended to make room.
    pub(super) fn is_ended(&self) -> bool {
        self.connections.open().get(&self.number).is_none_or(|connection| connection.ended)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.connections.open().remove(&self.number);
        self.connections.left.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    fn connection(listener: &TcpListener) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    /// Admits a connection beside three others in these phases. Returns which of them was ended for it, if it got a place.
    fn ended_for_one_more(phases: [Phase; 3]) -> Option<usize> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connections = Connections::new(3);
        thread::scope(|scope| {
            let (mut clients, mut threads) = (Vec::new(), Vec::new());
            for phase in phases {
                let (client, served) = connection(&listener);
                let place = connections.admit(served).unwrap();
                assert!(place.begin(phase));
                threads.push(scope.spawn(move || {
                    // Until it is ended, or its client hangs up.
                    let _ = (&*place.stream).read(&mut [0]);
                    place.is_ended()
                }));
                clients.push(client);
            }
            let (_client, served) = connection(&listener);
            let place = connections.admit(served);
            drop(clients);
            let ended: Vec<bool> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
            assert_eq!(ended.iter().filter(|ended| **ended).count(), usize::from(place.is_some()));
            place.and_then(|_| ended.iter().position(|ended| *ended))
        })
    }

    #[test]
    fn the_oldest_that_says_nothing_makes_room() {
        use Phase::{Answering, Reading, Writing};
        assert_eq!(ended_for_one_more([Reading, Reading, Reading]), Some(0));
        assert_eq!(
            ended_for_one_more([Writing, Answering, Reading]),
            Some(2),
            "rather than one that asked for something"
        );
        assert_eq!(ended_for_one_more([Answering, Writing, Writing]), Some(1));
        assert_eq!(ended_for_one_more([Answering, Answering, Answering]), None, "each is about to get its answer");
    }
}
