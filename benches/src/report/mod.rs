//! A report: the comparisons, the raw rounds, and how it is printed, stored and drawn.

mod curve;
mod lines;
mod picture;
mod plot;
mod table;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::machine::Machine;
use crate::rounds::{Round, Spread};
pub use curve::{Curve, Point};

/// All results of one benchmark.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The name of the benchmark and of its files.
    pub name: &'static str,
    /// The title of the plot.
    pub title: &'static str,
    pub machine: Machine,
    pub comparisons: Vec<Comparison>,
    pub figures: Vec<Figure>,
    /// Costs over sizes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub curves: Vec<Curve>,
}

/// One work and its reference.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    pub work: String,
    /// The reference.
    pub reference: String,
    pub clients: u32,
    /// Both sides of every round.
    pub unit: &'static str,
    pub rounds: Vec<Round>,
    pub ratio: Spread,
    pub target: Option<Target>,
    /// Whether the median ratio reaches the target; true without one.
    pub met: bool,
    /// What the reference guarantees, if that differs from eventcore.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guarantee: Option<&'static str>,
}

/// The expected ratio.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// More is better, as with rates.
    AtLeast(f64),
    /// Less is better, as with bytes.
    AtMost(f64),
}

/// A number without a reference.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    pub work: String,
    pub what: String,
    pub value: f64,
    pub unit: &'static str,
}

impl Comparison {
    /// With at least one round.
    pub fn new(
        work: impl Into<String>,
        reference: impl Into<String>,
        clients: u32,
        unit: &'static str,
        rounds: Vec<Round>,
        target: Option<Target>,
    ) -> Self {
        let ratio = Spread::of(rounds.iter().map(Round::ratio));
        Self {
            work: work.into(),
            reference: reference.into(),
            clients,
            unit,
            rounds,
            ratio,
            target,
            met: target.is_none_or(|target| target.is_met_by(ratio.median)),
            guarantee: None,
        }
    }

    /// The same, with what the reference guarantees.
    #[must_use]
    pub fn against(mut self, guarantee: &'static str) -> Self {
        self.guarantee = Some(guarantee);
        self
    }
}

impl Target {
    /// The ratio that is just good enough.
    pub fn limit(self) -> f64 {
        match self {
            Self::AtLeast(limit) | Self::AtMost(limit) => limit,
        }
    }

    /// Whether a ratio is good enough.
    pub fn is_met_by(self, ratio: f64) -> bool {
        match self {
            Self::AtLeast(limit) => ratio >= limit,
            Self::AtMost(limit) => ratio <= limit,
        }
    }
}

impl Report {
    /// An empty report.
    pub fn new(name: &'static str, title: &'static str, machine: Machine) -> Self {
        Self {
            name,
            title,
            machine,
            comparisons: Vec::new(),
            figures: Vec::new(),
            curves: Vec::new(),
        }
    }

    /// Tables for a terminal.
    pub fn text(&self) -> String {
        table::text(self)
    }

    /// Writes `<name>.json`, `.md`, if there are comparisons `.svg` and `.png`, and if there are
    /// curves `<name>-curves.svg` and `.png`.
    ///
    /// # Errors
    /// The folder cannot be written to, or a plot cannot be drawn.
    pub fn write(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let write = |ending: &str, bytes: &[u8]| {
            let file = folder.join(format!("{}{ending}", self.name));
            fs::write(&file, bytes).with_context(|| format!("cannot write {}", file.display()))
        };
        write(".json", &serde_json::to_vec_pretty(self)?)?;
        write(".md", table::markdown(self).as_bytes())?;
        if !self.comparisons.is_empty() {
            write(".svg", picture::svg(&plot::Bars(self))?.as_bytes())?;
            write(".png", &picture::png(&plot::Bars(self))?)?;
        }
        if !self.curves.is_empty() {
            write("-curves.svg", picture::svg(&lines::Lines(self))?.as_bytes())?;
            write("-curves.png", &picture::png(&lines::Lines(self))?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
