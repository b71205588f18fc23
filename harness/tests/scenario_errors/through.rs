//! Interfaces: what is told of operations that they do not have.

use crate::with;

const LOAD: &str = "[load]\n";

#[test]
fn a_misspelt_interface_has_a_suggestion() {
    insta::assert_snapshot!(with(&[(LOAD, "[load]\nthrough = \"cash\"\n")]), @r###"
    error: load.through: unknown value "cash"
     --> breaker/x.toml:8:11
      |
    8 | through = "cash"
      |           ^^^^^^ did you mean "cache"?
    "###);
}

#[test]
fn a_cache_has_no_update_and_no_touch_and_nothing_replaces_them() {
    let load = "[load]\nthrough = \"cache\"\nmix = { get = 70, update = 20, touch = 0 }\n";
    insta::assert_snapshot!(with(&[(LOAD, load)]), @r###"
    error: load.mix.update: cache has no update
     --> breaker/x.toml:9:28
      |
    9 | mix = { get = 70, update = 20, touch = 0 }
      |                            ^^ remove it; it has create, get, destroy, ttl, read_many, clear
    "###);
}

#[test]
fn the_mix_of_a_file_that_says_none_is_told_too() {
    insta::assert_snapshot!(with(&[(LOAD, "[load]\nthrough = \"cache\"\n")]), @r###"
    error: load.through: cache has no update and touch, which the default mix has
     --> breaker/x.toml:8:11
      |
    8 | through = "cache"
      |           ^^^^^^^ write a `mix` of create, get, destroy, ttl, read_many, clear, such as mix = { get = 70, create = 30 }
    "###);
}

#[test]
fn an_operation_that_the_interface_lacks_is_told_where_it_stands() {
    let load = "[load]\nthrough = \"cache\"\n";
    let operation =
        "[[operation]]\nat = \"1s\"\non = \"instance-0\"\nop = \"touch\"\nsession = 3\n\n[[phase]]\n";
    insta::assert_snapshot!(with(&[("rate = \"100/s\"\n", ""), (LOAD, load), ("[[phase]]\n", operation)]), @r###"
    error: operation[0].op: cache has no touch
      --> breaker/x.toml:14:6
       |
    14 | op = "touch"
       |      ^^^^^^^ write another operation; it has create, get, destroy, ttl
    "###);
}

#[test]
fn requests_on_several_sessions_are_told_where_the_interface_has_none() {
    let load = "[load]\nmix = { get = 70, read_many = 20, clear = 1 }\n";
    insta::assert_snapshot!(with(&[(LOAD, load)]), @r###"
    error: load.mix.read_many: sessions has no read_many
     --> breaker/x.toml:8:31
      |
    8 | mix = { get = 70, read_many = 20, clear = 1 }
      |                               ^^ remove it; it has create, get, update, touch, destroy, ttl, clear
    "###);
    let load = "[load]\nthrough = \"http\"\nmix = { get = 70, clear = 1 }\n";
    insta::assert_snapshot!(with(&[(LOAD, load)]), @r###"
    error: load.mix.clear: http has no clear
     --> breaker/x.toml:9:27
      |
    9 | mix = { get = 70, clear = 1 }
      |                           ^ remove it; it has create, get, update, touch, destroy, ttl
    "###);
}

#[test]
fn no_single_operation_is_a_request_on_several_sessions() {
    let operation =
        "[[operation]]\nat = \"1s\"\non = \"instance-0\"\nop = \"clear\"\nsession = 3\n\n[[phase]]\n";
    insta::assert_snapshot!(with(&[("rate = \"100/s\"\n", ""), ("[[phase]]\n", operation)]), @r###"
    error: operation[0].op: unknown value "clear"
      --> breaker/x.toml:13:6
       |
    13 | op = "clear"
       |      ^^^^^^^ expected one of: create, get, update, touch, destroy, ttl
    "###);
}

#[test]
fn no_route_extends_by_less_than_a_second() {
    let load = "[load]\nthrough = \"http\"\nttl = \"900ms\"\n";
    insta::assert_snapshot!(with(&[(LOAD, load)]), @r###"
    error: load.ttl: a TTL of 900ms, and no route over HTTP extends by so little
     --> breaker/x.toml:9:7
      |
    9 | ttl = "900ms"
      |       ^^^^^^^ it must be 1s at least
    "###);
}

#[test]
fn what_an_interface_has_is_fine() {
    for through in ["sessions", "store", "http"] {
        assert_eq!(with(&[(LOAD, &format!("[load]\nthrough = \"{through}\"\n"))]), "it is fine");
    }
    let load = "[load]\nthrough = \"cache\"\nmix = { get = 1, create = 1, destroy = 1, ttl = 1, read_many = 1, clear = 1 }\n";
    assert_eq!(with(&[(LOAD, load)]), "it is fine");
}
