//! `squall subject-check` finds what is wrong with a subject, and nothing wrong with a sound one.

use std::process::{Command, Output};

use crate::stage::command;

/// What the program says of a subject, and its exit code; `None` where there is no redis-server and there need be none.
fn checked(way: &str, more: &[&str]) -> Option<(i32, String, String)> {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_squall"))
        .args(["subject-check", &command(way, "")])
        .args(more)
        .output()
        .expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it writes UTF-8");
    let (code, told) = (status.code().expect("it is not killed"), text(stderr));
    if code == 3 && more.is_empty() && std::env::var_os("CI").is_none() {
        squall::cli::say(&format!("skipped: {told}"));
        return None;
    }
    Some((code, text(stdout), told))
}

/// The rules that a bad subject breaks.
fn broken(way: &str) -> Option<Vec<String>> {
    let (code, out, _) = checked(way, &[])?;
    assert_eq!(code, 1, "{way}: {out}");
    for part in ["        sent      ", "        came      ", "        expected  "] {
        assert!(out.contains(part), "{way}: {out}");
    }
    Some(out.lines().filter_map(|line| line.strip_prefix("FAIL  ")).map(str::to_owned).collect())
}

#[test]
fn a_sound_subject_conforms() {
    let Some((code, out, told)) = checked("sound", &[]) else { return };
    assert_eq!(code, 0, "{out}{told}");
    assert!(out.starts_with(
        "ok    init is answered in time, with name, key and can: small 1, key session:{session}"
    ));
    assert!(out.contains("ok    what it says that it can tell, it tells: settings\n"), "{out}");
    assert!(out.ends_with("22 rules: it conforms\n"), "{out}");
}

#[test]
fn each_fault_of_a_subject_is_found_by_its_rule() {
    let cases = [
        ("resets-ttl", &["update keeps the TTL, get does too"][..]),
        ("wrong-key", &["the key is where Redis holds the session"]),
        (
            "knows-all",
            &["update of no session fails", "touch and ttl of no session", "is refused as invalid"],
        ),
        ("twice", &["update keeps the TTL, get does too"]),
        ("reads-in-another-order", &["read_many answers for each session, in order"]),
        ("tells-no-text", &["what it says that it can tell, it tells"]),
        ("no-json", &["nothing is on stdout but messages"]),
        ("ignores-shutdown", &["shutdown ends the process", "the end of stdin ends the process"]),
        ("hangs-on-init", &["init is answered in time, with name"]),
        ("misspells", &["init is answered in time, with name"]),
    ];
    let expect = |way: &str, rules: &[&str]| {
        let Some(found) = broken(way) else { return };
        for rule in rules {
            assert!(found.iter().any(|one| one.contains(rule)), "{way}: {rule} is not among {found:?}");
        }
    };
    // They wait a lot, so two do it side by side; more would take each other's time to start.
    for two in cases.chunks(2) {
        std::thread::scope(|all| {
            for (way, rules) in two {
                all.spawn(move || expect(way, rules));
            }
        });
    }
}

#[test]
fn without_redis_the_exit_code_is_3() {
    let Some((code, out, told)) = checked("sound", &["--redis-url", "redis://:secret@127.0.0.1:1/0"]) else {
        return;
    };
    assert_eq!((code, out.as_str()), (3, ""));
    assert!(told.contains("no Redis") && told.contains("--redis-url") && !told.contains("secret"), "{told}");
}
