//! How a client gets in: TLS, certificates, users and passwords, with a real redis-server.

#[expect(dead_code, reason = "each test file uses its part")]
mod redis;

mod pki;

use pki::{Pki, Validity};
use redis::{MINUTE, Redis, Told, create, eventually, free_port, fresh, quick, read, told};
use squall_client::settings::KeepaliveSettings;
use squall_client::{CallError, Clock, Endpoint, EndpointError, Lookup, ServedBy, TlsOptions};

/// A redis-server that speaks TLS at one port, and plainly at another.
struct Secure {
    redis: Redis,
    port: u16,
    pki: Pki,
}

impl Secure {
    async fn start(clients_need_certificates: bool) -> Option<Self> {
        let (pki, port) = (Pki::new(), free_port());
        pki.issue("server", Validity::Valid);
        pki.issue("client", Validity::Valid);
        let auth = if clients_need_certificates { "yes" } else { "no" };
        let options = [
            ("--tls-port", port.to_string()),
            ("--tls-cert-file", pki.certificate("server")),
            ("--tls-key-file", pki.key("server")),
            ("--tls-ca-cert-file", pki.certificate("ca")),
            ("--tls-auth-clients", auth.to_owned()),
        ];
        let options = options.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect();
        Some(Self { redis: Redis::start_with(options).await?, port, pki })
    }

    fn url(&self) -> String {
        format!("rediss://localhost:{}", self.port)
    }

    fn trusting(&self) -> TlsOptions {
        TlsOptions { ca_file: Some(self.pki.certificate("ca").into()), ..TlsOptions::default() }
    }
}

fn client(url: &str, tls: &TlsOptions) -> Told {
    let mut settings = quick();
    // A handshake takes two trips and some arithmetic.
    settings.connect_timeout = std::time::Duration::from_secs(2);
    settings.deadline = std::time::Duration::from_secs(4);
    let endpoint = Endpoint::parse(url, &KeepaliveSettings::default(), tls).expect("an address");
    told(endpoint, 1, &settings, Clock::system())
}

/// Why a session that nobody has seen is unknown.
async fn why_unknown(told: &Told) -> CallError {
    match told.client.get("unseen").await {
        Ok(Lookup::Unknown { because }) => because,
        other => panic!("it should be unknown: {other:?}"),
    }
}

async fn goes_through(told: &Told) {
    eventually("redis is reached", || async {
        told.client
            .create("s", redis::value("x"), MINUTE)
            .await
            .is_ok_and(|ack| ack.served_by == ServedBy::Redis)
    })
    .await;
}

#[tokio::test]
async fn sessions_travel_by_tls() {
    let Some(secure) = Secure::start(false).await else { return };
    let a = client(&secure.url(), &secure.trusting());
    assert_eq!(create(&a, "s", "x", MINUTE).await, ServedBy::Redis);
    assert_eq!(fresh(&secure.redis, "s").await.as_deref(), Some("x"));
}

#[tokio::test]
async fn a_server_that_is_not_trusted_is_not_spoken_to() {
    let Some(secure) = Secure::start(false).await else { return };
    let other = Pki::new();
    let stranger = TlsOptions { ca_file: Some(other.certificate("ca").into()), ..TlsOptions::default() };
    let misnamed = TlsOptions { server_name: Some("example.org".to_owned()), ..secure.trusting() };
    for (options, why) in [(stranger, "UnknownIssuer"), (misnamed, "not valid for name")] {
        let a = client(&secure.url(), &options);
        let because = why_unknown(&a).await;
        assert!(matches!(&because, CallError::Tls(text) if text.contains(why)), "{because:?}");
        assert!(because.definite() && !because.transient());
        assert_eq!(create(&a, "s", "x", MINUTE).await, ServedBy::Local);
        assert_eq!(read(&a, "s").await.as_deref(), Some("x"));
    }
}

#[tokio::test]
async fn an_expired_certificate_is_an_outage_that_heals_once_it_is_renewed() {
    let Some(secure) = Secure::start(false).await else { return };
    let install = async |name: &str| {
        let (certificate, key) = (secure.pki.certificate(name), secure.pki.key(name));
        let words = ["CONFIG", "SET", "tls-cert-file", &certificate, "tls-key-file", &key];
        secure.redis.ask::<()>(&words).await;
    };
    secure.pki.issue("expired", Validity::Expired);
    install("expired").await;
    let a = client(&secure.url(), &secure.trusting());
    let because = why_unknown(&a).await;
    assert!(matches!(&because, CallError::Tls(text) if text.contains("xpired")), "{because:?}");
    assert_eq!(create(&a, "s", "x", MINUTE).await, ServedBy::Local);
    install("server").await;
    a.clean().await;
    assert_eq!(fresh(&secure.redis, "s").await.as_deref(), Some("x"));
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_gets_it() {
    let Some(secure) = Secure::start(true).await else { return };
    let without = client(&secure.url(), &secure.trusting());
    let because = why_unknown(&without).await;
    assert!(matches!(because, CallError::Tls(_)), "{because:?}");
    let options = TlsOptions {
        certificate_file: Some(secure.pki.certificate("client").into()),
        key_file: Some(secure.pki.key("client").into()),
        ..secure.trusting()
    };
    let a = client(&secure.url(), &options);
    assert_eq!(create(&a, "s", "x", MINUTE).await, ServedBy::Redis);
}

#[tokio::test]
async fn tls_at_a_plain_port_and_the_other_way_round_are_told_apart_from_an_outage() {
    let Some(secure) = Secure::start(false).await else { return };
    let a = client(&format!("rediss://localhost:{}", secure.redis.port), &secure.trusting());
    let because = why_unknown(&a).await;
    assert!(
        matches!(&because, CallError::Connect(text) if text.contains("does not speak TLS")),
        "{because:?}"
    );
    let b = client(&format!("redis://localhost:{}", secure.port), &TlsOptions::default());
    let because = why_unknown(&b).await;
    assert!(matches!(&because, CallError::Connect(text) if text.contains("rediss://")), "{because:?}");
}

#[tokio::test]
async fn files_that_are_of_no_use_are_told_at_the_start() {
    let pki = Pki::new();
    pki.issue("client", Validity::Valid);
    let (certificate, key) = (Some(pki.certificate("client").into()), Some(pki.key("client").into()));
    let error = |options: TlsOptions| {
        let parsed = Endpoint::parse("rediss://localhost", &KeepaliveSettings::default(), &options);
        parsed.unwrap_err().to_string()
    };
    let options = || TlsOptions { ca_file: Some(pki.certificate("ca").into()), ..TlsOptions::default() };
    assert!(
        error(TlsOptions { certificate_file: certificate.clone(), ..options() }).contains("needs its key")
    );
    let swapped = TlsOptions { certificate_file: key.clone(), key_file: certificate, ..options() };
    assert!(error(swapped).contains("no certificate in it"));
    let missing = TlsOptions { ca_file: Some("/nowhere/ca.pem".into()), ..options() };
    assert!(error(missing).contains("/nowhere/ca.pem"));
    let misnamed = TlsOptions { server_name: Some("a b".to_owned()), ..options() };
    assert!(error(misnamed).contains("\"a b\""));
    let refused = Endpoint::parse("redis://localhost/16", &KeepaliveSettings::default(), &options());
    assert!(matches!(refused, Err(EndpointError::Database(_))));
}

#[tokio::test]
async fn a_password_is_changed_while_the_client_runs() {
    let Some(redis) = Redis::start().await else { return };
    let user = async |rules: &[&str]| {
        let words = ["ACL", "SETUSER", "app"].iter().chain(rules).copied().collect::<Vec<_>>();
        redis.ask::<()>(&words).await;
    };
    user(&["on", ">old", "~session:*", "~{session:*", "+@all"]).await;
    let url = format!("redis://app:old@127.0.0.1:{}", redis.port);
    let endpoint = Endpoint::parse(&url, &KeepaliveSettings::default(), &TlsOptions::default()).unwrap();
    let credentials = endpoint.credentials.clone();
    let a = told(endpoint, 1, &quick(), Clock::system());
    assert_eq!(create(&a, "s", "before", MINUTE).await, ServedBy::Redis);
    user(&["resetpass", ">new"]).await;
    redis.ask::<()>(&["CLIENT", "KILL", "USER", "app"]).await;
    eventually("the old password is refused", || async {
        matches!(why_unknown_if(&a).await, Some(CallError::Auth(code)) if code == "WRONGPASS")
    })
    .await;
    assert_eq!(create(&a, "s", "between", MINUTE).await, ServedBy::Local);
    credentials.replace(Some("app".to_owned()), Some("new".to_owned()));
    a.clean().await;
    assert_eq!(fresh(&redis, "s").await.as_deref(), Some("between"));
    goes_through(&a).await;
}

async fn why_unknown_if(told: &Told) -> Option<CallError> {
    match told.client.get("unseen").await {
        Ok(Lookup::Unknown { because }) => Some(because),
        _ => None,
    }
}

#[tokio::test]
async fn a_database_of_its_own_keeps_tenants_apart() {
    let Some(redis) = Redis::start().await else { return };
    let at = |database: u8, writer| {
        let url = format!("redis://127.0.0.1:{}/{database}", redis.port);
        let endpoint = Endpoint::parse(&url, &KeepaliveSettings::default(), &TlsOptions::default()).unwrap();
        told(endpoint, writer, &quick(), Clock::system())
    };
    let (a, b) = (at(3, 1), at(4, 2));
    create(&a, "s", "in three", MINUTE).await;
    assert_eq!(read(&b, "s").await, None);
    // A connection that is opened again is in the same database.
    redis.ask::<()>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
    goes_through(&a).await;
    assert_eq!(fresh(&redis, "s").await, None, "nothing lands in database 0");
}
