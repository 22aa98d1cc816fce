//! A connection that is bound to the certificate that was judged, also where a server presents it as a chain.
//!
//! The stack reads one certificate and refuses bytes behind it, but a server may send its issuers along: in the
//! endpoint, in the answer that opens the channel, and in the answer that creates the session. Our own rules judge
//! the whole; the stack gets the leaf, and this module stands between it and the socket:
//!
//! - `reader` sees each chunk's kind and length, and keeps back only those that open or renew the channel;
//! - `opn` proves that such a chunk was signed by the leaf's key. A signature covers the chain in its header, so the
//!   chain cannot simply be cut away: the content is signed anew in our own name, which satisfies the stack because
//!   it verifies with whatever certificate the header carries;
//! - `connector` compares the certificate of the created session, which without a secure channel nobody else does,
//!   although the password is encrypted with it.

mod connector;
mod opn;
mod reader;

pub(crate) use connector::Guard;

use std::sync::OnceLock;

/// The certificate that was judged, with the issuers that the server sent behind it, if any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Judged {
    presented: Vec<u8>,
    leaf: Vec<u8>,
    /// Where each certificate ends, and the whole.
    ends: Vec<usize>,
}

impl Judged {
    /// `certificates` are those of `presented`, the leaf first.
    pub(crate) fn new(presented: &[u8], certificates: &[Vec<u8>]) -> Self {
        let mut ends: Vec<usize> = certificates
            .iter()
            .scan(0, |end, certificate| {
                *end += certificate.len();
                Some(*end)
            })
            .collect();
        ends.push(presented.len());
        let leaf = certificates.first().cloned().unwrap_or_default();
        Self { presented: presented.to_vec(), leaf, ends }
    }

    /// Whether there are issuers behind the leaf.
    pub(crate) fn is_chain(&self) -> bool {
        self.leaf != self.presented
    }

    pub(crate) fn leaf(&self) -> &[u8] {
        &self.leaf
    }

    /// Whether this is what was judged. Where room is short, a sender leaves issuers out from the end, certificate by
    /// certificate (OPC 10000-6 v1.05, 6.7.2.3); those that stay were judged all the same.
    fn covers(&self, sent: &[u8]) -> bool {
        self.presented.starts_with(sent) && self.ends.contains(&sent.len())
    }
}

/// Why a connection is not that of the judged certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the channel was opened with another certificate")]
    ChannelCertificate,
    #[error("the session was created with another certificate")]
    SessionCertificate,
    #[error("the channel was opened with another security policy")]
    Policy,
    #[error("what opens the channel is not signed with the key of the certificate")]
    Signature,
    #[error("what opens the channel is not encrypted for us")]
    Encryption,
    #[error("what opens the channel cannot be read")]
    Malformed,
    #[error("what opens the channel is larger than was agreed")]
    TooLarge,
}

/// Where the fault is kept that ended a connection: the stack passes on a status alone.
#[derive(Debug)]
struct Verdict {
    endpoint: String,
    fault: OnceLock<Fault>,
}

impl Verdict {
    fn new(endpoint: &str) -> Self {
        Self { endpoint: endpoint.to_owned(), fault: OnceLock::new() }
    }

    /// The first fault counts.
    fn tell(&self, fault: Fault) {
        if self.fault.set(fault).is_ok() {
            tracing::warn!(endpoint = self.endpoint, %fault, "this is not the connection of the judged certificate");
        }
    }
}
