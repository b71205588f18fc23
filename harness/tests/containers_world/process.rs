//! Test processes of their own, for what can only be seen from outside.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use squall::recorder::Recorder;
use squall::world::containers::{Containers, Images, sweep};
use squall::world::{Login, WorldError};
use squall_client::Clock;

const ROLE: &str = "SQUALL_TEST_ROLE";

/// Starts this test program as another process that plays `role`.
pub(crate) fn play(role: &str, settings: &[(&str, &str)]) -> Child {
    let program = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new(program);
    command.args(["--exact", "process::plays_its_role", "--nocapture"]).env(ROLE, role);
    command.envs(settings.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().expect("it starts")
}

/// The first line that a process says for its parent; `None` if it ends without one.
pub(crate) fn line(child: &mut Child) -> Option<String> {
    let out = child.stdout.take().expect("its output is piped");
    BufReader::new(out)
        .lines()
        .map_while(Result::ok)
        .find_map(|line| Some(line.split_once("says: ")?.1.to_owned()))
}

#[expect(clippy::print_stdout, reason = "this is how it talks to the process that started it")]
fn say(what: &str) {
    println!("says: {what}");
    std::io::stdout().flush().expect("somebody listens");
}

async fn world(images: Images) -> Result<Containers, WorldError> {
    Containers::start(&images, 1, 1, &Recorder::new(Clock::system()), Login::default(), &|_| {}).await
}

/// No test of its own: what other tests start as a process.
#[tokio::test(flavor = "multi_thread")]
async fn plays_its_role() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let usual = Images::choose(None, None);
    match role.split_once('=').unwrap_or((&role, "")) {
        ("hold", _) => {
            let world = world(usual).await.expect("it starts");
            say(world.run_name());
            std::future::pending::<()>().await;
        }
        ("sweep", _) => {
            let world = world(usual).await.expect("it starts");
            sweep().await.expect("it sweeps");
            say(world.run_name());
            std::process::exit(0);
        }
        ("stop", after) => {
            let after = Duration::from_millis(after.parse().expect("milliseconds"));
            let left = tokio::time::timeout(after, world(usual)).await;
            sweep().await.expect("it sweeps");
            say(&std::process::id().to_string());
            // Whatever was up is left as it is: only the sweep counts.
            std::mem::forget(left);
            std::process::exit(0);
        }
        ("start", image) => {
            let clock = Clock::system();
            let images = if image.is_empty() { usual } else { Images { server: image.to_owned(), ..usual } };
            match world(images).await {
                Ok(world) => say(&squall::world::World::notes(&world).join("; ")),
                Err(error) => say(&format!(
                    "{} ms: {}",
                    clock.now().as_nanos() / 1_000_000,
                    error.to_string().replace('\n', " ")
                )),
            }
        }
        (other, _) => panic!("no such role: {other}"),
    }
}
