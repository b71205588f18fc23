//! Phases and faults.

use super::with;

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
        ("name = \"calm\"", "name = \"calm\"\nfaults = [{ inject = \"refused\" }, { inject = \"slicer\" }, { inject = \"gremlins\" }]"),
    ]), @r###"
    error: phase[1].faults[0].inject.latncy: unknown fault "latncy"
      --> breaker/x.toml:20:8
       |
    20 | inject.latncy = { delay = "200ms" }
       |        ^^^^^^ did you mean "latency"?

    error: phase[2].faults[0].inject: unknown fault "refused"
      --> breaker/x.toml:25:22
       |
    25 | faults = [{ inject = "refused" }, { inject = "slicer" }, { inject = "gremlins" }]
       |                      ^^^^^^^^^ did you mean "refuse"?

    error: phase[2].faults[1].inject: slicer needs parameters: missing field `average_size`
      --> breaker/x.toml:25:46
       |
    25 | faults = [{ inject = "refused" }, { inject = "slicer" }, { inject = "gremlins" }]
       |                                              ^^^^^^^^ write inject.slicer = { average_size = "32 B", size_variation = "16 B", delay = "100us" }

    error: phase[2].faults[2].inject: unknown fault "gremlins"
      --> breaker/x.toml:25:69
       |
    25 | faults = [{ inject = "refused" }, { inject = "slicer" }, { inject = "gremlins" }]
       |                                                                     ^^^^^^^^^^ expected one of: refuse, reset, latency, bandwidth, slicer, slow_close, limit_data, timeout, stall, slow_accept, half_open, drop_reply, partial_reply, error_reply, corrupt_value, pause, kill, restart, client_kill, flush, evict, max_clients, slow_script, unreachable, flap, clock_jump, password_change, failover, crash
    "###);
}

#[test]
fn a_fault_that_names_nobody_is_not_taken_for_one_that_strikes_all() {
    insta::assert_snapshot!(with(&[("at = \"1s\"", "on = []")]), @r###"
    error: phase[1].faults[0].on: it names no instance
      --> breaker/x.toml:21:6
       |
    21 | on = []
       |      ^^ name some, or remove `on` to strike all
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

/// Whether a phase may have both at once.
fn at_once(one: &str, other: &str) -> bool {
    let both = format!("[[phase.faults]]\ninject{one}\n[[phase.faults]]\ninject{other}");
    let told = with(&[("at = \"1s\"", &both)]);
    assert!(told == "it is fine" || told.contains("meets another fault"), "{told}");
    told == "it is fine"
}

#[test]
fn faults_of_the_server_go_together_unless_it_can_be_told_nothing() {
    let (evict, full) = (".evict = { maxmemory = \"1 MiB\" }", ".max_clients = { clients = 1 }");
    let (flush, kill, script) = (" = \"flush\"", " = \"client_kill\"", " = \"slow_script\"");
    for (one, other) in [(evict, full), (evict, flush), (full, kill), (flush, kill)] {
        assert!(at_once(one, other), "{one} {other}");
    }
    for one in [evict, full, flush, kill, script] {
        for other in [one, script, " = \"pause\"", " = \"kill\"", ".restart = { data = \"kept\" }"] {
            assert!(!at_once(one, other), "{one} {other}");
        }
    }
}

#[test]
fn one_fault_at_a_time_decides_about_connections() {
    let (cut, flap) = (" = \"unreachable\"", ".flap = { up = \"1s\", down = \"500ms\" }");
    for (one, other) in [(cut, flap), (cut, " = \"refuse\""), (flap, " = \"reset\""), (cut, " = \"kill\"")] {
        assert!(!at_once(one, other) && !at_once(other, one), "{one} {other}");
    }
    assert!(at_once(cut, " = \"pause\"") && at_once(".max_clients = { clients = 1 }", " = \"reset\""));
}
