//! Identifiers of nodes, with the text forms of OPC 10000-6 v1.05, 5.1.12 and those of OPC Publisher.

use crate::text::{base64, from_base64};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A 16-byte identifier; text is the usual 8-4-4-4-12 form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Guid(
    /// In text order (big-endian), unlike the mixed order of the binary encoding.
    pub [u8; 16],
);

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Guid {
    type Err = InvalidNodeId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let groups: Vec<&str> = text.trim_start_matches('{').trim_end_matches('}').split('-').collect();
        let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
        let digits = groups.concat();
        if lengths != [8, 4, 4, 4, 12] || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(InvalidNodeId::new(text, "a GUID has the form 12345678-1234-1234-1234-123456789abc"));
        }
        let number = u128::from_str_radix(&digits, 16)
            .map_err(|_| InvalidNodeId::new(text, "a GUID consists of hexadecimal digits"))?;
        Ok(Self(number.to_be_bytes()))
    }
}

impl Serialize for Guid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Guid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What names a node inside its namespace. Clones share their text: a gateway holds each node id many times.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Identifier {
    /// `i=`
    Numeric(u32),
    /// `s=`
    String(Arc<str>),
    /// `g=`
    Guid(Guid),
    /// `b=`, Base64 in text
    Opaque(Arc<[u8]>),
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Numeric(number) => write!(f, "i={number}"),
            Self::String(text) => write!(f, "s={text}"),
            Self::Guid(guid) => write!(f, "g={guid}"),
            Self::Opaque(bytes) => write!(f, "b={}", base64(bytes)),
        }
    }
}

/// A node on one server: the namespace is an index into that server's namespace array of the moment.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId {
    /// Index into the server's namespace array.
    pub namespace: u16,
    /// The name inside the namespace.
    pub identifier: Identifier,
}

impl NodeId {
    /// A numeric node id.
    pub const fn numeric(namespace: u16, id: u32) -> Self {
        Self { namespace, identifier: Identifier::Numeric(id) }
    }
    /// A string node id.
    pub fn string(namespace: u16, id: impl Into<Arc<str>>) -> Self {
        Self { namespace, identifier: Identifier::String(id.into()) }
    }
    /// `i=0` in namespace 0.
    pub fn is_null(&self) -> bool {
        *self == Self::numeric(0, 0)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace != 0 {
            write!(f, "ns={};", self.namespace)?;
        }
        self.identifier.fmt(f)
    }
}

/// How an expanded node id names its namespace.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Namespace {
    /// `ns=`: an index into one server's namespace array; 0 is the OPC UA namespace everywhere.
    Index(u16),
    /// `nsu=`: the same on every server and after every restart.
    Uri(Arc<str>),
}

/// A node id that may name its namespace by URI and a server by index.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ExpandedNodeId {
    /// Index into the server array; 0 is the server itself.
    pub server: u32,
    /// The namespace.
    pub namespace: Namespace,
    /// The name inside the namespace.
    pub identifier: Identifier,
}

impl ExpandedNodeId {
    /// The same node with its index replaced by the URI of `namespaces`; unknown indexes stay.
    pub fn with_uri(node: &NodeId, namespaces: &[String]) -> Self {
        let namespace = match namespaces.get(usize::from(node.namespace)) {
            Some(uri) if node.namespace != 0 => Namespace::Uri(uri.as_str().into()),
            _ => Namespace::Index(node.namespace),
        };
        Self { server: 0, namespace, identifier: node.identifier.clone() }
    }

    /// The node id on a server with these namespaces, or `None` when the URI is not among them or the
    /// node lives on another server.
    pub fn resolve(&self, namespaces: &[String]) -> Option<NodeId> {
        if self.server != 0 {
            return None;
        }
        let namespace = match &self.namespace {
            Namespace::Index(index) => *index,
            Namespace::Uri(uri) => {
                u16::try_from(namespaces.iter().position(|known| **known == **uri)?).ok()?
            }
        };
        Some(NodeId { namespace, identifier: self.identifier.clone() })
    }
}

impl From<NodeId> for ExpandedNodeId {
    fn from(node: NodeId) -> Self {
        Self { server: 0, namespace: Namespace::Index(node.namespace), identifier: node.identifier }
    }
}

impl fmt::Display for ExpandedNodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.server != 0 {
            write!(f, "svr={};", self.server)?;
        }
        match &self.namespace {
            Namespace::Index(0) => {}
            Namespace::Index(index) => write!(f, "ns={index};")?,
            // `;` ends the URI, `%` begins an escape (OPC 10000-6 v1.05, 5.1.12).
            Namespace::Uri(uri) => write!(f, "nsu={};", uri.replace('%', "%25").replace(';', "%3B"))?,
        }
        self.identifier.fmt(f)
    }
}

/// Why a text is not a node id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidNodeId {
    text: String,
    reason: &'static str,
}

impl InvalidNodeId {
    fn new(text: &str, reason: &'static str) -> Self {
        Self { text: text.chars().take(128).collect(), reason }
    }
}

impl fmt::Display for InvalidNodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is not a node id: {}", self.text, self.reason)
    }
}
impl std::error::Error for InvalidNodeId {}

/// A `NodeId` or `ExpandedNodeId` text has at most this many bytes (a string identifier has 4,096 characters).
const TEXT_BYTES_MAX: usize = 16 * 1024;

fn identifier(text: &str, whole: &str) -> Result<Identifier, InvalidNodeId> {
    let bad = |reason| InvalidNodeId::new(whole, reason);
    let (kind, rest) =
        text.split_once('=').ok_or_else(|| bad("expected i=, s=, g= or b=, as in ns=2;s=Pump.Speed"))?;
    match kind {
        "i" => {
            rest.parse().map(Identifier::Numeric).map_err(|_| bad("i= needs a number from 0 to 4294967295"))
        }
        "s" => Ok(Identifier::String(rest.into())),
        "g" => rest.parse().map(Identifier::Guid).map_err(|_| bad("g= needs a GUID")),
        "b" => from_base64(rest)
            .map(|bytes| Identifier::Opaque(bytes.into()))
            .ok_or_else(|| bad("b= needs Base64")),
        _ => Err(bad("expected i=, s=, g= or b= before the identifier")),
    }
}

impl FromStr for ExpandedNodeId {
    type Err = InvalidNodeId;

    /// Reads `[svr=n;][ns=n;|nsu=uri;]i|s|g|b=…` and OPC Publisher's `uri#i=…`.
    fn from_str(whole: &str) -> Result<Self, Self::Err> {
        let bad = |reason| InvalidNodeId::new(whole, reason);
        if whole.len() > TEXT_BYTES_MAX {
            return Err(bad("it is longer than 16384 bytes"));
        }
        let mut text = whole.trim_start();
        let mut server = 0;
        if let Some(rest) = text.strip_prefix("svr=") {
            let (number, rest) = rest.split_once(';').ok_or_else(|| bad("svr= must end with ';'"))?;
            server = number.parse().map_err(|_| bad("svr= needs a number"))?;
            text = rest;
        }
        if let Some(rest) = text.strip_prefix("ns=") {
            let (number, rest) = rest.split_once(';').ok_or_else(|| bad("ns= must end with ';'"))?;
            let index = number.parse().map_err(|_| bad("ns= needs a number from 0 to 65535"))?;
            return Ok(Self {
                server,
                namespace: Namespace::Index(index),
                identifier: identifier(rest, whole)?,
            });
        }
        if let Some(rest) = text.strip_prefix("nsu=") {
            let (uri, rest) = rest.split_once(';').ok_or_else(|| bad("nsu= must end with ';'"))?;
            let uri = uri.replace("%3B", ";").replace("%3b", ";").replace("%25", "%");
            return Ok(Self {
                server,
                namespace: Namespace::Uri(uri.into()),
                identifier: identifier(rest, whole)?,
            });
        }
        if !matches!(text.as_bytes(), [b'i' | b's' | b'g' | b'b', b'=', ..])
            && let Some((uri, rest)) = text.split_once('#')
        {
            return Ok(Self {
                server,
                namespace: Namespace::Uri(uri.into()),
                identifier: identifier(rest, whole)?,
            });
        }
        Ok(Self { server, namespace: Namespace::Index(0), identifier: identifier(text, whole)? })
    }
}

impl FromStr for NodeId {
    type Err = InvalidNodeId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse()? {
            ExpandedNodeId { server: 0, namespace: Namespace::Index(namespace), identifier } => {
                Ok(Self { namespace, identifier })
            }
            _ => Err(InvalidNodeId::new(text, "a namespace URI or a server needs an expanded node id")),
        }
    }
}

macro_rules! serde_as_text {
    ($($type:ty),*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
serde_as_text!(NodeId, ExpandedNodeId);

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        let shown = match text.parse::<ExpandedNodeId>() {
            Ok(node) => {
                assert_eq!(node.to_string().parse(), Ok(node.clone()), "the printed form parses back");
                node.to_string()
            }
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn every_text_form_is_read() {
        check("i=85", expect!["i=85"]);
        check("ns=2;s=Pump;1=a", expect!["ns=2;s=Pump;1=a"]);
        check("nsu=http://a/%3Bb;i=3", expect!["nsu=http://a/%3Bb;i=3"]);
        check("http://opcfoundation.org/UA/#i=12", expect!["nsu=http://opcfoundation.org/UA/;i=12"]);
        check("ns=1;b=Zm9v", expect!["ns=1;b=Zm9v"]);
        check(
            "svr=1;ns=1;g=09087E75-8E5E-499B-954F-F2A9603DB28A",
            expect!["svr=1;ns=1;g=09087e75-8e5e-499b-954f-f2a9603db28a"],
        );
        check("s=tag#1", expect!["s=tag#1"]);
    }

    #[test]
    fn errors_name_the_remedy() {
        check("Pump", expect!["'Pump' is not a node id: expected i=, s=, g= or b=, as in ns=2;s=Pump.Speed"]);
        check("ns=2;i=x", expect!["'ns=2;i=x' is not a node id: i= needs a number from 0 to 4294967295"]);
        check("ns=70000;i=1", expect!["'ns=70000;i=1' is not a node id: ns= needs a number from 0 to 65535"]);
    }

    #[test]
    fn a_uri_survives_a_change_of_index() {
        let before = ["http://opcfoundation.org/UA/".to_owned(), "urn:a".to_owned(), "urn:b".to_owned()];
        let after = ["http://opcfoundation.org/UA/".to_owned(), "urn:b".to_owned()];
        let expanded = ExpandedNodeId::with_uri(&NodeId::numeric(2, 7), &before);
        assert_eq!(expanded.to_string(), "nsu=urn:b;i=7");
        assert_eq!(expanded.resolve(&after), Some(NodeId::numeric(1, 7)));
        assert_eq!(expanded.resolve(&after[..1]), None);
    }
}
