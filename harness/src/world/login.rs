//! As whom instances speak to a run's server, in which database, and whether by TLS: the ACL user that the scenario wants, with a
//! password made up from the seed. So no secret stands in a file, and a plan that runs again has the same.

use std::fmt;

use rand::RngExt as _;

use crate::scenario::{Redis, SIDE_USER};
use crate::seed::fork;
use crate::server::hex_digest;
use crate::subject::Credentials;

/// The user that a connection acts as unless it says otherwise.
const DEFAULT_USER: &str = "default";

/// As whom, in which database, and whether by TLS. By default nobody logs in, and all is in database 0 and in the clear.
#[derive(Clone, Default)]
pub struct Login {
    tls: bool,
    database: u32,
    account: Option<Account>,
}

/// What a server asks for that is not open to everybody.
#[derive(Clone)]
struct Account {
    user: Option<String>,
    password: String,
    /// What the server asks for while a fault has changed the password. Nobody has it.
    other: String,
    /// The harness's own, whose user no fault strikes.
    side: String,
}

/// A user, and the rules of the ACL that make it what it is. They hold no password, only what it is checked by.
pub(super) struct Rules {
    pub(super) user: String,
    pub(super) rules: Vec<String>,
}

impl Login {
    /// The one that a scenario wants, in a run with this seed.
    pub fn of(redis: &Redis, seed: u64) -> Self {
        let account = redis.password.then(|| Account {
            user: redis.user.clone(),
            password: password(seed, "password"),
            other: password(seed, "another password"),
            side: password(seed, "password of the side"),
        });
        Self { tls: redis.tls, database: redis.database, account }
    }

    /// For instances.
    pub fn credentials(&self) -> Credentials {
        let account = self.account.as_ref();
        Credentials {
            username: account.and_then(|account| account.user.clone()),
            password: account.map(|account| account.password.clone()),
            database: self.database.into(),
        }
    }

    /// For the harness's own look from the side, once the [`users`](Self::users) are there.
    pub(super) fn side(&self) -> Credentials {
        let account = self.account.as_ref();
        Credentials {
            username: account.map(|_| SIDE_USER.to_owned()),
            password: account.map(|account| account.side.clone()),
            database: self.database.into(),
        }
    }

    /// Whether instances speak TLS. The links end it, so it is all the same to the server.
    pub(super) fn tls(&self) -> bool {
        self.tls
    }

    /// The database.
    pub(super) fn database(&self) -> usize {
        usize::try_from(self.database).unwrap_or_default()
    }

    /// Whom a server that has just started, open to everybody, must know from now on; in this order.
    pub(super) fn users(&self) -> Vec<Rules> {
        let Some(account) = &self.account else { return Vec::new() };
        let side = ["on", &hashed(&account.side), "~*", "+@all"].map(str::to_owned).to_vec();
        let mut users = vec![Rules { user: SIDE_USER.to_owned(), rules: side }];
        if account.name() != DEFAULT_USER {
            // It may do what a session needs, and not administer the server.
            let may = ["on", "~*", "&*", "+@all", "-@admin"].map(str::to_owned).to_vec();
            users.push(Rules { user: account.name().to_owned(), rules: may });
        }
        users.push(account.asking_for(&account.password));
        if account.name() != DEFAULT_USER {
            users.push(Rules {
                user: DEFAULT_USER.to_owned(),
                rules: vec!["off".to_owned(), "resetpass".to_owned()],
            });
        }
        users
    }

    /// The instances' user with a password that they do not have; `None` where nobody logs in.
    pub(super) fn changed(&self) -> Option<Rules> {
        self.account.as_ref().map(|account| account.asking_for(&account.other))
    }

    /// The instances' user with the password that they have; `None` where nobody logs in.
    pub(super) fn restored(&self) -> Option<Rules> {
        self.account.as_ref().map(|account| account.asking_for(&account.password))
    }

    /// For reports; nothing where nobody logs in and all is in database 0.
    pub(super) fn note(&self) -> Option<String> {
        let who = self.account.as_ref().map(|account| format!("user {} with a password", account.name()));
        let where_to = (self.database > 0).then(|| format!("database {}", self.database));
        let parts: Vec<String> = who.into_iter().chain(where_to).collect();
        (!parts.is_empty()).then(|| format!("login: {}", parts.join(", ")))
    }
}

impl Account {
    fn name(&self) -> &str {
        self.user.as_deref().unwrap_or(DEFAULT_USER)
    }

    fn asking_for(&self, password: &str) -> Rules {
        Rules { user: self.name().to_owned(), rules: vec!["resetpass".to_owned(), hashed(password)] }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Login").field(&self.credentials()).finish()
    }
}

fn password(seed: u64, label: &str) -> String {
    let mut random = fork(seed, label);
    format!("{:016x}{:016x}", random.random::<u64>(), random.random::<u64>())
}

/// The rule that a password is right which has this digest.
fn hashed(password: &str) -> String {
    format!("#{}", hex_digest(password.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(user: Option<&str>, password: bool) -> Login {
        Login::of(&Redis { user: user.map(str::to_owned), password, database: 3, ..Redis::default() }, 7)
    }

    #[test]
    fn a_password_comes_from_the_seed_and_is_shown_nowhere() {
        let one = login(Some("web"), true);
        let password = one.credentials().password.unwrap();
        assert_eq!(login(Some("web"), true).credentials().password.as_ref(), Some(&password));
        assert_ne!(one.side().password.as_ref(), Some(&password));
        let all = one.users().into_iter().chain(one.changed()).chain(one.restored());
        let told: Vec<String> = all.map(|user| user.rules.join(" ")).collect();
        let shown = format!("{one:?} {:?} {told:?}", one.note());
        assert!(shown.contains("web") && !shown.contains(&password), "{shown}");
        assert!(!shown.contains(&one.side().password.unwrap()), "{shown}");
    }

    #[test]
    fn whoever_is_named_is_the_only_one_who_is_let_in_beside_the_harness() {
        let names = |login: &Login| login.users().into_iter().map(|user| user.user).collect::<Vec<_>>();
        assert_eq!(names(&login(None, true)), [SIDE_USER, "default"]);
        assert_eq!(names(&login(Some("default"), true)), [SIDE_USER, "default"]);
        assert_eq!(names(&login(Some("web"), true)), [SIDE_USER, "web", "web", "default"]);
        assert_eq!(names(&login(None, false)), Vec::<String>::new());
        assert_eq!(login(None, false).note().as_deref(), Some("login: database 3"));
        assert_eq!(Login::default().note(), None);
    }
}
