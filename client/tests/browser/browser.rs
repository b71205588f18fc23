//! A headless browser, and the page of the chat in it.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

use crate::redis::{eventually, free_port};

/// A browser, driven by chromedriver. All of its processes end when this goes out of scope.
pub(crate) struct Browser {
    client: Client,
    driver: Driver,
    /// Browsers are large: one at a time.
    _alone: MutexGuard<'static, ()>,
}

struct Driver {
    child: Child,
    /// What they leave lying about.
    _folder: TempDir,
}

static ALONE: Mutex<()> = Mutex::const_new(());

impl Browser {
    /// Starts one. `None`, said on stderr, where there is none and there need be none.
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    pub(crate) async fn start(options: Value) -> Option<Self> {
        let there = ["chromedriver", "chromium"].map(|program| {
            Command::new(program)
                .arg("--version")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok()
        });
        if there.contains(&false) {
            assert!(std::env::var_os("CI").is_none(), "CI must have chromium and chromedriver on its PATH");
            eprintln!(
                "SKIPPED: no chromium or no chromedriver on PATH; apt-get install chromium chromium-driver"
            );
            return None;
        }
        let alone = ALONE.lock().await;
        let port = free_port();
        let folder = tempfile::tempdir().expect("a folder");
        let child = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .env("TMPDIR", folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("chromedriver starts");
        let driver = Driver { child, _folder: folder };
        eventually("chromedriver listens", || async {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
        })
        .await;
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let driver_at = format!("http://127.0.0.1:{port}");
        let connected = builder.capabilities(capabilities(options)).connect(&driver_at);
        let client = connected.await.expect("chromium starts");
        Some(Self { client, driver, _alone: alone })
    }

    /// Opens the chat of a worker in the window that is in front.
    pub(crate) async fn open(&self, worker: u16) {
        self.client.goto(&format!("http://127.0.0.1:{worker}/")).await.expect("the page loads");
    }

    /// Opens the chat of a worker in another window, which comes to the front.
    pub(crate) async fn open_beside(&self, worker: u16) {
        let window = self.client.new_window(false).await.expect("a window");
        self.client.switch_to_window(window.handle).await.expect("it is there");
        self.open(worker).await;
    }

    /// Closes the window in front and returns to the first one.
    pub(crate) async fn close_window(&self) {
        self.client.close_window().await.expect("it closes");
        let first = self.client.windows().await.expect("windows").swap_remove(0);
        self.client.switch_to_window(first).await.expect("it is there");
    }

    /// What a script on the page returns.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.expect("the script runs")
    }

    /// The text of the element of this id.
    pub(crate) async fn text(&self, id: &str) -> String {
        let text = self.run(&format!("return document.getElementById('{id}').textContent")).await;
        text.as_str().expect("text").to_owned()
    }

    /// Who serves, by the page's indicator.
    pub(crate) async fn mode(&self) -> String {
        let mode = self.run("return document.getElementById('mode').dataset.mode").await;
        mode.as_str().expect("text").to_owned()
    }

    /// Waits until the page says so.
    pub(crate) async fn until(&self, mode: &str, count: u32) {
        let so = || async { self.mode().await == mode && self.text("count").await == count.to_string() };
        eventually(&format!("{mode} with {count} messages"), so).await;
    }

    /// Waits until the element of this id has this text.
    pub(crate) async fn until_text(&self, id: &str, text: &str) {
        eventually(&format!("{id} is {text}"), || async { self.text(id).await == text }).await;
    }

    /// Types a message, and sends it with the enter key, as soon as the page lets.
    pub(crate) async fn say(&self, text: &str) {
        eventually("one may send", || async {
            self.run("return !document.getElementById('send').disabled").await == true
        })
        .await;
        let input = self.client.find(Locator::Id("text")).await.expect("it is there");
        input.send_keys(&format!("{text}\n")).await.expect("it takes text");
        eventually("it is sent", || async {
            self.run("return document.getElementById('text').value").await == ""
        })
        .await;
    }

    /// Clicks the element of this id.
    pub(crate) async fn click(&self, id: &str) {
        self.client
            .find(Locator::Id(id))
            .await
            .expect("it is there")
            .click()
            .await
            .expect("it can be clicked");
    }

    /// Keeps a picture of the window in front.
    pub(crate) async fn screenshot(&self, name: &str) {
        let picture = self.client.screenshot().await.expect("a picture");
        let folder = screenshots();
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(format!("{name}.png")), picture).expect("it can be written");
    }

    /// Ends it in order.
    pub(crate) async fn close(self) {
        let Self { client, driver, .. } = self;
        client.close().await.expect("it ends");
        drop(driver);
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The browser is a child of its driver, and in its group.
        let group = format!("-{}", self.child.id());
        let _killed = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ended = self.child.wait();
    }
}

fn capabilities(options: Value) -> Capabilities {
    // In a container, as root, chromium has no sandbox and little shared memory. It meets no page but ours.
    let args = [
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--window-size=860,900",
    ];
    let mut chrome = json!({ "args": args });
    for (name, option) in options.as_object().into_iter().flatten() {
        chrome[name] = option.clone();
    }
    Capabilities::from_iter([("goog:chromeOptions".to_owned(), chrome)])
}

fn screenshots() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("target").join("screenshots");
    std::env::var_os("SQUALL_SCREENSHOTS").filter(|name| !name.is_empty()).map_or(target, PathBuf::from)
}
