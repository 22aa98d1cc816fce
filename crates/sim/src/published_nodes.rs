//! A `publishednodes.json` (the form of OPC Publisher 2.9) that publishes a whole plant.

use gemba_base::Secret;
use gemba_model::ExpandedNodeId;
use gemba_ua::server::{EndpointSecurity, User};
use serde_json::{Value, json};
use std::time::Duration;

/// One node to publish.
#[derive(Clone, Debug)]
pub struct PublishedNode {
    /// The node, its namespace by URI.
    pub id: ExpandedNodeId,
    /// The field's name.
    pub display_name: String,
    /// How often to sample; 0 is every change.
    pub sampling_interval: Duration,
    /// Values kept by the server between two publishes.
    pub queue_size: u32,
}

/// One data set writer.
#[derive(Clone, Debug)]
pub struct PublishedWriter {
    /// The server.
    pub endpoint_url: String,
    /// The strongest of the server's endpoints is used.
    pub security: EndpointSecurity,
    /// Who logs in; nobody is anonymous.
    pub user: Option<User>,
    /// Name of the writer group.
    pub writer_group: String,
    /// Name of the writer, unique in the group.
    pub writer_id: String,
    /// How often the server sends.
    pub publishing_interval: Duration,
    /// The nodes.
    pub nodes: Vec<PublishedNode>,
}

/// The file's content. It holds the passwords of writers that log in: write it with mode 0600.
pub fn document(writers: &[PublishedWriter]) -> Value {
    Value::Array(writers.iter().map(writer).collect())
}

fn writer(writer: &PublishedWriter) -> Value {
    let mode = writer.security.mode_name();
    let mut entry = json!({
        "EndpointUrl": writer.endpoint_url,
        "UseSecurity": writer.security != EndpointSecurity::None,
        "EndpointSecurityMode": mode,
        "OpcAuthenticationMode": if writer.user.is_some() { "UsernamePassword" } else { "Anonymous" },
        "DataSetWriterGroup": writer.writer_group,
        "DataSetWriterId": writer.writer_id,
        "DataSetPublishingInterval": milliseconds(writer.publishing_interval),
        "OpcNodes": writer.nodes.iter().map(node).collect::<Vec<_>>(),
    });
    if let (Some(user), Some(fields)) = (&writer.user, entry.as_object_mut()) {
        fields.insert("OpcAuthenticationUsername".to_owned(), json!(user.name));
        fields.insert("OpcAuthenticationPassword".to_owned(), json!(Secret::reveal(&user.password)));
    }
    entry
}

fn node(node: &PublishedNode) -> Value {
    json!({
        "Id": node.id.to_string(),
        "DisplayName": node.display_name,
        "OpcSamplingInterval": milliseconds(node.sampling_interval),
        "QueueSize": node.queue_size,
    })
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The strongest endpoint of a server.
pub fn strongest(security: &[EndpointSecurity]) -> EndpointSecurity {
    security.iter().copied().max_by_key(|security| security.level()).unwrap_or(EndpointSecurity::None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use gemba_model::{Identifier, Namespace};

    #[test]
    fn a_writer_has_the_fields_of_the_2_9_form() {
        let document = document(&[PublishedWriter {
            endpoint_url: "opc.tcp://localhost:4840/".to_owned(),
            security: EndpointSecurity::Basic256Sha256SignAndEncrypt,
            user: Some(User { name: "operator".to_owned(), password: Secret::new("secret") }),
            writer_group: "Line".to_owned(),
            writer_id: "Assembly".to_owned(),
            publishing_interval: Duration::from_millis(500),
            nodes: vec![PublishedNode {
                id: ExpandedNodeId {
                    server: 0,
                    namespace: Namespace::Uri("urn:x".into()),
                    identifier: Identifier::Numeric(400),
                },
                display_name: "Status".to_owned(),
                sampling_interval: Duration::ZERO,
                queue_size: 100,
            }],
        }]);
        let expected = expect![[r#"
            [
              {
                "DataSetPublishingInterval": 500,
                "DataSetWriterGroup": "Line",
                "DataSetWriterId": "Assembly",
                "EndpointSecurityMode": "SignAndEncrypt",
                "EndpointUrl": "opc.tcp://localhost:4840/",
                "OpcAuthenticationMode": "UsernamePassword",
                "OpcAuthenticationPassword": "secret",
                "OpcAuthenticationUsername": "operator",
                "OpcNodes": [
                  {
                    "DisplayName": "Status",
                    "Id": "nsu=urn:x;i=400",
                    "OpcSamplingInterval": 0,
                    "QueueSize": 100
                  }
                ],
                "UseSecurity": true
              }
            ]"#]];
        expected.assert_eq(&serde_json::to_string_pretty(&document).unwrap());
    }
}
