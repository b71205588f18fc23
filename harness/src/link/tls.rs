//! The end of TLS: to the subject a link is the server, and what it has decrypted goes on to Redis in the clear.
//!
//! It decrypts where bytes leave the subject, so that what was asked is recorded whatever then becomes of it on the way. Only
//! the handshake has its other end where Redis is: its bytes go the whole way, and what answers them comes the whole way back,
//! so that whatever bends the link bends the handshake too. What comes back from Redis is encrypted before it sets out.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::sync::Arc;

use tokio_rustls::rustls::{Error, ServerConfig, ServerConnection};

/// The first byte of every handshake.
const HANDSHAKE: u8 = 22;

/// What somebody is told who speaks Redis' protocol where TLS is to be spoken.
const SPEAK_TLS: &[u8] =
    b"-ERR this port speaks TLS: connect by rediss://, and trust the run's authority\r\n";

/// The server's side of one connection.
pub(super) struct Tls {
    session: ServerConnection,
    /// How many bytes of the subject's handshake have set out, and how many have reached the other end.
    sent: usize,
    arrived: usize,
    /// What answers the handshake, each once so many bytes of it have arrived.
    answers: VecDeque<(usize, Vec<u8>)>,
    /// Whether the subject has ended its side.
    over: bool,
    failure: Option<String>,
}

/// What bytes of the subject's come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Opened {
    /// How many of them are the handshake's.
    pub(super) handshake: usize,
    /// What they say to Redis.
    pub(super) plain: Vec<u8>,
    /// Whether the subject says nothing more.
    pub(super) ended: bool,
}

impl Tls {
    /// A connection that has just been opened.
    pub(super) fn new(config: &Arc<ServerConfig>) -> Result<Self, Error> {
        let mut session = ServerConnection::new(Arc::clone(config))?;
        // What waits is written out at once.
        session.set_buffer_limit(None);
        Ok(Self { session, sent: 0, arrived: 0, answers: VecDeque::new(), over: false, failure: None })
    }

    /// Takes bytes of the subject's.
    pub(super) fn open(&mut self, bytes: &[u8]) -> Opened {
        let mut opened = Opened::default();
        if self.sent == 0 && bytes.first() != Some(&HANDSHAKE) {
            self.failure = Some("subject: no TLS".to_owned());
            self.answers.push_back((0, SPEAK_TLS.to_vec()));
            self.over = true;
            opened.ended = true;
            return opened;
        }
        let handshaking = self.session.is_handshaking();
        let mut rest = bytes;
        while !rest.is_empty() && !opened.ended {
            if let Err(error) = self.feed(&mut rest, &mut opened) {
                self.failure = Some(words(&error));
                opened.ended = true;
            }
        }
        self.over = opened.ended;
        if handshaking {
            opened.handshake = bytes.len().saturating_sub(opened.plain.len());
            self.sent += opened.handshake;
        }
        let answer = self.written();
        if !answer.is_empty() {
            self.answers.push_back((self.sent, answer));
        }
        opened
    }

    fn feed(&mut self, rest: &mut &[u8], opened: &mut Opened) -> Result<(), Error> {
        let read = self.session.read_tls(rest);
        read.map_err(|error| Error::General(error.to_string()))?;
        let state = self.session.process_new_packets()?;
        let from = opened.plain.len();
        opened.plain.resize(from + state.plaintext_bytes_to_read(), 0);
        let read = self.session.reader().read_exact(&mut opened.plain[from..]);
        read.map_err(|error| Error::General(error.to_string()))?;
        opened.ended = state.peer_has_closed();
        Ok(())
    }

    /// Takes the end of what the subject says.
    pub(super) fn end(&mut self) {
        self.over = true;
    }

    /// Encrypts what goes to the subject.
    pub(super) fn seal(&mut self, plain: &[u8]) -> Vec<u8> {
        // Into memory, which takes everything.
        let _ = self.session.writer().write_all(plain);
        self.written()
    }

    /// What tells the subject that nothing more comes.
    pub(super) fn goodbye(&mut self) -> Vec<u8> {
        if self.failure.is_some() {
            return Vec::new();
        }
        self.session.send_close_notify();
        self.written()
    }

    /// Takes, of so many bytes that reach the other end, those of the handshake; `None` when none of them is.
    pub(super) fn arrive(&mut self, count: usize) -> Option<usize> {
        let count = count.min(self.sent - self.arrived);
        self.arrived += count;
        Some(count).filter(|count| *count > 0)
    }

    /// The next answer to the handshake that sets out now.
    pub(super) fn answer(&mut self) -> Option<Vec<u8>> {
        let (needs, _) = self.answers.front()?;
        if *needs > self.arrived { None } else { self.answers.pop_front().map(|(_, answer)| answer) }
    }

    /// Whether what Redis says must wait for the handshake.
    pub(super) fn waits(&self) -> bool {
        !self.over && (!self.answers.is_empty() || self.session.is_handshaking())
    }

    /// Why the subject was not understood, if so.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    fn written(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        while self.session.wants_write() && self.session.write_tls(&mut out).is_ok_and(|count| count > 0) {}
        out
    }
}

fn words(error: &Error) -> String {
    match error {
        Error::AlertReceived(alert) => format!("subject: refused TLS ({alert:?})"),
        error => format!("subject: broken TLS ({error})"),
    }
}

#[cfg(test)]
mod tests;
