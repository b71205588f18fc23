//! Commands drawn by chance: a template, and numbers that choose what is put in.

use proptest::prelude::*;

use super::frame::Modulo;
use super::templates::TEMPLATES;

/// A command as it is drawn; small numbers make simple commands, so that shrinking leads to them.
#[derive(Clone, Debug)]
pub(crate) struct Drawn {
    template: usize,
    choices: Vec<u16>,
}

/// A command: its words, and what its reply is compared modulo.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) words: Vec<Vec<u8>>,
    pub(crate) modulo: Modulo,
}

/// Commands in a row.
pub(crate) fn commands(count: usize) -> impl Strategy<Value = Vec<Drawn>> {
    let one = (0..TEMPLATES.len(), proptest::collection::vec(any::<u16>(), 10));
    proptest::collection::vec(one.prop_map(|(template, choices)| Drawn { template, choices }), 1..=count)
}

/// What can stand for a mark of a template. Few keys, so that commands meet; some of them hold another type.
fn choices(mark: &str) -> &'static [&'static str] {
    match mark {
        "{k}" => &["k1", "k2", "k3", "h1", "s1", "z1", "l1", "none"],
        "{fk}" => &["f1", "f2", "f3"],
        "{h}" => &["h1", "h2", "h1", "h2", "k1", "none"],
        "{s}" => &["s1", "s2", "s3", "s1", "s2", "z1", "none"],
        "{z}" => &["z1", "z2", "z1", "z2", "s1", "none"],
        "{l}" => &["l1", "l2", "l1", "l2", "k1", "none"],
        "{any}" => &["k1", "k2", "h1", "s1", "z1", "l1", "s2", "none"],
        "{v}" => &[
            "a",
            "",
            "10",
            "-5",
            "3.25",
            "hello world",
            "x\r\ny",
            "9223372036854775807",
            "abcdefghij",
            "\u{e9}",
        ],
        "{i}" => {
            &["0", "1", "-1", "5", "100", "-9223372036854775808", "9223372036854775807", "x", "1.5", "01", ""]
        }
        "{n}" => &["0", "1", "2", "3", "-1", "-2", "10", "-100", "x"],
        "{f}" => &["0.5", "-1.25", "3", "0", "10.75", "1e2", "x", "", "nan"],
        "{m}" => &["a", "b", "c", "d", "e", "1", "2", "3", "-7", ""],
        "{score}" => &["1", "2", "0", "-1.5", "2.25", "inf", "-inf", "1e3", "x"],
        "{bound}" => &["-inf", "+inf", "0", "(0", "1", "(1", "2.5", "(2.25", "x"],
        "{lex}" => &["-", "+", "[a", "(a", "[c", "(d", "x"],
        "{pat}" => &["*", "k*", "?1", "[hs]*", "k[^1]", "nothing", "\\k1", "*1*"],
        "{ttl}" => &["100000", "500000", "2000000", "0", "-1", "x", "9223372036854775807"],
        "{at}" => &["4102444800", "4102444801", "1", "4202444800", "-5", "0", "x"],
        "{atms}" => &["4102444800000", "4102444800001", "1", "4202444800000", "-5", "0", "x"],
        "{cond}" => &["NX", "XX", "GT", "LT", "gt", "x"],
        "{word}" => &["NX", "XX", "GET", "KEEPTTL", "xx", "foo"],
        "{zopt}" => &["NX", "XX", "GT", "LT", "CH", "INCR", "ch"],
        "{side}" => &["LEFT", "RIGHT", "left", "UP"],
        "{db}" => &["0", "1", "2", "15", "16", "-1", "x"],
        _ => &["?"],
    }
}

impl Drawn {
    /// The command itself.
    pub(crate) fn command(&self) -> Command {
        let (modulo, template) = TEMPLATES[self.template];
        let mut chosen = self.choices.iter().copied().cycle();
        let mut words = Vec::new();
        for word in template.split(' ') {
            let choice = usize::from(chosen.next().unwrap_or(0));
            if word.starts_with('{') {
                let all = choices(word);
                words.push(all[choice % all.len()].as_bytes().to_vec());
            } else {
                // Underscores are the spaces of scripts.
                words.push(word.replace('_', " ").into_bytes());
            }
        }
        Command { words, modulo }
    }
}

impl Command {
    /// The bytes that are sent.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("*{}\r\n", self.words.len()).as_bytes());
        for word in &self.words {
            out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            out.extend_from_slice(word);
            out.extend_from_slice(b"\r\n");
        }
    }

    /// The command in one line, for people.
    pub(crate) fn shown(&self) -> String {
        let words = self.words.iter().map(|word| format!("{:?}", String::from_utf8_lossy(word)));
        words.collect::<Vec<_>>().join(" ")
    }
}
