//! Values that make no sense, and names of things that are not there.

use super::{VALID, told, with};

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
       |         ^^^^^ expected one of I1, I2, I3, I4, I5, I6, I7, I8, I9, I10, I11, I12, I13, I14, I15, I16, I17, I18

    error: allow[0].because: it is missing or empty
      --> breaker/x.toml:38:11
       |
    38 | because = ""
       |           ^^ say why a failure of this check is right here
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
fn operations_that_are_named_must_fit_the_load_and_the_phases() {
    let operations = "[[operation]]\nat = \"1h\"\non = \"instance-7\"\nop = \"get\"\nsession = 50\nttl = \"1s\"\n[[operation]]\nat = \"1s\"\non = \"instance-0\"\nop = \"touch\"\nsession = 0\nttl = \"0s\"\n";
    insta::assert_snapshot!(told(format!("{VALID}{operations}").as_bytes()), @r###"
    error: load.rate: rate is for operations that chance draws, and this file names its own
     --> breaker/x.toml:9:8
      |
    9 | rate = "100/s"
      |        ^^^^^^^ remove it, or every [[operation]]

    error: operation[0].at: it starts at 1h
      --> breaker/x.toml:27:6
       |
    27 | at = "1h"
       |      ^^^^ the phases last 15s together; start 500ms before their end at the latest

    error: operation[0].on: unknown instance "instance-7"
      --> breaker/x.toml:28:6
       |
    28 | on = "instance-7"
       |      ^^^^^^^^^^^^ the load has instance-0 to instance-1

    error: operation[0].ttl: get sets no TTL
      --> breaker/x.toml:31:7
       |
    31 | ttl = "1s"
       |       ^^^^ remove `ttl`

    error: operation[1].ttl: a TTL of 0s
      --> breaker/x.toml:37:7
       |
    37 | ttl = "0s"
       |       ^^^^ it must be whole milliseconds, 1ms at least
    "###);
}

#[test]
fn an_operation_of_an_unknown_kind_or_without_a_time_is_told() {
    let operations = "[[operation]]\nat = \"1s\"\non = \"instance-0\"\nop = \"updat\"\nsession = 0\n";
    insta::assert_snapshot!(told(format!("{VALID}{operations}").as_bytes()), @r###"
    error: operation[0].op: unknown value "updat"
      --> breaker/x.toml:29:6
       |
    29 | op = "updat"
       |      ^^^^^^^ did you mean "update"?
    "###);
}
