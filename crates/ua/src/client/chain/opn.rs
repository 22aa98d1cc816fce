//! OpenSecureChannel chunks: what they prove, and the same content signed in our own name.
//!
//! ```text
//! "OPN" final:u8 size:u32 channel:u32 policy:String sender:ByteString thumbprint:ByteString   clear
//! sequence:u32 request:u32 body padding [extra padding] signature                             encrypted
//! ```
//!
//! OPC 10000-6 v1.05, 6.7.2: the signature covers everything before it, and is made before the encryption. Both are
//! there in the modes Sign and SignAndEncrypt alike.

use super::{Fault, Judged};
use opcua::crypto::{KeySize, PrivateKey, PublicKey, SecurityPolicy};

/// Kind, size, and the channel's id.
const HEADER: usize = 12;
/// Sequence number and request id.
const SEQUENCE: usize = 8;
/// Keys above this many bytes need a second byte for the length of the padding.
const SHORT_KEY: usize = 256;

/// Our own certificate and key.
pub(super) struct Own {
    certificate: Vec<u8>,
    key: PrivateKey,
    public: PublicKey,
}

impl Own {
    pub(super) fn new(certificate: Vec<u8>, key: PrivateKey) -> Self {
        let public = key.to_public_key();
        Self { certificate, key, public }
    }
}

/// What opens the channels of one connection.
pub(super) struct Opening {
    judged: Judged,
    /// The key of the judged leaf.
    leaf: PublicKey,
    policy: SecurityPolicy,
    uri: &'static str,
    own: Own,
}

impl Opening {
    pub(super) fn new(judged: Judged, leaf: PublicKey, uri: &'static str, own: Own) -> Self {
        Self { judged, leaf, policy: SecurityPolicy::from_uri(uri), uri, own }
    }

    /// Takes a whole chunk. `None`: the stack can read it as it is, with the judged leaf in it. Otherwise a chunk
    /// with the same content in our own name, given only when the judged certificate's key signed this one.
    pub(super) fn translate(&self, chunk: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let (head, sealed) = Head::read(chunk).ok_or(Fault::Malformed)?;
        if head.policy != self.uri.as_bytes() {
            return Err(Fault::Policy);
        }
        if head.sender == self.judged.leaf {
            return Ok(None);
        }
        if !self.judged.covers(head.sender) {
            return Err(Fault::ChannelCertificate);
        }
        let plain = self.decrypt(sealed)?;
        let length = plain.len().checked_sub(self.leaf.size()).ok_or(Fault::Signature)?;
        let (content, signature) = plain.split_at_checked(length).ok_or(Fault::Signature)?;
        let signed = [chunk.strip_suffix(sealed).unwrap_or_default(), content].concat();
        self.policy
            .asymmetric_verify_signature(&self.leaf, &signed, signature)
            .map_err(|_| Fault::Signature)?;
        let content = without_padding(content, self.own.key.size()).ok_or(Fault::Malformed)?;
        let head = Head { sender: &self.own.certificate, ..head };
        seal(&head, content, self.policy, &self.own.key, &self.own.public).map(Some)
    }

    fn decrypt(&self, sealed: &[u8]) -> Result<Vec<u8>, Fault> {
        // The stack slices in whole blocks without looking.
        if sealed.is_empty() || !sealed.len().is_multiple_of(self.own.key.size()) {
            return Err(Fault::Encryption);
        }
        let mut plain = vec![0; sealed.len()];
        let decrypted = self.policy.asymmetric_decrypt(&self.own.key, sealed, &mut plain);
        plain.truncate(decrypted.map_err(|_| Fault::Encryption)?);
        Ok(plain)
    }
}

/// What stands in the clear.
#[derive(Clone, Copy)]
struct Head<'a> {
    kind: [u8; 4],
    channel: [u8; 4],
    policy: &'a [u8],
    sender: &'a [u8],
    thumbprint: &'a [u8],
}

impl<'a> Head<'a> {
    /// The head, and what is encrypted behind it. `None` when there is none, or the size is not the chunk's.
    fn read(chunk: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (kind, rest) = chunk.split_first_chunk::<4>()?;
        let (size, rest) = rest.split_first_chunk::<4>()?;
        let (channel, mut rest) = rest.split_first_chunk::<4>()?;
        if !kind.starts_with(b"OPN") || u32::from_le_bytes(*size) as usize != chunk.len() {
            return None;
        }
        let policy = bytes(&mut rest)?;
        let sender = bytes(&mut rest)?;
        let thumbprint = bytes(&mut rest)?;
        Some((Self { kind: *kind, channel: *channel, policy, sender, thumbprint }, rest))
    }

    fn length(&self) -> usize {
        let fields = [self.policy, self.sender, self.thumbprint];
        HEADER + fields.iter().map(|field| 4 + field.len()).sum::<usize>()
    }

    /// The bytes of the head for a chunk of `size` bytes in all.
    fn write(&self, size: usize) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(size);
        bytes.extend_from_slice(&self.kind);
        bytes.extend_from_slice(&u32::try_from(size).ok()?.to_le_bytes());
        bytes.extend_from_slice(&self.channel);
        for field in [self.policy, self.sender, self.thumbprint] {
            bytes.extend_from_slice(&i32::try_from(field.len()).ok()?.to_le_bytes());
            bytes.extend_from_slice(field);
        }
        Some(bytes)
    }
}

/// A ByteString or String; null counts as empty.
fn bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, tail) = rest.split_first_chunk::<4>()?;
    let length = i32::from_le_bytes(*length).max(0);
    let (bytes, tail) = tail.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = tail;
    Some(bytes)
}

/// Takes the padding away that the key of the receiver, of `key` bytes, asked for.
fn without_padding(content: &[u8], key: usize) -> Option<&[u8]> {
    let (padded, high) = match key > SHORT_KEY {
        true => content.split_last().map(|(high, padded)| (padded, *high))?,
        false => (content, 0),
    };
    let low = *padded.last()?;
    let count = usize::from(u16::from_le_bytes([low, high]));
    let length = padded.len().checked_sub(count + 1).filter(|length| *length >= SEQUENCE)?;
    let (content, padding) = padded.split_at_checked(length)?;
    padding.iter().all(|byte| *byte == low).then_some(content)
}

/// Pads, signs and encrypts: `content` is what begins with the sequence header.
fn seal(
    head: &Head<'_>,
    content: &[u8],
    policy: SecurityPolicy,
    signer: &PrivateKey,
    receiver: &PublicKey,
) -> Result<Vec<u8>, Fault> {
    let padding = policy.asymmetric_padding_info(receiver);
    let least = content.len() + padding.minimum_padding + signer.size();
    let length = least.next_multiple_of(padding.block_size);
    let size = head.length() + policy.calculate_cipher_text_size(length, receiver);
    let mut chunk = head.write(size).ok_or(Fault::Malformed)?;
    let mut plain = content.to_vec();
    let [low, high] = u16::try_from(length - least).map_err(|_| Fault::Malformed)?.to_le_bytes();
    plain.resize(plain.len() + 1 + (length - least), low);
    if padding.minimum_padding > 1 {
        plain.push(high);
    }
    let mut signature = vec![0; signer.size()];
    let signed = [chunk.as_slice(), &plain].concat();
    policy.asymmetric_sign(signer, &signed, &mut signature).map_err(|_| Fault::Malformed)?;
    plain.append(&mut signature);
    let mut sealed = vec![0; size - chunk.len()];
    let written = policy.asymmetric_encrypt(receiver, &plain, &mut sealed).map_err(|_| Fault::Malformed)?;
    if written != sealed.len() {
        return Err(Fault::Malformed);
    }
    chunk.append(&mut sealed);
    Ok(chunk)
}

#[cfg(test)]
pub(super) mod tests;
