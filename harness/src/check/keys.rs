//! Which session a key in Redis belongs to, by what the subject says of where its sessions lie.

use crate::history::SessionId;

/// What stands for a session's name.
const PLACE: &str = "{session}";

/// What stands for the number of its shard, where there are shards.
const SHARD: &str = "{shard}";

/// Keys of more characters may be recorded in part, and then tell of no session, or of another.
const WHOLE: usize = 150;

/// Where sessions lie in Redis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keys<'h> {
    before: &'h str,
    /// What follows the number of the shard, where there is one.
    behind_shard: Option<&'h str>,
    after: &'h str,
}

impl<'h> Keys<'h> {
    /// By such a template; `None` if it does not tell.
    pub(crate) fn new(template: &'h str) -> Option<Self> {
        let (before, after) = template.split_once(PLACE)?;
        let tells = !after.contains(PLACE) && template.chars().count() <= WHOLE;
        let (before, behind_shard) = match before.split_once(SHARD) {
            Some((before, behind)) => (before, Some(behind)),
            None => (before, None),
        };
        tells.then_some(Self { before, behind_shard, after })
    }

    /// The session that lies there, if one does.
    pub(crate) fn session(self, key: &str) -> Option<SessionId> {
        let mut key = key.strip_prefix(self.before)?;
        if let Some(behind) = self.behind_shard {
            let rest = key.trim_start_matches(|c: char| c.is_ascii_digit());
            key = rest.strip_prefix(behind).filter(|_| rest.len() < key.len())?;
        }
        key.strip_suffix(self.after)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_the_template_names_its_session() {
        let keys = Keys::new("a:{session}:z").unwrap();
        assert_eq!(keys.session("a:s17:z"), Some(SessionId(17)));
        for other in ["a:s17", "s17:z", "a:17:z", "a:s17:z:tomb", "a::z", ""] {
            assert_eq!(keys.session(other), None, "{other}");
        }
        assert_eq!(Keys::new("{session}").unwrap().session("s0"), Some(SessionId(0)));
    }

    #[test]
    fn a_session_of_any_shard_is_found() {
        let keys = Keys::new("a:{{shard}/8}:{session}").unwrap();
        assert_eq!(keys.session("a:{3/8}:s17"), Some(SessionId(17)));
        assert_eq!(keys.session("a:{10/8}:s1"), Some(SessionId(1)));
        for other in ["a:{/8}:s17", "a:{3/16}:s17", "a:{x/8}:s17", "a:s17", "a:{3/8}:17"] {
            assert_eq!(keys.session(other), None, "{other}");
        }
    }

    #[test]
    fn a_template_that_does_not_tell_is_none() {
        let long = format!("{}{PLACE}", "x".repeat(200));
        for template in ["", "session:", "{session}{session}", &long] {
            assert!(Keys::new(template).is_none(), "{template}");
        }
    }
}
