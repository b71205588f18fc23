//! Whose sessions: those of a load belong to a few users, in turn, where an interface of the client knows users.

use crate::history::SessionId;

/// How many users there are.
const USERS: u32 = 4;

/// Whose session it is.
pub fn user_of(session: SessionId) -> String {
    format!("user-{}", session.0 % USERS)
}

/// Every user.
pub fn users() -> impl Iterator<Item = String> {
    (0..USERS).map(|number| user_of(SessionId(number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_session_is_of_one_of_the_users() {
        let users: Vec<String> = users().collect();
        assert_eq!(users, ["user-0", "user-1", "user-2", "user-3"]);
        assert_eq!(user_of(SessionId(4)), users[0]);
        assert!((0..100).all(|session| users.contains(&user_of(SessionId(session)))));
    }
}
