//! Keys as the keyspace orders them: by a hash first, so that `SCAN` walks in an order of its own and a random key is found
//! without counting.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::sync::Arc;

use super::random::mix;

/// A key and its hash. A copy shares the bytes.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    hash: u64,
    bytes: Arc<[u8]>,
}

impl Key {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self { hash: hash(bytes), bytes: bytes.into() }
    }

    /// The first place in the order at which a key with this hash can lie.
    pub(crate) fn lowest(hash: u64) -> Self {
        Self { hash, bytes: Arc::from([]) }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }
}

/// What a key is compared by; a lookup needs no copy of the bytes.
pub(crate) trait Probe {
    fn parts(&self) -> (u64, &[u8]);
}

impl Probe for Key {
    fn parts(&self) -> (u64, &[u8]) {
        (self.hash, &self.bytes)
    }
}

/// Bytes that are looked up.
pub(crate) struct Wanted<'a>(u64, &'a [u8]);

impl<'a> Wanted<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(hash(bytes), bytes)
    }
}

impl Probe for Wanted<'_> {
    fn parts(&self) -> (u64, &[u8]) {
        (self.0, self.1)
    }
}

impl<'a> Borrow<dyn Probe + 'a> for Key {
    fn borrow(&self) -> &(dyn Probe + 'a) {
        self
    }
}

impl Ord for dyn Probe + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts().cmp(&other.parts())
    }
}

impl PartialOrd for dyn Probe + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for dyn Probe + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for dyn Probe + '_ {}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts().cmp(&other.parts())
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for Key {}

/// The same on every machine and in every run: histories depend on it.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let mut value = bytes.len() as u64 ^ 0x5171_a11c_0de5_eed5;
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        value = (value ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        value ^= value >> 32;
    }
    mix(value)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn keys_are_found_by_their_bytes() {
        let names: Vec<String> = (0..1000).map(|number| format!("session:{number}")).collect();
        let map: BTreeMap<Key, &str> =
            names.iter().map(|name| (Key::new(name.as_bytes()), &name[..])).collect();
        assert_eq!(map.len(), 1000);
        for name in &names {
            let wanted = Wanted::new(name.as_bytes());
            assert_eq!(map.get(&wanted as &dyn Probe), Some(&&name[..]));
        }
        assert_eq!(map.get(&Wanted::new(b"other") as &dyn Probe), None);
    }
}
