//! Which server the local world is to have, and what only other worlds have.

use std::convert::Infallible;
use std::fmt;

use anyhow::{Context as _, bail};

use super::RunArgs;
use crate::world::Kind;
use crate::world::local::{Redis, RedisUrl};

/// An address as it was typed, which may hold a password and shows none of it.
#[derive(Clone)]
pub struct Typed(String);

impl Typed {
    /// Takes any text: what is wrong with it is told later, without the text.
    pub(super) fn take(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The server that the flags name, else the environment; `None` in worlds that have no choice of it.
pub(super) fn chosen(args: &RunArgs) -> anyhow::Result<Option<Redis>> {
    let given = [
        ("--image", args.image.is_some(), Kind::Containers),
        ("--server", args.server.is_some(), Kind::Local),
        ("--redis-url", args.redis_url.is_some(), Kind::Local),
        ("--allow-destructive", args.allow_destructive, Kind::Local),
    ];
    if let Some((flag, _, world)) = given.iter().find(|(_, given, world)| *given && *world != args.world) {
        bail!(
            "{flag} has no meaning in the world {:?}; leave it out, or add --world {}",
            args.world.name(),
            world.name()
        );
    }
    if args.world != Kind::Local {
        return Ok(None);
    }
    let redis = match (&args.redis_url, &args.server) {
        (Some(Typed(text)), _) => {
            let url = RedisUrl::parse(text).context("--redis-url is no address of a server")?;
            Redis::Given { url, destructive: args.allow_destructive }
        }
        (None, Some(program)) => Redis::Own { program: Some(program.clone()) },
        (None, None) => Redis::of_environment(args.allow_destructive)
            .context("SQUALL_REDIS_URL is no address of a server")?,
    };
    if args.allow_destructive && matches!(redis, Redis::Own { .. }) {
        bail!("--allow-destructive is about a server of your own; name it with --redis-url");
    }
    Ok(Some(redis))
}

/// What a replay needs to say of the server. An address is left to the environment, since it may hold a password.
pub(super) fn flags(redis: &Redis) -> String {
    match redis {
        Redis::Own { program: None } => String::new(),
        Redis::Own { program: Some(program) } => format!(" --server {}", super::run::quoted(program)),
        Redis::Given { destructive, .. } => {
            let allow = if *destructive { " --allow-destructive" } else { "" };
            format!(" --redis-url \"$SQUALL_REDIS_URL\"{allow}")
        }
    }
}
