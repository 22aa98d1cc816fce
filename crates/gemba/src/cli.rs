//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use gemba_api::rest::Role;
use std::path::PathBuf;

/// Gemba connects the machines of a factory floor over OPC UA, publishes their data, keeps their history
/// and shows the factory on a page.
#[derive(Debug, Parser)]
#[command(name = "gemba", version, about, max_term_width = 110)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start everything in one process over the simulated plant.
    Demo(DemoArgs),
    /// Run one role or several.
    Run(RunArgs),
    /// Run the simulated plant alone.
    Sim {
        /// Which plant.
        #[command(subcommand)]
        plant: Plant,
    },
    /// Look at an OPC UA server.
    Opc {
        /// What to do there.
        #[command(subcommand)]
        action: OpcAction,
    },
    /// Manage the hub's identities.
    Hub {
        /// What to do.
        #[command(subcommand)]
        action: HubAction,
    },
    /// Manage access tokens.
    Token {
        /// What to do.
        #[command(subcommand)]
        action: TokenAction,
    },
    /// Show the configuration.
    Config {
        /// What to do.
        #[command(subcommand)]
        action: ConfigAction,
    },
    /// Check network, certificates, clock, disk and ports.
    Check(CheckArgs),
}

/// Where data and configuration are.
#[derive(Debug, Clone, Args)]
pub(crate) struct Place {
    /// Data directory.
    #[arg(long, default_value = "gemba-data", env = "GEMBA_DATA")]
    pub(crate) data: PathBuf,
    /// Configuration file (TOML).
    #[arg(long)]
    pub(crate) config: Option<PathBuf>,
    /// Set one configuration key, such as `hub.mqtt.listen=0.0.0.0:8883`; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

/// `gemba demo`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DemoArgs {
    /// Where data and configuration are.
    #[command(flatten)]
    pub(crate) place: Place,
    /// Production lines; each has an assembly, a test and a packaging station.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=8))]
    pub(crate) lines: u32,
    /// How many times faster than real time the plant runs.
    #[arg(long, default_value_t = gemba_sim::factory::DEMO_CLOCK_FACTOR)]
    pub(crate) clock_factor: f64,
    /// Seed of everything random in the plant.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// A role of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleName {
    /// Hub, historian and console.
    Platform,
    /// Publisher and store-and-forward.
    Edge,
}

/// `gemba run`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunArgs {
    /// Where data and configuration are.
    #[command(flatten)]
    pub(crate) place: Place,
    /// Roles of this process, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "platform,edge")]
    pub(crate) role: Vec<RoleName>,
    /// What the edge publishes (`publishednodes.json`); watched for changes.
    #[arg(long)]
    pub(crate) published_nodes: Option<PathBuf>,
    /// The edge's hub: @FILE as `gemba hub enroll` writes it, or a connection string.
    #[arg(long)]
    pub(crate) hub: Option<String>,
    /// Certificate of the hub's authority (PEM).
    #[arg(long)]
    pub(crate) hub_ca: Option<PathBuf>,
}

/// `gemba sim`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Plant {
    /// The demo factory: lines of stations that make something.
    Factory {
        /// Production lines of three stations.
        #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=8))]
        lines: u32,
        /// How many times faster than real time.
        #[arg(long, default_value_t = 1.0)]
        clock_factor: f64,
        /// Seed of everything random.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Port of the first station; the others follow. 0 picks free ones.
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// Write a matching publishednodes.json here.
        #[arg(long)]
        published_nodes: Option<PathBuf>,
    },
    /// Servers full of counters or waveforms.
    Load(LoadArgs),
}

/// `gemba sim load`.
#[derive(Debug, Clone, Args)]
pub(crate) struct LoadArgs {
    /// A reference plant: small, medium, large or one-125k; the other options change it.
    #[arg(long)]
    pub(crate) preset: Option<String>,
    /// Servers.
    #[arg(long)]
    pub(crate) servers: Option<u32>,
    /// Tags of each server.
    #[arg(long)]
    pub(crate) tags: Option<u32>,
    /// Milliseconds between two values of a tag.
    #[arg(long)]
    pub(crate) period: Option<u64>,
    /// What tags show: counter, waveform or mixed.
    #[arg(long)]
    pub(crate) kind: Option<String>,
    #[arg(long, value_name = "NAME", help = gemba_sim::personality::help())]
    pub(crate) personality: Vec<String>,
    /// User name and password that servers ask for, as USER:PASSWORD.
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// Address on which the servers listen.
    #[arg(long, default_value = "127.0.0.1")]
    pub(crate) host: std::net::IpAddr,
    /// Port of the first server; the others follow. 0 picks free ones.
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// Folder for the servers' certificates; kept between runs when given.
    #[arg(long)]
    pub(crate) pki: Option<PathBuf>,
    /// Seed of everything random.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Write a matching publishednodes.json here.
    #[arg(long)]
    pub(crate) published_nodes: Option<PathBuf>,
}

/// How to reach a server.
#[derive(Debug, Clone, Args)]
pub(crate) struct OpcTarget {
    /// Endpoint URL, such as opc.tcp://plc1:4840
    pub(crate) url: String,
    /// Security policy: None or Basic256Sha256.
    #[arg(long, default_value = "None")]
    pub(crate) policy: String,
    /// User name; the password is read from the environment variable GEMBA_OPC_PASSWORD.
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// Where our certificate and the trusted ones are.
    #[arg(long, default_value = "gemba-data", env = "GEMBA_DATA")]
    pub(crate) data: PathBuf,
    /// Trust the server's certificate from now on, whatever it is.
    #[arg(long)]
    pub(crate) trust: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `gemba opc`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum OpcAction {
    /// List a node's children.
    Browse {
        /// The server.
        #[command(flatten)]
        target: OpcTarget,
        /// The node; the Objects folder when left out.
        #[arg(default_value = "i=85")]
        node: String,
    },
    /// Read values.
    Read {
        /// The server.
        #[command(flatten)]
        target: OpcTarget,
        /// The nodes.
        #[arg(required = true)]
        nodes: Vec<String>,
    },
    /// Print values as they change, until Ctrl-C.
    Subscribe {
        /// The server.
        #[command(flatten)]
        target: OpcTarget,
        /// The nodes.
        #[arg(required = true)]
        nodes: Vec<String>,
        /// Milliseconds between two messages of the server.
        #[arg(long, default_value_t = 500)]
        interval: u64,
    },
}

/// `gemba hub`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum HubAction {
    /// Device identities.
    Identity {
        /// What to do.
        #[command(subcommand)]
        action: IdentityAction,
    },
    /// Create an identity for an edge and write the one file that it needs.
    Enroll {
        /// Name of the edge.
        name: String,
        /// The file to write, mode 0600.
        #[arg(long)]
        out: PathBuf,
        /// Where data and configuration are.
        #[command(flatten)]
        place: Place,
    },
}

/// `gemba hub identity`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum IdentityAction {
    /// Create one and print its connection string.
    Create(IdentityArgs),
    /// List all.
    List {
        /// Where data and configuration are.
        #[command(flatten)]
        place: Place,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show one, without its keys.
    Show(IdentityArgs),
    /// Print its connection string.
    ConnectionString(IdentityArgs),
    /// Let it connect.
    Enable(IdentityArgs),
    /// Close its connection and keep it out.
    Disable(IdentityArgs),
    /// Remove it.
    Delete(IdentityArgs),
}

/// Which identity.
#[derive(Debug, Clone, Args)]
pub(crate) struct IdentityArgs {
    /// Device id.
    pub(crate) name: String,
    /// Where data and configuration are.
    #[command(flatten)]
    pub(crate) place: Place,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `gemba token`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum TokenAction {
    /// Create a bearer token and print it once.
    Create {
        /// What it may do: viewer, operator, engineer or admin.
        #[arg(long)]
        role: Role,
        /// Name in lists and the audit trail.
        #[arg(long, default_value = "command line")]
        name: String,
        /// Where data and configuration are.
        #[command(flatten)]
        place: Place,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// `gemba config`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ConfigAction {
    /// Print the merged configuration and where each value comes from.
    Show {
        /// Where data and configuration are.
        #[command(flatten)]
        place: Place,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// `gemba check`.
#[derive(Debug, Clone, Args)]
pub(crate) struct CheckArgs {
    /// Where data and configuration are.
    #[command(flatten)]
    pub(crate) place: Place,
    /// Servers whose endpoints to try.
    #[arg(long = "endpoint")]
    pub(crate) endpoints: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
