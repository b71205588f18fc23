//! As whom instances log in, and to which database.

use super::with;

fn redis(table: &str) -> String {
    with(&[("[load]", &format!("[redis]\n{table}\n[load]"))])
}

#[test]
fn a_login_that_cannot_be_is_told() {
    let told = [
        "user = \"web\"",
        "user = \"squall\"\npassword = true\ndatabase = 16",
        "user = \"a b\"\npassword = true",
        "password = \"secret\"",
        "database = -1",
    ];
    insta::assert_snapshot!(told.map(redis).join("\n"), @r###""###);
}

#[test]
fn a_password_that_is_not_there_cannot_be_changed() {
    insta::assert_snapshot!(with(&[("inject.latency = { delay = \"200ms\", jitter = \"50ms\" }", "inject = \"password_change\"")]), @r###""###);
}

#[test]
fn tls_is_wanted_or_not() {
    assert_eq!(redis("tls = true"), "it is fine");
    for wrong in ["tls = \"rediss\"", "tls = 1"] {
        let told = redis(wrong);
        assert!(told.contains("breaker/x.toml:8:7") && told.contains("redis.tls"), "{told}");
        assert!(told.contains("true or false"), "{told}");
    }
    let told = redis("tsl = true");
    assert!(told.contains("tls"), "{told}");
}
