//! The table of commands: one row each, kept beside the function that it names.

use std::sync::LazyLock;

use super::call::{Call, Outcome};
use super::commands;

/// Properties of a command: categories of the ACL, and what the dispatcher must know.
pub(crate) mod flag {
    pub(crate) const READ: u32 = 1;
    pub(crate) const WRITE: u32 = 1 << 1;
    /// It needs memory: refused when there is none.
    pub(crate) const DENY_OOM: u32 = 1 << 2;
    pub(crate) const FAST: u32 = 1 << 3;
    pub(crate) const ADMIN: u32 = 1 << 4;
    pub(crate) const DANGEROUS: u32 = 1 << 5;
    pub(crate) const PUBSUB: u32 = 1 << 6;
    pub(crate) const NO_SCRIPT: u32 = 1 << 7;
    /// It may be sent without authentication.
    pub(crate) const NO_AUTH: u32 = 1 << 8;
    /// It is answered even while a script runs for long.
    pub(crate) const ALLOW_BUSY: u32 = 1 << 9;
    pub(crate) const NO_MULTI: u32 = 1 << 10;
    /// Its subcommands have rows of their own.
    pub(crate) const CONTAINER: u32 = 1 << 11;
    pub(crate) const KEYSPACE: u32 = 1 << 12;
    pub(crate) const STRING: u32 = 1 << 13;
    pub(crate) const HASH: u32 = 1 << 14;
    pub(crate) const SET: u32 = 1 << 15;
    pub(crate) const SORTED_SET: u32 = 1 << 16;
    pub(crate) const LIST: u32 = 1 << 17;
    pub(crate) const CONNECTION: u32 = 1 << 18;
    pub(crate) const TRANSACTION: u32 = 1 << 19;
    pub(crate) const SCRIPTING: u32 = 1 << 20;
    /// It keeps databases other than the current one in view.
    pub(crate) const ALL_DBS: u32 = 1 << 21;
}

/// Categories with their bits; `slow` is what is not `fast`.
const CATEGORIES: [(&str, u32); 16] = [
    ("keyspace", flag::KEYSPACE),
    ("read", flag::READ),
    ("write", flag::WRITE),
    ("set", flag::SET),
    ("sortedset", flag::SORTED_SET),
    ("list", flag::LIST),
    ("hash", flag::HASH),
    ("string", flag::STRING),
    ("pubsub", flag::PUBSUB),
    ("admin", flag::ADMIN),
    ("fast", flag::FAST),
    ("slow", 0),
    ("dangerous", flag::DANGEROUS),
    ("connection", flag::CONNECTION),
    ("transaction", flag::TRANSACTION),
    ("scripting", flag::SCRIPTING),
];

/// Categories that Redis has, of which no command is here.
const EMPTY_CATEGORIES: [&str; 5] = ["bitmap", "hyperloglog", "geo", "stream", "blocking"];

/// Where the keys stand among the arguments.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keys {
    None,
    /// From the first position to the last, counted from the end if negative, in steps.
    Range(usize, isize, usize),
    /// After a count, which stands here.
    Counted(usize),
}

impl Keys {
    pub(crate) const ONE: Self = Self::Range(1, 1, 1);
    pub(crate) const TWO: Self = Self::Range(1, 2, 1);
    pub(crate) const ALL: Self = Self::Range(1, -1, 1);
    pub(crate) const PAIRS: Self = Self::Range(1, -1, 2);

    /// The keys among these arguments.
    pub(crate) fn of<'a>(self, argv: &[&'a [u8]]) -> Vec<&'a [u8]> {
        let (first, last, step) = match self {
            Self::None => return Vec::new(),
            Self::Range(first, last, step) if last < 0 => {
                (first, argv.len().saturating_sub(last.unsigned_abs()), step)
            }
            Self::Range(first, last, step) => (first, last.unsigned_abs(), step),
            Self::Counted(at) => {
                let count = argv.get(at).and_then(|text| super::number::parse_int(text)).unwrap_or(0);
                (at + 1, at.saturating_add(usize::try_from(count).unwrap_or(0)), 1)
            }
        };
        let last = last.min(argv.len().saturating_sub(1));
        (first..=last).step_by(step).filter_map(|at| argv.get(at).copied()).collect()
    }
}

/// What a command does.
pub(crate) type Run = fn(&mut Call<'_>) -> Outcome;

/// A row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Command {
    /// In small letters; a subcommand's is `client|kill`.
    pub(crate) name: &'static str,
    /// How many arguments there must be, the name counted; at least so many, if negative.
    pub(crate) arity: isize,
    pub(crate) flags: u32,
    pub(crate) keys: Keys,
    pub(crate) run: Run,
    index: usize,
}

/// A row of the table.
pub(crate) const fn row(name: &'static str, arity: isize, flags: u32, keys: Keys, run: Run) -> Command {
    Command { name, arity, flags, keys, run, index: 0 }
}

impl Command {
    /// Its place in the table.
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    pub(crate) fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// Whether so many arguments are right.
    pub(crate) fn accepts(&self, arguments: usize) -> bool {
        let needed = self.arity.unsigned_abs();
        if self.arity < 0 { arguments >= needed } else { arguments == needed }
    }

    pub(crate) fn in_category(&self, category: &str) -> bool {
        match category {
            "slow" => !self.has(flag::FAST),
            "dangerous" => self.has(flag::DANGEROUS | flag::ADMIN),
            _ => CATEGORIES.iter().any(|(name, bit)| *name == category && self.has(*bit)),
        }
    }
}

/// Whether the ACL knows this category.
pub(crate) fn is_category(name: &str) -> bool {
    categories().any(|known| known == name)
}

/// Every category of the ACL.
pub(crate) fn categories() -> impl Iterator<Item = &'static str> {
    CATEGORIES.iter().map(|(name, _)| *name).chain(EMPTY_CATEGORIES)
}

/// Every command, by name.
pub(crate) static TABLE: LazyLock<Vec<Command>> = LazyLock::new(|| {
    let mut table: Vec<Command> =
        commands::FAMILIES.iter().flat_map(|family| family.iter().copied()).collect();
    table.sort_by_key(|command| command.name);
    for (index, command) in table.iter_mut().enumerate() {
        command.index = index;
    }
    table
});

/// Longer than any name in the table.
const NAME_MAX: usize = 40;

/// The command of this name, in letters of any case.
pub(crate) fn find(name: &[u8]) -> Option<&'static Command> {
    find_joined(name, None)
}

/// The subcommand of this name.
pub(crate) fn find_sub(of: &Command, name: &[u8]) -> Option<&'static Command> {
    find_joined(of.name.as_bytes(), Some(name))
}

fn find_joined(name: &[u8], sub: Option<&[u8]>) -> Option<&'static Command> {
    let mut lower = [0u8; NAME_MAX];
    let mut length = 0;
    let bar = sub.map(|_| &b"|"[..]);
    for part in [Some(name), bar, sub].into_iter().flatten() {
        let place = lower.get_mut(length..length + part.len())?;
        for (to, from) in place.iter_mut().zip(part) {
            *to = from.to_ascii_lowercase();
        }
        length += part.len();
    }
    let wanted = &lower[..length];
    let table = &*TABLE;
    let found = table.binary_search_by(|command| command.name.as_bytes().cmp(wanted)).ok()?;
    // "client|kill" is a row, but no name that one can send.
    (sub.is_some() || !wanted.contains(&b'|')).then(|| &table[found])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_one_row_in_small_letters() {
        for pair in TABLE.windows(2) {
            assert!(pair[0].name < pair[1].name, "{}", pair[1].name);
        }
        for command in TABLE.iter() {
            assert_eq!(command.name, command.name.to_lowercase());
            assert!(command.name.len() <= NAME_MAX);
            let found = match command.name.split_once('|') {
                Some((of, sub)) => find(of.as_bytes()).and_then(|of| find_sub(of, sub.as_bytes())),
                None => find(command.name.to_uppercase().as_bytes()),
            };
            assert_eq!(found.map(|found| found.name), Some(command.name));
        }
        assert!(find(b"client|kill").is_none() && find(&[b'x'; 100]).is_none());
    }

    #[test]
    fn keys_are_found_among_the_arguments() {
        let argv = |text: &'static str| text.split(' ').map(str::as_bytes).collect::<Vec<_>>();
        assert_eq!(Keys::ONE.of(&argv("get a")), [b"a"]);
        assert_eq!(Keys::PAIRS.of(&argv("mset a 1 b 2")), [b"a", b"b"]);
        assert_eq!(Keys::Counted(2).of(&argv("eval x 2 a b c")), [b"a", b"b"]);
        assert!(Keys::Counted(2).of(&argv("eval x -1 a")).is_empty());
        assert_eq!(Keys::Counted(2).of(&argv("eval x 99 a")), [b"a"]);
    }
}
