//! Sentinels that an address names.

use squall_client::{CallError, Clock, Endpoint, Profile, TlsOptions};

use crate::pki::{Pki, Validity};
use crate::redis::{Redis, free_port, fresh, quick, told};
use crate::watcher::{Watcher, goes_through, patient, why_unknown};

#[tokio::test]
async fn a_variable_names_sentinels_and_its_login_and_database_are_those_of_the_primary() {
    let Some(primary) = Redis::start().await else { return };
    // It stays logged in.
    let mut side = primary.side().await;
    let set: Result<(), _> =
        ::redis::cmd("CONFIG").arg(&["SET", "requirepass", "p@ss"]).query_async(&mut side).await;
    set.expect("it can be set");
    let watcher = Watcher::start(primary.port, 1).ready().await;
    let url =
        format!("redis-sentinel://:p%40ss@127.0.0.1:{},127.0.0.1:{}/sessions/3", watcher.port, free_port());
    for (profile, variable) in [(Profile::Chatbot, "REDIS_URL"), (Profile::Websocket, "CHANNEL_REDIS_URL")] {
        let variables = |name: &str| (name == variable).then(|| url.clone());
        let configured =
            profile.configured(variables, &TlsOptions::default()).expect("every variable is heeded");
        let told = told(configured.endpoint, 1, &quick(), Clock::system());
        goes_through(&told).await;
    }
    let mut asked = ::redis::pipe();
    asked.cmd("SELECT").arg(3).ignore().cmd("EXISTS").arg("session:s");
    let (there,): (bool,) = asked.query_async(&mut side).await.expect("it is asked");
    assert!(there);
}

#[tokio::test]
async fn sentinels_and_primary_are_both_spoken_to_by_tls() {
    let (pki, tls_port, port) = (Pki::new(), free_port(), free_port());
    pki.issue("server", Validity::Valid);
    let tls = [
        ("tls-cert-file", pki.certificate("server")),
        ("tls-key-file", pki.key("server")),
        ("tls-ca-cert-file", pki.certificate("ca")),
        ("tls-auth-clients", "no".to_owned()),
    ];
    let options = tls.iter().flat_map(|(name, value)| [format!("--{name}"), value.clone()]);
    let options = options.chain(["--tls-port".to_owned(), tls_port.to_string()]).collect();
    let Some(primary) = Redis::start_with(options).await else { return };
    let lines: String = tls.iter().map(|(name, value)| format!("{name} {value}\n")).collect();
    let lines = format!("{lines}port 0\ntls-port {port}\ntls-replication yes\n");
    let _watcher = Watcher::start_with(port, tls_port, 1, &lines);
    let settings = patient();
    let client = |scheme: &str, options: &TlsOptions| {
        let url = format!("{scheme}://127.0.0.1:{port}/sessions");
        let endpoint = Endpoint::parse(&url, &settings.keepalive, options).expect("an address");
        told(endpoint, 1, &settings, Clock::system())
    };
    let trusting = TlsOptions { ca_file: Some(pki.certificate("ca").into()), ..TlsOptions::default() };
    let secure = client("rediss-sentinel", &trusting);
    goes_through(&secure).await;
    assert_eq!(fresh(&primary, "s").await.as_deref(), Some("1"));
    // Whom it does not trust it does not ask.
    let others = Pki::new();
    let stranger = TlsOptions { ca_file: Some(others.certificate("ca").into()), ..TlsOptions::default() };
    let because = why_unknown(&client("rediss-sentinel", &stranger)).await;
    assert!(matches!(&because, CallError::Tls(why) if why.contains("certificate")), "{because}");
    let because = why_unknown(&client("redis-sentinel", &trusting)).await;
    assert!(because.to_string().contains("needs rediss://"), "{because}");
}
