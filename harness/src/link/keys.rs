//! Where commands have their first key.

/// How many characters of a key are recorded.
pub(super) const LONGEST: usize = 200;

/// Commands without a key.
const KEYLESS: &[&str] = &[
    "ACL",
    "ASKING",
    "AUTH",
    "BGREWRITEAOF",
    "BGSAVE",
    "CLIENT",
    "CLUSTER",
    "COMMAND",
    "CONFIG",
    "DBSIZE",
    "DEBUG",
    "DISCARD",
    "ECHO",
    "EXEC",
    "FAILOVER",
    "FLUSHALL",
    "FLUSHDB",
    "FUNCTION",
    "HELLO",
    "INFO",
    "KEYS",
    "LASTSAVE",
    "LATENCY",
    "LOLWUT",
    "MODULE",
    "MONITOR",
    "MULTI",
    "PING",
    "PSUBSCRIBE",
    "PSYNC",
    "PUBLISH",
    "PUBSUB",
    "PUNSUBSCRIBE",
    "QUIT",
    "RANDOMKEY",
    "READONLY",
    "READWRITE",
    "REPLCONF",
    "REPLICAOF",
    "RESET",
    "ROLE",
    "SAVE",
    "SCAN",
    "SCRIPT",
    "SELECT",
    "SENTINEL",
    "SHUTDOWN",
    "SLAVEOF",
    "SLOWLOG",
    "SPUBLISH",
    "SSUBSCRIBE",
    "SUBSCRIBE",
    "SUNSUBSCRIBE",
    "SWAPDB",
    "SYNC",
    "TIME",
    "UNSUBSCRIBE",
    "UNWATCH",
    "WAIT",
    "WAITAOF",
];

/// The first key of a command given as its parts, the name first and in capitals in `name`. Of a command that is not known
/// the first argument is taken for it.
pub(super) fn first<'a>(name: &str, parts: &[&'a [u8]]) -> Option<&'a [u8]> {
    let counted = |count: usize| {
        let count_of_keys = std::str::from_utf8(parts.get(count)?).ok()?.parse::<u32>().ok()?;
        if count_of_keys > 0 { parts.get(count + 1) } else { None }
    };
    let key = match name {
        _ if KEYLESS.binary_search(&name).is_ok() => None,
        "EVAL" | "EVALSHA" | "EVAL_RO" | "EVALSHA_RO" | "FCALL" | "FCALL_RO" | "BLMPOP" | "BZMPOP" => {
            counted(2)
        }
        "LMPOP" | "SINTERCARD" | "ZDIFF" | "ZINTER" | "ZINTERCARD" | "ZMPOP" | "ZUNION" => counted(1),
        "BITOP" | "MEMORY" | "OBJECT" | "XGROUP" | "XINFO" => parts.get(2),
        "MIGRATE" => parts.get(3),
        "XREAD" | "XREADGROUP" => {
            let streams = parts.iter().position(|part| part.eq_ignore_ascii_case(b"STREAMS"))?;
            parts.get(streams + 1)
        }
        _ => parts.get(1),
    };
    key.copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(command: &str) -> Option<String> {
        let parts: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
        first(parts.first().map(|name| std::str::from_utf8(name).unwrap()).unwrap(), &parts)
            .map(|key| String::from_utf8(key.to_vec()).unwrap())
    }

    #[test]
    fn the_first_key_is_found_wherever_it_stands() {
        for command in [
            "GET k",
            "EVAL script 1 k a",
            "FCALL f 2 k l",
            "BLMPOP 0 1 k LEFT",
            "ZUNION 2 k l",
            "OBJECT FREQ k",
            "XREADGROUP GROUP g c COUNT 5 STREAMS k >",
            "JSON.SET k $ v",
            "BITOP AND k l",
        ] {
            assert_eq!(key_of(command).as_deref(), Some("k"), "{command}");
        }
        for command in [
            "GET",
            "EVAL script 0 a",
            "EVAL script x",
            "AUTH secret",
            "CONFIG SET requirepass secret",
            "XREAD COUNT 5",
            "SCAN 0",
        ] {
            assert_eq!(key_of(command), None, "{command}");
        }
    }

    #[test]
    fn the_keyless_are_in_order_so_that_they_can_be_searched() {
        assert!(KEYLESS.is_sorted());
    }
}
