//! How far a long command is: a bar on a terminal, else a line every ten seconds.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::context::Context;
use crate::failure::Failure;
use crate::output::Output;

const PAUSE: Duration = Duration::from_secs(10);

/// How far a command is between two positions.
pub(super) struct Progress {
    output: Output,
    bar: Option<ProgressBar>,
    from: i64,
    to: i64,
    began: Instant,
    told: Instant,
}

impl Progress {
    pub(super) fn new(context: &Context, from: i64, to: i64) -> Self {
        let is_shown = io::stderr().is_terminal() && !context.output.is_quiet();
        let bar = is_shown.then(|| {
            let length = u64::try_from(to.saturating_sub(from)).unwrap_or(0);
            let bar = ProgressBar::new(length);
            let template = "{wide_bar} {percent}% {msg} {eta} left";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar
        });
        Self {
            output: context.output.clone(),
            bar,
            from,
            to,
            began: Instant::now(),
            told: Instant::now(),
        }
    }

    /// All events up to a position are done, this many in this run.
    pub(super) fn at(&mut self, position: i64, count: u64) -> Result<(), Failure> {
        let each_second = count as f64 / self.began.elapsed().as_secs_f64().max(0.001);
        if let Some(bar) = &self.bar {
            let done = position.saturating_sub(self.from);
            bar.set_message(format!("{each_second:.0} events/s"));
            bar.set_position(u64::try_from(done).unwrap_or(0));
        } else if self.told.elapsed() >= PAUSE {
            self.told = Instant::now();
            let of = self.to;
            self.output.note(&format!(
                "position {position} of {of}: {count} events, {each_second:.0} events/s"
            ))?;
        }
        Ok(())
    }

    /// A remark, above the bar.
    pub(super) fn note(&self, text: &str) -> Result<(), Failure> {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.output.note(text)),
            None => self.output.note(text),
        }
    }

    pub(super) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
