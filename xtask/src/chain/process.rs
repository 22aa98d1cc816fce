//! A measured process.

use anyhow::{Context, Result};
use std::fs;
use std::process::{Child, Command, ExitStatus, Stdio};

/// A child that is killed when it is dropped.
pub(crate) struct Running(Child);

/// CPU time and memory of a process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) cpu_seconds: f64,
    pub(crate) rss_mib: u64,
    pub(crate) rss_kib: u64,
}

/// Clock ticks a second in /proc; fixed on Linux.
const TICKS: f64 = 100.0;

impl Running {
    pub(crate) fn start(command: &mut Command, output: &std::path::Path) -> Result<Self> {
        let file = fs::File::create(output)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        Ok(Self(command.spawn().with_context(|| format!("cannot start {command:?}"))?))
    }

    /// [`Running::start`] for a program that ends with its input.
    pub(crate) fn start_with_input(command: &mut Command, output: &std::path::Path) -> Result<Self> {
        let file = fs::File::create(output)?;
        command.stdin(Stdio::piped()).stdout(file.try_clone()?).stderr(file);
        Ok(Self(command.spawn().with_context(|| format!("cannot start {command:?}"))?))
    }

    /// SIGTERM, then waits.
    pub(crate) fn stop(&mut self) -> Result<ExitStatus> {
        let id = self.0.id().to_string();
        crate::run::check(Command::new("kill").args(["-TERM", &id]))?;
        self.0.wait().context("a child cannot be waited for")
    }

    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }

    pub(crate) fn usage(&self) -> Result<Usage> {
        let id = self.0.id();
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).context("the process has ended")?;
        // The name in parentheses may hold spaces.
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let field = |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: u64 = rss.and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or(0);
        Ok(Usage { cpu_seconds: (field(11) + field(12)) / TICKS, rss_mib: kib / 1024, rss_kib: kib })
    }
}

impl Usage {
    /// What was used since an earlier look; memory is that of now.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self {
            cpu_seconds: self.cpu_seconds - earlier.cpu_seconds,
            rss_mib: self.rss_mib,
            rss_kib: self.rss_kib,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
