//! What can be written after `eventcore`.

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use eventcore_inspect::connection::Given;

use crate::commands;

/// Look at an eventcore database, and operate it.
///
/// It finds the server as psql does: by options, EVENTCORE_URL, PGSERVICE, PGHOST and the other
/// variables of libpq, and ~/.pgpass.
#[derive(Parser)]
#[command(
    name = "eventcore",
    version,
    disable_help_flag = true,
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no connection, 4 not found, 5 version conflict, \
                  6 rejected by a command, 7 not permitted, 130 interrupted."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) connection: ConnectionArguments,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List streams, in the order of the bytes of their names
    Streams(commands::streams::Arguments),
    /// Show one stream, or its events
    Stream(commands::stream::Arguments),
    /// Show one event, by its position or its id
    Event(commands::event::Arguments),
    /// Show the newest events; with -f, also those that come
    Tail(commands::tail::Arguments),
    /// Show all events of one operation, by correlation id
    Trace(commands::trace::Arguments),
    /// Search events by stream, type, time, correlation id or payload
    Search(commands::search::Arguments),
    /// Append events
    Append(commands::append::Arguments),
    /// Close a stream: it takes no more events
    Close(commands::close::Arguments),
    /// List durable subscriptions, and operate them
    Subscriptions(commands::subscriptions::Arguments),
    /// Show, replay or discard events that were set aside
    Parked(commands::parked::Arguments),
    /// List projections in the server, and operate them
    Projections(commands::projections::Arguments),
    /// List checkpoints of projections that run in clients
    Checkpoints,
    /// Show transactions that have appended and not ended, and which of them holds readers back
    Inflight(commands::inflight::Arguments),
    /// Show the figures of this moment
    Stats,
    /// List commands inside the database, or show one
    Commands(commands::commands::Arguments),
    /// Execute a command inside the database, or try it
    Execute(commands::execute::Arguments),
    /// Watch what happens: rates, what holds readers back, subscriptions, projections, last events
    Top(crate::top::Arguments),
    /// Write all events to a file, as lines of JSON
    Export(commands::export::Arguments),
    /// Read events from such a file
    Import(commands::import::Arguments),
    /// Look for what is wrong, and say what repairs it
    Doctor(commands::doctor::Arguments),
    /// Set up a database: the extension, and roles for applications and monitoring
    Setup(commands::setup::Arguments),
    /// Run a server with the extension and sample data, until Ctrl-C
    Dev(crate::dev::Arguments),
    /// Print metrics for Prometheus, or serve them
    Metrics(commands::metrics::Arguments),
    /// Serve the console: pages that show what is there and what happens
    #[cfg(feature = "console")]
    Console(commands::console::Arguments),
    /// Print the JSON schema of what a command prints with `-o json`
    Schema(crate::schemas::Arguments),
    /// Print what makes a shell complete this command
    Completions(commands::completions::Completions),
    /// Write pages of the manual
    Man(commands::completions::Man),
}

/// Where the server is.
#[derive(Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectionArguments {
    /// A libpq URL or connection string [env: EVENTCORE_URL]
    #[arg(long, global = true, value_name = "URL")]
    url: Option<String>,
    /// The database, or a libpq URL or connection string
    #[arg(short = 'd', long, global = true, value_name = "NAME")]
    dbname: Option<String>,
    /// The server's host, or the folder of its socket
    #[arg(short = 'h', long, global = true, value_name = "HOST")]
    host: Option<String>,
    /// The server's port
    #[arg(short = 'p', long, global = true, value_name = "PORT")]
    port: Option<String>,
    /// The role to log in as
    #[arg(short = 'U', long, global = true, value_name = "ROLE")]
    username: Option<String>,
    /// Never ask for a password
    #[arg(short = 'w', long, global = true)]
    pub(crate) no_password: bool,
}

impl ConnectionArguments {
    pub(crate) fn given(&self) -> Given {
        Given {
            url: self.url.clone(),
            database: self.dbname.clone(),
            host: self.host.clone(),
            port: self.port.clone(),
            user: self.username.clone(),
            password: None,
        }
    }
}

/// What is printed, and how.
#[derive(Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArguments {
    /// A table for people, one JSON document, or one JSON document for each row
    #[arg(
        short = 'o',
        long,
        global = true,
        value_name = "FORMAT",
        default_value = "table"
    )]
    pub(crate) output: Format,
    /// Whether to use colours; `auto`: on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: When,
    /// How tables show times [default: relative on a terminal, else iso]
    #[arg(long, global = true, value_name = "STYLE")]
    pub(crate) time: Option<TimeStyle>,
    /// Print only what was asked for
    #[arg(short = 'q', long, global = true)]
    pub(crate) quiet: bool,
    /// Say where the connection's parameters come from
    #[arg(short = 'v', long, global = true)]
    pub(crate) verbose: bool,
    /// Do what destroys something without asking
    #[arg(long, global = true)]
    pub(crate) yes: bool,
    /// Print help
    #[arg(long, global = true, action = ArgAction::Help)]
    help: Option<bool>,
}

/// The format of what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Json,
    Jsonl,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    Auto,
    Always,
    Never,
}

/// How tables show times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TimeStyle {
    /// 5 min ago
    Relative,
    /// 2026-11-29T05:00:00.000000Z
    Iso,
    /// Seconds since 1970
    Raw,
}
