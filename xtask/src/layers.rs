//! Holds `layers.toml` against the crate graph.

use crate::{root, run};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use toml::Table;

/// One crate of the house as cargo sees it.
struct Crate {
    name: String,
    dependencies: Vec<String>,
}

pub(crate) fn run() -> Result<()> {
    let metadata = run::output(&mut run::cargo_command(&[
        "metadata",
        "--format-version",
        "1",
        "--no-deps",
        "--locked",
    ]))?;
    let crates = crates(&serde_json::from_str(&metadata)?)?;
    let rules: Table = fs::read_to_string(root().join("layers.toml"))?.parse().context("layers.toml")?;
    let mut faults = violations(&crates, &rules);
    faults.extend(impure_words(&rules)?);
    if !faults.is_empty() {
        bail!("layers: {} fault(s)\n  {}", faults.len(), faults.join("\n  "));
    }
    run::say(&format!("layers: {} crates, every arrow allowed, depth {}", crates.len(), depth(&crates)));
    Ok(())
}

fn crates(metadata: &Value) -> Result<Vec<Crate>> {
    let packages = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    let mut crates = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        if name == "xtask" {
            continue;
        }
        let dependencies = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
        let normal = dependencies.iter().filter(|dependency| dependency["kind"].as_str() != Some("dev"));
        crates.push(Crate {
            name: short(name),
            dependencies: normal.filter_map(|d| d["name"].as_str()).map(short).collect(),
        });
    }
    Ok(crates)
}

fn short(name: &str) -> String {
    name.strip_prefix("gemba-").unwrap_or(name).to_owned()
}

fn strings(value: Option<&toml::Value>) -> Vec<String> {
    let list = value.and_then(toml::Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(toml::Value::as_str).map(str::to_owned).collect()
}

/// Every forbidden arrow, each with what to do about it.
fn violations(crates: &[Crate], rules: &Table) -> Vec<String> {
    let house: Vec<&str> = crates.iter().map(|c| c.name.as_str()).collect();
    let rows = rules.get("crates").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let pure = rules.get("pure").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let owners = rules.get("owners").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let mut faults = Vec::new();
    for Crate { name, dependencies } in crates {
        let Some(row) = rows.get(name) else {
            faults.push(format!("{name} has no row in layers.toml; add one that lists what it may import"));
            continue;
        };
        let allowed = strings(Some(row));
        for dependency in dependencies {
            let inside = house.contains(&dependency.as_str());
            if inside && !allowed.contains(dependency) {
                faults.push(format!(
                    "{name} -> {dependency} is not allowed; go through a trait of `api`, or change layers.toml with a reason"
                ));
            }
            if strings(pure.get("crates")).contains(name)
                && strings(pure.get("dependencies")).contains(dependency)
            {
                faults.push(format!(
                    "{name} is pure and must not depend on {dependency}; pass what it gives as an argument"
                ));
            }
            let owner = strings(owners.get(dependency));
            if !owner.is_empty() && !owner.contains(name) {
                faults.push(format!(
                    "{name} names {dependency}, which only {} may; use its API",
                    owner.join(", ")
                ));
            }
        }
    }
    for row in rows.keys().filter(|row| !house.contains(&row.as_str())) {
        faults.push(format!("layers.toml has a row for {row}, which is no crate; remove it"));
    }
    faults
}

/// Words in pure crates that only code with I/O or a clock needs.
fn impure_words(rules: &Table) -> Result<Vec<String>> {
    let pure = rules.get("pure").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let words = strings(pure.get("words"));
    let mut faults = Vec::new();
    for name in strings(pure.get("crates")) {
        for path in crate::tidy::rust_files(&root().join("crates").join(&name).join("src"))? {
            let text = fs::read_to_string(&path)?;
            for word in words.iter().filter(|word| text.contains(word.as_str())) {
                faults.push(format!("{}: {name} is pure and must not say `{word}`", path.display()));
            }
        }
    }
    Ok(faults)
}

/// The longest chain of crates.
fn depth(crates: &[Crate]) -> usize {
    let graph: BTreeMap<&str, &[String]> =
        crates.iter().map(|c| (c.name.as_str(), c.dependencies.as_slice())).collect();
    fn below(name: &str, graph: &BTreeMap<&str, &[String]>) -> usize {
        let Some(next) = graph.get(name) else { return 0 };
        1 + next.iter().map(|dependency| below(dependency, graph)).max().unwrap_or(0)
    }
    graph.keys().map(|name| below(name, &graph)).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn each_planted_violation_is_named() -> Result<()> {
        let rules: Table = r#"
            [crates]
            model = []
            edge = ["model"]
            hub = ["model"]
            gone = []
            [pure]
            crates = ["model"]
            dependencies = ["tokio"]
            [owners]
            rustls = ["net"]
        "#
        .parse()?;
        let metadata = serde_json::json!({"packages": [
            {"name": "gemba-model", "dependencies": [{"name": "tokio", "kind": null}]},
            {"name": "gemba-edge", "dependencies": [{"name": "gemba-hub", "kind": null}, {"name": "gemba-model", "kind": null}]},
            {"name": "gemba-hub", "dependencies": [{"name": "rustls", "kind": null}, {"name": "gemba-edge", "kind": "dev"}]},
            {"name": "gemba-new", "dependencies": []}
        ]});
        expect![[r#"
            model is pure and must not depend on tokio; pass what it gives as an argument
            edge -> hub is not allowed; go through a trait of `api`, or change layers.toml with a reason
            hub names rustls, which only net may; use its API
            new has no row in layers.toml; add one that lists what it may import
            layers.toml has a row for gone, which is no crate; remove it"#]]
        .assert_eq(&violations(&crates(&metadata)?, &rules).join("\n"));
        Ok(())
    }
}
