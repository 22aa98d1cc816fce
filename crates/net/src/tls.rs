//! TLS 1.2 and 1.3 on both sides: an acceptor whose certificate is exchanged while it runs, and a connector
//! that trusts exactly the authorities it was given.

use crate::error::{ConnectError, TlsError};
use crate::read_ahead::ReadAhead;
use parking_lot::{Mutex, RwLock};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, ClientConfig, RootCertStore, ServerConfig};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::net::TcpStream;

/// The client's end of a TLS connection.
pub type ClientStream = tokio_rustls::client::TlsStream<TcpStream>;
/// The server's end of a TLS connection.
pub type ServerStream = tokio_rustls::server::TlsStream<ReadAhead<TcpStream>>;

/// Accepts TLS with one certificate, whatever name the client asks for, or none: clients that dial an
/// address send no name. Clones share the certificate.
#[derive(Debug, Clone)]
pub struct Acceptor {
    inner: Inner,
    files: Arc<Files>,
}

#[derive(Clone)]
struct Inner(tokio_rustls::TlsAcceptor);

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsAcceptor")
    }
}

#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
    current: Arc<Current>,
    /// When the files that are served were changed, looked at before they were read: a change between the two
    /// is seen once more, not missed.
    served: Mutex<Changed>,
}

/// Times of change of certificate and key.
type Changed = [Option<SystemTime>; 2];

#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().clone())
    }
}

impl Acceptor {
    /// Takes a certificate chain and its key from PEM files.
    ///
    /// # Errors
    /// [`TlsError::File`] or [`TlsError::Unusable`].
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let served = Mutex::new(changed(certificate, key));
        let current = Arc::new(Current(RwLock::new(Arc::new(load(certificate, key)?))));
        let config = ServerConfig::builder().with_no_client_auth().with_cert_resolver(current.clone());
        Ok(Self {
            inner: Inner(tokio_rustls::TlsAcceptor::from(Arc::new(config))),
            files: Arc::new(Files { certificate: certificate.into(), key: key.into(), current, served }),
        })
    }

    /// Reads the files again. Connections that are open keep what they have; the next handshake sees the new
    /// certificate. On an error the old one stays.
    ///
    /// # Errors
    /// [`TlsError::File`] or [`TlsError::Unusable`].
    pub fn reload(&self) -> Result<(), TlsError> {
        let changed = self.changed();
        let loaded = Arc::new(load(&self.files.certificate, &self.files.key)?);
        *self.files.current.0.write() = loaded;
        *self.files.served.lock() = changed;
        Ok(())
    }

    /// Reloads whenever a file's time of change is another one, looked at each `interval`, until `tasks` stops.
    pub fn watch(&self, interval: Duration, tasks: &gemba_base::Tasks) {
        let (acceptor, stopping) = (self.clone(), tasks.clone());
        tasks.spawn(async move {
            let mut failed = None;
            loop {
                tokio::select! {
                    () = stopping.stopping() => return,
                    () = tokio::time::sleep(interval) => {}
                }
                let now = acceptor.changed();
                if now == *acceptor.files.served.lock() {
                    continue;
                }
                let certificate = acceptor.files.certificate.display();
                match acceptor.reload() {
                    Ok(()) => tracing::info!(%certificate, "server certificate reloaded"),
                    // Both files are not replaced in one instant, so the next look may succeed; it is said once.
                    Err(error) if failed != Some(now) => {
                        failed = Some(now);
                        tracing::warn!(
                            %certificate, code = %error.code(), %error,
                            "server certificate not reloaded, the old one stays"
                        );
                    }
                    Err(_) => {}
                }
            }
        });
    }

    /// Performs the server's handshake. Bound it in time.
    ///
    /// # Errors
    /// As the handshake reports them.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<ServerStream> {
        self.inner.0.accept(ReadAhead::new(stream)).await
    }

    fn changed(&self) -> Changed {
        changed(&self.files.certificate, &self.files.key)
    }
}

fn changed(certificate: &Path, key: &Path) -> Changed {
    [certificate, key].map(|path| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok())
}

fn load(certificate: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let read =
        |path: &Path| std::fs::read(path).map_err(|source| TlsError::File { path: path.to_owned(), source });
    let unusable = |path: &Path, detail: String| TlsError::Unusable { path: path.to_owned(), detail };
    let chain = CertificateDer::pem_slice_iter(&read(certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable(certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(unusable(certificate, "it holds no certificate".into()));
    }
    let private =
        PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|error| unusable(key, error.to_string()))?;
    // from_der also checks that the key belongs to the leaf.
    CertifiedKey::from_der(chain, private, &rustls::crypto::aws_lc_rs::default_provider())
        .map_err(|error| unusable(certificate, error.to_string()))
}

/// Connects with TLS, trusting the given authorities alone. Clones share them.
#[derive(Debug, Clone)]
pub struct Connector {
    config: Arc<ClientConfig>,
}

impl Connector {
    /// Trusts the certificates of a PEM file, such as the `ca.pem` that a hub writes.
    ///
    /// # Errors
    /// [`TlsError::File`] or [`TlsError::NoAuthority`].
    pub fn with_ca_file(path: &Path) -> Result<Self, TlsError> {
        let pem = std::fs::read(path).map_err(|source| TlsError::File { path: path.to_owned(), source })?;
        Self::with_ca_pem(&pem, &path.display().to_string())
    }

    /// Trusts the certificates of a PEM text; `place` says in errors where it came from.
    ///
    /// # Errors
    /// [`TlsError::NoAuthority`].
    pub fn with_ca_pem(pem: &[u8], place: &str) -> Result<Self, TlsError> {
        let none = |detail: String| TlsError::NoAuthority { place: place.to_owned(), detail };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| none(error.to_string()))?;
            roots.add(certificate).map_err(|error| none(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(none("it holds no certificate".into()));
        }
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Ok(Self { config: Arc::new(config) })
    }

    /// Opens a TCP connection and performs the handshake, all within `limit`. The server must prove `host`,
    /// a DNS name or an IP address (IPv6 without brackets).
    ///
    /// # Errors
    /// [`ConnectError`] up to the TLS handshake.
    pub async fn connect(
        &self,
        host: &str,
        port: u16,
        limit: Duration,
    ) -> Result<ClientStream, ConnectError> {
        let target = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| ConnectError::InvalidHost(host.chars().take(253).collect()))?;
        let connecting = async {
            let stream = TcpStream::connect((host, port))
                .await
                .map_err(|source| ConnectError::Tcp { target: target.clone(), source })?;
            stream
                .set_nodelay(true)
                .map_err(|source| ConnectError::Tcp { target: target.clone(), source })?;
            tokio_rustls::TlsConnector::from(self.config.clone())
                .connect(name, stream)
                .await
                .map_err(|error| explain(&target, &error))
        };
        match tokio::time::timeout(limit, connecting).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ConnectError::Timeout { target, seconds: limit.as_secs() }),
        }
    }
}

fn explain(target: &str, error: &io::Error) -> ConnectError {
    let target = target.to_owned();
    let certificate = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).and_then(
        |inner| match inner {
            rustls::Error::InvalidCertificate(certificate) => Some(certificate),
            _ => None,
        },
    );
    match certificate {
        Some(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            ConnectError::UntrustedIssuer { target }
        }
        Some(
            wrong @ (CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }),
        ) => ConnectError::WrongName { target, detail: wrong.to_string() },
        Some(
            time @ (CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. }),
        ) => ConnectError::OutsideValidity { target, detail: time.to_string() },
        _ => ConnectError::Tls { target, detail: error.to_string() },
    }
}
