use super::*;
use expect_test::{Expect, expect};
use serde::Deserialize;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Example {
    listen: String,
    queue: Queue,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Queue {
    bytes_max: u64,
    hosts: Vec<String>,
}

impl Default for Example {
    fn default() -> Self {
        Self { listen: "127.0.0.1:8080".into(), queue: Queue { bytes_max: 1024, hosts: vec![] } }
    }
}

fn check(file: &str, environment: &[(&str, &str)], line: &[(&str, &str)], expected: Expect) {
    let merge = || {
        let mut layers = Layers::from_defaults::<Example>()?;
        layers.file("gemba.toml", file)?;
        layers.environment(environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))?;
        for (key, value) in line {
            layers.command_line(key, value)?;
        }
        layers.finish::<Example>()?;
        Ok::<_, ConfigError>(layers)
    };
    let text = match merge() {
        Ok(layers) => layers.show().iter().map(|(k, v, o)| format!("{k} = {v}  # {o}\n")).collect(),
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&text);
}

#[test]
fn each_layer_beats_the_one_below_and_leaves_its_name() {
    check(
        "[queue]\nbytes-max = 5",
        &[("GEMBA__QUEUE__HOSTS", "a, b"), ("HOME", "/")],
        &[("listen", "0.0.0.0:1")],
        expect![[r#"
            listen = "0.0.0.0:1"  # command line
            queue.bytes-max = 5  # file gemba.toml
            queue.hosts = ["a", "b"]  # environment GEMBA__QUEUE__HOSTS
        "#]],
    );
}

#[test]
fn unknown_keys_name_the_nearest_known_one() {
    check("lisen = 'x'", &[], &[], expect!["unknown key 'lisen' (file gemba.toml); did you mean 'listen'?"]);
    check(
        "",
        &[("GEMBA__QUEUE__BYTE_MAX", "1")],
        &[],
        expect![
            "unknown key 'queue.byte-max' (environment GEMBA__QUEUE__BYTE_MAX); did you mean 'queue.bytes-max'?"
        ],
    );
}

#[test]
fn a_wrong_type_names_the_key() {
    check(
        "[queue]\nbytes-max = 'many'",
        &[],
        &[],
        expect![[r#"'queue.bytes-max' (file gemba.toml): invalid type: string "many", expected u64"#]],
    );
    check("queue = 3", &[], &[], expect!["'queue' (file gemba.toml) is a section, not a value"]);
}

#[test]
fn a_key_in_the_wrong_section_names_the_right_one() {
    check(
        "bytes-max = 5",
        &[],
        &[],
        expect!["unknown key 'bytes-max' (file gemba.toml); did you mean 'queue.bytes-max'?"],
    );
}

#[test]
fn a_half_written_file_says_where_it_ends() {
    check(
        "listen = \"127.0",
        &[],
        &[],
        expect![[r#"
        gemba.toml: TOML parse error at line 1, column 16
          |
        1 | listen = "127.0
          |                ^
        invalid basic string, expected `"`
    "#]],
    );
    check(
        "[queue]\nbytes-max =",
        &[],
        &[],
        expect![[r#"
        gemba.toml: TOML parse error at line 2, column 12
          |
        2 | bytes-max =
          |            ^
        string values must be quoted, expected literal string
    "#]],
    );
}
