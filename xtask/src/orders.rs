//! `cargo xtask orders`: the example `orders` with everything it needs, until Ctrl-C.

use std::net::TcpListener;
use std::process::{Child, Command, ExitCode};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::PgOption;
use crate::background::Background;
use crate::child::ending_with_us;
use crate::server::{self, PrivateServer};
use crate::setup;
use crate::step::Ui;
use crate::workspace::Workspace;

const DATABASE: &str = "eventcore_orders";

/// `cargo xtask orders …`
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pg: PgOption,
    /// Where the events go; `memory` needs no PostgreSQL
    #[arg(long, value_enum, default_value = "postgres")]
    store: Store,
    /// Where it listens on this machine
    #[arg(long, value_name = "N", default_value_t = 3_000)]
    port: u16,
    /// Where the read models are kept up to date; only PostgreSQL has a choice
    #[arg(long, value_enum, default_value = "server")]
    projections: Projections,
    /// Begin with an empty database
    #[arg(long)]
    fresh: bool,
}

/// A kind of store.
#[derive(Clone, Copy, ValueEnum)]
enum Store {
    Postgres,
    Memory,
}

/// Where the read models are kept up to date.
#[derive(Clone, Copy, ValueEnum)]
enum Projections {
    Server,
    Client,
}

pub(crate) fn run(workspace: &Workspace, ui: &Ui, arguments: &Arguments) -> Result<ExitCode> {
    let example = Background::start(ui, "example orders: build", build(workspace))?;
    let url = match arguments.store {
        Store::Memory => {
            example.finish(ui)?;
            None
        }
        Store::Postgres => {
            setup::packages(workspace, ui, arguments.pg.pg)?;
            example.finish(ui)?;
            Some(database(workspace, ui, arguments)?)
        }
    };
    let partners = Partners::start(workspace)?;
    let mut service = orders(workspace, &["serve", "--seed"]);
    service
        .env("HOST", "127.0.0.1")
        .env("PORT", arguments.port.to_string())
        .env("PARTNERS_URL", format!("http://{}", partners.address))
        .env(
            "PROJECTIONS",
            match arguments.projections {
                Projections::Server => "server",
                Projections::Client => "client",
            },
        );
    match &url {
        Some(url) => service.env("DATABASE_URL", url),
        None => service.env_remove("DATABASE_URL"),
    };
    if url.is_some() {
        ui.say(&format!(
            "The events are in the database {DATABASE}: cargo xtask server psql -d {DATABASE}"
        ));
    }
    let mut service = ending_with_us(service);
    let status = service.status().context("cannot run the example orders")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}

/// The URL of the database, which is kept from run to run.
fn database(workspace: &Workspace, ui: &Ui, arguments: &Arguments) -> Result<String> {
    let pg = arguments.pg.pg;
    if !matches!(setup::existing(workspace, ui, pg), Ok(Some(_))) {
        ui.say("Set-up comes first: about 5 minutes the first time, seconds afterwards.");
    }
    let installation = setup::run(workspace, ui, pg)?;
    let server = PrivateServer::new(&installation)?;
    server::start(ui, &server, &installation)?;
    let step = ui.step(&format!("database {DATABASE}"));
    {
        let _lock = server.lock(ui)?;
        match arguments.fresh {
            true => server.fresh_database(DATABASE)?,
            false => server.ensure_database(DATABASE)?,
        }
    }
    step.done();
    server.socket_url(DATABASE)
}

fn build(workspace: &Workspace) -> Command {
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--release", "--package", "orders"]);
    cargo
}

/// The program with these arguments.
fn orders(workspace: &Workspace, arguments: &[&str]) -> Command {
    let mut cargo = workspace.cargo();
    cargo.args(["run", "--quiet", "--release", "--package", "orders", "--"]);
    cargo.args(arguments);
    cargo
}

/// A payment provider and a carrier that fail now and then, as a process of their own.
struct Partners {
    address: String,
    process: Child,
}

impl Partners {
    fn start(workspace: &Workspace) -> Result<Self> {
        // A port that is free now; nobody else asks for it in the moment until it is taken.
        let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let address = free.to_string();
        let faults = [
            "--fail", "0.05", "--lose", "0.05", "--slow", "0.2", "--delay", "500",
        ];
        let arguments = [&["stub", "--address", &address], &faults[..]].concat();
        let mut command = ending_with_us(orders(workspace, &arguments));
        let process = command
            .spawn()
            .context("cannot run the partners of the example orders")?;
        Ok(Self { address, process })
    }
}

impl Drop for Partners {
    fn drop(&mut self) {
        // It has ended already if Ctrl-C reached it too.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
