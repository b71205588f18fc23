//! The command that starts a subject.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;

/// A command, split into words as a shell does, but run without one: no variables, no patterns, no pipes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    text: String,
    program: String,
    arguments: Vec<String>,
}

/// Why a text is no command.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CommandError {
    /// There is nothing in it.
    #[error("the command is empty; give one such as 'python3 adapter.py'")]
    Empty,
    /// A quote or a backslash has no end.
    #[error("a quote in the command is not closed; close it, or escape it with a backslash")]
    Unclosed,
    /// A NUL cannot be handed to a program.
    #[error("the command has a NUL byte in it; no program can be given one")]
    Nul,
}

impl CommandLine {
    /// The program.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// What the program is given.
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// Why it cannot be started here, if that can be told beforehand. `path` is the value of the variable `PATH`.
    pub fn missing(&self, path: &str) -> Option<String> {
        let program = Path::new(&self.program);
        let candidates: Vec<PathBuf> = if self.program.contains('/') {
            vec![program.to_path_buf()]
        } else {
            std::env::split_paths(path).map(|folder| folder.join(program)).collect()
        };
        if candidates.iter().any(|candidate| is_program(candidate)) {
            return None;
        }
        Some(match candidates.iter().find(|candidate| candidate.is_file()) {
            Some(found) => {
                format!(
                    "{} is not executable; chmod +x it, or start it with its interpreter",
                    found.display()
                )
            }
            None if self.program.contains('/') => {
                format!("there is no program {}; the path counts from the working directory", self.program)
            }
            None => format!("there is no program {} on the PATH; give its path, with a slash", self.program),
        })
    }
}

impl FromStr for CommandLine {
    type Err = CommandError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains('\0') {
            return Err(CommandError::Nul);
        }
        let mut words = shlex::split(text).ok_or(CommandError::Unclosed)?.into_iter();
        let program = words.next().filter(|program| !program.is_empty()).ok_or(CommandError::Empty)?;
        Ok(Self { text: text.trim().to_owned(), program, arguments: words.collect() })
    }
}

/// As it was given.
impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;

    path.metadata().is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_does_and_nothing_else_is_done() {
        let command: CommandLine = " python3 'my adapter.py' --a \"b c\" $HOME * ".parse().unwrap();
        assert_eq!(command.program(), "python3");
        assert_eq!(command.arguments(), ["my adapter.py", "--a", "b c", "$HOME", "*"]);
        assert_eq!(command.to_string(), "python3 'my adapter.py' --a \"b c\" $HOME *");
    }

    #[test]
    fn what_is_no_command_is_refused_with_the_cure() {
        for (text, error) in [
            ("", CommandError::Empty),
            ("  ", CommandError::Empty),
            ("''", CommandError::Empty),
            ("a 'b", CommandError::Unclosed),
            ("a \"b", CommandError::Unclosed),
            ("a\0b", CommandError::Nul),
        ] {
            assert_eq!(text.parse::<CommandLine>(), Err(error), "{text:?}");
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_told_beforehand() {
        let missing = |text: &str| text.parse::<CommandLine>().unwrap().missing("/usr/bin:/bin");
        assert_eq!(missing("sh -c true"), None);
        assert_eq!(missing("/bin/sh"), None);
        assert!(missing("no-such-program").unwrap().contains("on the PATH"));
        assert!(missing("/bin/no-such-program").unwrap().contains("there is no program"));
        assert!(missing("/etc/passwd").unwrap().contains("not executable"));
        assert!(missing("/bin").unwrap().contains("there is no program"));
    }
}
