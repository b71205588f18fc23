//! A server of somebody else's, with a password, that a run is a guest of.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use redis::Commands as _;
use socket2::{Domain, Socket, Type};

use crate::stage::{there_is_a_server, until};

pub(crate) const PASSWORD: &str = "s3cret/p%ss";

/// The server; ended when it is dropped.
pub(crate) struct Foreign {
    child: Child,
    port: u16,
    _held: Socket,
    _folder: tempfile::TempDir,
}

impl Foreign {
    /// Starts one, with keys in it; `None` where there is no server and there need be none.
    pub(crate) fn start() -> Option<Self> {
        if !there_is_a_server() {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        // Held by a socket that never listens, which Redis does not mind: nobody else is given the port meanwhile.
        let held = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        held.set_reuse_address(true).unwrap();
        held.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let port = held.local_addr().unwrap().as_socket().unwrap().port();
        let program = std::env::var("SQUALL_REDIS_SERVER").unwrap_or_else(|_| {
            let known = ["redis-server", "valkey-server"];
            let runs =
                |name: &&str| Command::new(name).arg("--version").stdout(Stdio::null()).status().is_ok();
            known.into_iter().find(runs).expect("there is one").to_owned()
        });
        let mut command = Command::new(program);
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--requirepass", PASSWORD]);
        command.args(["--save", ""]).current_dir(folder.path()).stdout(Stdio::null());
        let foreign = Self { child: command.spawn().unwrap(), port, _held: held, _folder: folder };
        until("it answers", || foreign.open(0).is_ok());
        for database in [0, 2] {
            let mut connection = foreign.open(database).unwrap();
            for key in ["session:s1", "{session:s1}:tomb", "squall:generation:session:"] {
                let _: () = connection.set(key, "mine").unwrap();
            }
        }
        Some(foreign)
    }

    pub(crate) fn url(&self, password: &str, database: u8) -> String {
        let password = password.replace('%', "%25").replace('/', "%2F");
        format!("redis://:{password}@127.0.0.1:{}/{database}", self.port)
    }

    pub(crate) fn open(&self, database: u8) -> redis::RedisResult<redis::Connection> {
        redis::Client::open(self.url(PASSWORD, database))?.get_connection()
    }

    /// Every key of a database, in order.
    pub(crate) fn keys(&self, database: u8) -> Vec<String> {
        let mut keys: Vec<String> = self.open(database).unwrap().keys("*").unwrap();
        keys.sort();
        keys
    }

    /// Nothing but what was there before is there, and that is as it was.
    pub(crate) fn assert_untouched(&mut self) {
        assert!(self.child.try_wait().unwrap().is_none(), "it runs");
        for database in [0, 2] {
            assert_eq!(
                self.keys(database),
                ["session:s1", "squall:generation:session:", "{session:s1}:tomb"],
                "database {database}"
            );
            let mut connection = self.open(database).unwrap();
            assert_eq!(connection.get::<_, String>("session:s1").unwrap(), "mine");
        }
        let changed: String = redis::cmd("CONFIG")
            .arg("GET")
            .arg("save")
            .query::<(String, String)>(&mut self.open(0).unwrap())
            .unwrap()
            .1;
        assert_eq!(changed, "", "its configuration is as it was");
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
