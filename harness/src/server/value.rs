//! What a key can hold.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::zset::Zset;

/// A value of one of the five types.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(Vec<u8>),
    Hash(Hash),
    Set(Set),
    Zset(Zset),
    List(List),
}

/// What one small thing takes beside its bytes: a guess, as `maxmemory` is one.
pub(crate) const OVERHEAD: usize = 48;

impl Value {
    /// The name that `TYPE` gives.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Hash(_) => "hash",
            Self::Set(_) => "set",
            Self::Zset(_) => "zset",
            Self::List(_) => "list",
        }
    }

    /// Its bytes, one thing after the other.
    pub(crate) fn content(&self) -> Vec<u8> {
        let mut content = Vec::new();
        let mut add = |part: &[u8]| content.extend_from_slice(part);
        match self {
            Self::Text(text) => add(text),
            Self::Hash(hash) => hash.fields().iter().for_each(|(field, value)| {
                add(field);
                add(value);
            }),
            Self::Set(set) => set.members().iter().for_each(|member| add(member)),
            Self::Zset(zset) => zset.scores().keys().for_each(|member| add(member)),
            Self::List(list) => list.items().iter().for_each(|item| add(item)),
        }
        content
    }

    /// A value that no key may hold: the key goes with the last member.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Text(_) => false,
            Self::Hash(hash) => hash.fields().is_empty(),
            Self::Set(set) => set.members().is_empty(),
            Self::Zset(zset) => zset.len() == 0,
            Self::List(list) => list.items().is_empty(),
        }
    }

    /// The memory that it takes, about.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Hash(hash) => hash.bytes,
            Self::Set(set) => set.bytes,
            Self::Zset(zset) => zset.bytes(),
            Self::List(list) => list.bytes,
        }
    }
}

/// A type of value, so that commands can ask for it.
pub(crate) trait Kind: Default {
    fn of_mut(value: &mut Value) -> Option<&mut Self>;
    fn into_value(self) -> Value;
}

macro_rules! kind {
    ($type:ty, $variant:ident) => {
        impl Kind for $type {
            fn of_mut(value: &mut Value) -> Option<&mut Self> {
                if let Value::$variant(inner) = value { Some(inner) } else { None }
            }

            fn into_value(self) -> Value {
                Value::$variant(self)
            }
        }
    };
}

kind!(Vec<u8>, Text);
kind!(Hash, Hash);
kind!(Set, Set);
kind!(Zset, Zset);
kind!(List, List);

/// Fields with their values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hash {
    fields: BTreeMap<Vec<u8>, Vec<u8>>,
    bytes: usize,
}

impl Hash {
    pub(crate) fn fields(&self) -> &BTreeMap<Vec<u8>, Vec<u8>> {
        &self.fields
    }

    /// Sets a field; whether it is new.
    pub(crate) fn insert(&mut self, field: &[u8], value: &[u8]) -> bool {
        let old = self.fields.insert(field.to_vec(), value.to_vec());
        self.bytes += value.len();
        match &old {
            Some(old) => self.bytes -= old.len(),
            None => self.bytes += field.len() + OVERHEAD,
        }
        old.is_none()
    }

    pub(crate) fn remove(&mut self, field: &[u8]) -> bool {
        let old = self.fields.remove(field);
        if let Some(old) = &old {
            self.bytes -= old.len() + field.len() + OVERHEAD;
        }
        old.is_some()
    }
}

/// Members without an order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Set {
    members: BTreeSet<Vec<u8>>,
    bytes: usize,
}

impl Set {
    pub(crate) fn members(&self) -> &BTreeSet<Vec<u8>> {
        &self.members
    }

    pub(crate) fn insert(&mut self, member: &[u8]) -> bool {
        let new = !self.members.contains(member);
        if new {
            self.members.insert(member.to_vec());
            self.bytes += member.len() + OVERHEAD;
        }
        new
    }

    pub(crate) fn remove(&mut self, member: &[u8]) -> bool {
        let there = self.members.remove(member);
        if there {
            self.bytes -= member.len() + OVERHEAD;
        }
        there
    }
}

impl FromIterator<Vec<u8>> for Set {
    fn from_iter<I: IntoIterator<Item = Vec<u8>>>(members: I) -> Self {
        let members: BTreeSet<_> = members.into_iter().collect();
        let bytes = members.iter().map(|member| member.len() + OVERHEAD).sum();
        Self { members, bytes }
    }
}

/// Items in an order.
#[derive(Clone, Debug, Default)]
pub(crate) struct List {
    items: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl List {
    pub(crate) fn items(&self) -> &VecDeque<Vec<u8>> {
        &self.items
    }

    /// Adds an item at the front or the back.
    pub(crate) fn push(&mut self, item: &[u8], front: bool) {
        self.bytes += item.len() + OVERHEAD;
        if front {
            self.items.push_front(item.to_vec());
        } else {
            self.items.push_back(item.to_vec());
        }
    }

    /// Takes an item from the front or the back.
    pub(crate) fn pop(&mut self, front: bool) -> Option<Vec<u8>> {
        let item = if front { self.items.pop_front() } else { self.items.pop_back() };
        if let Some(item) = &item {
            self.bytes -= item.len() + OVERHEAD;
        }
        item
    }

    /// Changes the items in any way.
    pub(crate) fn edit<T>(&mut self, edit: impl FnOnce(&mut VecDeque<Vec<u8>>) -> T) -> T {
        let result = edit(&mut self.items);
        self.bytes = self.items.iter().map(|item| item.len() + OVERHEAD).sum();
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_and_removed_leaves_no_bytes_counted() {
        let mut hash = Hash::default();
        assert!(hash.insert(b"field", b"value"));
        assert!(!hash.insert(b"field", b"longer value"));
        assert!(hash.remove(b"field") && !hash.remove(b"field"));
        let mut set = Set::default();
        assert!(set.insert(b"a") && !set.insert(b"a") && set.remove(b"a"));
        let mut list = List::default();
        list.push(b"b", false);
        list.push(b"a", true);
        assert_eq!(list.pop(true).as_deref(), Some(&b"a"[..]));
        list.edit(VecDeque::clear);
        for value in [Value::Hash(hash), Value::Set(set), Value::List(list)] {
            assert!(value.is_empty() && value.bytes() == 0, "{value:?}");
        }
    }
}
