//! `eventcore dev`: a server with the extension and sample data, for as long as the command runs.

mod account;
mod console;
mod folder;
mod programs;
mod sample;
mod server;

use std::path::PathBuf;

use clap::Args;
use eventcore_inspect::connection::{Environment, Given, Target, resolve};
use eventcore_inspect::{Session, SessionOptions};
use schemars::JsonSchema;
use serde::Serialize;

use self::account::Account;
use self::console::Console;
use self::folder::Folder;
use self::programs::Programs;
use self::server::Server;
use crate::arguments::Format;
use crate::context::Context;
use crate::ends::Ends;
use crate::failure::Failure;
use crate::output::maybe;

/// The arguments of `eventcore dev`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The folder with PostgreSQL's programs [default: the newest with eventcore]
    #[arg(long, value_name = "FOLDER")]
    pg_bin: Option<PathBuf>,
    /// Keep the data in this folder, and go on with what is in it [default: a temporary folder]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// The port on 127.0.0.1 [default: a free one]
    #[arg(long = "server-port", value_name = "PORT")]
    port: Option<u16>,
    /// Begin with an empty database
    #[arg(long)]
    no_sample: bool,
    /// Start no console
    #[cfg(feature = "console")]
    #[arg(long)]
    no_console: bool,
    /// The address and port of the console; port 0: one that is free
    #[cfg(feature = "console")]
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8811")]
    listen: std::net::SocketAddr,
    /// Let the console change something
    #[cfg(feature = "console")]
    #[arg(long)]
    allow_actions: bool,
}

/// The database.
const DATABASE: &str = "eventcore";

/// A server that runs until this command ends.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Running {
    /// The version of PostgreSQL.
    server_version: String,
    /// The version of eventcore.
    extension_version: String,
    /// A URL over the unix socket, which only this user can open.
    url: String,
    /// A URL on 127.0.0.1, with a password.
    tcp_url: String,
    /// The URL of the console; `null`: there is none.
    console: Option<String>,
    /// The folder with the data and the log.
    folder: PathBuf,
    /// The process of the server.
    pid: u32,
}

/// Runs until Ctrl-C or SIGTERM. Whatever ends it, the server stops, and a temporary folder is removed.
pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<(), Failure> {
    let mut ends = Ends::new()?;
    context.ends_by_itself();
    let mut started = None;
    let result = tokio::select! {
        () = ends.any() => Ok(()),
        result = serve(arguments, &mut started, context) => result,
    };
    if let Some(mut server) = started {
        tokio::select! {
            () = server.stop() => {}
            // Twice: at once.
            () = ends.any() => server.kill().await,
        }
    }
    result
}

/// Puts the server into `started` as soon as there is one, to be stopped by the caller.
async fn serve(
    arguments: &Arguments,
    started: &mut Option<Server>,
    context: &Context,
) -> Result<(), Failure> {
    let account = Account::for_servers()?;
    let programs = Programs::find(arguments.pg_bin.as_deref())?;
    let folder = Folder::new(arguments.data.as_deref(), &account)?;
    let is_new = server::create(&programs, &account, &folder).await?;
    let server = started.insert(Server::start(&programs, &account, folder, arguments.port)?);
    server.wait_until_ready().await?;
    let password = server::password()?;
    set_up(server, &password, is_new && !arguments.no_sample).await?;
    let session = open(server, DATABASE).await?;
    let extension_version = session.extension()?.version.clone();
    drop(session);
    let console = Console::new(arguments, server).await?;
    let running = Running {
        server_version: programs.version().to_owned(),
        extension_version,
        url: server.url(DATABASE),
        tcp_url: server.tcp_url(DATABASE, &password),
        console: console.url(),
        folder: server.folder().to_owned(),
        pid: server.pid(),
    };
    match context.output.format {
        Format::Table => tell(&running, arguments, context)?,
        Format::Json | Format::Jsonl => context.output.json(&running)?,
    }
    tokio::select! {
        ended = server.ended() => ended,
        ended = console.run() => ended,
    }
}

/// Makes the database, if it is not there, and sets the password.
async fn set_up(server: &Server, password: &str, with_sample: bool) -> Result<(), Failure> {
    let session = open(server, "postgres").await?;
    let client = session.client();
    let found = "SELECT FROM pg_database WHERE datname = 'eventcore'";
    let is_there = client
        .query_opt(found, &[])
        .await
        .map_err(eventcore_inspect::Error::from)?;
    if is_there.is_none() {
        batch(&session, "CREATE DATABASE eventcore").await?;
    }
    // A password of hexadecimal digits.
    batch(
        &session,
        &format!("ALTER ROLE postgres PASSWORD '{password}'"),
    )
    .await?;
    drop(session);
    let session = open(server, DATABASE).await?;
    batch(
        &session,
        "CREATE EXTENSION IF NOT EXISTS eventcore SCHEMA public",
    )
    .await?;
    batch(&session, "ALTER EXTENSION eventcore UPDATE").await?;
    drop(session);
    if with_sample {
        sample::fill(&open(server, DATABASE).await?).await?;
    }
    Ok(())
}

async fn open(server: &Server, database: &str) -> Result<Session, Failure> {
    let target = target(server, database)?;
    let options = SessionOptions::read_write("eventcore dev");
    Ok(Session::open(&target, &options).await?)
}

/// Where the server is. The caller's settings for other servers, such as PGSSLMODE, say nothing of it.
fn target(server: &Server, database: &str) -> Result<Target, Failure> {
    let given = Given {
        url: Some(server.url(database)),
        ..Given::default()
    };
    Ok(resolve(&given, &Environment::default())?)
}

async fn batch(session: &Session, sql: &str) -> Result<(), Failure> {
    let done = session.client().batch_execute(sql).await;
    Ok(done.map_err(eventcore_inspect::Error::from)?)
}

fn tell(running: &Running, arguments: &Arguments, context: &Context) -> Result<(), Failure> {
    let output = &context.output;
    output.record(
        running,
        vec![
            (
                "server",
                format!(
                    "PostgreSQL {} with eventcore {}",
                    running.server_version, running.extension_version
                ),
            ),
            ("EVENTCORE_URL", running.url.clone()),
            ("over TCP", running.tcp_url.clone()),
            ("console", maybe(running.console.as_ref())),
            ("folder", running.folder.display().to_string()),
        ],
    )?;
    output.note(match arguments.data {
        Some(_) => "Ctrl-C stops the server, a second one at once; the folder stays.",
        None => "Ctrl-C stops the server, a second one at once, and removes the folder.",
    })
}
