//! The agent's socket: who listens, what waits for them, what they ask.

mod client;
mod listen;
mod request;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

use whaleware::lifecycle::Moment;

use crate::clock;
use crate::environment::Environment;
use crate::poller::{Interest, Poller, Ready, Token};
use client::Client;
pub(crate) use listen::who_listens;
pub(crate) use request::{Asked, answered, failure, success};

/// So many may listen at once.
const CLIENTS: usize = 64;
/// So many of those places are kept for who may ask for something.
const KEPT: usize = 8;
/// The most memory all of them take together, in bytes. Who is furthest behind is let go first.
const TOTAL: usize = 2 * 1024 * 1024;
/// So many are let in at once. When more come there is a pause: the agent is not to be kept busy by
/// those who do nothing but connect.
const AT_ONCE: usize = 32;
const BREATH: Duration = Duration::from_millis(5);
/// Pieces read of one who is gone.
const LAST_PIECES: usize = 16;
/// A pause when nobody can be let in for want of descriptors.
const PAUSE: Duration = Duration::from_secs(1);

/// The socket and all who are connected.
#[derive(Debug)]
pub(crate) struct Server {
    listener: UnixListener,
    path: PathBuf,
    clients: BTreeMap<u32, Client>,
    last: u32,
    paused_until: Option<Moment>,
}

/// Who came.
#[derive(Debug, Default)]
pub(crate) struct Admitted {
    /// The numbers of those who may stay.
    pub(crate) new: Vec<u32>,
    /// Those who are too many: they are told how things stand, and let go.
    pub(crate) turned_away: Vec<UnixStream>,
}

impl Server {
    /// Opens the socket where it can be had. Also answers what went wrong on the way.
    pub(crate) fn open(environment: &Environment, poller: &Poller) -> (Option<Self>, Vec<String>) {
        let mut problems = Vec::new();
        for path in environment.sockets() {
            let opened = listen::listen(&path, environment.socket.is_none()).and_then(|listener| {
                poller.add(&listener, Token::Listener, Interest::Read)?;
                Ok(listener)
            });
            match opened {
                Ok(listener) => {
                    let server = Self {
                        listener,
                        path,
                        clients: BTreeMap::new(),
                        last: 0,
                        paused_until: None,
                    };
                    return (Some(server), problems);
                }
                Err(error) => {
                    problems.push(format!("cannot listen on {}: {error}", path.display()));
                }
            }
        }
        (None, problems)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Whether anyone is listening.
    pub(crate) fn has_listeners(&self) -> bool {
        !self.clients.is_empty()
    }

    /// Lets in who waits, a few at a time.
    pub(crate) fn accept(&mut self, poller: &Poller) -> Admitted {
        let mut admitted = Admitted::default();
        for _ in 0..AT_ONCE {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    if let Ok(client) = Client::new(stream) {
                        self.admit(client, &mut admitted, poller);
                    }
                }
                Err(error) => {
                    if matches!(
                        error.kind(),
                        ErrorKind::ConnectionAborted | ErrorKind::Interrupted
                    ) {
                        continue;
                    }
                    // Without descriptors or memory the same would come up at once again.
                    if error.kind() != ErrorKind::WouldBlock {
                        self.pause(PAUSE, poller);
                    }
                    return admitted;
                }
            }
        }
        self.pause(BREATH, poller);
        admitted
    }

    fn pause(&mut self, pause: Duration, poller: &Poller) {
        self.paused_until = Some(clock::now() + pause);
        let _ = poller.change(&self.listener, Token::Listener, Interest::End);
    }

    fn admit(&mut self, client: Client, admitted: &mut Admitted, poller: &Poller) {
        let kept = if client.is_privileged() { 0 } else { KEPT };
        if self.clients.len() + kept >= CLIENTS {
            admitted.turned_away.push(client.into_stream());
            return;
        }
        self.last = self.last.wrapping_add(1);
        let id = self.last;
        if poller
            .add(client.as_fd(), Token::Client(id), Interest::Read)
            .is_ok()
        {
            self.clients.insert(id, client);
            admitted.new.push(id);
        }
    }

    /// When [`Self::resume`] is wanted.
    pub(crate) const fn next_deadline(&self) -> Option<Moment> {
        self.paused_until
    }

    /// Lets people in again after a pause.
    pub(crate) fn resume(&mut self, now: Moment, poller: &Poller) {
        if self.paused_until.is_some_and(|until| until <= now) {
            self.paused_until = None;
            let _ = poller.change(&self.listener, Token::Listener, Interest::Read);
        }
    }

    /// Something happened on a client's connection; answers the lines it has written.
    pub(crate) fn ready(&mut self, id: u32, ready: Ready, poller: &Poller) -> Vec<Asked> {
        let Some(client) = self.clients.get_mut(&id) else {
            return Vec::new();
        };
        let mut asked = Vec::new();
        let mut alive = true;
        if ready.writable {
            client.flush();
        }
        if ready.readable {
            // Who is gone may have asked for something before; it is done all the same.
            let pieces = if ready.gone { LAST_PIECES } else { 1 };
            for _ in 0..pieces {
                alive = client.read(|privileged, line| {
                    let one = Asked::read(id, privileged, line);
                    let is_request = one.is_request();
                    asked.push(one);
                    is_request
                });
            }
        }
        self.after(id, alive && !ready.gone, poller);
        asked
    }

    /// Whether this client is there, and may still ask for something.
    pub(crate) fn hears(&self, id: u32) -> bool {
        self.clients.get(&id).is_some_and(Client::may_go_on)
    }

    /// One line for one client.
    pub(crate) fn send(&mut self, id: u32, line: &[u8], poller: &Poller) {
        if let Some(client) = self.clients.get_mut(&id) {
            let alive = client.send(line);
            self.after(id, alive, poller);
        }
    }

    /// One line for everybody.
    pub(crate) fn broadcast(&mut self, line: &[u8], poller: &Poller) {
        let ids: Vec<u32> = self.clients.keys().copied().collect();
        for id in ids {
            self.send(id, line, poller);
        }
    }

    /// Lets a client go that is gone, or waits for what it can do next.
    fn after(&mut self, id: u32, alive: bool, poller: &Poller) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        let kept = alive
            && client.change_of_interest().is_none_or(|interest| {
                poller
                    .change(client.as_fd(), Token::Client(id), interest)
                    .is_ok()
            });
        if !kept {
            self.let_go(id, poller);
        }
        self.bound(poller);
    }

    fn let_go(&mut self, id: u32, poller: &Poller) {
        if let Some(client) = self.clients.remove(&id) {
            poller.remove(client.as_fd());
        }
    }

    /// Keeps what all of them hold together within its bound.
    fn bound(&mut self, poller: &Poller) {
        while self.clients.values().map(Client::held).sum::<usize>() > TOTAL {
            let most = self.clients.iter().max_by_key(|(_, client)| client.held());
            let Some((&id, _)) = most else { return };
            self.let_go(id, poller);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A socket nobody listens on only makes others wait; it may be gone already.
        let _ = std::fs::remove_file(&self.path);
    }
}
