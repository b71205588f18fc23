//! Several servers that belong together.

use super::with;

fn sentinel(redis: &str, inject: &str) -> String {
    let redis = format!("[redis]\ntopology = \"sentinel\"\n{redis}[load]");
    with(&[("[load]", &redis), ("inject.latency = { delay = \"200ms\", jitter = \"50ms\" }", inject)])
}

#[test]
fn a_fault_that_one_of_several_servers_cannot_have_is_told() {
    insta::assert_snapshot!(sentinel("", "inject.restart = { data = \"kept\" }"), @r###"
    error: phase[1].faults[0].inject: restart cannot strike one of several servers
      --> breaker/x.toml:22:1
       |
    22 | inject.restart = { data = "kept" }
       | ^^^^^^ "kill", "pause", "client_kill" and "flush" can; or use topology = "standalone"
    "###);
    for fault in ["kill", "pause", "client_kill", "flush", "refuse", "unreachable"] {
        assert_eq!(sentinel("", &format!("inject = \"{fault}\"")), "it is fine");
    }
    for fault in ["slow_script", "failover", "clock_jump = { by = \"1h\" }", "restart = { data = \"lost\" }"]
    {
        let inject =
            if fault.contains('=') { format!("inject.{fault}") } else { format!("inject = \"{fault}\"") };
        let told = sentinel("", &inject);
        assert!(told.contains("cannot strike one of several servers"), "{told}");
    }
}

#[test]
fn a_topology_that_is_no_name_is_told() {
    insta::assert_snapshot!(with(&[("[load]", "[redis]\ntopology = 3\n[load]")]), @r###"
    error: redis.topology: this is no name
     --> breaker/x.toml:8:12
      |
    8 | topology = 3
      |            ^ write one of the names that docs/scenarios.md has, in quotes
    "###);
}

#[test]
fn a_password_where_there_are_several_servers_is_told() {
    insta::assert_snapshot!(sentinel("password = true\n", "inject = \"kill\""), @r###"
    error: redis.password: nobody logs in where the topology is "sentinel"
     --> breaker/x.toml:9:12
      |
    9 | password = true
      |            ^^^^ remove `password`, or use topology = "standalone"
    "###);
}

#[test]
fn tls_where_there_are_several_servers_is_told() {
    let told = sentinel("tls = true\n", "inject = \"kill\"");
    assert!(told.contains("redis.tls: nobody speaks TLS where the topology is \"sentinel\""), "{told}");
}

fn cluster(redis: &str, rest: &str) -> String {
    let redis = format!("[redis]\ntopology = \"cluster\"\n{redis}[load]");
    with(&[
        ("[load]", &redis),
        ("inject.latency = { delay = \"200ms\", jitter = \"50ms\" }", "inject = \"kill\""),
        ("name = \"calm\"\nfor = \"8s\"\n", &format!("name = \"calm\"\nfor = \"8s\"\n{rest}")),
    ])
}

#[test]
fn what_a_cluster_does_not_have_is_told() {
    insta::assert_snapshot!(cluster("database = 3\n", ""), @r###"
    error: redis.database: there is only database 0 where the topology is "cluster"
     --> breaker/x.toml:9:12
      |
    9 | database = 3
      |            ^ remove `database`, or use topology = "standalone"
    "###);
    assert_eq!(cluster("", ""), "it is fine");
    assert_eq!(sentinel("database = 3\n", "inject = \"kill\""), "it is fine");
    assert!(cluster("password = true\n", "").contains("redis.password: nobody logs in"));
    let failover = with(&[
        ("[load]", "[redis]\ntopology = \"cluster\"\n[load]"),
        ("inject.latency = { delay = \"200ms\", jitter = \"50ms\" }", "inject = \"failover\""),
    ]);
    insta::assert_snapshot!(failover, @r###"
    error: phase[1].faults[0].inject: failover cannot strike one of several servers
      --> breaker/x.toml:22:10
       |
    22 | inject = "failover"
       |          ^^^^^^^^^^ "kill", "pause", "client_kill" and "flush" can; or use topology = "standalone"
    "###);
}

#[test]
fn what_nobody_tells_of_several_shards_is_told() {
    let breaker = "[[expect.breaker]]\nsequence = [\"closed\"]\n";
    insta::assert_snapshot!(cluster("", breaker), @r###"
    error: expect.breaker[0]: in a cluster each shard has a breaker of its own, and nothing is told of them
      --> breaker/x.toml:28:1
       |
    28 | [[expect.breaker]]
       | ^^^^^^^^^^^^^^^^^^ expect what operations show, such as of = "get.local_rate"
    "###);
    for (rest, key) in [
        ("[[expect.metric]]\nof = \"resync.duration\"\nis = \"<= 5s\"\n", "expect.metric[0].of"),
        ("[[expect.metric]]\nof = \"breaker.opened_after\"\nis = \"<= 5s\"\n", "expect.metric[0].of"),
        ("[[expect.sometimes]]\nof = \"resync.duration\"\nis = \"<= 5s\"\n", "expect.sometimes[0].of"),
        ("[[expect.sometimes]]\nseen = { mode = \"local\" }\n", "expect.sometimes[0].seen"),
    ] {
        let told = cluster("", rest);
        assert!(told.contains(&format!("error: {key}: in a cluster each shard has")), "{told}");
    }
    let seen = "[[expect.metric]]\nof = \"get.local_rate\"\nis = \"<= 0.5\"\n[[expect.sometimes]]\nseen = { fault = \"kill\", operation = \"get\" }\n";
    assert_eq!(cluster("", seen), "it is fine");
}

#[test]
fn an_interface_that_a_cluster_does_not_have_is_told() {
    let told = with(&[("[load]", "[redis]\ntopology = \"cluster\"\n[load]\nthrough = \"store\"")]);
    insta::assert_snapshot!(told, @r###"
    error: load.through: in a cluster there is no interface `store`
      --> breaker/x.toml:10:11
       |
    10 | through = "store"
       |           ^^^^^^^ write through = "sessions", or remove it
    "###);
}
