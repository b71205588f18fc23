//! `squall subject-check`: whether a process speaks the protocol.

use anyhow::{Context as _, bail};

use super::{SubjectCheckArgs, print, say};
use crate::conform::{self, NoRedis, Server, Stage};

/// Exit code when there is no Redis to check against.
const NO_REDIS: u8 = 3;

/// Tries every rule, prints a line for each, and returns the exit code.
pub(super) fn subject_check(args: &SubjectCheckArgs) -> anyhow::Result<u8> {
    if let Some(why) = args.command.missing(&std::env::var("PATH").unwrap_or_default()) {
        bail!("{why}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("failed to start the runtime")?.block_on(check(args))
}

async fn check(args: &SubjectCheckArgs) -> anyhow::Result<u8> {
    let server = match redis(args).await {
        Ok(server) => server,
        Err(error) => {
            say(&format!("error: {error}"));
            return Ok(NO_REDIS);
        }
    };
    let url = match (&args.redis_url, &server) {
        (Some(url), _) => url.clone(),
        (None, Some(server)) => server.url().to_owned(),
        (None, None) => bail!("there is no Redis"),
    };
    let stage = Stage::new(args.command.clone(), url);
    let mut tried = 0_usize;
    let mut printed = Ok(());
    let broken = conform::check(&stage, &mut |rule, verdict| {
        tried += 1;
        if printed.is_ok() {
            printed = print(&conform::line(rule, verdict));
        }
    })
    .await;
    printed?;
    let rules = if tried == 1 { "1 rule".to_owned() } else { format!("{tried} rules") };
    print(&match broken {
        0 => format!("{rules}: it conforms\n"),
        broken => format!("{rules}: {broken} FAIL; docs/protocol.md says what they ask for\n"),
    })?;
    Ok(u8::from(broken > 0))
}

/// A server of our own, or none when one was given and answers.
async fn redis(args: &SubjectCheckArgs) -> Result<Option<Server>, NoRedis> {
    match &args.redis_url {
        Some(url) => conform::reach(url).await.map(|()| None),
        None => Server::start().await.map(Some),
    }
}
