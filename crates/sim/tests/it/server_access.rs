//! Who gets in, over which policy, and what starting and stopping leave behind.

use crate::peer::{Peer, server};
use gemba_base::{Secret, Tasks};
use gemba_ua::server::{AddressSpaceBuilder, EndpointSecurity, Server, ServerOptions, User};

async fn attempt(url: &str, policy: &str, login: Option<(&str, &str)>) -> String {
    match Peer::try_connect(url, policy, login).await {
        Ok(peer) => {
            let status = peer.value(1).await.status().to_string();
            peer.close().await;
            status
        }
        Err(error) => error.status().to_string(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_known_users_with_their_password_get_in() {
    let (server, _, _folder) = server(1, |options| {
        options.anonymous = false;
        options.security = vec![EndpointSecurity::None, EndpointSecurity::Basic256Sha256SignAndEncrypt];
        options.users = vec![User { name: "operator".to_owned(), password: Secret::new("right") }];
    })
    .await;
    let url = server.endpoint_url();
    for policy in ["None", "Basic256Sha256"] {
        assert_eq!(attempt(url, policy, Some(("operator", "right"))).await, "Good", "{policy}");
        assert_eq!(
            attempt(url, policy, Some(("operator", "wrong"))).await,
            "BadUserAccessDenied",
            "{policy}"
        );
        assert_eq!(attempt(url, policy, Some(("nobody", "right"))).await, "BadUserAccessDenied", "{policy}");
        assert_ne!(attempt(url, policy, None).await, "Good", "{policy}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_and_encrypted_endpoint_works_and_keeps_its_certificate() {
    let (server, _, folder) = server(1, |options| {
        options.security =
            vec![EndpointSecurity::Basic256Sha256Sign, EndpointSecurity::Basic256Sha256SignAndEncrypt];
    })
    .await;
    assert_eq!(attempt(server.endpoint_url(), "Basic256Sha256", None).await, "Good");
    server.stop().await;
    let certificate = std::fs::read(folder.0.join("own/cert.der")).unwrap();
    let key = std::fs::metadata(folder.0.join("private/private.pem")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&key.permissions()) & 0o777, 0o600);
    let mut options = ServerOptions::new("facts", "urn:gemba:test:facts", &folder.0);
    options.security = vec![EndpointSecurity::Basic256Sha256Sign];
    let space = AddressSpaceBuilder::new("urn:gemba:test:space");
    let again = Server::start(options, space, &Tasks::new("test")).await.unwrap();
    assert_eq!(std::fs::read(folder.0.join("own/cert.der")).unwrap(), certificate);
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_closes_its_connections_and_frees_its_port() {
    let (first, _, _folder) = server(1, |_| {}).await;
    let peer = Peer::connect(first.endpoint_url()).await;
    let address = format!("127.0.0.1:{}", first.port()).parse().unwrap();
    first.stop().await;
    peer.closed().await;
    let (second, _, _other) = server(1, |options| options.listen = address).await;
    assert_eq!(second.endpoint_url(), first.endpoint_url());
    assert_eq!(attempt(second.endpoint_url(), "None", None).await, "Good");
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_and_a_clash_of_namespaces_are_named() {
    let (server, _, folder) = server(1, |_| {}).await;
    let start = async |port: u16, namespace: &str| {
        let mut options = ServerOptions::new("facts", "urn:gemba:test:facts", &folder.0);
        options.listen.set_port(port);
        let space = AddressSpaceBuilder::new(namespace);
        Server::start(options, space, &Tasks::new("test")).await.unwrap_err().code().to_string()
    };
    assert_eq!(start(server.port(), "urn:gemba:test:space").await, "GMB-UA-101");
    assert_eq!(start(0, "urn:gemba:test:facts").await, "GMB-UA-104");
    server.stop().await;
}
