//! What scripts can do, and what they cannot.

use super::super::testing::Client;

/// Runs a script without keys.
fn eval(client: &mut Client, script: &str) -> String {
    super::super::testing::shown(&client.run_words(&[b"EVAL", script.as_bytes(), b"0"]))
}

#[test]
fn a_script_sees_replies_as_lua_values() {
    let mut client = Client::new();
    client.run("HSET h a 1");
    for (script, reply) in [
        ("return redis.call('hgetall', 'h')", "[a, 1]"),
        ("return redis.call('get', 'none') == false", ":1"),
        ("return redis.call('ping').ok", "PONG"),
        ("return redis.pcall('nothing').err", "ERR Unknown Redis command called from script"),
        ("return redis.sha1hex('')", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("return redis.call('set', 'n', 7) and redis.call('incrby', 'n', 1)", ":8"),
        ("return cjson.encode({ a = { 1, 2, 'x' } })", "{\"a\":[1,2,\"x\"]}"),
        ("return cjson.decode('{\"a\":[1,{\"b\":null}]}').a[1]", ":1"),
        ("return cjson.decode('[null]')[1] == cjson.null", ":1"),
        ("return { 1, 'a', { 2 }, nil, 3 }", "[:1, a, [:2]]"),
        ("return redis.log(redis.LOG_WARNING, 'x')", "nil"),
    ] {
        assert_eq!(eval(&mut client, script), reply, "{script}");
    }
}

#[test]
fn nothing_outside_is_reached_and_nothing_stays() {
    let mut client = Client::new();
    for name in
        ["os", "io", "dofile", "loadfile", "load", "loadstring", "require", "debug", "package", "print"]
    {
        let refused = eval(&mut client, &format!("return {name}"));
        assert!(refused.contains("nonexistent global variable"), "{name}: {refused}");
    }
    for script in [
        "x = 1",
        "_G.x = 1",
        "rawset(_G, 'x', 1)",
        "setmetatable(_G, nil)",
        "string.x = 1",
        "redis.call = nil",
        "rawset(math, 'random', 1)",
        "getmetatable('').__index = nil",
        "string.dump(function() end)",
    ] {
        assert!(eval(&mut client, script).starts_with("-ERR"), "{script}");
    }
    assert_eq!(
        eval(&mut client, "return { tostring(getmetatable('')), tostring(getmetatable(_G)) }"),
        "[false, false]"
    );
}

#[test]
fn chance_comes_from_the_seed() {
    let draw = "local t = {} for i = 1, 20 do t[i] = math.random(6) end return t";
    let (one, two) = (eval(&mut Client::new(), draw), eval(&mut Client::new(), draw));
    assert_eq!(one, two);
    let mut client = Client::new();
    assert_eq!(eval(&mut client, draw), one);
    assert_ne!(eval(&mut client, draw), one);
    assert_eq!(eval(&mut client, "local r = math.random() return r >= 0 and r < 1"), ":1");
}

#[test]
fn a_script_that_runs_away_is_killed_even_if_it_catches_that() {
    let mut client = Client::new();
    for script in ["while true do end", "while true do pcall(function() while true do end end) end"] {
        let killed = eval(&mut client, script);
        assert!(killed.starts_with("-ERR Script killed by user with SCRIPT KILL."), "{killed}");
        assert_eq!(eval(&mut client, "return 1"), ":1");
    }
}

#[test]
fn what_is_too_deep_or_too_large_is_an_error() {
    let mut client = Client::new();
    assert_eq!(eval(&mut client, "local t = {} t[1] = t return t"), "-ERR reached lua stack limit");
    let large = eval(&mut client, "local s = string.rep('x', 2^20) return #string.rep(s, 2^20)");
    assert!(large.starts_with("-ERR not enough memory"), "{large}");
    let deep = eval(&mut client, "local function f() return f() + 1 end return f()");
    assert!(deep.contains("stack overflow"), "{deep}");
    assert_eq!(eval(&mut client, "return 1"), ":1");
}

#[test]
fn many_scripts_do_not_fill_the_interpreter() {
    let mut client = Client::new();
    for number in 0..2000 {
        assert_eq!(eval(&mut client, &format!("return {number}")), format!(":{number}"));
    }
    let sha = super::super::script::sha1_hex(b"return 3");
    client.check(&format!("EVALSHA {sha} 0"), ":3");
    client.check("SCRIPT FLUSH", "+OK");
    client.check(&format!("EVALSHA {sha} 0"), "-NOSCRIPT No matching script. Please use EVAL.");
}

#[test]
fn a_database_selected_by_a_script_stays_within() {
    let mut client = Client::new();
    assert_eq!(eval(&mut client, "redis.call('select', '3') return redis.call('set', 'k', 'v').ok"), "OK");
    client.check("EXISTS k", ":0");
    assert_eq!(client.session.db, 0);
}
