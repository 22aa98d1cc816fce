//! Holds `deny.toml` against the resolved dependencies: licences, banned crates, sources. The file is that of
//! `cargo deny`, and means the same to both; this check needs nothing installed and no network.

use crate::{root, run};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use toml::Table;

/// The only source besides paths of the workspace, as cargo names it: the default registry.
const REGISTRY: &str = "registry+";

pub(crate) fn run() -> Result<()> {
    let metadata = run::output(&mut run::cargo_command(&["metadata", "--format-version", "1", "--locked"]))?;
    let rules: Table = fs::read_to_string(root().join("deny.toml"))?.parse().context("deny.toml")?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let mut graph = Graph::of(&metadata)?;
    // The metadata also lists what a feature that nobody asks for would bring; the tree does not.
    let tree = ["tree", "--workspace", "--locked", "--target", "all", "--prefix", "none", "--format", "{p}"];
    graph.keep(&run::output(&mut run::cargo_command(&tree))?);
    let faults = violations(&graph, &rules);
    if !faults.is_empty() {
        bail!("deny: {} fault(s)\n  {}", faults.len(), faults.join("\n  "));
    }
    run::say(&format!("deny: {} packages, every licence and source allowed", graph.packages.len()));
    Ok(())
}

struct Package {
    name: String,
    version: String,
    licence: Option<String>,
    source: Option<String>,
}

/// The resolved packages, and who names whom outside of tests.
struct Graph {
    packages: BTreeMap<String, Package>,
    users: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    fn of(metadata: &Value) -> Result<Self> {
        let text = |value: &Value, name: &str| value[name].as_str().map(str::to_owned);
        let list = metadata["packages"].as_array().context("cargo metadata names no packages")?;
        let packages = list.iter().filter_map(|package| {
            let found = Package {
                name: text(package, "name")?,
                version: text(package, "version")?,
                licence: text(package, "license"),
                source: text(package, "source"),
            };
            Some((text(package, "id")?, found))
        });
        let packages: BTreeMap<String, Package> = packages.collect();
        let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in metadata
            .pointer("/resolve/nodes")
            .and_then(Value::as_array)
            .context("cargo metadata resolves nothing")?
        {
            let Some(user) = node["id"].as_str().and_then(|id| packages.get(id)) else { continue };
            for dependency in node["deps"].as_array().into_iter().flatten() {
                let kinds = dependency["dep_kinds"].as_array().map(Vec::as_slice).unwrap_or_default();
                let is_test = !kinds.is_empty() && kinds.iter().all(|kind| kind["kind"] == "dev");
                if let Some(id) = dependency["pkg"].as_str().filter(|_| !is_test) {
                    users.entry(id.to_owned()).or_default().insert(user.name.clone());
                }
            }
        }
        Ok(Self { packages, users })
    }

    /// Leaves the packages of a list with `name vVERSION …` in each line.
    fn keep(&mut self, tree: &str) {
        let built: BTreeSet<(&str, &str)> = tree
            .lines()
            .filter_map(|line| {
                let mut words = line.split_whitespace();
                Some((words.next()?, words.next()?.strip_prefix('v')?))
            })
            .collect();
        self.packages.retain(|_, package| built.contains(&(package.name.as_str(), package.version.as_str())));
    }
}

fn strings(value: Option<&toml::Value>) -> Vec<String> {
    let list = value.and_then(toml::Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(toml::Value::as_str).map(str::to_owned).collect()
}

fn violations(graph: &Graph, rules: &Table) -> Vec<String> {
    let section = |name: &str| rules.get(name).and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let allowed = strings(section("licenses").get("allow"));
    let bans = section("bans").get("deny").and_then(toml::Value::as_array).cloned().unwrap_or_default();
    let mut faults = Vec::new();
    for (id, package) in &graph.packages {
        let shown = format!("{} {}", package.name, package.version);
        if let Some(fault) = licence_fault(package.licence.as_deref(), &allowed) {
            faults.push(format!("{shown}: {fault}"));
        }
        if let Some(source) = package.source.as_deref().filter(|source| !source.starts_with(REGISTRY)) {
            faults.push(format!("{shown} comes from {source}; only the registry is allowed"));
        }
        for ban in
            bans.iter().filter(|ban| ban.get("crate").and_then(toml::Value::as_str) == Some(&package.name))
        {
            let wrappers = strings(ban.get("wrappers"));
            let nobody = BTreeSet::new();
            let users = graph.users.get(id).unwrap_or(&nobody);
            let reason =
                ban.get("reason").and_then(toml::Value::as_str).unwrap_or("deny.toml gives no reason");
            if wrappers.is_empty() {
                faults.push(format!("{shown} is banned ({reason}); it is used by {users:?}"));
            }
            for user in users.iter().filter(|user| !wrappers.is_empty() && !wrappers.contains(user)) {
                faults.push(format!("{user} must not name {shown} ({reason})"));
            }
        }
    }
    faults
}

/// What is wrong with a licence, if anything.
fn licence_fault(licence: Option<&str>, allowed: &[String]) -> Option<String> {
    let Some(licence) = licence else { return Some("states no licence".to_owned()) };
    let expression = match spdx::Expression::parse_mode(licence, spdx::ParseMode::LAX) {
        Ok(expression) => expression,
        Err(error) => return Some(format!("the licence \"{licence}\" cannot be read: {}", error.reason)),
    };
    let is_allowed = expression.evaluate(|requirement| allowed.contains(&requirement.to_string()));
    (!is_allowed).then(|| format!("the licence \"{licence}\" is not allowed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn each_planted_violation_is_named() -> Result<()> {
        let rules: Table = r#"
            [licenses]
            allow = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"]
            [bans]
            deny = [
              { crate = "ring", reason = "one provider" },
              { crate = "rustls", wrappers = ["net"], reason = "net owns TLS" },
            ]
        "#
        .parse()?;
        let package = |name: &str, licence: Option<&str>, source: Option<&str>| serde_json::json!({"id": name, "name": name, "version": "1.0.0", "license": licence, "source": source});
        let uses = |name: &str, whom: &str, kind: Option<&str>| serde_json::json!({"id": name, "deps": [{"pkg": whom, "dep_kinds": [{"kind": kind}]}]});
        let metadata = serde_json::json!({
            "packages": [
                package("net", Some("MIT"), None),
                package("hub", Some("MIT OR GPL-3.0-only"), None),
                package("tests", Some("MIT/Apache-2.0"), None),
                package("rustls", Some("Apache-2.0 WITH LLVM-exception"), Some("registry+default")),
                package("ring", Some("MIT AND GPL-3.0-only"), Some("git+somewhere")),
                package("mute", None, Some("registry+default")),
            ],
            "resolve": {"nodes": [
                uses("net", "rustls", None), uses("hub", "rustls", None), uses("tests", "rustls", Some("dev")),
                uses("net", "ring", None),
            ]},
        });
        expect![[r#"
            mute 1.0.0: states no licence
            ring 1.0.0: the licence "MIT AND GPL-3.0-only" is not allowed
            ring 1.0.0 comes from git+somewhere; only the registry is allowed
            ring 1.0.0 is banned (one provider); it is used by {"net"}
            hub must not name rustls 1.0.0 (net owns TLS)"#]]
        .assert_eq(&violations(&Graph::of(&metadata)?, &rules).join("\n"));
        let mut built = Graph::of(&metadata)?;
        built.keep("net v1.0.0 (/somewhere)\nmute v1.0.0\nring v0.9.0 (*)\n");
        expect!["mute 1.0.0: states no licence"].assert_eq(&violations(&built, &rules).join("\n"));
        Ok(())
    }
}
