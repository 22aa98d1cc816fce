//! `cargo x bench`: CPU seconds per million values and memory, of edge and platform as processes of their own
//! over the simulated plant. CPU time hardly notices a busy machine; that is why it is the figure.

mod age;
mod clients;
mod hub;
mod page;
mod stores;

use crate::chain::process::Usage;
use crate::chain::{Chain, Setup};
use crate::{peers, run, web};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A load of the simulator.
struct Load {
    name: &'static str,
    what: &'static str,
    arguments: &'static [&'static str],
}

/// What is measured.
const LOADS: &[Load] = &[
    Load {
        name: "large",
        what: "75 servers, 4,500 tags each, 84,375 values/s",
        arguments: &["load", "--preset", "large"],
    },
    Load {
        name: "50k-10hz",
        what: "10 servers, 50,000 tags at 10 Hz, 500,000 values/s offered",
        arguments: &["load", "--servers", "10", "--tags", "5000", "--period", "100"],
    },
    Load {
        name: "small",
        what: "25 servers, 300 tags each, 1,875 values/s",
        arguments: &["load", "--preset", "small"],
    },
];

/// How long ages of values are watched at most.
const AGES: Duration = Duration::from_secs(20);

/// One line of the table.
struct Figure {
    load: &'static str,
    what: String,
    values_per_second: f64,
    edge: Usage,
    platform: Usage,
    /// CPU seconds of the simulated plants.
    plants: f64,
    /// How old values are when they can be queried; none without values.
    ages: Option<age::Ages>,
    values: u64,
    seconds: f64,
    /// Messages in all queues at the end: many when the load is more than was stored.
    waiting: u64,
}

pub(crate) fn run(args: &[String]) -> Result<()> {
    let value = |name: &str| args.iter().skip_while(|arg| *arg != name).nth(1).cloned();
    let seconds: u64 =
        value("--seconds").map_or(Ok(30), |text| text.parse()).context("--seconds needs a number")?;
    let minutes: f64 =
        value("--minutes").map_or(Ok(1.0), |text| text.parse()).context("--minutes needs a number")?;
    let only = value("--only");
    let wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);
    let profile = value("--profile").unwrap_or_else(|| "release".to_owned());
    if ["hub", "clients", "stores"].into_iter().any(wanted) {
        peers::set_up_for_bench()?;
    }
    if wanted("page") {
        peers::browser()?;
        // The program is built with what lies there.
        web::build()?;
    }
    let with_examples = ["hub", "stores"].into_iter().any(wanted);
    let Programs { gemba: binary, examples } = Programs::build(&profile, with_examples)?;
    let mut report = Report::default();
    // A part that fails costs the others nothing; it is told at the end.
    let mut failures = Vec::new();
    let mut failed = |name: &str, error: anyhow::Error| failures.push(format!("{name}: {error:#}"));
    if wanted("idle") {
        idle(&binary).map_or_else(|error| failed("idle", error), |figure| report.chain.push(figure));
    }
    for load in LOADS.iter().filter(|load| wanted(load.name)) {
        run::say(&format!("{}: {} …", load.name, load.what));
        let figure = measure(&binary, load, Duration::from_secs(seconds));
        figure.map_or_else(|error| failed(load.name, error), |figure| report.chain.push(figure));
    }
    if wanted("hub") {
        hub::measure(&examples)
            .map_or_else(|error| failed("hub", error), |figures| report.hub = Some(figures));
    }
    if wanted("clients") {
        let figures = clients::measure(&binary, seconds.min(10));
        figures.map_or_else(|error| failed("clients", error), |figures| report.clients = figures);
    }
    if wanted("stores") {
        stores::measure(&examples)
            .map_or_else(|error| failed("stores", error), |figures| report.stores = Some(figures));
    }
    if wanted("page") {
        page::measure(&binary, Duration::from_secs(seconds), minutes)
            .map_or_else(|error| failed("page", error), |figures| report.page = Some(figures));
    }
    if args.iter().any(|arg| arg == "--json") {
        run::say(&serde_json::to_string_pretty(&report.json())?);
    } else {
        report.print();
    }
    if !failures.is_empty() {
        bail!("not measured: {}", failures.join("; "));
    }
    Ok(())
}

/// All that was measured in one run.
#[derive(Default)]
struct Report {
    chain: Vec<Figure>,
    hub: Option<hub::Figures>,
    clients: Vec<clients::Figure>,
    stores: Option<stores::Figures>,
    page: Option<page::Figures>,
}

impl Report {
    fn json(&self) -> Value {
        let chain: Vec<Value> = self.chain.iter().map(Figure::json).collect();
        let clients: Vec<Value> = self.clients.iter().map(clients::Figure::json).collect();
        let stores = self.stores.as_ref();
        json!({
            "items": chain,
            "hub": self.hub.as_ref().map(hub::Figures::json),
            "clients": clients,
            "historian": stores.map(|figures| figures.historian.clone()),
            "stores": stores.map(|figures| figures.stores.clone()),
            "page": self.page.as_ref().map(page::Figures::json),
        })
    }

    fn print(&self) {
        if !self.chain.is_empty() {
            print(&self.chain);
        }
        if let Some(figures) = &self.hub {
            figures.print();
        }
        if !self.clients.is_empty() {
            run::say(&format!("\n{}", clients::HEAD));
            self.clients.iter().for_each(|figure| run::say(&figure.row()));
        }
        if let Some(figures) = &self.stores {
            run::say("\nHistorian alone:");
            figures.historian.iter().for_each(|line| run::say(&format!("  {line}")));
            run::say(&format!("\n{}", stores::HEAD));
            figures.stores.iter().for_each(|store| run::say(&stores::row(store)));
        }
        if let Some(figures) = &self.page {
            figures.print();
        }
    }
}

/// Where the programs lie that are measured.
struct Programs {
    gemba: PathBuf,
    /// The folder of `serve` and `load` of the hub, and `ingest` of the historian.
    examples: PathBuf,
}

impl Programs {
    /// Builds all with one command: several would build what they share several times, each with other features.
    fn build(profile: &str, with_examples: bool) -> Result<Self> {
        let mut arguments = vec!["build", "--profile", profile, "--bin", "gemba", "-p", "gemba"];
        if with_examples {
            arguments.extend(["-p", "gemba-hub", "-p", "gemba-historian"]);
            arguments.extend(["--example", "serve", "--example", "load", "--example", "ingest"]);
        }
        run::cargo(&arguments)?;
        let folder = run::target().join(if profile == "dev" { "debug" } else { profile });
        Ok(Self { gemba: folder.join("gemba"), examples: folder.join("examples") })
    }
}

fn idle(binary: &std::path::Path) -> Result<Figure> {
    let chain = Chain::start(binary, &Setup::default())?;
    let before = Instant::now();
    let (edge, platform) = (chain.edge()?, chain.platform()?);
    std::thread::sleep(Duration::from_secs(5));
    let seconds = before.elapsed().as_secs_f64();
    let figure = Figure {
        load: "idle",
        what: "nothing published".to_owned(),
        values_per_second: 0.0,
        edge: chain.edge()?.since(&edge),
        platform: chain.platform()?.since(&platform),
        plants: 0.0,
        ages: None,
        values: 0,
        seconds,
        waiting: chain.messages_waiting()?,
    };
    Ok(figure)
}

fn measure(binary: &std::path::Path, load: &Load, time: Duration) -> Result<Figure> {
    let chain = Chain::start(binary, &Setup { plants: &[load.arguments], ..Setup::default() })?;
    chain.wait_until_flowing()?;
    let (began, values) = (Instant::now(), chain.values()?);
    let (edge, platform, plants) = (chain.edge()?, chain.platform()?, chain.plants()?);
    std::thread::sleep(time);
    let seconds = began.elapsed().as_secs_f64();
    let delivered = chain.values()?.saturating_sub(values);
    if delivered == 0 {
        bail!("{}: nothing was stored in {seconds:.0} s", load.name);
    }
    let mut figure = Figure {
        load: load.name,
        what: load.what.to_owned(),
        values_per_second: delivered as f64 / seconds,
        edge: chain.edge()?.since(&edge),
        platform: chain.platform()?.since(&platform),
        plants: chain.plants()? - plants,
        ages: None,
        values: delivered,
        seconds,
        waiting: chain.messages_waiting()?,
    };
    // Afterwards, because the questions cost something too.
    figure.ages = Some(age::measure(&chain, time.min(AGES))?);
    Ok(figure)
}

impl Figure {
    /// CPU seconds per million values, or of one second when there are none.
    fn per_million(&self, cpu_seconds: f64) -> f64 {
        if self.values == 0 { 0.0 } else { cpu_seconds / (self.values as f64 / 1e6) }
    }

    fn cores(&self) -> f64 {
        (self.edge.cpu_seconds + self.platform.cpu_seconds) / self.seconds
    }

    fn json(&self) -> Value {
        json!({
            "load": self.load, "what": self.what, "values": self.values, "seconds": self.seconds,
            "valuesPerSecond": self.values_per_second,
            "edge": { "cpuSecondsPerMillion": self.per_million(self.edge.cpu_seconds), "rssMiB": self.edge.rss_mib },
            "platform": { "cpuSecondsPerMillion": self.per_million(self.platform.cpu_seconds), "rssMiB": self.platform.rss_mib },
            "cores": self.cores(),
            "messagesWaiting": self.waiting,
            "simulator": { "cpuSecondsPerMillion": self.per_million(self.plants) },
            "ages": self.ages.map(|ages| json!({
                "p50Millis": ages.p50, "p99Millis": ages.p99, "values": ages.values,
            })),
        })
    }
}

fn print(figures: &[Figure]) {
    run::say(
        "| load | values/s stored | edge CPU s/M | edge MiB | platform CPU s/M | platform MiB | cores, both \
         | p50, p99 ms to a reader | simulator CPU s/M | messages waiting |",
    );
    run::say("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for figure in figures {
        let ages = figure.ages.map_or_else(|| "-".to_owned(), |ages| format!("{}, {}", ages.p50, ages.p99));
        run::say(&format!(
            "| {}: {} | {:.0} | {:.3} | {} | {:.3} | {} | {:.3} | {ages} | {:.3} | {} |",
            figure.load,
            figure.what,
            figure.values_per_second,
            figure.per_million(figure.edge.cpu_seconds),
            figure.edge.rss_mib,
            figure.per_million(figure.platform.cpu_seconds),
            figure.platform.rss_mib,
            figure.cores(),
            figure.per_million(figure.plants),
            figure.waiting
        ));
    }
}
