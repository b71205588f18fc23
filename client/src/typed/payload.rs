//! How a typed session lies in its value: what the service wants to know about it, then its data, both in postcard's compact form.
//! The session's record around it has the checksum.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What is kept about a session beside its data. Times are milliseconds since 1970 by Redis's clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct About {
    pub(crate) created: u64,
    /// Later than `created` by so much.
    pub(crate) active_after: u64,
    /// When its client went away, later than `created` by so much; `None` while it is there.
    pub(crate) disconnected_after: Option<u64>,
    pub(crate) messages: u64,
    pub(crate) sequence: u64,
    pub(crate) user: Option<String>,
}

/// Why a value is not a typed session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotOurs;

/// The value's bytes.
pub(crate) fn encode<T: Serialize>(about: &About, data: &T) -> Result<Vec<u8>, NotOurs> {
    postcard::to_extend(&(about, data), vec![FORM]).map_err(|_| NotOurs)
}

/// What a value holds.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<(About, T), NotOurs> {
    let (form, rest) = bytes.split_first().ok_or(NotOurs)?;
    if *form != FORM {
        return Err(NotOurs);
    }
    let (found, left) = postcard::take_from_bytes(rest).map_err(|_| NotOurs)?;
    if left.is_empty() { Ok(found) } else { Err(NotOurs) }
}

/// What a value says about its session, whatever its data are.
pub(crate) fn decode_about(bytes: &[u8]) -> Option<About> {
    let (form, rest) = bytes.split_first()?;
    if *form != FORM {
        return None;
    }
    postcard::take_from_bytes(rest).ok().map(|(about, _)| about)
}

/// The first byte. Another one is another form.
const FORM: u8 = 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Data {
        name: String,
        seen: Vec<u32>,
    }

    fn about() -> About {
        About {
            created: 1_795_000_000_000,
            active_after: 3_600_000,
            disconnected_after: Some(60_000),
            messages: 1000,
            sequence: 1000,
            user: Some("alice".to_owned()),
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_again(name: String, seen: Vec<u32>, messages: u64, user: Option<String>) {
            let (about, data) = (About { messages, user, ..about() }, Data { name, seen });
            let bytes = encode(&about, &data).unwrap();
            prop_assert_eq!(decode_about(&bytes), Some(about.clone()));
            prop_assert_eq!(decode(&bytes), Ok((about, data)));
        }

        #[test]
        fn arbitrary_bytes_are_never_a_panic(bytes: Vec<u8>, ours: bool) {
            let bytes = if ours { [&[FORM], &bytes[..]].concat() } else { bytes };
            let _ = decode::<Data>(&bytes);
            let _ = decode_about(&bytes);
        }
    }

    #[test]
    fn what_is_known_about_a_session_is_small() {
        let with = encode(&about(), &()).unwrap().len();
        assert!(with <= 30, "{with} bytes");
        assert_eq!(encode(&About::default(), &()).unwrap().len(), 7);
    }

    #[test]
    fn bytes_too_few_too_many_or_of_another_form_are_refused() {
        let bytes = encode(&about(), &7u32).unwrap();
        assert_eq!(decode::<u32>(&bytes[..bytes.len() - 1]), Err(NotOurs));
        assert_eq!(decode::<u32>(&[&bytes[..], &[0]].concat()), Err(NotOurs));
        assert_eq!(decode::<u32>(&[&[9], &bytes[1..]].concat()), Err(NotOurs));
        assert_eq!(decode::<u32>(b""), Err(NotOurs));
    }
}
