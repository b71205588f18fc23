//! Users and what they may do.

use std::collections::{BTreeMap, BTreeSet};

use squall_client::core::glob;

use super::command::{self, Command};
use super::sha256::hex_digest;

/// A user.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) on: bool,
    pub(crate) no_password: bool,
    /// SHA-256 of each password, in hexadecimal digits.
    pub(crate) passwords: BTreeSet<String>,
    all_commands: bool,
    /// Bit by place in the command table.
    commands: Vec<bool>,
    /// The rules that made up the commands, as `ACL LIST` tells them.
    rules: Vec<String>,
    all_keys: bool,
    keys: Vec<Vec<u8>>,
    all_channels: bool,
    channels: Vec<Vec<u8>>,
}

/// Everyone.
#[derive(Debug, Default)]
pub(crate) struct Users(pub(crate) BTreeMap<Vec<u8>, User>);

/// The name of the user that a connection acts as unless it says otherwise.
pub(crate) const DEFAULT: &[u8] = b"default";

impl Users {
    /// Only the user `default`, who may do everything.
    pub(crate) fn new() -> Self {
        let mut user = User::new();
        for rule in ["on", "nopass", "allkeys", "allchannels", "+@all"] {
            // These rules are fine.
            let _ = user.apply(rule.as_bytes());
        }
        Self(BTreeMap::from([(DEFAULT.to_vec(), user)]))
    }

    /// Whether this is a user with this password.
    pub(crate) fn authenticate(&self, name: &[u8], password: &[u8]) -> bool {
        let Some(user) = self.0.get(name).filter(|user| user.on) else { return false };
        user.no_password || user.passwords.contains(&hex_digest(password))
    }

    /// Whether nobody needs to authenticate.
    pub(crate) fn open(&self) -> bool {
        self.0.get(DEFAULT).is_some_and(|user| user.on && user.no_password)
    }
}

impl User {
    /// One who may do nothing.
    pub(crate) fn new() -> Self {
        Self {
            on: false,
            no_password: false,
            passwords: BTreeSet::new(),
            all_commands: false,
            commands: vec![false; command::TABLE.len()],
            rules: vec!["-@all".to_owned()],
            all_keys: false,
            keys: Vec::new(),
            all_channels: false,
            channels: Vec::new(),
        }
    }

    /// Changes the user by one rule, such as `+get` or `~session:*`; why it is none, if so.
    pub(crate) fn apply(&mut self, rule: &[u8]) -> Result<(), &'static str> {
        let lower = rule.to_ascii_lowercase();
        match &lower[..] {
            b"on" => self.on = true,
            b"off" => self.on = false,
            b"nopass" => {
                self.no_password = true;
                self.passwords.clear();
            }
            b"resetpass" => {
                self.no_password = false;
                self.passwords.clear();
            }
            b"allkeys" | b"~*" => self.all_keys = true,
            b"resetkeys" => (self.all_keys, self.keys) = (false, Vec::new()),
            b"allchannels" | b"&*" => self.all_channels = true,
            b"resetchannels" => (self.all_channels, self.channels) = (false, Vec::new()),
            b"allcommands" | b"+@all" => self.all(true),
            b"nocommands" | b"-@all" => self.all(false),
            b"reset" => *self = Self::new(),
            b"sanitize-payload" | b"skip-sanitize-payload" | b"clearselectors" => {}
            _ => return self.apply_prefixed(rule, &lower),
        }
        Ok(())
    }

    fn apply_prefixed(&mut self, rule: &[u8], lower: &[u8]) -> Result<(), &'static str> {
        let digest = |digits: &[u8]| {
            let fine = digits.len() == 64 && digits.iter().all(u8::is_ascii_hexdigit);
            fine.then(|| String::from_utf8_lossy(digits).to_lowercase())
        };
        const HASH: &str = "The provided password hash must be exactly 64 characters and contain only lowercase hexadecimal characters";
        match rule {
            [b'>', password @ ..] => self.add_password(hex_digest(password)),
            [b'#', digits @ ..] => self.add_password(digest(digits).ok_or(HASH)?),
            [b'<', password @ ..] => self.remove_password(&hex_digest(password))?,
            [b'!', digits @ ..] => self.remove_password(&digest(digits).ok_or(HASH)?)?,
            [b'~', pattern @ ..] => add(&mut self.keys, self.all_keys, pattern)?,
            [b'%', rest @ ..] => {
                // Whether keys are read or written is not told apart: both rights are given.
                let at = rest.iter().position(|byte| *byte == b'~').ok_or("Syntax error")?;
                add(&mut self.keys, self.all_keys, &rest[at + 1..])?;
            }
            [b'&', pattern @ ..] => add(&mut self.channels, self.all_channels, pattern)?,
            [sign @ (b'+' | b'-'), ..] => {
                let name = String::from_utf8_lossy(&lower[1..]).into_owned();
                self.commands(*sign == b'+', &name)?;
            }
            _ => return Err("Syntax error"),
        }
        Ok(())
    }

    fn add_password(&mut self, digest: String) {
        self.no_password = false;
        self.passwords.insert(digest);
    }

    fn remove_password(&mut self, digest: &str) -> Result<(), &'static str> {
        let there = self.passwords.remove(digest);
        there.then_some(()).ok_or("The password you are trying to remove from the user does not exist")
    }

    fn all(&mut self, allowed: bool) {
        self.all_commands = allowed;
        self.commands.fill(allowed);
        self.rules = vec![if allowed { "+@all" } else { "-@all" }.to_owned()];
    }

    /// Allows or forbids a command, a subcommand (`client|kill`) or a category (`@read`).
    fn commands(&mut self, allowed: bool, name: &str) -> Result<(), &'static str> {
        let mut found = name.strip_prefix('@').is_some_and(command::is_category);
        for (index, command) in command::TABLE.iter().enumerate() {
            let meant = match name.strip_prefix('@') {
                Some(category) => command.in_category(category),
                None => {
                    command.name == name || command.name.split_once('|').is_some_and(|(of, _)| of == name)
                }
            };
            if meant {
                found = true;
                self.commands[index] = allowed;
            }
        }
        if !found {
            return Err("Unknown command or category name in ACL");
        }
        self.all_commands = self.all_commands && allowed;
        self.rules.retain(|rule| rule[1..] != *name);
        self.rules.push(format!("{}{name}", if allowed { '+' } else { '-' }));
        Ok(())
    }

    /// Whether the user may run this command.
    pub(crate) fn may_run(&self, command: &Command) -> bool {
        self.all_commands || self.commands.get(command.index()).copied().unwrap_or(false)
    }

    /// Whether the user may touch this key.
    pub(crate) fn may_touch(&self, key: &[u8]) -> bool {
        self.all_keys || self.keys.iter().any(|pattern| glob::matches(pattern, key))
    }

    /// Whether the user may touch any key, so that they need not be looked at.
    pub(crate) fn may_touch_all(&self) -> bool {
        self.all_keys
    }

    /// Whether the user may use this channel, or, word by word, this pattern.
    pub(crate) fn may_use_channel(&self, channel: &[u8], is_pattern: bool) -> bool {
        let allows = |pattern: &Vec<u8>| {
            if is_pattern { pattern == channel } else { glob::matches(pattern, channel) }
        };
        self.all_channels || self.channels.iter().any(allows)
    }

    /// `on`, `nopass` and so on.
    pub(crate) fn flags(&self) -> Vec<&'static str> {
        let mut flags = vec![if self.on { "on" } else { "off" }];
        if self.no_password {
            flags.push("nopass");
        }
        flags
    }

    /// The rules about commands.
    pub(crate) fn command_rules(&self) -> String {
        self.rules.join(" ")
    }

    /// The rules about keys.
    pub(crate) fn key_rules(&self) -> String {
        patterns('~', self.all_keys, &self.keys)
    }

    /// The rules about channels.
    pub(crate) fn channel_rules(&self) -> String {
        patterns('&', self.all_channels, &self.channels)
    }

    /// The whole user as `ACL LIST` tells it.
    pub(crate) fn line(&self, name: &[u8]) -> String {
        let mut parts = vec!["user".to_owned(), String::from_utf8_lossy(name).into_owned()];
        parts.extend(self.flags().into_iter().map(str::to_owned));
        parts.extend(self.passwords.iter().map(|digest| format!("#{digest}")));
        let channels = self.channel_rules();
        let channels = if self.all_channels { channels } else { format!("resetchannels {channels}") };
        parts.extend([self.key_rules(), channels.trim_end().to_owned(), self.command_rules()]);
        parts.retain(|part| !part.is_empty());
        parts.join(" ")
    }
}

fn add(patterns: &mut Vec<Vec<u8>>, all: bool, pattern: &[u8]) -> Result<(), &'static str> {
    if all {
        return Err(
            "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any \
                    effect. Try 'resetkeys' to start with an empty list of patterns",
        );
    }
    if !patterns.iter().any(|known| known == pattern) {
        patterns.push(pattern.to_vec());
    }
    Ok(())
}

fn patterns(sign: char, all: bool, patterns: &[Vec<u8>]) -> String {
    if all {
        return format!("{sign}*");
    }
    let each = patterns.iter().map(|pattern| format!("{sign}{}", String::from_utf8_lossy(pattern)));
    each.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(rules: &[&str]) -> User {
        let mut user = User::new();
        for rule in rules {
            user.apply(rule.as_bytes()).unwrap();
        }
        user
    }

    fn may(user: &User, command: &str) -> bool {
        user.may_run(command::find(command.as_bytes()).unwrap())
    }

    #[test]
    fn rules_add_up_in_their_order() {
        let user = user(&["on", ">secret", "~session:*", "+@all", "-@dangerous", "+info"]);
        assert!(may(&user, "get") && may(&user, "info") && !may(&user, "flushall") && !may(&user, "keys"));
        assert!(user.may_touch(b"session:1") && !user.may_touch(b"other"));
        assert_eq!(user.command_rules(), "+@all -@dangerous +info");
    }

    #[test]
    fn a_password_opens_and_a_wrong_one_does_not() {
        let mut users = Users::new();
        assert!(users.open() && users.authenticate(DEFAULT, b"anything"));
        users.0.insert(b"u".to_vec(), user(&["on", ">a", ">b", "<b"]));
        assert!(users.authenticate(b"u", b"a"));
        assert!(!users.authenticate(b"u", b"b") && !users.authenticate(b"nobody", b"a"));
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for rule in ["", "x", "+nothing", "-@nothing", "#123", "<never"] {
            assert!(User::new().apply(rule.as_bytes()).is_err(), "{rule}");
        }
    }
}
