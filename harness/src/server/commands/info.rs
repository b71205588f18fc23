//! What the server tells of itself.

use std::fmt::Write as _;

use super::super::call::{Call, Outcome, SYNTAX};
use super::super::command::{Command, Keys, flag, row};
use super::super::reply::Reply;

/// The primary that a replica names, and that cannot be reached.
const NOWHERE: (&str, i64) = ("127.0.0.1", 1);

pub(crate) const COMMANDS: &[Command] = &[
    row("info", -1, flag::DANGEROUS | flag::ALL_DBS, Keys::None, info),
    row("lastsave", 1, flag::ADMIN | flag::DANGEROUS | flag::FAST, Keys::None, lastsave),
    row("role", 1, flag::ADMIN | flag::DANGEROUS | flag::FAST, Keys::None, role),
    row("time", 1, flag::FAST, Keys::None, time),
    row("wait", 3, 0, Keys::None, wait),
];

fn time(call: &mut Call<'_>) -> Outcome {
    let parts = [call.now / 1_000_000, call.now % 1_000_000];
    Ok(Reply::bulks(parts.map(|part| part.to_string())))
}

/// There are no replicas to wait for.
fn wait(call: &mut Call<'_>) -> Outcome {
    call.int(1)?;
    if call.int(2).map_err(|_| "ERR timeout is not an integer or out of range")? < 0 {
        return Err("ERR timeout is negative".into());
    }
    Ok(Reply::Int(0))
}

fn role(call: &mut Call<'_>) -> Outcome {
    let text = |text: &str| Reply::bulk(text.as_bytes());
    if call.state.replica {
        let primary = [text(NOWHERE.0), Reply::Int(NOWHERE.1)];
        let state = [text("connect"), Reply::Int(-1)];
        return Ok(Reply::Array([text("slave")].into_iter().chain(primary).chain(state).collect()));
    }
    Ok(Reply::Array(vec![Reply::bulk(b"master"), Reply::Int(0), Reply::Array(Vec::new())]))
}

fn lastsave(call: &mut Call<'_>) -> Outcome {
    Ok(Reply::Int(i64::try_from(call.state.started / 1_000_000).unwrap_or(0)))
}

/// A section's name and what it says.
type Section = (&'static str, fn(&Call<'_>, &mut String) -> std::fmt::Result);

const SECTIONS: &[Section] = &[
    ("Server", server),
    ("Clients", clients),
    ("Memory", memory),
    ("Persistence", persistence),
    ("Stats", stats),
    ("Replication", replication),
    ("CPU", cpu),
    ("Cluster", cluster),
    ("Keyspace", keyspace),
];

fn info(call: &mut Call<'_>) -> Outcome {
    let asked: Vec<String> = (1..call.argv.len()).map(|at| call.word(at).to_lowercase()).collect();
    let all =
        asked.is_empty() || asked.iter().any(|name| matches!(&name[..], "default" | "all" | "everything"));
    let mut text = String::new();
    for (name, write) in SECTIONS {
        if !all && !asked.contains(&name.to_lowercase()) {
            continue;
        }
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        let written = write!(text, "# {name}\r\n").and_then(|()| write(call, &mut text));
        written.map_err(|_| SYNTAX)?;
    }
    Ok(Reply::Verbatim(text))
}

fn server(call: &Call<'_>, out: &mut String) -> std::fmt::Result {
    let state = &*call.state;
    let uptime = call.now.saturating_sub(state.started) / 1_000_000;
    let port = state.settings.all().get("port").map_or("6379", |port| port);
    write!(
        out,
        "redis_version:{}\r\nredis_git_sha1:00000000\r\nredis_git_dirty:0\r\nredis_build_id:0\r\n\
         redis_mode:standalone\r\nos:embedded\r\narch_bits:64\r\nmultiplexing_api:none\r\nprocess_id:1\r\n\
         run_id:{}\r\ntcp_port:{port}\r\nserver_time_usec:{}\r\nuptime_in_seconds:{uptime}\r\n\
         uptime_in_days:{}\r\nhz:10\r\nconfigured_hz:10\r\nexecutable:\r\nconfig_file:\r\n",
        state.version,
        state.run_id,
        call.now,
        uptime / 86_400,
    )
}

fn clients(call: &Call<'_>, out: &mut String) -> std::fmt::Result {
    let state = &*call.state;
    write!(
        out,
        "connected_clients:{}\r\ncluster_connections:0\r\nmaxclients:{}\r\nblocked_clients:0\r\n",
        state.connections(),
        state.settings.max_clients,
    )
}

fn memory(call: &Call<'_>, out: &mut String) -> std::fmt::Result {
    let state = &*call.state;
    let used = state.used_memory();
    write!(
        out,
        "used_memory:{used}\r\nused_memory_human:{:.2}M\r\nused_memory_rss:{used}\r\nused_memory_peak:{used}\r\n\
         used_memory_scripts_eval:{}\r\nnumber_of_cached_scripts:{}\r\nmaxmemory:{}\r\nmaxmemory_policy:{}\r\n\
         mem_fragmentation_ratio:1.00\r\nmem_allocator:libc\r\n",
        used as f64 / f64::from(1 << 20),
        state.scripts.bytes(),
        state.scripts.len(),
        state.settings.max_memory,
        state.settings.policy.name(),
    )
}

fn persistence(call: &Call<'_>, out: &mut String) -> std::fmt::Result {
    let changes: u64 = call.state.dbs.iter().map(super::super::db::Db::changes).sum();
    write!(
        out,
        "loading:0\r\nrdb_changes_since_last_save:{changes}\r\nrdb_bgsave_in_progress:0\r\naof_enabled:0\r\n"
    )
}

fn stats(call: &Call<'_>, out: &mut String) -> std::fmt::Result {
    let stats = call.state.stats;
    write!(
        out,
        "total_connections_received:{}\r\ntotal_commands_processed:{}\r\ninstantaneous_ops_per_sec:{}\r\n\
         total_net_input_bytes:{}\r\ntotal_net_output_bytes:{}\r\nrejected_connections:{}\r\nexpired_keys:{}\r\n\
         evicted_keys:{}\r\nkeyspace_hits:{}\r\nkeyspace_misses:{}\r\npubsub_channels:{}\r\npubsub_patterns:{}\r\n\
         total_error_replies:{}\r\n",
        stats.connections,
        stats.commands,
        stats.pace.per_second(call.now),
        stats.input_bytes,
        stats.output_bytes,
        stats.rejected_connections,
        stats.expired,
        stats.evicted,
        stats.hits,
        stats.misses,
        call.state.channels.len(),
        call.state.patterns.len(),
        stats.errors,
    )
}

fn replication(call: &Call<'_>, out: &mut String) -> std::fmt::Result {
    if call.state.replica {
        return write!(
            out,
            "role:slave\r\nmaster_host:{}\r\nmaster_port:{}\r\nmaster_link_status:down\r\nslave_read_only:1\r\n\
             connected_slaves:0\r\nmaster_replid:{}\r\nmaster_repl_offset:0\r\n",
            NOWHERE.0, NOWHERE.1, call.state.run_id
        );
    }
    write!(
        out,
        "role:master\r\nconnected_slaves:0\r\nmaster_failover_state:no-failover\r\nmaster_replid:{}\r\n\
         master_repl_offset:0\r\n",
        call.state.run_id
    )
}

fn cpu(_: &Call<'_>, out: &mut String) -> std::fmt::Result {
    write!(out, "used_cpu_sys:0.000000\r\nused_cpu_user:0.000000\r\n")
}

fn cluster(_: &Call<'_>, out: &mut String) -> std::fmt::Result {
    write!(out, "cluster_enabled:0\r\n")
}

fn keyspace(call: &Call<'_>, out: &mut String) -> std::fmt::Result {
    for (number, db) in call.state.dbs.iter().enumerate().filter(|(_, db)| db.len() > 0) {
        write!(out, "db{number}:keys={},expires={},avg_ttl=0\r\n", db.len(), db.expiring())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{Client, shown};

    #[test]
    fn info_tells_what_clients_read() {
        let mut client = Client::new();
        client.run("SET k v EX 10");
        let all = shown(&client.run("INFO"));
        for line in [
            "redis_version:7.0.15\r\n",
            "role:master\r\n",
            "db0:keys=1,expires=1,avg_ttl=0\r\n",
            "per_sec:2\r\n",
        ] {
            assert!(all.contains(line), "{all}");
        }
        let server = shown(&client.run("INFO server"));
        assert!(server.starts_with("# Server\r\n") && !server.contains("# Clients"));
        client.check("INFO nothing", "");
    }

    #[test]
    fn a_replica_says_so_and_takes_no_writes() {
        let mut client = Client::new();
        client.run("SET k v");
        client.run("MULTI");
        client.run("SET k w");
        client.state.replica = true;
        let refused = "READONLY You can't write against a read only replica.";
        client.check("EXEC", &format!("-EXECABORT Transaction discarded because of: {refused}"));
        client.check("SET k w", &format!("-{refused}"));
        client.check("GET k", "v");
        client.check("EVAL return_redis.pcall('set',KEYS[1],'w') 1 k", &format!("-{refused}"));
        client.check("EVAL return_redis.call('get',KEYS[1]) 1 k", "v");
        client.check("ROLE", "[slave, 127.0.0.1, :1, connect, :-1]");
        let told = shown(&client.run("INFO replication"));
        assert!(told.contains("role:slave\r\n") && told.contains("master_link_status:down\r\n"), "{told}");
        client.state.replica = false;
        client.check("SET k w", "+OK");
    }

    #[test]
    fn time_is_told_in_seconds_and_microseconds() {
        let mut client = Client::new();
        client.now = 1_700_000_000_000_005;
        client.check("TIME", "[1700000000, 5]");
    }
}
