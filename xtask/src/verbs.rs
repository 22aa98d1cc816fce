//! What `cargo x` can do: each command with its options, so that a wrong word is refused before anything starts.

use anyhow::{Result, bail};

/// A command.
#[derive(Debug)]
pub(crate) struct Verb {
    pub(crate) name: &'static str,
    /// What may follow the name, for people.
    form: &'static str,
    /// What it does, a line each.
    what: &'static str,
    /// Names of options, and whether a value follows.
    options: &'static [(&'static str, bool)],
    /// Plain words that may follow, at most; `None` hands everything on to another program.
    words: Option<usize>,
}

/// All commands, in the order of the help.
pub(crate) const VERBS: &[Verb] = &[
    Verb {
        name: "demo",
        form: "[args…]",
        what: "build everything, start it over the simulated plant, print the address;\nargs go to `gemba demo`",
        options: &[],
        words: None,
    },
    Verb {
        name: "test",
        form: "[filter…]",
        what: "set up the peers, run every check and test; closes with 'N passed, N failed, N skipped';\n\
               with a filter the tests of that name alone; what it is goes to `cargo test`",
        options: &[],
        words: None,
    },
    plain("check", "type-check and lint the workspace"),
    plain("layers", "hold layers.toml against the crate graph"),
    plain("tidy", "file sizes, module headers, banned words, a page for each error code"),
    plain("deny", "hold deny.toml against licences, banned crates and sources of all dependencies"),
    Verb {
        name: "bench",
        form: "[--json] [--only NAME] [--seconds N] [--minutes N] [--profile NAME]",
        what: "CPU seconds per million, memory and ratios beside other people's software, in release;\n\
               NAME: idle, large, 50k-10hz, small, hub, clients, stores, page;\n\
               --minutes: how long the page's live series are watched (default 1)",
        options: &[
            ("--json", false),
            ("--only", true),
            ("--seconds", true),
            ("--minutes", true),
            ("--profile", true),
        ],
        words: Some(0),
    },
    Verb {
        name: "soak",
        form: "kills [--n N] [--seed S] | day [--factor F]",
        what: "kills: N random kills, cuts and full disks (default 1000); checks that nothing was lost\n\
               day: 24 h of plant time, F times as fast (default 60), with servers that misbehave: memory, disk, drain",
        options: &[("--n", true), ("--seed", true), ("--factor", true)],
        words: Some(1),
    },
    Verb {
        name: "sim",
        form: "[--seed N] [--seeds COUNT] [--hours H] [--jobs N] [--trace]",
        what: "the chain under faults in virtual time: COUNT seeds from N on (default 1), H hours each (default 6);\n\
               a seed that fails prints its command; --trace prints everything that happens",
        options: &[
            ("--seed", true),
            ("--seeds", true),
            ("--hours", true),
            ("--jobs", true),
            ("--trace", false),
        ],
        words: Some(0),
    },
    Verb {
        name: "fuzz",
        form: "[target] [--seconds N] [--seed S] [--input HEX] [--list]",
        what: "every parser of outside bytes, or one, over its corpus and seeded mutations",
        options: &[("--seconds", true), ("--seed", true), ("--input", true), ("--list", false)],
        words: Some(1),
    },
    plain("web", "build the page (needs Node.js 20.19 or newer)"),
    plain("dist", "the release binary with the page inside"),
    plain("verify", "fmt, clippy, then everything that `test` does"),
];

/// A command without options.
const fn plain(name: &'static str, what: &'static str) -> Verb {
    Verb { name, form: "", what, options: &[], words: Some(0) }
}

/// The command of this name.
pub(crate) fn find(name: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.name == name)
}

/// The help of all commands.
pub(crate) fn help() -> String {
    let verbs: Vec<String> = VERBS.iter().map(Verb::lines).collect();
    format!("cargo x <command>\n\n{}\n`cargo x <command> --help` tells of one alone.", verbs.join(""))
}

/// What somebody wants of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    Run,
    Help,
}

impl Verb {
    fn lines(&self) -> String {
        let head = format!("  {} {}", self.name, self.form);
        let what = self.what.replace('\n', "\n        ");
        format!("{}\n        {what}\n", head.trim_end())
    }

    /// The help of this command.
    pub(crate) fn help(&self) -> String {
        let form = format!("cargo x {} {}", self.name, self.form);
        format!("{}\n\n  {}", form.trim_end(), self.what.replace('\n', "\n  "))
    }

    /// Looks at the words after the name, before anything starts.
    ///
    /// # Errors
    /// When one is not known, is one too many, or lacks its value.
    pub(crate) fn look(&self, args: &[String]) -> Result<Wish> {
        let is_help = |arg: &String| arg == "--help" || arg == "-h";
        let Some(words_max) = self.words else {
            let first = args.first().is_some_and(is_help);
            return Ok(if first { Wish::Help } else { Wish::Run });
        };
        if args.iter().any(is_help) {
            return Ok(Wish::Help);
        }
        let (mut rest, mut words) = (args.iter(), 0);
        while let Some(arg) = rest.next() {
            if !arg.starts_with('-') {
                words += 1;
                if words > words_max {
                    bail!("'{arg}' is one word too many for `cargo x {}`\n\n{}", self.name, self.help());
                }
                continue;
            }
            match self.options.iter().find(|(name, _)| name == arg) {
                None => bail!("`cargo x {}` has no option '{arg}'\n\n{}", self.name, self.help()),
                Some((_, true)) if rest.next().is_none_or(|value| value.starts_with("--")) => {
                    bail!("{arg} needs a value\n\n{}", self.help())
                }
                Some(_) => {}
            }
        }
        Ok(Wish::Run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(line: &str) -> Result<Wish, String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let (name, rest) = words.split_first().expect("has a word");
        find(name).expect("is a command").look(rest).map_err(|error| error.to_string())
    }

    #[test]
    fn each_command_tells_its_use_instead_of_starting() {
        for verb in VERBS {
            for flag in ["--help", "-h"] {
                assert_eq!(look(&format!("{} {flag}", verb.name)), Ok(Wish::Help), "{}", verb.name);
            }
            assert!(verb.help().starts_with(&format!("cargo x {}", verb.name)));
            assert!(help().contains(&format!("\n  {}", verb.name)));
        }
    }

    #[test]
    fn what_a_command_does_not_know_is_refused_before_it_starts() {
        for (line, says) in [
            ("bench --sesonds 3", "`cargo x bench` has no option '--sesonds'"),
            ("bench idle", "'idle' is one word too many for `cargo x bench`"),
            ("bench --only --json", "--only needs a value"),
            ("soak kills --n", "--n needs a value"),
            ("soak kills day", "'day' is one word too many for `cargo x soak`"),
            ("sim --seed 3 --hour 1", "`cargo x sim` has no option '--hour'"),
            ("fuzz a --seconds 3 b", "'b' is one word too many for `cargo x fuzz`"),
            ("tidy -v", "`cargo x tidy` has no option '-v'"),
            ("dist now", "'now' is one word too many for `cargo x dist`"),
        ] {
            let text = look(line).expect_err(line);
            assert!(text.starts_with(says), "{line}: {text}");
            assert!(text.contains("\n\ncargo x "), "the use follows: {text}");
        }
    }

    #[test]
    fn what_a_command_knows_is_let_through() {
        for line in [
            "bench --only idle --seconds 3 --json",
            "soak kills --n 10 --seed 4",
            "sim --seed 1 --trace",
            "fuzz hub-record --seconds 5 --input 00ff",
            "fuzz --list",
            "test -p gemba-wal name",
            "demo --clock-factor 3 --help",
        ] {
            assert_eq!(look(line), Ok(Wish::Run), "{line}");
        }
    }
}
