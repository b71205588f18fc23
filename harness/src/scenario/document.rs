//! A scenario file as a tree that knows where each of its parts stands.

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The tree of a file.
pub(super) type Tree<'i> = Spanned<DeTable<'i>>;

/// Where lists stand in a scenario. Serde would take a list for any table, its values in the order of the keys.
const LISTS: [&str; 12] = [
    "origin",
    "operation",
    "phase.[].faults.[].match.command",
    "phase",
    "phase.[].faults",
    "phase.[].faults.[].on",
    "expect.breaker",
    "expect.breaker.[].sequence",
    "expect.metric",
    "expect.sometimes",
    "expect.told",
    "allow",
];

/// The way from the root to a part of a file, such as `phase[2].faults[0].at`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Path(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

impl Path {
    /// The part named `key` of this table; dots lead deeper.
    pub(super) fn key(&self, key: &str) -> Self {
        let mut path = self.clone();
        path.0.extend(key.split('.').map(|key| Step::Key(key.to_owned())));
        path
    }

    /// A part of this array.
    pub(super) fn index(&self, index: usize) -> Self {
        let mut path = self.clone();
        path.0.push(Step::Index(index));
        path
    }

    /// Where the table around the last key stands, and that key; no key when this leads to a part of an array.
    pub(super) fn last(&self, tree: &Tree<'_>) -> (Range<usize>, Option<String>) {
        match self.0.split_last() {
            Some((Step::Key(key), around)) => (span(tree, &Self(around.to_vec())), Some(key.clone())),
            Some((Step::Index(_), _)) | None => (tree.span(), None),
        }
    }

    /// Whether this leads to `other` or to something in it.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// The way to the list, where this leads to a part of one.
    pub(super) fn without_index(mut self) -> Self {
        while matches!(self.0.last(), Some(Step::Index(_))) {
            self.0.pop();
        }
        self
    }

    fn is_list(&self) -> bool {
        let steps = self.0.iter().map(|step| match step {
            Step::Key(key) => key.as_str(),
            Step::Index(_) => "[]",
        });
        LISTS.contains(&steps.collect::<Vec<_>>().join(".").as_str())
    }

    fn then(&self, step: Step) -> Self {
        let mut path = self.clone();
        path.0.push(step);
        path
    }
}

/// The part of the root that is named `key`.
pub(super) fn root(key: &str) -> Path {
    Path::default().key(key)
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(number) => write!(f, "[{number}]")?,
                Step::Key(key) => {
                    let dot = if index > 0 { "." } else { "" };
                    let plain =
                        !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || "-_".contains(c));
                    if plain { write!(f, "{dot}{key}")? } else { write!(f, "{dot}{key:?}")? }
                }
            }
        }
        Ok(())
    }
}

/// Where the value at `path` stands, or, where the file leaves it out, the nearest part around it.
pub(super) fn span(tree: &Tree<'_>, path: &Path) -> Range<usize> {
    let mut nearest = tree.span();
    let mut table = Some(tree.get_ref());
    let mut array = None;
    for step in &path.0 {
        let value: Option<&Spanned<DeValue<'_>>> = match step {
            Step::Key(key) => table.and_then(|table| table.get(key.as_str())),
            Step::Index(index) => array.and_then(|array: &toml::de::DeArray<'_>| array.get(*index)),
        };
        let Some(value) = value else { break };
        nearest = value.span();
        table = value.get_ref().as_table();
        array = value.get_ref().as_array();
    }
    nearest
}

/// The way to what stands at `span`: a key, or the deepest value.
pub(super) fn find(tree: &Tree<'_>, span: &Range<usize>) -> Option<Path> {
    in_table(tree.get_ref(), &Path::default(), span)
}

fn in_table(table: &DeTable<'_>, path: &Path, span: &Range<usize>) -> Option<Path> {
    table.iter().find_map(|(key, value)| {
        let path = path.then(Step::Key(key.get_ref().to_string()));
        let here = (key.span() == *span).then(|| path.clone());
        in_value(value, &path, span).or(here)
    })
}

fn in_value(value: &Spanned<DeValue<'_>>, path: &Path, span: &Range<usize>) -> Option<Path> {
    let deeper = match value.get_ref() {
        DeValue::Table(table) => in_table(table, path, span),
        DeValue::Array(array) => array
            .iter()
            .enumerate()
            .find_map(|(index, value)| in_value(value, &path.then(Step::Index(index)), span)),
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => None,
    };
    deeper.or_else(|| (value.span() == *span).then(|| path.clone()))
}

/// Every list that stands where none may.
pub(super) fn misplaced_lists(tree: &Tree<'_>) -> Vec<Path> {
    let mut found = Vec::new();
    lists_in_table(tree.get_ref(), &Path::default(), &mut found);
    found
}

fn lists_in_table(table: &DeTable<'_>, path: &Path, found: &mut Vec<Path>) {
    for (key, value) in table {
        lists_in_value(value.get_ref(), path.then(Step::Key(key.get_ref().to_string())), found);
    }
}

fn lists_in_value(value: &DeValue<'_>, path: Path, found: &mut Vec<Path>) {
    match value {
        DeValue::Table(table) => lists_in_table(table, &path, found),
        DeValue::Array(_) if !path.is_list() => found.push(path),
        DeValue::Array(array) => {
            for (index, value) in array.iter().enumerate() {
                lists_in_value(value.get_ref(), path.then(Step::Index(index)), found);
            }
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => {}
    }
}

/// Whether the file says something at `path`.
pub(super) fn is_written(tree: &Tree<'_>, path: &Path) -> bool {
    let Some((Step::Key(key), around)) = path.0.split_last() else { return false };
    let around = Path(around.to_vec());
    let mut table = Some(tree.get_ref());
    for step in &around.0 {
        let Step::Key(key) = step else { return false };
        table = table.and_then(|table| table.get(key.as_str())).and_then(|value| value.get_ref().as_table());
    }
    table.is_some_and(|table| table.get(key.as_str()).is_some())
}

/// Takes the part at `path` out of the tree; says whether it was there.
pub(super) fn remove(tree: &mut Tree<'_>, path: &Path) -> bool {
    remove_from_table(tree.get_mut(), &path.0)
}

fn remove_from_table(table: &mut DeTable<'_>, steps: &[Step]) -> bool {
    match steps {
        [Step::Key(key)] => table.remove(key.as_str()).is_some(),
        [Step::Key(key), rest @ ..] => {
            table.get_mut(key.as_str()).is_some_and(|value| remove_from_value(value, rest))
        }
        [Step::Index(_), ..] | [] => false,
    }
}

fn remove_from_value(value: &mut Spanned<DeValue<'_>>, steps: &[Step]) -> bool {
    match (value.get_mut(), steps) {
        (DeValue::Table(table), steps) => remove_from_table(table, steps),
        (DeValue::Array(array), [Step::Index(index)]) => {
            let before = array.len();
            let kept = array.iter().enumerate().filter(|(at, _)| at != index);
            *array = kept.map(|(_, value)| value.clone()).collect();
            array.len() < before
        }
        (DeValue::Array(array), [Step::Index(index), rest @ ..]) => {
            array.get_mut(*index).is_some_and(|value| remove_from_value(value, rest))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "a = 1\n[[phase]]\nname = \"x\"\n[[phase.faults]]\ninject.latency = { delay = \"1s\" }\nat = 5\n";

    #[test]
    fn a_part_is_found_by_its_path_and_its_path_by_its_place() {
        let tree = DeTable::parse(TEXT).unwrap();
        let phase = root("phase").index(0);
        for (path, text) in [
            (root("a"), "1"),
            (phase.clone(), "[[phase]]"),
            (phase.key("faults").index(0).key("inject.latency.delay"), "\"1s\""),
            (phase.key("faults").index(0), "[[phase.faults]]"),
        ] {
            let span = span(&tree, &path);
            assert_eq!(&TEXT[span.clone()], text);
            assert_eq!(find(&tree, &span), Some(path));
        }
        let at = TEXT.find("at =").unwrap();
        let path = find(&tree, &(at..at + 2)).unwrap();
        assert_eq!(path.to_string(), "phase[0].faults[0].at");
    }

    #[test]
    fn what_the_file_leaves_out_is_shown_where_it_would_stand() {
        let tree = DeTable::parse(TEXT).unwrap();
        assert_eq!(&TEXT[span(&tree, &root("phase").index(0).key("for"))], "[[phase]]");
        assert_eq!(span(&tree, &root("load").key("rate")), 0..0);
    }

    #[test]
    fn a_part_can_be_taken_out() {
        let mut tree = DeTable::parse(TEXT).unwrap();
        let fault = root("phase").index(0).key("faults").index(0);
        assert!(remove(&mut tree, &fault.key("at")));
        assert!(!remove(&mut tree, &fault.key("at")));
        assert!(remove(&mut tree, &fault));
        assert!(!remove(&mut tree, &Path::default()));
    }
}
