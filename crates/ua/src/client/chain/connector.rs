//! Between the stack and the socket.

use super::opn::{Opening, Own};
use super::reader::Reader;
use super::{Fault, Judged, Verdict};
use crate::client::error::UaError;
use crate::client::options::{SecurityPolicy, SessionOptions};
use opcua::client::ConnectionSource;
use opcua::client::transport::{
    Connector, OutgoingMessage, RequestRecv, SecureChannelState, StreamConnection, StreamConnector,
    StreamTransport, TransportConfiguration,
};
use opcua::core::comms::tcp_codec::TcpCodec;
use opcua::core::{RequestMessage, ResponseMessage};
use opcua::crypto::{PrivateKey, X509};
use opcua::types as stack;
use std::io;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio_util::codec::FramedRead;

/// Requests on their way; what is more waits before the stack's own queue.
const REQUESTS: usize = 16;

/// Dials a server, and ends the connection when it turns out to be that of another certificate than the judged one.
#[derive(Clone)]
pub(crate) struct Guard {
    inner: Arc<Inner>,
}

struct Inner {
    judged: Judged,
    /// Absent without a secure channel: then nothing proves a certificate but the session's password.
    opening: Option<Arc<Opening>>,
    url: String,
    host: String,
    port: u16,
    verdict: Arc<Verdict>,
}

impl Guard {
    /// For a connection under `policy` to the server of `options`.
    ///
    /// # Errors
    /// [`UaError::Folder`] when our own key cannot be read, [`UaError::Protocol`] when the leaf has no RSA key.
    pub(crate) fn new(
        judged: Judged,
        policy: SecurityPolicy,
        options: &SessionOptions,
    ) -> Result<Self, UaError> {
        let opening = match policy {
            SecurityPolicy::None => None,
            _ => Some(Arc::new(opening(judged.clone(), policy, options)?)),
        };
        let inner = Inner {
            judged,
            opening,
            url: options.endpoint_url.clone(),
            host: options.host().to_owned(),
            port: options.port(),
            verdict: Arc::new(Verdict::new(&options.endpoint_url)),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The certificate that the stack is to know.
    pub(crate) fn leaf(&self) -> &[u8] {
        self.inner.judged.leaf()
    }

    /// Why the connection was ended from here.
    pub(crate) fn fault(&self) -> Option<Fault> {
        self.inner.verdict.fault.get().copied()
    }

    async fn dial(&self, codec: TcpCodec, largest: usize) -> Result<Connection, stack::Error> {
        let socket = TcpStream::connect((self.inner.host.as_str(), self.inner.port)).await;
        let socket =
            socket.map_err(|error| stack::Error::new(stack::StatusCode::BadCommunicationError, error))?;
        let (reading, writing) = socket.into_split();
        let opening = self.inner.opening.clone();
        let reader = Reader::new(reading, opening, Arc::clone(&self.inner.verdict), largest);
        Ok(StreamConnection::new(FramedRead::new(reader, codec), writing, self.inner.url.clone()))
    }

    /// Hands requests on until either side is gone; the answer that creates the session goes through [`settle`].
    async fn forward(self, mut requests: RequestRecv, stack: mpsc::Sender<OutgoingMessage>) {
        loop {
            let request = tokio::select! {
                request = requests.recv() => request,
                () = stack.closed() => None,
            };
            let Some(mut request) = request else { return };
            if matches!(request.request, RequestMessage::CreateSession(_)) {
                request.callback = request.callback.map(|callback| self.intercept(callback));
            }
            if stack.send(request).await.is_err() {
                return;
            }
        }
    }

    fn intercept(&self, callback: Callback) -> Callback {
        let (sender, answer) = oneshot::channel::<Result<ResponseMessage, stack::Error>>();
        let guard = self.clone();
        // Ends with the answer, at the latest when the stack drops the request at its deadline.
        tokio::spawn(async move {
            if let Ok(answer) = answer.await {
                // Whoever asked may have given up.
                callback.send(answer.and_then(|answer| guard.check(answer))).ok();
            }
        });
        sender
    }

    fn check(&self, mut answer: ResponseMessage) -> Result<ResponseMessage, stack::Error> {
        if let ResponseMessage::CreateSession(created) = &mut answer
            && created.response_header.service_result.is_good()
        {
            let secured = self.inner.opening.is_some();
            settle(&self.inner.judged, secured, &mut created.server_certificate).map_err(|fault| {
                self.inner.verdict.tell(fault);
                stack::Error::new(stack::StatusCode::BadCertificateInvalid, fault)
            })?;
        }
        Ok(answer)
    }
}

type Callback = oneshot::Sender<Result<ResponseMessage, stack::Error>>;
type Connection = StreamConnection<Reader<OwnedReadHalf>, OwnedWriteHalf>;

fn opening(judged: Judged, policy: SecurityPolicy, options: &SessionOptions) -> Result<Opening, UaError> {
    let protocol = |_: stack::Error| UaError::Protocol {
        endpoint: options.endpoint_url.clone(),
        reason: "its certificate has no RSA key".to_owned(),
    };
    let leaf = X509::from_byte_string(&judged.leaf().into()).and_then(|leaf| leaf.public_key());
    let leaf = leaf.map_err(protocol)?;
    let own = options.trust.own();
    let file = own.private_key_file();
    let key = PrivateKey::read_pem_file(file).map_err(|_| UaError::Folder {
        path: file.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidData, "it is no RSA key in PEM"),
    })?;
    Ok(Opening::new(judged, leaf, policy.uri(), Own::new(own.der().to_vec(), key)))
}

/// Puts the leaf where the judged certificate stands, so that the stack knows it. Without a secure channel a server
/// may leave it out (OPC 10000-4 v1.05, 5.7.2); the judged one is used then.
fn settle(judged: &Judged, secured: bool, sent: &mut stack::ByteString) -> Result<(), Fault> {
    let left_out = !secured && sent.is_null_or_empty();
    if !left_out && !judged.covers(sent.as_ref()) {
        return Err(Fault::SessionCertificate);
    }
    *sent = judged.leaf().into();
    Ok(())
}

impl ConnectionSource for Guard {
    type Builder = Self;

    fn get_connector(&self, _: &stack::EndpointDescription) -> Result<Self, stack::Error> {
        Ok(self.clone())
    }
}

impl Connector for Guard {
    type Transport = StreamTransport<Reader<OwnedReadHalf>, OwnedWriteHalf>;

    async fn connect(
        &self,
        channel: Arc<SecureChannelState>,
        requests: RequestRecv,
        config: TransportConfiguration,
    ) -> Result<Self::Transport, stack::Error> {
        let largest = config.recv_buffer_size;
        let connector = StreamConnector::new(
            |_: String, options: stack::DecodingOptions| self.dial(TcpCodec::new(options), largest),
            self.inner.url.clone(),
        );
        let (sender, receiver) = mpsc::channel(REQUESTS);
        let transport = connector.connect(channel, receiver, config).await?;
        tokio::spawn(self.clone().forward(requests, sender));
        Ok(transport)
    }

    fn default_endpoint(&self) -> stack::EndpointDescription {
        self.inner.url.as_str().into()
    }
}

#[cfg(test)]
mod tests;
