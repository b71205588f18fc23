//! Conversations, bytes in and bytes out.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::answers::{Answering, Answers};
use super::super::rules::Chance;
use super::super::wire::readers;
use super::*;
use crate::fault::{Commands, Matching};

/// A conversation with strikes that answer commands.
struct Talk {
    conversation: Conversation,
    strikes: BTreeMap<u32, Answering>,
}

impl Talk {
    fn with(answer: Answer, command: &str) -> Self {
        let matching = Matching { command: Some(Commands(vec![command.to_owned()])), ..Matching::default() };
        let strikes = BTreeMap::from([(0, Answering { answer, matching, share: 1.0, met: 0 })]);
        Self { conversation: Conversation::new(readers()), strikes }
    }

    /// What Redis gets of what the subject says.
    fn say(&mut self, bytes: &str) -> String {
        let mut answers = Answers { strikes: &mut self.strikes, chance: Chance { seed: 1, instance: 0 } };
        passed(bytes, self.conversation.commands(bytes.as_bytes(), Some(&mut answers))).0
    }

    /// What the subject gets of what Redis says, and how the connection ends.
    fn hear(&mut self, bytes: &str) -> (String, Option<Cut>) {
        passed(bytes, self.conversation.replies(bytes.as_bytes()))
    }

    fn own(&mut self) -> Option<String> {
        self.conversation.own_answers().map(|passage| passed("", passage).0)
    }
}

fn passed(bytes: &str, passage: Passage) -> (String, Option<Cut>) {
    let text = passage.bytes.map(|bytes| String::from_utf8(bytes).unwrap());
    (text.unwrap_or_else(|| bytes.to_owned()), passage.cut)
}

const GET: &str = "*2\r\n$3\r\nGET\r\n$1\r\na\r\n";
const SET: &str = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n";

fn error() -> Answer {
    Answer::Error("LOADING it loads".to_owned())
}

#[test]
fn an_error_takes_the_place_of_its_commands_reply() {
    let mut talk = Talk::with(error(), "GET");
    assert_eq!(talk.say(&[SET, GET, SET, GET].concat()), [SET, SET].concat());
    assert_eq!(talk.own(), None);
    assert_eq!(talk.hear("+OK\r\n").0, "+OK\r\n-LOADING it loads\r\n");
    assert_eq!(talk.hear("+OK").0, "+OK");
    assert_eq!(talk.hear("\r\n").0, "\r\n-LOADING it loads\r\n");
    assert_eq!(talk.say(GET), "");
    assert_eq!(talk.own().as_deref(), Some("-LOADING it loads\r\n"));
}

#[test]
fn a_command_in_pieces_is_kept_back_until_it_is_whole() {
    let mut talk = Talk::with(error(), "GET");
    let (head, tail) = SET.split_at(13);
    assert_eq!(talk.say(head), "");
    assert_eq!(talk.say(tail), SET);
    let (head, tail) = GET.split_at(5);
    assert_eq!((talk.say(head), talk.say(tail)), (String::new(), String::new()));
}

#[test]
fn of_a_command_that_has_begun_to_pass_nothing_is_kept_back() {
    let mut talk = Talk::with(error(), "GET");
    let (head, tail) = GET.split_at(9);
    let nothing = talk.conversation.commands(head.as_bytes(), None);
    assert_eq!(nothing.bytes, None);
    assert_eq!(talk.say(tail), tail);
    assert_eq!(talk.hear("$-1\r\n").0, "$-1\r\n");
    assert_eq!(talk.say(GET), "");
}

#[test]
fn what_was_kept_back_goes_on_when_the_fault_is_over() {
    let mut talk = Talk::with(error(), "GET");
    let (head, tail) = GET.split_at(9);
    assert_eq!(talk.say(head), "");
    let rest = talk.conversation.commands(tail.as_bytes(), None);
    assert_eq!(rest.bytes.as_deref(), Some(GET.as_bytes()));
}

#[test]
fn a_lost_reply_resets_the_connection_and_those_before_it_arrive() {
    let mut talk = Talk::with(Answer::Drop, "GET");
    assert_eq!(talk.say(&[SET, GET, SET].concat()), [SET, GET, SET].concat());
    assert_eq!(talk.hear("+OK\r\n$1\r\n"), ("+OK\r\n".to_owned(), None));
    assert_eq!(talk.hear("b\r\n+OK\r\n"), (String::new(), Some(Cut::Reset)));
}

#[test]
fn half_a_reply_is_followed_by_the_end() {
    let mut talk = Talk::with(Answer::Partial, "GET");
    assert_eq!(talk.say(GET), GET);
    assert_eq!(talk.hear("$4\r\nbcde\r\n"), ("$4\r\nb".to_owned(), Some(Cut::End)));
}

#[test]
fn a_corrupt_value_is_as_long_as_the_right_one() {
    let mut talk = Talk::with(Answer::Corrupt, "GET");
    assert_eq!(talk.say(&[GET, GET].concat()), [GET, GET].concat());
    assert_eq!(talk.hear("$4\r\nbcde\r\n$-1\r\n").0, "$4\r\nbcee\r\n$-1\r\n");
}

#[test]
fn pushes_take_no_commands_place() {
    let mut talk = Talk::with(error(), "GET");
    talk.conversation.commands(b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n", None);
    talk.say(&[SET, GET].concat());
    talk.hear("%0\r\n");
    let push = ">1\r\n+invalidate\r\n";
    assert_eq!(talk.hear(push).0, push);
    assert_eq!(talk.hear("+OK\r\n").0, "+OK\r\n-LOADING it loads\r\n");
}

#[test]
fn where_replies_cannot_be_told_apart_everything_passes() {
    for uneven in
        ["*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nc\r\n", "*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$3\r\nOFF\r\n"]
    {
        let mut talk = Talk::with(error(), "GET");
        assert_eq!(talk.say(uneven), uneven);
        assert_eq!(talk.say(GET), GET);
    }
    let mut talk = Talk::with(error(), "GET");
    assert_eq!(talk.say("\x16\x03 no RESP"), "\x16\x03 no RESP");
    assert_eq!(talk.say(GET), GET);
}

proptest! {
    #[test]
    fn however_bytes_are_split_each_command_has_its_own_reply(
        commands in prop::collection::vec(any::<bool>(), 1..20),
        pieces in prop::collection::vec(1_usize..12, 1..40),
    ) {
        let mut talk = Talk::with(error(), "GET");
        let said: String = commands.iter().map(|get| if *get { GET } else { SET }).collect();
        let (mut reached, mut heard) = (String::new(), String::new());
        let mut sizes = pieces.iter().cycle();
        let mut split = |text: &str| -> Vec<String> {
            let (mut rest, mut parts) = (text, Vec::new());
            while !rest.is_empty() {
                let (part, after) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
                parts.push(part.to_owned());
                rest = after;
            }
            parts
        };
        for part in split(&said) {
            reached.push_str(&talk.say(&part));
            heard.extend(talk.own());
        }
        let sets = commands.iter().filter(|get| !**get).count();
        prop_assert_eq!(&reached, &SET.repeat(sets));
        for part in split(&"+OK\r\n".repeat(sets)) {
            heard.push_str(&talk.hear(&part).0);
            heard.extend(talk.own());
        }
        let expected: String =
            commands.iter().map(|get| if *get { "-LOADING it loads\r\n" } else { "+OK\r\n" }).collect();
        prop_assert_eq!(heard, expected);
    }

    #[test]
    fn no_bytes_make_it_panic(
        up in prop::collection::vec("[*$%>+:0-9A-Z\r\n-]{0,40}", 0..10),
        down in prop::collection::vec("[*$%>+:_0-9a-z\r\n-]{0,40}", 0..10),
    ) {
        for answer in [Answer::Drop, Answer::Partial, Answer::Corrupt, error()] {
            let mut talk = Talk::with(answer, "GET");
            talk.say(GET);
            for (up, down) in up.iter().zip(&down) {
                talk.conversation.commands(up.as_bytes(), None);
                let _ = talk.conversation.replies(down.as_bytes());
                let _ = talk.own();
            }
        }
    }
}
