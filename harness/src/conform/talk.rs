//! One process and what is said to it, line by line.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::timeout;

use super::{Failure, ONLY_MESSAGES, Stage};
use crate::history::Capability;
use crate::subject::process::group::Group;
use crate::subject::process::lines::{LONGEST_LINE, NoLine, cut, next_line};
use crate::subject::process::message::{HelloReply, Line, Refusal, Reply, Told};
use crate::subject::process::reading::object;
use crate::subject::process::{PREPARED_WITHIN, init_within, password_in};

/// How long an answer may take when Redis is well.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// How long a process may take to end.
pub(super) const END_WITHIN: Duration = Duration::from_secs(2);

/// A process under check, with what was said last.
pub(super) struct Talk {
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    child: Child,
    _group: Group,
    last_id: u64,
    unanswered: BTreeSet<u64>,
    early: BTreeMap<u64, Result<Reply, Refusal>>,
    sent: String,
    came: String,
    /// Is shown nowhere.
    password: Option<String>,
}

/// What the subject says that it can do; `None` when it does not start.
pub(super) async fn capabilities(stage: &Stage) -> Option<Vec<Capability>> {
    let (_, hello) = Talk::start(stage, &stage.redis).await.ok()?;
    hello.capabilities().ok()
}

impl Talk {
    /// Starts a process and greets it with `init`.
    pub(super) async fn start(stage: &Stage, redis: &str) -> Result<(Self, HelloReply), Failure> {
        let mut talk = Self::spawn(stage)?;
        let within = init_within(&stage.settings);
        talk.send(
            json!({"op": "init", "instance": "instance-0", "redis": redis, "settings": stage.settings}),
        )
        .await?;
        let reply = talk.greeting(within).await?;
        match object::<HelloReply>(&reply.0) {
            Ok(hello) => Ok((talk, hello)),
            Err(wrong) => Err(talk.fails(&format!("an ok with name, key and can ({wrong})"))),
        }
    }

    fn spawn(stage: &Stage) -> Result<Self, Failure> {
        let failed = |came: String| Failure {
            sent: format!("(nothing yet; the command is {})", stage.command),
            came,
            expected: "a process with standard streams".to_owned(),
        };
        let group = Group::new().map_err(|error| failed(error.to_string()))?;
        let mut child = group.spawn_heard(&stage.command).map_err(|error| failed(error.to_string()))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let stdout = stdout.ok_or_else(|| failed("no stdout".to_owned()))?;
        let (last_id, unanswered, early) = (0, BTreeSet::new(), BTreeMap::new());
        let (sent, came) = (String::new(), String::new());
        let password = password_in(&stage.redis);
        Ok(Self {
            stdin,
            stdout: BufReader::new(stdout),
            child,
            _group: group,
            last_id,
            unanswered,
            early,
            sent,
            came,
            password,
        })
    }

    /// Sends a request; `id` is added to it and returned.
    pub(super) async fn send(&mut self, mut message: Value) -> Result<u64, Failure> {
        self.last_id += 1;
        self.unanswered.insert(self.last_id);
        let mut whole = json!({"id": self.last_id});
        if let (Some(whole), Some(message)) = (whole.as_object_mut(), message.as_object_mut()) {
            whole.append(message);
        }
        self.write(&whole.to_string()).await?;
        Ok(self.last_id)
    }

    async fn write(&mut self, text: &str) -> Result<(), Failure> {
        self.sent = cut(text.as_bytes());
        self.came = "nothing".to_owned();
        let Some(stdin) = &mut self.stdin else { return Err(self.fails("an open stdin")) };
        let written = timeout(ANSWER_WITHIN, stdin.write_all(format!("{text}\n").as_bytes())).await;
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => self.lost(&format!("its stdin is closed: {error}")),
            Err(_) => self.lost(&format!("its stdin took nothing for {ANSWER_WITHIN:?}")),
        }
    }

    /// The answer to request `id`.
    pub(super) async fn answer(&mut self, id: u64) -> Result<Result<Reply, Refusal>, Failure> {
        match timeout(ANSWER_WITHIN, self.answer_unhurried(id)).await {
            Ok(answer) => answer,
            Err(_) => {
                self.lost(&format!("no answer to {id} within {ANSWER_WITHIN:?}; last came {}", self.came))
            }
        }
    }

    /// Sends a request and waits for its answer.
    pub(super) async fn ask(&mut self, message: Value) -> Result<Result<Reply, Refusal>, Failure> {
        let id = self.send(message).await?;
        self.answer(id).await
    }

    /// Asks for something that must be acknowledged.
    pub(super) async fn ok<T: DeserializeOwned>(&mut self, message: Value) -> Result<T, Failure> {
        match self.ask(message).await? {
            Ok(reply) => match serde_json::from_str(reply.0.get()) {
                Ok(read) => Ok(read),
                Err(wrong) => Err(self.fails(&format!("an ok of its kind ({wrong})"))),
            },
            Err(_) => Err(self.fails("an ok")),
        }
    }

    /// Asks for something that must be refused.
    pub(super) async fn refused(&mut self, message: Value) -> Result<Refusal, Failure> {
        match self.ask(message).await? {
            Ok(_) => Err(self.fails("an error")),
            Err(refusal) => Ok(refusal),
        }
    }

    /// Closes its stdin.
    pub(super) fn close_stdin(&mut self) {
        self.stdin = None;
        "(the end of its stdin)".clone_into(&mut self.sent);
        "nothing".clone_into(&mut self.came);
    }

    /// Waits for its end. What it says until then must be messages.
    pub(super) async fn ends(&mut self) -> Result<(), Failure> {
        let end = async {
            while let Some(line) = self.line().await? {
                self.take(&line)?;
            }
            Ok(())
        };
        let stdout = timeout(END_WITHIN, end).await;
        if let Ok(Err(failure)) = stdout {
            return Err(failure);
        }
        match timeout(END_WITHIN, self.child.wait()).await {
            Ok(_) => Ok(()),
            Err(_) => {
                self.came = format!("it still runs after {END_WITHIN:?}");
                Err(self.fails("the end of the process"))
            }
        }
    }

    /// A failure of the last exchange.
    pub(super) fn fails(&self, expected: &str) -> Failure {
        let shown = |text: &str| match &self.password {
            Some(password) => text.replace(password, "***"),
            None => text.to_owned(),
        };
        Failure { sent: shown(&self.sent), came: shown(&self.came), expected: shown(expected) }
    }

    /// A failure of the last exchange, with what was seen elsewhere.
    pub(super) fn fails_as(&self, seen: &str, expected: &str) -> Failure {
        let failure = self.fails(expected);
        Failure { came: format!("{}; {seen}", failure.came), ..failure }
    }

    fn lost<T>(&mut self, came: &str) -> Result<T, Failure> {
        self.came = came.to_owned();
        Err(self.fails("an answer with the id of the request"))
    }

    /// The answer to `init`. Time counts from now, or from when the subject says that it is ready.
    async fn greeting(&mut self, within: Duration) -> Result<Reply, Failure> {
        let mut patience = within;
        loop {
            let line = match timeout(patience, self.line()).await {
                Ok(line) => line?,
                Err(_) => {
                    return self.lost(&format!("no answer within {patience:?} (connect timeout + 1 s)"));
                }
            };
            let Some(line) = line else { return self.lost("the end of its stdout") };
            match self.take(&line)? {
                Some(Told::Preparing {}) => patience = PREPARED_WITHIN,
                Some(_) => patience = within,
                None => {}
            }
            match self.early.remove(&self.last_id) {
                Some(Ok(reply)) => return Ok(reply),
                Some(Err(_)) => return Err(self.fails("an ok")),
                None => {}
            }
        }
    }

    async fn answer_unhurried(&mut self, id: u64) -> Result<Result<Reply, Refusal>, Failure> {
        loop {
            if let Some(answer) = self.early.remove(&id) {
                return Ok(answer);
            }
            let Some(line) = self.line().await? else { return self.lost("the end of its stdout") };
            self.take(&line)?;
        }
    }

    async fn line(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        match next_line(&mut self.stdout, LONGEST_LINE).await {
            Ok(line) => Ok(Some(line)),
            Err(NoLine::End) => Ok(None),
            Err(NoLine::Broken(error)) => self.lost(&error.to_string()),
            Err(NoLine::TooLong(start)) => self.lost(&format!("a line without an end: {}", cut(&start))),
        }
    }

    /// Takes a line: an event is returned, an answer kept.
    fn take(&mut self, line: &[u8]) -> Result<Option<Told>, Failure> {
        self.came = cut(line);
        match Line::read(line) {
            Err(wrong) => Err(self.fails(&format!("{ONLY_MESSAGES}: {wrong}"))),
            Ok(Line::Event(told)) => Ok(Some(told)),
            Ok(Line::Answer { id, reply }) if self.unanswered.remove(&id) => {
                self.early.insert(id, reply);
                Ok(None)
            }
            Ok(Line::Answer { id, .. }) if (1..=self.last_id).contains(&id) => {
                Err(self.fails(&format!("one answer to each request, and this is the second to {id}")))
            }
            Ok(Line::Answer { .. }) => Err(self.fails("an answer with the id of a request")),
        }
    }
}

/// A value, short enough to be shown.
pub(super) fn shown(value: &Value) -> String {
    cut(value.to_string().as_bytes())
}
