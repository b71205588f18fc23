//! Files that are not TOML, or not of the form of a scenario.

use std::fs::File;
use std::path::Path;

use squall::scenario::Scenario;

use super::{told, with};

#[test]
fn the_valid_file_is_fine() {
    assert_eq!(with(&[]), "it is fine");
}

#[test]
fn an_unknown_key_is_told_at_every_depth_all_at_once() {
    insta::assert_snapshot!(with(&[
        ("proves", "porves"),
        ("profile = \"chatbot\"", "profile = \"chatbot\"\nfallbak = \"none\""),
        ("failures", "failues"),
        ("rate =", "rat ="),
        ("delay =", "dealy ="),
    ]), @r###"
    error: porves: unknown key "porves"
     --> breaker/x.toml:1:1
      |
    1 | porves = "x"
      | ^^^^^^ did you mean "proves"?

    error: client.fallbak: unknown key "fallbak"
     --> breaker/x.toml:5:1
      |
    5 | fallbak = "none"
      | ^^^^^^^ did you mean "fallback"?

    error: client.breaker.failues: unknown key "failues"
     --> breaker/x.toml:6:13
      |
    6 | breaker = { failues = 3 }
      |             ^^^^^^^ did you mean "failures"?

    error: load.rat: unknown key "rat"
      --> breaker/x.toml:10:1
       |
    10 | rat = "100/s"
       | ^^^ did you mean "rate"?

    error: phase[1].faults[0].inject.latency.dealy: unknown key "dealy"
      --> breaker/x.toml:21:20
       |
    21 | inject.latency = { dealy = "200ms", jitter = "50ms" }
       |                    ^^^^^ did you mean "delay"?
    "###);
}

#[test]
fn what_is_not_toml_is_told_first() {
    insta::assert_snapshot!(with(&[("rate = \"100/s\"", "rate = 100/s\nrate = \"100/s\"\n[load")]), @r###"
    error: rate: a string stands in quotes
     --> breaker/x.toml:9:8
      |
    9 | rate = 100/s
      |        ^^^^^ write it like "400/s"

    error: load: unclosed table
      --> breaker/x.toml:11:6
       |
    11 | [load
       |      ^ expected `]`
    "###);
    insta::assert_snapshot!(with(&[("instances = 2", "instances = 2\ninstances = 3")]), @r###"
    error: instances: the key stands here for the second time
     --> breaker/x.toml:9:1
      |
    9 | instances = 3
      | ^^^^^^^^^ keep one of the two
    "###);
    insta::assert_snapshot!(with(&[("for = \"8s\"", "for = \"8s")]), @r###"
    error: for: invalid basic string
      --> breaker/x.toml:25:10
       |
    25 | for = "8s
       |          ^ expected `"`
    "###);
}

#[test]
fn a_file_with_nothing_in_it_too_much_or_something_else_is_told() {
    insta::assert_snapshot!(told(b""), @r###"
    error: the file is empty
     --> breaker/x.toml
      = `squall new` writes one to start from
    "###);
    insta::assert_snapshot!(told(b"# a comment\n\n"), @r###"
    error: the file is empty
     --> breaker/x.toml
      = `squall new` writes one to start from
    "###);
    insta::assert_snapshot!(told(b"proves = \"x\"\n[load]\nrate = \"\xff\"\n"), @r###"
    error: byte 28 of the file, 0xff, is not UTF-8
     --> breaker/x.toml:3:9
      |
    3 | rate = "�"
      |         ^ save the file as UTF-8
    "###);
    insta::assert_snapshot!(told(&vec![b'#'; 1024 * 1024 + 1]), @r###"
    error: the file is larger than 1 MiB
     --> breaker/x.toml
      = is it a scenario? A scenario has a few dozen lines
    "###);
    insta::assert_snapshot!(told(b"proves = \"x\"\n"), @r###"
    error: phase: there is no phase
     --> breaker/x.toml:1:1
      |
    1 | proves = "x"
      | ^ add a [[phase]] with name and for; three make a test: steady, one with faults, calm
    "###);
    insta::assert_snapshot!(told(format!("a = {}", "[".repeat(5000)).as_bytes()), @r###"
    error: a: this is nested too deeply
     --> breaker/x.toml:1:85
      |
    1 | a = [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[...
      |                                                                                     ^ nest less
    "###);
}

#[test]
fn a_mark_at_the_start_of_a_file_shifts_nothing() {
    insta::assert_snapshot!(told(b"\xef\xbb\xbfproves = 5\n"), @r###"
    error: proves: integer `5` cannot stand here
     --> breaker/x.toml:1:10
      |
    1 | proves = 5
      |          ^ expected a string
    "###);
}

#[test]
fn what_cannot_be_read_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let told = |path: &Path| Scenario::load(path).unwrap_err().to_string();
    let missing = folder.path().join("missing.toml");
    assert_eq!(
        told(&missing),
        format!(
            "error: failed to read the file: No such file or directory (os error 2)\n --> {}\n  = give the path of a scenario file or of a folder with some\n",
            missing.display()
        )
    );
    assert!(told(folder.path()).contains("failed to read the file"));
    let large = folder.path().join("large.toml");
    File::create(&large).unwrap().set_len(1 << 40).unwrap();
    assert!(told(&large).contains("larger than 1 MiB"));
    if Path::new("/dev/zero").exists() {
        assert!(told(Path::new("/dev/zero")).contains("it is no plain file"));
    }
}

#[test]
fn keys_of_other_types_are_told() {
    insta::assert_snapshot!(told(b"proves = 5\nclient = \"chatbot\"\nload = []\nphase = { name = \"x\" }\norigin = \"x\"\n"), @r###"
    error: proves: integer `5` cannot stand here
     --> breaker/x.toml:1:10
      |
    1 | proves = 5
      |          ^ expected a string

    error: client: string "chatbot" cannot stand here
     --> breaker/x.toml:2:10
      |
    2 | client = "chatbot"
      |          ^^^^^^^^^ expected a table, such as { key = "value" }

    error: phase: a table cannot stand here
     --> breaker/x.toml:4:9
      |
    4 | phase = { name = "x" }
      |         ^^^^^^^^^^^^^^ write [[...]] and not [...] for a list

    error: origin: string "x" cannot stand here
     --> breaker/x.toml:5:10
      |
    5 | origin = "x"
      |          ^^^ expected a list, such as ["..."]
    "###);
    insta::assert_snapshot!(with(&[("[load]", "[[load]]"), ("breaker = { failures = 3 }", "breaker = [3]")]), @r###"
    error: client.breaker: a list cannot stand here
     --> breaker/x.toml:5:11
      |
    5 | breaker = [3]
      |           ^^^ write [...] and not [[...]] for a table, and a single value without brackets

    error: load: a list cannot stand here
     --> breaker/x.toml:7:1
      |
    7 | [[load]]
      | ^^^^^^^^ write [...] and not [[...]] for a table, and a single value without brackets
    "###);
    insta::assert_snapshot!(told(b"proves = \"x\"\nload = [2, 5]\nphase = [[\"steady\", \"2s\"]]\n"), @r###"
    error: load: a list cannot stand here
     --> breaker/x.toml:2:8
      |
    2 | load = [2, 5]
      |        ^^^^^^ write [...] and not [[...]] for a table, and a single value without brackets

    error: phase[0]: a list cannot stand here
     --> breaker/x.toml:3:10
      |
    3 | phase = [["steady", "2s"]]
      |          ^^^^^^^^^^^^^^^^ write [...] and not [[...]] for a table, and a single value without brackets
    "###);
    insta::assert_snapshot!(with(&[("inject.latency = { delay = \"200ms\", jitter = \"50ms\" }", "inject = { refuse = {}, pause = {} }")]), @r###"
    error: phase[1].faults[0].inject: one fault at a time
      --> breaker/x.toml:20:10
       |
    20 | inject = { refuse = {}, pause = {} }
       |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^ add another entry to `faults` for the other
    "###);
    insta::assert_snapshot!(with(&[("[load]", "[redis]\ntopology = \"cluster\"\nimage = \"a b\"\n[load]")]), @r###"
    error: redis.image: "a b" is no image
     --> breaker/x.toml:9:9
      |
    9 | image = "a b"
      |         ^^^^^ write it as Docker does, such as "valkey/valkey:8.1.1"
    "###);
}
