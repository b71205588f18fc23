//! What concerns the suite: canaries, and what must happen in some run.

use super::{VALID, told, with};

/// What is told of the valid file with these lines at its top.
fn at_the_top(lines: &str) -> String {
    with(&[("proves = \"x\"", &format!("proves = \"x\"\n{lines}"))])
}

#[test]
fn a_canary_names_a_flaw_and_a_check_that_there_are() {
    insta::assert_snapshot!(at_the_top("canary = { flaw = \"resync-of\", fails = \"I99\" }"), @r###"
    error: canary.flaw: unknown flaw "resync-of"
     --> breaker/x.toml:2:19
      |
    2 | canary = { flaw = "resync-of", fails = "I99" }
      |                   ^^^^^^^^^^^ did you mean "resync-off"?

    error: canary.fails: unknown check "I99"
     --> breaker/x.toml:2:40
      |
    2 | canary = { flaw = "resync-of", fails = "I99" }
      |                                        ^^^^^ did you mean "I9"?
    "###);
    insta::assert_snapshot!(at_the_top("canary = { flaw = \"resync-off\" }"), @r###"
    error: canary.fails: the key is missing
     --> breaker/x.toml:2:10
      |
    2 | canary = { flaw = "resync-off" }
      |          ^^^^^^^^^^^^^^^^^^^^^^^ add fails = "I1"
    "###);
    let no_such = at_the_top("canary = { fails = \"expect.metric[0]\" }");
    assert!(no_such.contains("canary.fails: unknown check \"expect.metric[0]\""), "{no_such}");
}

#[test]
fn what_must_fail_is_not_waived() {
    let lines = "allow = [{ check = \"I1\", because = \"why\" }]\ncanary = { fails = \"I1\" }";
    insta::assert_snapshot!(at_the_top(lines), @r###"
    error: allow[0].check: I1 must fail here, so it is not waived
     --> breaker/x.toml:2:20
      |
    2 | allow = [{ check = "I1", because = "why" }]
      |                    ^^^^ remove one of the two
    "###);
}

#[test]
fn a_canary_that_names_what_there_is_is_fine() {
    assert_eq!(at_the_top("canary = { flaw = \"resync-off\", fails = \"I1\" }"), "it is fine");
    let expected = format!("{VALID}[[expect.metric]]\nof = \"get.p99\"\nis = \"<= 1ms\"\n");
    let canary = "proves = \"x\"\ncanary = { fails = \"expect.metric[0]\" }";
    assert_eq!(told(expected.replacen("proves = \"x\"", canary, 1).as_bytes()), "it is fine");
}

#[test]
fn a_situation_is_made_of_words_that_there_are() {
    let sometimes = "[[expect.sometimes]]
seen = { breaker = \"halfopen\", operation = \"gte\", fault = \"refuze\", mode = \"memory\" }
[[expect.sometimes]]
sene = { breaker = \"open\" }
";
    insta::assert_snapshot!(told(format!("{VALID}{sometimes}").as_bytes()), @r###"
    error: expect.sometimes[0].seen.breaker: unknown value "halfopen"
      --> breaker/x.toml:27:20
       |
    27 | seen = { breaker = "halfopen", operation = "gte", fault = "refuze", mode = "memory" }
       |                    ^^^^^^^^^^ did you mean "half-open"?

    error: expect.sometimes[0].seen.operation: unknown value "gte"
      --> breaker/x.toml:27:44
       |
    27 | seen = { breaker = "halfopen", operation = "gte", fault = "refuze", mode = "memory" }
       |                                            ^^^^^ did you mean "get"?

    error: expect.sometimes[0].seen.fault: unknown fault "refuze"
      --> breaker/x.toml:27:59
       |
    27 | seen = { breaker = "halfopen", operation = "gte", fault = "refuze", mode = "memory" }
       |                                                           ^^^^^^^^ did you mean "refuse"?

    error: expect.sometimes[0].seen.mode: unknown value "memory"
      --> breaker/x.toml:27:76
       |
    27 | seen = { breaker = "halfopen", operation = "gte", fault = "refuze", mode = "memory" }
       |                                                                            ^^^^^^^^ expected one of: redis, local

    error: expect.sometimes[1].sene: unknown key "sene"
      --> breaker/x.toml:29:1
       |
    29 | sene = { breaker = "open" }
       | ^^^^ did you mean "seen"?
    "###);
}

#[test]
fn what_must_happen_in_some_run_is_either_a_situation_or_a_figure() {
    let sometimes = "[[expect.sometimes]]
[[expect.sometimes]]
seen = {}
[[expect.sometimes]]
seen = { mode = \"local\" }
of = \"resync.duration\"
is = \"> 1s\"
[[expect.sometimes]]
of = \"resync.duration\"
[[expect.sometimes]]
is = \"> 1s\"
[[expect.sometimes]]
of = \"resync.duration\"
is = \"> 0.5\"
during = \"clam\"
on = \"instance-7\"
";
    insta::assert_snapshot!(told(format!("{VALID}{sometimes}").as_bytes()), @r###"
    error: expect.sometimes[0]: it asks for nothing
      --> breaker/x.toml:26:1
       |
    26 | [[expect.sometimes]]
       | ^^^^^^^^^^^^^^^^^^^^ write either seen = { breaker = "half-open", operation = "get" }, or of = "resync.duration" and is = "> 1s"

    error: expect.sometimes[1].seen: it names nothing
      --> breaker/x.toml:28:8
       |
    28 | seen = {}
       |        ^^ name at least one of fault, breaker, mode and operation

    error: expect.sometimes[2].seen: it stands beside a figure
      --> breaker/x.toml:30:8
       |
    30 | seen = { mode = "local" }
       |        ^^^^^^^^^^^^^^^^^^ write either seen = { breaker = "half-open", operation = "get" }, or of = "resync.duration" and is = "> 1s"

    error: expect.sometimes[3].is: the key is missing
      --> breaker/x.toml:33:1
       |
    33 | [[expect.sometimes]]
       | ^^^^^^^^^^^^^^^^^^^^ write either seen = { breaker = "half-open", operation = "get" }, or of = "resync.duration" and is = "> 1s"

    error: expect.sometimes[4].of: the key is missing
      --> breaker/x.toml:35:1
       |
    35 | [[expect.sometimes]]
       | ^^^^^^^^^^^^^^^^^^^^ write either seen = { breaker = "half-open", operation = "get" }, or of = "resync.duration" and is = "> 1s"

    error: expect.sometimes[5].is: resync.duration is a duration, and "> 0.5" is not
      --> breaker/x.toml:39:6
       |
    39 | is = "> 0.5"
       |      ^^^^^^^ write the bound with a unit, such as "<= 5s"

    error: expect.sometimes[5].during: unknown phase "clam"
      --> breaker/x.toml:40:10
       |
    40 | during = "clam"
       |          ^^^^^^ did you mean "calm"?

    error: expect.sometimes[5].on: unknown instance "instance-7"
      --> breaker/x.toml:41:6
       |
    41 | on = "instance-7"
       |      ^^^^^^^^^^^^ the load has instance-0 to instance-1
    "###);
}

#[test]
fn what_must_happen_in_some_run_may_be_either() {
    let sometimes = "[[expect.sometimes]]
seen = { fault = \"latency\", breaker = \"half-open\", mode = \"local\", operation = \"get\" }
during = \"outage\"
on = \"instance-1\"
[[expect.sometimes]]
of = \"resync.duration\"
is = \"> 1s\"
";
    assert_eq!(told(format!("{VALID}{sometimes}").as_bytes()), "it is fine");
    let single = told(format!("{VALID}[expect.sometimes]\nseen = {{ mode = \"local\" }}\n").as_bytes());
    assert!(single.contains("write [[...]] and not [...] for a list"), "{single}");
}
