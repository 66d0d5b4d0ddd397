//! `eventcore metrics`

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use clap::{Args, ValueEnum};
use eventcore_inspect::connection::Target;
use eventcore_inspect::metrics::{collect, dashboard, down, postgres_exporter, sql_exporter, text};
use eventcore_inspect::{Error, Session, SessionOptions};
use tokio::sync::Mutex;

use crate::context::Context;
use crate::ends::Ends;
use crate::failure::Failure;

/// The arguments of `eventcore metrics`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Serve them to Prometheus at http://ADDRESS/metrics, until Ctrl-C
    #[arg(long, value_name = "ADDRESS", group = "way")]
    listen: Option<SocketAddr>,
    /// Write them to this file, for the textfile collector of node_exporter
    #[arg(long, value_name = "FILE", group = "way")]
    textfile: Option<PathBuf>,
    /// Print the configuration of an exporter that gives the same metrics
    #[arg(long, value_name = "EXPORTER", group = "way")]
    exporter: Option<Exporter>,
    /// Print a dashboard for Grafana
    #[arg(long, group = "way")]
    dashboard: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Exporter {
    /// queries.yaml, which CloudNativePG takes too
    Postgres,
    /// A collector of sql_exporter
    Sql,
}

/// How long the queries may take before Prometheus gives up.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(5);

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<(), Failure> {
    if let Some(exporter) = arguments.exporter {
        let file = match exporter {
            Exporter::Postgres => postgres_exporter(),
            Exporter::Sql => sql_exporter(),
        };
        return Ok(io::stdout().write_all(file.as_bytes())?);
    }
    if arguments.dashboard {
        return Ok(io::stdout().write_all(dashboard().as_bytes())?);
    }
    if let Some(address) = arguments.listen {
        return serve(address, context).await;
    }
    let session = context.reader().await?;
    let collected = collect(&session).await?;
    for (query, reason) in &collected.failed {
        context
            .output
            .note(&format!("left out {}: {reason}", query.prefix))?;
    }
    let text = text(&collected);
    match &arguments.textfile {
        Some(file) => Ok(write_whole(file, &text)?),
        None => Ok(io::stdout().write_all(text.as_bytes())?),
    }
}

/// Replaces the file at once, so that nobody reads half of it.
fn write_whole(file: &Path, text: &str) -> io::Result<()> {
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(format!(".{}", std::process::id()));
    std::fs::write(&unfinished, text)?;
    std::fs::rename(&unfinished, file).inspect_err(|_| {
        // It is of no use to anybody, and its name is never used again.
        let _ = std::fs::remove_file(&unfinished);
    })
}

/// What a scrape needs: where the server is, and the connection of the last scrape.
struct Scraped {
    target: Target,
    session: Mutex<Option<Session>>,
}

async fn serve(address: SocketAddr, context: &Context) -> Result<(), Failure> {
    let scraped = Arc::new(Scraped {
        target: context.target()?,
        session: Mutex::default(),
    });
    let listener = tokio::net::TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let mut ends = Ends::new()?;
    context.ends_by_itself();
    context
        .output
        .note(&format!("metrics at http://{address}/metrics"))?;
    let app = Router::new().route(
        "/metrics",
        get(move || {
            let scraped = Arc::clone(&scraped);
            async move {
                let text = scraped.text().await;
                let kind = [(
                    header::CONTENT_TYPE,
                    "text/plain; version=0.0.4; charset=utf-8",
                )];
                (StatusCode::OK, kind, text)
            }
        }),
    );
    tokio::select! {
        done = axum::serve(listener, app).into_future() => Ok(done?),
        () = ends.any() => Ok(()),
    }
}

impl Scraped {
    /// One scrape at a time. A lost connection is made again by the next one.
    async fn text(&self) -> String {
        let mut kept = self.session.lock().await;
        match self.collected(&mut kept).await {
            Ok(text) => text,
            Err(_) => {
                *kept = None;
                down()
            }
        }
    }

    async fn collected(&self, kept: &mut Option<Session>) -> Result<String, Error> {
        let session = match kept.take().filter(|session| !session.is_closed()) {
            Some(session) => session,
            None => {
                let options = SessionOptions::read_only("eventcore metrics");
                Session::open(&self.target, &options.statement_timeout(LONGEST)).await?
            }
        };
        let collected = collect(kept.insert(session)).await?;
        Ok(text(&collected))
    }
}
