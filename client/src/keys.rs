//! Where things lie in Redis, and what may be an id.

/// Where a session lies.
pub(crate) fn key(prefix: &str, id: &str) -> String {
    format!("{prefix}{id}")
}

/// The key of what belongs to another key, in the same cluster slot: `word` says what it is.
pub(crate) fn beside(key: &str, word: &str) -> String {
    if has_hash_tag(key) { format!("{word}:{key}") } else { format!("{{{key}}}:{word}") }
}

/// Whether a key is that of what belongs to another.
pub(crate) fn is_beside(key: &str) -> bool {
    let word = key.split_once(':').map(|(word, _)| word);
    let ended = key.rsplit_once("}:").filter(|_| key.starts_with('{')).map(|(_, word)| word);
    [word, ended].into_iter().flatten().any(|word| WORDS.contains(&word))
}

/// Whether a key is none of a session but of what is kept about all of them: it may look like a session's where the prefix is
/// short.
pub(crate) fn is_about_all(key: &str) -> bool {
    ["squall:generation:", "squall:user:", "squall:users:", "squall:probe:", "squall:fence:"]
        .iter()
        .any(|begins| key.starts_with(begins))
}

/// Where a probe reads and writes.
pub(crate) fn probe(prefix: &str) -> String {
    format!("squall:probe:{prefix}")
}

/// Where a fence is written.
pub(crate) fn fence(prefix: &str) -> String {
    format!("squall:fence:{prefix}")
}

/// The word of what a counter has counted.
pub(crate) const COUNTED: &str = "counted";

/// The word of what was damaged and is kept aside.
pub(crate) const ASIDE: &str = "aside";

const WORDS: [&str; 3] = [TOMBSTONE, COUNTED, ASIDE];

/// The word of a session's tombstone.
pub(crate) const TOMBSTONE: &str = "tomb";

/// What is wrong with an id, if anything. The tombstone must lie in the session's cluster slot, and a brace outside of a hash
/// tag would make that impossible. A session where the client keeps something else would be taken for that.
pub(crate) fn key_problem(prefix: &str, id: &str) -> Option<&'static str> {
    let key = key(prefix, id);
    if key.contains('}') && !has_hash_tag(&key) {
        return Some("a closing brace must end a hash tag, as in {user}:session");
    }
    (is_beside(&key) || is_about_all(&key)).then_some("the client keeps something of its own under that key")
}

/// Whether no key that begins so is one of the client's own.
pub(crate) fn is_free(prefix: &str) -> bool {
    let word = prefix.split_once(':').map(|(word, _)| word);
    !is_about_all(prefix) && !word.is_some_and(|word| WORDS.contains(&word))
}

/// Whether a part of the key alone decides on its slot: what stands in the first braces, unless that is nothing.
pub(crate) fn has_hash_tag(key: &str) -> bool {
    let within = key.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
    within.is_some_and(|(tag, _)| !tag.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_together_lies_in_one_slot() {
        assert_eq!(beside(&key("session:", "a"), TOMBSTONE), "{session:a}:tomb");
        assert_eq!(beside(&key("session:", "{user}:a"), TOMBSTONE), "tomb:session:{user}:a");
        for key in ["session:a", "session:{user}:a", "a", "tombs:a"] {
            assert!(WORDS.iter().all(|word| is_beside(&beside(key, word))) && !is_beside(key), "{key}");
        }
    }

    #[test]
    fn an_id_that_would_lie_where_the_client_keeps_something_is_refused() {
        for (prefix, id) in [
            ("", "{a}:tomb"),
            ("", "tomb:{a}b"),
            ("", "{a}:counted"),
            ("{", "a}:aside"),
            ("", "squall:generation:session:"),
            ("squ", "all:user:session:alice"),
            ("squall", ":users:"),
        ] {
            assert!(key_problem(prefix, id).is_some(), "{prefix} {id}");
        }
        for (prefix, id) in [("session:", "{a}:tomb"), ("", "tomb"), ("", "squall"), ("s:", "squall:user:x")]
        {
            assert_eq!(key_problem(prefix, id), None, "{prefix} {id}");
        }
        assert!(is_free("session:") && is_free("") && is_free("tombs:") && is_free("squall:a1:session:"));
        assert!(!is_free("tomb:") && !is_free("counted:x") && !is_free("squall:user:"));
    }

    #[test]
    fn an_id_whose_tombstone_would_lie_elsewhere_is_refused() {
        assert_eq!(key_problem("session:", "{user}:a"), None);
        assert_eq!(key_problem("session:", "a{b"), None);
        assert!(key_problem("session:", "a}").is_some());
        assert!(key_problem("session:", "{}").is_some());
    }
}
