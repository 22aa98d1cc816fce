//! A program under test: started, waited for, killed; its output in a file.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pub(crate) output: PathBuf,
}

impl Process {
    /// Starts a command with its output in `output`, which is appended to.
    pub(crate) fn start(command: &mut Command, output: &Path) -> Self {
        let file =
            File::options().create(true).append(true).open(output).expect("the output file can be opened");
        let errors = file.try_clone().expect("a file can be opened twice");
        command.stdin(Stdio::null()).stdout(file).stderr(errors);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, output: output.to_owned() }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// kill -9, by process id.
    pub(crate) fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// SIGTERM, then waits.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        let id = self.child.id().to_string();
        drop(Command::new("kill").args(["-TERM", &id]).status());
        self.child.wait().expect("a child can be waited for")
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// What it printed so far.
    pub(crate) fn printed(&self) -> String {
        std::fs::read_to_string(&self.output).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The gemba binary of this build.
pub(crate) fn gemba() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gemba"));
    // Only what a test sets counts.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GEMBA_")) {
        command.env_remove(name);
    }
    command
}
