//! As whom, and how, the nodes of a cluster are spoken to: the same for those that are asked and those that hold the keys.

use squall_client::error::Blame;
use squall_client::settings::KeepaliveSettings;
use squall_client::{CallError, Endpoint, Force, ServedBy, TlsOptions};

use crate::pki::{Pki, Validity};
use crate::redis::{MINUTE, Redis, create, eventually, free_port};
use crate::stage::{alone, alone_with, client, why};

/// A node that takes every key.
async fn whole() -> Option<Redis> {
    let node = alone().await?;
    takes_keys(&node).await;
    Some(node)
}

async fn takes_keys(node: &Redis) {
    node.ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).await;
    // One that has just started refuses every key for two seconds.
    eventually("it takes keys", || async {
        node.ask::<String>(&["CLUSTER", "INFO"]).await.contains("cluster_state:ok")
    })
    .await;
}

fn parsed(url: &str) -> Endpoint {
    Endpoint::parse(url, &KeepaliveSettings::default(), &TlsOptions::default()).expect("an address")
}

#[tokio::test]
async fn an_address_names_the_nodes_and_the_login_for_all_of_them() {
    let Some(node) = whole().await else { return };
    let (port, mut side) = (node.port, node.side().await);
    ::redis::cmd("CONFIG")
        .arg(&["SET", "requirepass", "open"])
        .exec_async(&mut side)
        .await
        .expect("a password");
    let wrong = client(parsed(&format!("redis-cluster://:wrong@127.0.0.1:{port}")));
    assert_eq!(create(&wrong, "a", "1", MINUTE).await, ServedBy::Local);
    wrong.client.force_breaker(Force::Closed);
    assert_eq!(why(&wrong).await, CallError::Auth("WRONGPASS".to_owned()));
    let right = client(parsed(&format!("redis-cluster://:open@127.0.0.1:{},127.0.0.1:{port}", free_port())));
    assert_eq!(create(&right, "a", "2", MINUTE).await, ServedBy::Redis);
}

#[tokio::test]
async fn a_user_needs_no_more_of_a_cluster_than_to_ask_where_its_keys_are() {
    let Some(node) = whole().await else { return };
    let told = client(parsed(&format!("redis-cluster://some:pw@127.0.0.1:{}", node.port)));
    node.ask::<()>(&["ACL", "SETUSER", "some", "on", ">pw", "~*", "+@all", "-cluster"]).await;
    assert_eq!(create(&told, "a", "1", MINUTE).await, ServedBy::Local);
    told.client.force_breaker(Force::Closed);
    let because = why(&told).await;
    assert!(
        matches!(&because, CallError::Auth(why) if why.contains("give it +cluster|keyslot and +cluster|slots")),
        "{because}"
    );
    assert_eq!(because.blame(), Blame::Redis);
    node.ask::<()>(&["ACL", "SETUSER", "some", "+cluster|keyslot", "+cluster|slots"]).await;
    told.clean().await;
    assert_eq!(create(&told, "b", "1", MINUTE).await, ServedBy::Redis);
}

#[tokio::test]
async fn nodes_are_spoken_to_by_tls_when_they_are_asked_and_when_they_hold_the_keys() {
    let (pki, port) = (Pki::new(), free_port());
    pki.issue("server", Validity::Valid);
    let options = [
        ("--tls-port", port.to_string()),
        ("--tls-cluster", "yes".to_owned()),
        ("--tls-cert-file", pki.certificate("server")),
        ("--tls-key-file", pki.key("server")),
        ("--tls-ca-cert-file", pki.certificate("ca")),
        ("--tls-auth-clients", "no".to_owned()),
    ];
    let Some(node) = alone_with(options.map(|(name, value)| [name.to_owned(), value]).concat()).await else {
        return;
    };
    takes_keys(&node).await;
    let at = |url: String, pki: &Pki| {
        let tls = TlsOptions { ca_file: Some(pki.certificate("ca").into()), ..TlsOptions::default() };
        client(Endpoint::parse(&url, &KeepaliveSettings::default(), &tls).expect("an address"))
    };
    let secure = at(format!("rediss-cluster://localhost:{port}"), &pki);
    assert_eq!(create(&secure, "a", "1", MINUTE).await, ServedBy::Redis);
    let stranger = at(format!("rediss-cluster://localhost:{port}"), &Pki::new());
    let because = why(&stranger).await;
    assert!(matches!(&because, CallError::Tls(why) if why.contains("certificate")), "{because}");
    let plain = at(format!("redis-cluster://localhost:{port}"), &pki);
    let because = why(&plain).await;
    assert!(because.to_string().contains("needs rediss://"), "{because}");
}
