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
