//! What is printed: tables for people, JSON for programs.

mod table;
mod time;

use std::io::{self, IsTerminal, Write};

use eventcore_inspect::Time;
use eventcore_inspect::doctor::Severity;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::arguments::{Format, OutputArguments, TimeStyle, When};
use crate::failure::Failure;

pub(crate) use eventcore_inspect::text::safe;
pub(crate) use table::{Column, left, right};

/// How to print.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    pub(crate) format: Format,
    pub(crate) show: Show,
    is_quiet: bool,
    /// The columns and lines of the terminal, if stdout is one.
    terminal: Option<(usize, usize)>,
    is_coloured: bool,
}

/// How cells of a table show values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Show {
    times: TimeStyle,
    now: Time,
}

/// What can be a row of a table.
pub(crate) trait Row: Serialize {
    /// The columns of the table.
    fn columns() -> Vec<Column>;

    /// The cells, one for each column. They need not be safe to print.
    fn cells(&self, show: Show) -> Vec<String>;
}

impl Output {
    pub(crate) fn new(arguments: &OutputArguments) -> Self {
        let is_terminal = io::stdout().is_terminal();
        let terminal = is_terminal.then(|| {
            let size = terminal_size::terminal_size();
            size.map_or((80, 24), |(width, height)| {
                (usize::from(width.0), usize::from(height.0))
            })
        });
        let by_default = match is_terminal {
            true => TimeStyle::Relative,
            false => TimeStyle::Iso,
        };
        let is_coloured = match arguments.color {
            When::Always => true,
            When::Never => false,
            When::Auto => {
                let no_color = std::env::var_os("NO_COLOR");
                let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
                is_terminal && no_color.is_none_or(|value| value.is_empty()) && !is_dumb
            }
        };
        Self {
            format: arguments.output,
            show: Show {
                times: arguments.time.unwrap_or(by_default),
                now: Time::now(),
            },
            is_quiet: arguments.quiet,
            terminal,
            is_coloured,
        }
    }

    /// Whether remarks are left out.
    pub(crate) fn is_quiet(&self) -> bool {
        self.is_quiet
    }

    /// The rows to print if nothing says how many: a screen on a terminal, else all.
    pub(crate) fn limit(&self, given: Option<u32>) -> Option<usize> {
        let of_terminal = self
            .terminal
            .map(|(_, lines)| lines.saturating_sub(3).max(5));
        match given {
            Some(given) => Some(given as usize),
            None => of_terminal,
        }
    }

    /// Prints rows: a table, one JSON array, or a JSON document for each row.
    pub(crate) fn rows<R: Row>(&self, rows: &[R]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match self.format {
            Format::Table => {
                let cells = rows.iter().map(|row| row.cells(self.show)).collect();
                let width = self.terminal.map(|(width, _)| width);
                let text = table::table(&R::columns(), cells, width);
                writeln!(out, "{text}")?;
            }
            Format::Json => {
                serde_json::to_writer_pretty(&mut out, rows)?;
                writeln!(out)?;
            }
            Format::Jsonl => {
                for row in rows {
                    serde_json::to_writer(&mut out, row)?;
                    writeln!(out)?;
                }
            }
        }
        Ok(out.flush()?)
    }

    /// Prints rows that belong to a document: the table shows the rows, JSON the whole document, and
    /// JSON lines the rows.
    pub(crate) fn rows_of<R: Row>(
        &self,
        rows: &[R],
        document: &impl Serialize,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Json => self.json(document),
            Format::Table | Format::Jsonl => self.rows(rows),
        }
    }

    /// Prints one row of many that follow: nothing is known of the next ones.
    pub(crate) fn row<R: Row>(&self, row: &R, widths: &mut Vec<usize>) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match self.format {
            Format::Table => {
                let width = self.terminal.map(|(width, _)| width);
                let line = table::line(&R::columns(), row.cells(self.show), widths, width);
                writeln!(out, "{line}")?;
            }
            Format::Json | Format::Jsonl => {
                serde_json::to_writer(&mut out, row)?;
                writeln!(out)?;
            }
        }
        Ok(out.flush()?)
    }

    /// Prints one thing: a line for each field, or a JSON document.
    pub(crate) fn record(
        &self,
        thing: &impl Serialize,
        fields: Vec<(&str, String)>,
    ) -> Result<(), Failure> {
        if self.format != Format::Table {
            return self.json(thing);
        }
        let mut out = io::stdout().lock();
        let width = fields.iter().map(|(name, _)| name.len()).max();
        let width = width.unwrap_or_default();
        for (name, value) in fields {
            // Only payloads have lines, and those were made here.
            let value = value.lines().map(safe).collect::<Vec<_>>();
            let value = value.join(&format!("\n{:width$}  ", ""));
            let name = format!("{name:width$}");
            match value.is_empty() {
                true => writeln!(out, "{}", self.bold(name.trim_end()))?,
                false => writeln!(out, "{}  {value}", self.bold(&name))?,
            }
        }
        Ok(out.flush()?)
    }

    /// Prints a JSON document.
    pub(crate) fn json(&self, thing: &impl Serialize) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match self.format {
            Format::Jsonl => serde_json::to_writer(&mut out, thing)?,
            Format::Table | Format::Json => serde_json::to_writer_pretty(&mut out, thing)?,
        }
        writeln!(out)?;
        Ok(out.flush()?)
    }

    /// Prints a JSON text on a line: for people without what a terminal would obey.
    pub(crate) fn json_line(&self, text: &RawValue) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match self.format {
            Format::Table => writeln!(out, "{}", safe(text.get()))?,
            Format::Json | Format::Jsonl => writeln!(out, "{}", text.get())?,
        }
        Ok(out.flush()?)
    }

    /// Says that something was done: in words, or as a JSON document.
    pub(crate) fn done(&self, words: &str, thing: &impl Serialize) -> Result<(), Failure> {
        match self.format {
            Format::Table if self.is_quiet => Ok(()),
            Format::Table => Ok(writeln!(io::stdout(), "{}", safe(words))?),
            Format::Json | Format::Jsonl => self.json(thing),
        }
    }

    /// A remark on stderr, unless it should be quiet.
    pub(crate) fn note(&self, text: &str) -> Result<(), Failure> {
        if !self.is_quiet {
            writeln!(io::stderr(), "{}", safe(text))?;
        }
        Ok(())
    }

    /// A text in bold, if colours are used.
    fn bold(&self, text: &str) -> String {
        self.styled("1", text)
    }

    /// The name of a severity, as wide as the longest, in a colour of its own if colours are used.
    pub(crate) fn severity(&self, severity: Severity) -> String {
        let style = match severity {
            Severity::Note => "36",
            Severity::Warning => "33",
            Severity::Error => "1;31",
        };
        self.styled(style, &format!("{:7}", severity.as_str()))
    }

    fn styled(&self, style: &str, text: &str) -> String {
        match self.is_coloured {
            true => format!("\u{1b}[{style}m{text}\u{1b}[0m"),
            false => text.to_owned(),
        }
    }
}

impl Show {
    /// A time.
    pub(crate) fn time(self, time: Time) -> String {
        time::shown(time, self.times, self.now)
    }

    /// A time, or nothing.
    pub(crate) fn maybe_time(self, time: Option<Time>) -> String {
        time.map(|time| self.time(time)).unwrap_or_default()
    }
}

/// A value, or nothing.
pub(crate) fn maybe(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// A number of things, by the name of one.
pub(crate) fn counted(count: i64, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    }
}

/// A number of seconds.
pub(crate) fn seconds(value: f64) -> String {
    eventcore_inspect::text::duration(value)
}

/// Yes or nothing.
pub(crate) fn flag(value: bool) -> String {
    match value {
        true => "yes".to_owned(),
        false => String::new(),
    }
}
