//! Identities: their life, their errors, their audit trail.

use gemba_api::docs::Expect;
use gemba_api::{DocStore, Write};
use gemba_hub::{Connections, HubError, Identities};
use gemba_model::DateTime;
use gemba_testkit::MemoryDocs;
use serde_json::json;
use std::sync::Arc;

const NOW: DateTime = DateTime::from_unix_millis(1_700_000_000_000);

fn identities() -> (Arc<MemoryDocs>, Identities) {
    let docs = Arc::new(MemoryDocs::default());
    (docs.clone(), Identities::new(docs, Connections::default()))
}

fn code<T: std::fmt::Debug>(outcome: Result<T, HubError>) -> (&'static str, String) {
    let error = outcome.expect_err("is refused");
    (error.code().0, error.to_string())
}

#[test]
fn an_identity_lives_from_creation_to_deletion() -> Result<(), HubError> {
    let (docs, identities) = identities();
    let made = identities.create("press-1", NOW, "anna")?;
    assert!(made.enabled && made.created == NOW && made.primary_key != made.secondary_key);
    assert_eq!(identities.show("press-1")?, made);
    let text = identities.connection_string("press-1", "hub.local:8884")?.to_text();
    let key = made.primary_key.to_base64();
    assert_eq!(text, format!("HostName=hub.local:8884;DeviceId=press-1;SharedAccessKey={key}"));
    let disabled = identities.disable("press-1", "anna")?;
    assert!(!disabled.enabled && disabled.etag != made.etag);
    assert_eq!(disabled.primary_key, made.primary_key);
    assert!(identities.enable("press-1", "anna")?.enabled);
    assert_ne!(identities.renew_keys("press-1", "bert")?.primary_key, made.primary_key);
    identities.delete("press-1", "bert")?;
    assert_eq!(
        docs.audits()
            .iter()
            .map(|row| format!("{} {} {}", row.actor, row.action, row.target))
            .collect::<Vec<_>>(),
        [
            "anna identity.create press-1",
            "anna identity.disable press-1",
            "anna identity.enable press-1",
            "bert identity.renew-keys press-1",
            "bert identity.delete press-1"
        ]
    );
    assert_eq!(identities.list(None, 10)?, []);
    Ok(())
}

#[test]
fn modules_need_their_device_and_go_with_it() -> Result<(), HubError> {
    let (_, identities) = identities();
    assert_eq!(code(identities.create("d/m", NOW, "t")).0, "GMB-HUB-003");
    for name in ["d", "d/m", "d/n", "d2"] {
        identities.create(name, NOW, "t")?;
    }
    let names = |identities: &Identities| -> Result<Vec<String>, HubError> {
        Ok(identities.list(None, 10)?.iter().map(|one| one.identity.to_string()).collect())
    };
    assert_eq!(names(&identities)?, ["d", "d/m", "d/n", "d2"]);
    assert_eq!(identities.list(Some("d/m"), 1)?.len(), 1);
    identities.delete("d", "t")?;
    assert_eq!(names(&identities)?, ["d2"]);
    Ok(())
}

#[test]
fn errors_name_the_identity_and_the_remedy() -> Result<(), HubError> {
    let (docs, identities) = identities();
    identities.create("d", NOW, "t")?;
    assert_eq!(
        code(identities.create("d", NOW, "t")),
        ("GMB-HUB-001", "the identity 'd' exists already; show it, or choose another name".into())
    );
    assert_eq!(
        code(identities.show("e")),
        ("GMB-HUB-002", "there is no identity 'e'; list the identities, or create it".into())
    );
    for name in ["", "a b", "d/m/x", "ü"] {
        assert_eq!(code(identities.create(name, NOW, "t")).0, "GMB-HUB-003", "{name}");
    }
    let damaged = Write::Put {
        collection: "identities",
        key: "x".into(),
        value: json!({ "version": 1 }),
        expect: Expect::Any,
    };
    docs.write(vec![damaged], None).expect("written");
    assert_eq!(code(identities.show("x")).0, "GMB-HUB-004");
    docs.fail(true);
    assert_eq!(code(identities.show("d")).0, "GMB-HUB-004");
    Ok(())
}
