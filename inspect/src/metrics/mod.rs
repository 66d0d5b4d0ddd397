//! Metrics for Prometheus: one table of statements, from which everything is made that Prometheus,
//! its exporters and the manual read.
//!
//! The name of a metric is the name of its query, an underscore and the name of the column, as in
//! the files of postgres_exporter and CloudNativePG. So all ways give the same names.

mod dashboard;
mod exporters;
mod panels;
mod queries;
mod text;

use tokio_postgres::Row;

pub use self::dashboard::dashboard;
pub use self::exporters::{postgres_exporter, sql_exporter};
pub use self::queries::QUERIES;
pub use self::text::{down, text};
use crate::error::{Error, ErrorKind};
use crate::session::Session;

/// The kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It goes up and down.
    Gauge,
    /// It only rises, until the server starts again.
    Counter,
}

impl Kind {
    /// Its name in the text format.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
        }
    }
}

/// A column of a query that is a metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// The column.
    pub column: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// What it says.
    pub help: &'static str,
}

/// A statement, whose first columns are labels and whose others are metrics.
#[derive(Debug, Clone, Copy)]
pub struct Query {
    /// What the names of its metrics begin with.
    pub prefix: &'static str,
    /// The statement. Its metrics are of the type `double precision`.
    pub sql: &'static str,
    /// The columns that are labels, of the type `text`.
    pub labels: &'static [&'static str],
    /// The columns that are metrics.
    pub metrics: &'static [Metric],
}

impl Query {
    /// The whole name of a metric of this query.
    #[must_use]
    pub fn name(&self, metric: &Metric) -> String {
        format!("{}_{}", self.prefix, metric.column)
    }
}

/// The values of one query, at one time.
#[derive(Debug, Clone)]
pub struct Family {
    /// The query.
    pub query: &'static Query,
    /// For each row the labels, and for each metric its value, if there is one.
    pub rows: Vec<(Vec<String>, Vec<Option<f64>>)>,
}

/// All values, at one time.
#[derive(Debug, Clone, Default)]
pub struct Collected {
    /// The values of each query that could be run.
    pub families: Vec<Family>,
    /// The queries that could not be run, and why.
    pub failed: Vec<(&'static Query, String)>,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// Runs all queries.
///
/// # Errors
///
/// The connection is lost, or the database has no extension. A query that the role may not run is
/// in [`Collected::failed`].
pub async fn collect(session: &Session) -> Result<Collected, Error> {
    session.extension()?;
    let began = std::time::Instant::now();
    let mut collected = Collected::default();
    for query in QUERIES {
        match session.query(query.sql, &[]).await {
            Ok(rows) => {
                let rows = rows.iter().map(|row| values(query, row));
                collected.families.push(Family {
                    query,
                    rows: rows.collect::<Result<_, _>>()?,
                });
            }
            Err(error) if error.kind() == ErrorKind::NoConnection => return Err(error),
            Err(error) => collected.failed.push((query, error.to_string())),
        }
    }
    collected.seconds = began.elapsed().as_secs_f64();
    Ok(collected)
}

fn values(query: &Query, row: &Row) -> Result<(Vec<String>, Vec<Option<f64>>), Error> {
    let label = |name: &&str| -> Result<String, Error> {
        let label: Option<String> = row.try_get(*name)?;
        Ok(label.unwrap_or_default())
    };
    let value = |metric: &Metric| -> Result<Option<f64>, Error> { Ok(row.try_get(metric.column)?) };
    Ok((
        query.labels.iter().map(label).collect::<Result<_, _>>()?,
        query.metrics.iter().map(value).collect::<Result<_, _>>()?,
    ))
}

#[cfg(test)]
mod tests;
