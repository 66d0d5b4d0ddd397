//! The program `orders`: the service, its partners, and customers who put it under load.

use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use orders::config::Config;
use orders::load::Load;
use orders::outside::{Faults, Ledger, serve_stub};
use orders::service::Service;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Order management on eventcore. The service takes its configuration from the environment: HOST,
/// PORT, DATABASE_URL and others, which README.md lists.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// The service itself [default]
    Serve(Serve),
    /// A payment provider and a carrier, with faults
    Stub(Stub),
    /// Customers who order as fast as they are served
    Load(Customers),
}

#[derive(Args, Default)]
struct Serve {
    /// Fill the shop with sample data if it is empty
    #[arg(long)]
    seed: bool,
}

#[derive(Args)]
struct Stub {
    /// Where it listens
    #[arg(long, default_value = "127.0.0.1:4000")]
    address: SocketAddr,
    /// The share of requests that are refused with 503
    #[arg(long, default_value_t = 0.0)]
    fail: f64,
    /// The share of requests that are carried out, but whose answer is lost
    #[arg(long, default_value_t = 0.0)]
    lose: f64,
    /// The share of requests that take their time
    #[arg(long, default_value_t = 0.0)]
    slow: f64,
    /// The longest time that those take
    #[arg(long, value_name = "MS", default_value_t = 1_000)]
    delay: u64,
    /// Where to keep what was done, one JSON object in each line; in memory without it
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
}

#[derive(Args)]
struct Customers {
    /// The service
    #[arg(long, default_value = "http://127.0.0.1:3000")]
    url: String,
    /// How many order at the same time
    #[arg(long, value_name = "N", default_value_t = 8)]
    customers: usize,
    /// For how long
    #[arg(long, value_name = "S", default_value_t = 10)]
    seconds: u64,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    trace();
    let done = match cli.command.unwrap_or(Command::Serve(Serve::default())) {
        Command::Serve(arguments) => serve(&arguments).await,
        Command::Stub(stub) => serve_partners(&stub).await,
        Command::Load(customers) => load(customers).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut message = error.to_string();
            let mut source = error.source();
            while let Some(error) = source {
                message = format!("{message}: {error}");
                source = error.source();
            }
            eprintln!("orders: {message}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(arguments: &Serve) -> Result<(), Failure> {
    let config = Config::from_env()?;
    let listener = listen(config.address).await?;
    let service = Service::start(&config).await?;
    if arguments.seed {
        service.seed_if_empty().await?;
    }
    announce(
        listener.local_addr()?,
        &format!("orders, {}", service.kept()),
    )?;
    Ok(service.serve(listener, told_to_end()?).await?)
}

async fn serve_partners(stub: &Stub) -> Result<(), Failure> {
    let listener = listen(stub.address).await?;
    let ledger = match &stub.ledger {
        None => Ledger::default(),
        Some(path) => Ledger::open(path)
            .map_err(|error| format!("cannot use the ledger {}: {error}", path.display()))?,
    };
    announce(listener.local_addr()?, "a payment provider and a carrier")?;
    let faults = Faults {
        fail: stub.fail,
        lose: stub.lose,
        slow: stub.slow,
        delay: Duration::from_millis(stub.delay),
    };
    Ok(serve_stub(listener, Arc::new(ledger), faults, told_to_end()?).await?)
}

async fn load(customers: Customers) -> Result<(), Failure> {
    let load = Load {
        url: customers.url.trim_end_matches('/').to_owned(),
        customers: customers.customers.max(1),
        duration: Duration::from_secs(customers.seconds),
    };
    Ok(write!(io::stdout(), "{}", load.run().await?)?)
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|error| format!("cannot listen on {address}: {error}").into())
}

/// The first line of the output, for people and for programs that have chosen port 0.
fn announce(mut address: SocketAddr, what: &str) -> io::Result<()> {
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    writeln!(io::stdout(), "{what}: http://{address}")
}

/// Ends at SIGINT and SIGTERM.
fn told_to_end() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Traces to standard error, as `RUST_LOG` says.
fn trace() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,orders=info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
}
