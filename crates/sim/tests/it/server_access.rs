//! Who gets in, over which policy, and what starting and stopping leave behind.

use crate::peer::{PATIENCE, Peer, server};
use gemba_base::{Secret, Tasks};
use gemba_ua::server::{AddressSpaceBuilder, EndpointSecurity, Server, ServerOptions, User, UserCertificate};
use opcua::client::IdentityToken;
use opcua::crypto::{PrivateKey, X509, X509Data};

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
async fn a_user_comes_in_with_a_certificate_that_is_known() {
    let data = X509Data::sample_cert();
    let (known, key) = X509::cert_and_pkey(&data).unwrap();
    let (stranger, strange_key) = X509::cert_and_pkey(&data).unwrap();
    let der = known.to_der().unwrap();
    let (server, _, _folder) = server(1, |options| {
        options.anonymous = false;
        options.security = EndpointSecurity::ALL.to_vec();
        options.user_certificates = vec![UserCertificate { name: "operator".to_owned(), der }];
    })
    .await;
    let url = server.endpoint_url();
    for policy in ["Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"] {
        let token =
            |certificate: &X509, key: &PrivateKey| IdentityToken::new_x509(certificate.clone(), key.clone());
        let attempt = async |token| match Peer::try_connect_as(url, policy, token).await {
            Ok(peer) => peer.value(1).await.status().to_string(),
            Err(error) => error.status().to_string(),
        };
        assert_eq!(attempt(token(&known, &key)).await, "Good", "{policy}");
        assert_eq!(attempt(token(&stranger, &strange_key)).await, "BadUserAccessDenied", "{policy}");
        assert_eq!(attempt(token(&known, &strange_key)).await, "BadUserSignatureInvalid", "{policy}");
    }
    server.stop().await;
}

/// A frame: three letters, the kind of chunk, the length, and the rest.
fn frame(kind: &[u8; 4], length: Option<u32>, rest: &[u8]) -> Vec<u8> {
    let length = length.unwrap_or(8 + rest.len() as u32);
    [kind.as_slice(), &length.to_le_bytes(), rest].concat()
}

fn hello() -> Vec<u8> {
    let mut rest = Vec::new();
    for number in [0_u32, 65_535, 65_535, 0, 0, u32::MAX] {
        rest.extend_from_slice(&number.to_le_bytes());
    }
    frame(b"HELF", None, &rest)
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_ends_its_own_connection_and_no_other() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (server, _, _folder) = server(1, |options| {
        options.security = EndpointSecurity::ALL.to_vec();
    })
    .await;
    let peer = Peer::connect(server.endpoint_url()).await;
    let secured = "http://opcfoundation.org/UA/SecurityPolicy#Basic256Sha256";
    let mut open = vec![0; 4];
    open.extend_from_slice(&(secured.len() as u32).to_le_bytes());
    open.extend_from_slice(secured.as_bytes());
    let no_certificate = [open.as_slice(), &[0xFF; 8], &[7; 64]].concat();
    let certificate = [open.as_slice(), &3_u32.to_le_bytes(), &[1, 2, 3], &[0xFF; 4], &[7; 256]].concat();
    let cases: Vec<Vec<u8>> = vec![
        b"GET / HTTP/1.1\r\nHost: plant\r\n\r\n".to_vec(),
        vec![0; 1000],
        frame(b"HELF", Some(u32::MAX), &[0; 100]),
        frame(b"HELF", Some(3), &[0; 100]),
        frame(b"HELF", None, &[0; 24]),
        [hello(), hello()].concat(),
        [hello(), frame(b"MSGF", None, &[0; 4])].concat(),
        [hello(), frame(b"MSGF", None, &[0; 20])].concat(),
        [hello(), frame(b"OPNF", None, &[0; 4])].concat(),
        [hello(), frame(b"OPNF", None, &no_certificate)].concat(),
        [hello(), frame(b"OPNF", None, &certificate)].concat(),
        [hello(), frame(b"OPNC", None, &[0xFF; 60_000])].concat(),
    ];
    let address = format!("127.0.0.1:{}", server.port());
    for (number, bytes) in cases.into_iter().enumerate() {
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        // The server may have closed before it has taken everything.
        drop(stream.write_all(&bytes).await);
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "case {number} is not ended");
        assert_eq!(peer.value(1).await.status().to_string(), "Good", "after case {number}");
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
