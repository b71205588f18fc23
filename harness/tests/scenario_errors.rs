//! What people read when a scenario file is wrong. Each error names file, line, column, key and cure, and shows the line.

use std::path::Path;

use squall::scenario::Scenario;

const VALID: &str = r#"proves = "x"

[client]
profile = "chatbot"
breaker = { failures = 3 }

[load]
instances = 2
rate = "100/s"

[[phase]]
name = "steady"
for = "2s"

[[phase]]
name = "outage"
for = "5s"

[[phase.faults]]
inject.latency = { delay = "200ms", jitter = "50ms" }
at = "1s"

[[phase]]
name = "calm"
for = "8s"
"#;

fn told(text: &[u8]) -> String {
    match Scenario::parse("breaker/x", Path::new("breaker/x.toml"), text) {
        Ok(_) => "it is fine".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// What is told of the valid file with each first text replaced by the second.
fn with(changes: &[(&str, &str)]) -> String {
    let mut text = VALID.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from:?} is not in the valid file");
        text = text.replacen(from, to, 1);
    }
    told(text.as_bytes())
}

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
fn a_wrong_unit_or_none_is_told() {
    insta::assert_snapshot!(with(&[
        ("rate = \"100/s\"", "rate = \"100 per second\"\nttl = \"10 minits\"\nvalue = \"200-500\""),
        ("for = \"2s\"", "for = \"2\""),
        ("for = \"5s\"", "for = 5"),
        ("\"50ms\"", "\"50mss\""),
    ]), @r###"
    error: load.rate: not a rate: "100 per second"
     --> breaker/x.toml:9:8
      |
    9 | rate = "100 per second"
      |        ^^^^^^^^^^^^^^^^ write it like "400/s" or "30/min"

    error: load.ttl: unknown unit "minits" in "10 minits"
      --> breaker/x.toml:10:7
       |
    10 | ttl = "10 minits"
       |       ^^^^^^^^^^^ a duration ends in ns, us, ms, s, m, h or d

    error: load.value: "500" has no unit
      --> breaker/x.toml:11:9
       |
    11 | value = "200-500"
       |         ^^^^^^^^^ expected a whole number of B, KiB, MiB or GiB, such as "4 KiB"

    error: phase[0].for: "2" has no unit
      --> breaker/x.toml:15:7
       |
    15 | for = "2"
       |       ^^^ expected a number with its unit, such as "250ms", "5s" or "10m"

    error: phase[1].for: integer `5` cannot stand here
      --> breaker/x.toml:19:7
       |
    19 | for = 5
       |       ^ expected a duration with its unit, such as "5s"

    error: phase[1].faults[0].inject.latency.jitter: unknown unit "mss" in "50mss"
      --> breaker/x.toml:22:46
       |
    22 | inject.latency = { delay = "200ms", jitter = "50mss" }
       |                                              ^^^^^^^ a duration ends in ns, us, ms, s, m, h or d
    "###);
}

#[test]
fn a_phase_without_a_length_is_told_and_others_are_still_read() {
    insta::assert_snapshot!(with(&[("for = \"2s\"", ""), ("at = \"1s\"", "at = 1")]), @r###"
    error: phase[0].for: the key is missing
      --> breaker/x.toml:11:1
       |
    11 | [[phase]]
       | ^^^^^^^^^ add for = "5s"

    error: phase[1].faults[0].at: integer `1` cannot stand here
      --> breaker/x.toml:21:6
       |
    21 | at = 1
       |      ^ expected a duration with its unit, such as "5s"
    "###);
}

#[test]
fn a_fault_beyond_its_phase_is_told() {
    insta::assert_snapshot!(with(&[("at = \"1s\"", "at = \"1s\"\nfor = \"5s\"")]), @r###"
    error: phase[1].faults[0].for: the fault ends at 6s, after the phase
      --> breaker/x.toml:22:7
       |
    22 | for = "5s"
       |       ^^^^ the phase lasts 5s; shorten the fault, or leave `for` out: to the phase's end
    "###);
    insta::assert_snapshot!(with(&[("at = \"1s\"", "at = \"5s\"")]), @r###"
    error: phase[1].faults[0].at: the fault begins at 5s, when the phase is over
      --> breaker/x.toml:21:6
       |
    21 | at = "5s"
       |      ^^^^ the phase lasts 5s; begin before its end
    "###);
}

#[test]
fn an_unknown_fault_is_told() {
    insta::assert_snapshot!(with(&[
        ("inject.latency = { delay = \"200ms\", jitter = \"50ms\" }", "inject.latncy = { delay = \"200ms\" }"),
        ("name = \"calm\"", "name = \"calm\"\nfaults = [{ inject = \"refused\" }, { inject = \"slicer\" }, { inject = \"drop_reply\" }]"),
    ]), @r###"
    error: phase[1].faults[0].inject.latncy: unknown fault "latncy"
      --> breaker/x.toml:20:8
       |
    20 | inject.latncy = { delay = "200ms" }
       |        ^^^^^^ did you mean "latency"?

    error: phase[2].faults[0].inject: unknown fault "refused"
      --> breaker/x.toml:25:22
       |
    25 | faults = [{ inject = "refused" }, { inject = "slicer" }, { inject = "drop_reply" }]
       |                      ^^^^^^^^^ did you mean "refuse"?

    error: phase[2].faults[1].inject: slicer needs parameters: missing field `average_size`
      --> breaker/x.toml:25:46
       |
    25 | faults = [{ inject = "refused" }, { inject = "slicer" }, { inject = "drop_reply" }]
       |                                              ^^^^^^^^ write inject.slicer = { average_size = "32 B", size_variation = "16 B", delay = "100us" }

    error: phase[2].faults[2].inject: unknown fault "drop_reply"
      --> breaker/x.toml:25:69
       |
    25 | faults = [{ inject = "refused" }, { inject = "slicer" }, { inject = "drop_reply" }]
       |                                                                     ^^^^^^^^^^^^ expected one of: refuse, reset, latency, bandwidth, slicer, slow_close, limit_data, timeout, stall, pause, kill, restart
    "###);
}

#[test]
fn an_unknown_metric_instance_phase_and_check_are_told() {
    let metric = "[[expect.metric]]\nof = \"get.okrate\"\nis = \"about 5\"\n[[expect.metric]]\nof = \"get.p99\"\nis = \"<= 0.5\"\nduring = \"outtage\"\non = \"instance-2\"\n";
    insta::assert_snapshot!(told(format!("{VALID}{metric}").as_bytes()), @r###"
    error: expect.metric[0].of: unknown metric "get.okrate"
      --> breaker/x.toml:27:6
       |
    27 | of = "get.okrate"
       |      ^^^^^^^^^^^^ did you mean "get.ok_rate"?

    error: expect.metric[0].is: not a bound: "about 5"
      --> breaker/x.toml:28:6
       |
    28 | is = "about 5"
       |      ^^^^^^^^^ expected <, <=, >= or > and a share or a duration, such as ">= 0.999" or "<= 5s"
    "###);
    let metric = metric.replace("okrate", "ok_rate").replace("about 5", ">= 99");
    let rest = "[[expect.breaker]]\nsequence = [\"closed\", \"half-open\"]\n[[allow]]\ncheck = \"I19\"\nbecause = \"\"\n";
    insta::assert_snapshot!(told(format!("{VALID}{metric}{rest}").as_bytes()), @r###"
    error: expect.metric[0].is: get.ok_rate is a share, and 99.0 is none
      --> breaker/x.toml:28:6
       |
    28 | is = ">= 99"
       |      ^^^^^^^ write a bound from 0 to 1, such as ">= 0.99"

    error: expect.metric[1].is: get.p99 is a duration, and "<= 0.5" is not
      --> breaker/x.toml:31:6
       |
    31 | is = "<= 0.5"
       |      ^^^^^^^^ write the bound with a unit, such as "<= 5s"

    error: expect.metric[1].during: unknown phase "outtage"
      --> breaker/x.toml:32:10
       |
    32 | during = "outtage"
       |          ^^^^^^^^^ did you mean "outage"?

    error: expect.metric[1].on: unknown instance "instance-2"
      --> breaker/x.toml:33:6
       |
    33 | on = "instance-2"
       |      ^^^^^^^^^^^^ the load has instance-0 to instance-1

    error: expect.breaker[0].sequence: no breaker goes from closed to half-open
      --> breaker/x.toml:35:12
       |
    35 | sequence = ["closed", "half-open"]
       |            ^^^^^^^^^^^^^^^^^^^^^^^ closed goes to open, open to half-open, half-open to open or closed

    error: allow[0].check: unknown check "I19"
      --> breaker/x.toml:37:9
       |
    37 | check = "I19"
       |         ^^^^^ expected one of I1, I2, I3, I4, I6, I7, I8, I9, I10, I13, I14, I15, I17

    error: allow[0].because: it is missing or empty
      --> breaker/x.toml:38:11
       |
    38 | because = ""
       |           ^^ say why a failure of this check is right here
    "###);
}

#[test]
fn targets_that_do_not_exist_are_told() {
    insta::assert_snapshot!(with(&[("at = \"1s\"", "on = [\"instance-1\", \"instance-7\", \"instance-1\"]")]), @r###"
    error: phase[1].faults[0].on[1]: unknown instance "instance-7"
      --> breaker/x.toml:21:21
       |
    21 | on = ["instance-1", "instance-7", "instance-1"]
       |                     ^^^^^^^^^^^^ the load has instance-0 to instance-1

    error: phase[1].faults[0].on[2]: instance-1 is named twice
      --> breaker/x.toml:21:35
       |
    21 | on = ["instance-1", "instance-7", "instance-1"]
       |                                   ^^^^^^^^^^^^ name it once
    "###);
    insta::assert_snapshot!(with(&[("at = \"1s\"", "on = [\"instance-1\", \"worker-2\"]")]), @r###"
    error: phase[1].faults[0].on[1]: unknown instance "worker-2"
      --> breaker/x.toml:21:21
       |
    21 | on = ["instance-1", "worker-2"]
       |                     ^^^^^^^^^^ expected one such as "instance-0"
    "###);
}

#[test]
fn a_load_that_makes_no_sense_is_told_as_a_whole() {
    insta::assert_snapshot!(with(&[
        ("instances = 2", "instances = 0\nsessions = 2000000\nmix = { get = 0 }\nttl = \"100us\"\nvalue = \"10-20 bytes\"\nkeys = { zipf = nan }"),
        ("rate = \"100/s\"", "rate = \"0/s\""),
    ]), @r###"
    error: load.instances: 0 instances
     --> breaker/x.toml:8:13
      |
    8 | instances = 0
      |             ^ it must be from 1 to 64

    error: load.sessions: 2000000 sessions
     --> breaker/x.toml:9:12
      |
    9 | sessions = 2000000
      |            ^^^^^^^ it must be from 1 to 1000000

    error: load.mix: every weight is zero
      --> breaker/x.toml:10:7
       |
    10 | mix = { get = 0 }
       |       ^^^^^^^^^^^ give one kind of operation a weight, such as { get = 70, update = 30 }

    error: load.ttl: a TTL of 100us
      --> breaker/x.toml:11:7
       |
    11 | ttl = "100us"
       |       ^^^^^^^ it must be whole milliseconds, 1ms at least

    error: load.value: values of 10 B-20 B
      --> breaker/x.toml:12:9
       |
    12 | value = "10-20 bytes"
       |         ^^^^^^^^^^^^^ it must be within 64 B to 1 MiB, such as "200-500 bytes"

    error: load.keys.zipf: an exponent of NaN
      --> breaker/x.toml:13:17
       |
    13 | keys = { zipf = nan }
       |                 ^^^ it must be above 0 and at most 10, such as 1.1

    error: load.rate: 0 operations a second
      --> breaker/x.toml:14:8
       |
    14 | rate = "0/s"
       |        ^^^^^ it must be from "0.01/s" to "1000000/s", such as "400/s"
    "###);
}

#[test]
fn faults_at_the_beginning_or_the_end_are_told() {
    insta::assert_snapshot!(with(&[
        ("for = \"2s\"", "for = \"2s\"\nfaults = [{ inject = \"pause\" }]"),
        ("for = \"8s\"", "for = \"8s\"\nfaults = [{ inject = \"pause\" }]"),
    ]), @r###"
    error: phase[0].faults: the first phase, "steady", has faults
      --> breaker/x.toml:14:10
       |
    14 | faults = [{ inject = "pause" }]
       |          ^^^^^^^^^^^^^^^^^^^^^^ put a phase without faults before it: the load must be fine before anything strikes

    error: phase[2].faults: the last phase, "calm", has faults
      --> breaker/x.toml:27:10
       |
    27 | faults = [{ inject = "pause" }]
       |          ^^^^^^^^^^^^^^^^^^^^^^ add a phase without faults after it, such as name = "calm", for = "10s": there all must come right
    "###);
    insta::assert_snapshot!(with(&[("for = \"8s\"", "for = \"3s\"")]), @r###"
    error: phase[2].for: the run ends 3s after the last fault
      --> breaker/x.toml:25:7
       |
    25 | for = "3s"
       |       ^^^^ all must be right within 5s; make it longer than that
    "###);
}

#[test]
fn settings_are_told_by_their_key() {
    insta::assert_snapshot!(with(&[("profile = \"chatbot\"", "profile = \"chatbots\"")]), @r###"
    error: client.profile: unknown profile "chatbots"
     --> breaker/x.toml:4:11
      |
    4 | profile = "chatbots"
      |           ^^^^^^^^^^ did you mean "chatbot"?
    "###);
    insta::assert_snapshot!(with(&[
        ("breaker = { failures = 3 }", "deadline = \"1ms\"\nbreaker = { failures = 0, jitter = 2.0 }"),
    ]), @r###"
    error: client.deadline: deadline is 1ms
     --> breaker/x.toml:5:12
      |
    5 | deadline = "1ms"
      |            ^^^^^ it must be from 500ms to 1h

    error: client.breaker.failures: breaker.failures is 0
     --> breaker/x.toml:6:24
      |
    6 | breaker = { failures = 0, jitter = 2.0 }
      |                        ^ it must be from 1 to 1000000

    error: client.breaker.jitter: breaker.jitter is 2
     --> breaker/x.toml:6:36
      |
    6 | breaker = { failures = 0, jitter = 2.0 }
      |                                    ^^^ it must be from 0 to 1
    "###);
    insta::assert_snapshot!(with(&[("breaker = { failures = 3 }", "breaker = { failures = -1, cool_down = \"soon\" }")]), @r###"
    error: client.breaker.failures: integer `-1` cannot stand here
     --> breaker/x.toml:5:24
      |
    5 | breaker = { failures = -1, cool_down = "soon" }
      |                        ^^ expected a whole number from 0 to 4294967295

    error: client.breaker.cool_down: not a duration: "soon"
     --> breaker/x.toml:5:40
      |
    5 | breaker = { failures = -1, cool_down = "soon" }
      |                                        ^^^^^^ expected a number with a unit, such as "1500ms" or "2s"
    "###);
}

#[test]
fn numbers_without_measure_are_told() {
    insta::assert_snapshot!(with(&[
        ("instances = 2", "instances = 99999\nsessions = 99999999999999999999"),
        ("rate = \"100/s\"", "rate = \"1e300/s\""),
        ("for = \"2s\"", "for = \"99999999999h\""),
        ("at = \"1s\"", "at = \"-1s\"\nprobability = 1e300"),
    ]), @r###"
    error: load.instances: integer `99999` cannot stand here
     --> breaker/x.toml:8:13
      |
    8 | instances = 99999
      |             ^^^^^ expected a whole number from 0 to 65535

    error: load.sessions: integer `99999999999999999999` cannot stand here
     --> breaker/x.toml:9:12
      |
    9 | sessions = 99999999999999999999
      |            ^^^^^^^^^^^^^^^^^^^^ expected a whole number from 0 to 4294967295

    error: load.rate: not a rate: "1e300/s"
      --> breaker/x.toml:10:8
       |
    10 | rate = "1e300/s"
       |        ^^^^^^^^^ write it like "400/s" or "30/min"

    error: phase[0].for: "99999999999h" is too long
      --> breaker/x.toml:14:7
       |
    14 | for = "99999999999h"
       |       ^^^^^^^^^^^^^^ a duration is a year at most

    error: phase[1].faults[0].at: not a duration: "-1s"
      --> breaker/x.toml:22:6
       |
    22 | at = "-1s"
       |      ^^^^^ expected a number with its unit, such as "250ms", "5s" or "10m"
    "###);
    insta::assert_snapshot!(with(&[("100/s", "1000000/s"), ("for = \"2s\"", "for = \"25h\"")]), @r###"
    error: phase[0].for: the phases last 1day 1h 13s together
      --> breaker/x.toml:13:7
       |
    13 | for = "25h"
       |       ^^^^^ they must last 24h together at most
    "###);
    insta::assert_snapshot!(with(&[("100/s", "1000000/s"), ("at = \"1s\"", "at = \"0s\"\nprobability = 1e300")]), @r###"
    error: load.rate: 15.0 million operations in all
     --> breaker/x.toml:9:8
      |
    9 | rate = "1000000/s"
      |        ^^^^^^^^^^^ it must be 10 million at most; lower the rate, or shorten the phases

    error: phase[1].faults[0].probability: a probability of 1e300
      --> breaker/x.toml:22:15
       |
    22 | probability = 1e300
       |               ^^^^^ it must be above 0 and at most 1, such as 0.5
    "###);
}

#[test]
fn names_that_are_taken_or_are_none_are_told() {
    insta::assert_snapshot!(with(&[
        ("name = \"steady\"", "name = \"../steady\""),
        ("name = \"outage\"", "name = \"final\""),
        ("name = \"calm\"", "name = \"\\u001b[31m\""),
    ]), @r###"
    error: phase[0].name: "../steady" is no name
      --> breaker/x.toml:12:8
       |
    12 | name = "../steady"
       |        ^^^^^^^^^^^ use up to 64 letters, digits, blanks and hyphens, such as "outage"

    error: phase[1].name: "final" is what the run itself calls a stretch
      --> breaker/x.toml:16:8
       |
    16 | name = "final"
       |        ^^^^^^^ choose another name

    error: phase[2].name: "\u{1b}[31m" is no name
      --> breaker/x.toml:24:8
       |
    24 | name = "\u001b[31m"
       |        ^^^^^^^^^^^^ use up to 64 letters, digits, blanks and hyphens, such as "outage"
    "###);
    insta::assert_snapshot!(with(&[("name = \"calm\"", "name = \"steady\"")]), @r###"
    error: phase[2].name: there is another phase called "steady"
      --> breaker/x.toml:24:8
       |
    24 | name = "steady"
       |        ^^^^^^^^ give each phase its own name
    "###);
}

#[test]
fn faults_that_would_undo_each_other_are_told() {
    insta::assert_snapshot!(with(&[(
        "at = \"1s\"",
        "[[phase.faults]]\ninject = \"pause\"\non = [\"instance-0\"]\n[[phase.faults]]\ninject = \"kill\"\ndirection = \"upstream\"\n[[phase.faults]]\ninject.slicer = { average_size = \"8 B\", size_variation = \"8 B\" }\n[[phase.faults]]\ninject = \"refuse\"\nprobability = 0.5",
    )]), @r###"
    error: phase[1].faults[1].on: pause strikes the server, so it strikes every instance
      --> breaker/x.toml:23:6
       |
    23 | on = ["instance-0"]
       |      ^^^^^^^^^^^^^^ remove `on`

    error: phase[1].faults[2]: kill meets another fault on the same target at the same time
      --> breaker/x.toml:24:1
       |
    24 | [[phase.faults]]
       | ^^^^^^^^^^^^^^^^ let their windows or their targets differ

    error: phase[1].faults[2].direction: kill has no direction
      --> breaker/x.toml:26:13
       |
    26 | direction = "upstream"
       |             ^^^^^^^^^^ remove `direction`

    error: phase[1].faults[3].inject.slicer.size_variation: size_variation is 8 B
      --> breaker/x.toml:28:58
       |
    28 | inject.slicer = { average_size = "8 B", size_variation = "8 B" }
       |                                                          ^^^^^ it must be less than average_size, 8 B

    error: phase[1].faults[4].probability: refuse strikes every connection
      --> breaker/x.toml:31:15
       |
    31 | probability = 0.5
       |               ^^^ remove `probability`
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
    if Path::new("/dev/zero").exists() {
        assert!(told(Path::new("/dev/zero")).contains("larger than 1 MiB"));
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
    error: redis.topology: this version runs one server only
     --> breaker/x.toml:8:12
      |
    8 | topology = "cluster"
      |            ^^^^^^^^^ use topology = "standalone"

    error: redis.image: "a b" is no image
     --> breaker/x.toml:9:9
      |
    9 | image = "a b"
      |         ^^^^^ write it as Docker does, such as "valkey/valkey:8.1.1"
    "###);
}
