//! `gemba hub`: identities, and enrolling an edge with one file.

use super::{carry_out, text};
use crate::cli::{HubAction, IdentityAction, IdentityArgs, Place};
use crate::control::Request;
use crate::edge::Enrollment;
use crate::terminal::say;
use anyhow::{Context, Result};
use gemba_base::files;
use serde_json::Value;
use std::path::Path;

pub(crate) fn run(action: HubAction) -> Result<()> {
    match action {
        HubAction::Identity { action } => identity(action),
        HubAction::Enroll { name, out, place } => enroll(&name, &out, &place),
    }
}

fn identity(action: IdentityAction) -> Result<()> {
    match action {
        IdentityAction::Create(args) => {
            one(args, |name| Request::IdentityCreate { name }, "connectionString")
        }
        IdentityAction::Show(args) => one(args, |name| Request::IdentityShow { name }, ""),
        IdentityAction::ConnectionString(args) => {
            one(args, |name| Request::IdentityConnectionString { name }, "connectionString")
        }
        IdentityAction::Enable(args) => one(args, |name| Request::IdentityEnable { name, enabled: true }, ""),
        IdentityAction::Disable(args) => {
            one(args, |name| Request::IdentityEnable { name, enabled: false }, "")
        }
        IdentityAction::Delete(args) => one(args, |name| Request::IdentityDelete { name }, ""),
        IdentityAction::List { place, json } => {
            let answer = carry_out(&place, Request::IdentityList)?;
            if json {
                say(&answer.to_string());
                return Ok(());
            }
            let items = answer.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            if items.is_empty() {
                say("no identities yet; `gemba hub enroll NAME --out FILE` makes one for an edge");
            }
            for item in items {
                say(&line(item));
            }
            Ok(())
        }
    }
}

fn line(item: &Value) -> String {
    let enabled = if item.get("enabled") == Some(&Value::Bool(true)) { "enabled" } else { "disabled" };
    format!("{:<40} {enabled:<9} since {}", text(item, "name"), text(item, "created"))
}

/// Carries out a request about one identity and prints the wanted field, or a line about it.
fn one(args: IdentityArgs, request: impl FnOnce(String) -> Request, field: &str) -> Result<()> {
    let answer = carry_out(&args.place, request(args.name))?;
    if args.json {
        say(&answer.to_string());
    } else if !field.is_empty() {
        say(text(&answer, field));
    } else if let Some(deleted) = answer.get("deleted").and_then(Value::as_str) {
        say(&format!("{deleted} is deleted"));
    } else {
        say(&line(&answer));
    }
    Ok(())
}

/// Makes the identity where it is absent, and writes connection string and authority to one private file.
fn enroll(name: &str, out: &Path, place: &Place) -> Result<()> {
    let existing = carry_out(place, Request::IdentityConnectionString { name: name.to_owned() });
    let answer = match existing {
        Ok(answer) => answer,
        Err(_) => carry_out(place, Request::IdentityCreate { name: name.to_owned() })?,
    };
    let ca_path = place.data.join("pki/hub/ca.pem");
    let ca = std::fs::read_to_string(&ca_path).with_context(|| {
        format!("cannot read {}; start the platform once, it makes its certificates", ca_path.display())
    })?;
    let enrollment = Enrollment { connection_string: text(&answer, "connectionString").to_owned(), ca };
    let content = serde_json::to_vec_pretty(&enrollment)?;
    files::replace_secret(out, &content).with_context(|| format!("cannot write {}", out.display()))?;
    say(&format!(
        "{name} is enrolled. Take {0} to the edge and start it there with: gemba run --role edge --hub @{0}",
        out.display()
    ));
    Ok(())
}
