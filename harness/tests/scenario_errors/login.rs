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
    insta::assert_snapshot!(told.map(redis).join("\n"), @r###"
    error: redis.user: a user logs in with a password
     --> breaker/x.toml:8:8
      |
    8 | user = "web"
      |        ^^^^^ add password = true; the password itself is made up from the seed

    error: redis.user: that is the harness's own user
     --> breaker/x.toml:8:8
      |
    8 | user = "squall"
      |        ^^^^^^^^ choose another name, such as "web"

    error: redis.database: there is no database 16
      --> breaker/x.toml:10:12
       |
    10 | database = 16
       |            ^^ it must be from 0 to 15

    error: redis.user: "a b" is no name of a user
     --> breaker/x.toml:8:8
      |
    8 | user = "a b"
      |        ^^^^^ use up to 64 letters, digits, hyphens, dots and underscores, such as "web"

    error: redis.password: a password stands in no file
     --> breaker/x.toml:8:12
      |
    8 | password = "secret"
      |            ^^^^^^^^ write password = true, and one is made up from the seed

    error: redis.database: integer `-1` cannot stand here
     --> breaker/x.toml:8:12
      |
    8 | database = -1
      |            ^^ expected a whole number from 0 to 4294967295
    "###);
}

#[test]
fn a_password_that_is_not_there_cannot_be_changed() {
    insta::assert_snapshot!(with(&[("inject.latency = { delay = \"200ms\", jitter = \"50ms\" }", "inject = \"password_change\"")]), @r###"
    error: phase[1].faults[0].inject: there is no password that could be changed
      --> breaker/x.toml:20:10
       |
    20 | inject = "password_change"
       |          ^^^^^^^^^^^^^^^^^ have instances log in: [redis] with password = true
    "###);
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
