//! `eventcore top`: what happens now, once a second.

mod sample;
mod view;

use std::io;
use std::time::Duration;

use clap::Args;
use eventcore_inspect::Session;
use eventcore_inspect::actions::terminate;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc;

use self::sample::{History, Sample};
use self::view::{Screen, draw};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::safe;

/// The arguments of `eventcore top`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Print one frame, after two looks that are one interval apart
    #[arg(long)]
    once: bool,
    /// The time between two looks, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = interval)]
    interval: f64,
    /// The width of the frame of --once
    #[arg(long, value_name = "COLUMNS", default_value_t = 120, requires = "once", value_parser = clap::value_parser!(u16).range(20..=1000))]
    width: u16,
    /// The height of the frame of --once
    #[arg(long, value_name = "LINES", default_value_t = 40, requires = "once", value_parser = clap::value_parser!(u16).range(10..=1000))]
    height: u16,
}

/// The shortest and the longest time between two looks, in seconds.
const INTERVALS: (f64, f64) = (0.1, 60.0);

fn interval(text: &str) -> Result<f64, String> {
    let (shortest, longest) = INTERVALS;
    match text.parse() {
        Ok(seconds) if (shortest..=longest).contains(&seconds) => Ok(seconds),
        _ => Err(format!(
            "is no number of seconds from {shortest} to {longest}"
        )),
    }
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<(), Failure> {
    let session = context.reader().await?;
    let mut screen = Screen::new(arguments.interval);
    screen.history.add(Sample::take(&session).await?);
    if arguments.once {
        tokio::time::sleep(Duration::from_secs_f64(arguments.interval)).await;
        screen.history.add(Sample::take(&session).await?);
        return once(&screen, arguments.width, arguments.height);
    }
    context.has_screen();
    let mut terminal = RestoredTerminal(ratatui::try_init()?);
    let mut keys = keys();
    let mut next_look = tokio::time::Instant::now();
    loop {
        terminal.0.draw(|frame| draw(frame, &screen))?;
        tokio::select! {
            key = keys.recv() => match key {
                Some(key) if !screen.press(key, &session).await => {}
                _ => return Ok(()),
            },
            () = tokio::time::sleep_until(next_look), if !screen.is_paused => {
                next_look = tokio::time::Instant::now() + Duration::from_secs_f64(screen.interval);
                screen.history.add(Sample::take(&session).await?);
            }
        }
    }
}

/// A terminal that is as it was before, whatever happens.
struct RestoredTerminal(ratatui::DefaultTerminal);

impl Drop for RestoredTerminal {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Prints one frame without a terminal.
fn once(screen: &Screen, width: u16, height: u16) -> Result<(), Failure> {
    use std::io::Write;
    let mut terminal = match Terminal::new(TestBackend::new(width, height)) {
        Ok(terminal) => terminal,
        Err(never) => match never {},
    };
    match terminal.draw(|frame| draw(frame, screen)) {
        Ok(_) => {}
        Err(never) => match never {},
    }
    let buffer = terminal.backend().buffer();
    let mut out = io::stdout().lock();
    for row in buffer.content().chunks(usize::from(width)) {
        let line: String = row.iter().map(|cell| cell.symbol()).collect();
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(out.flush()?)
}

/// The keys that are pressed. The thread ends with the process.
fn keys() -> mpsc::UnboundedReceiver<KeyEvent> {
    let (tell, told) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            let key = match event {
                Event::Key(key) if key.kind != KeyEventKind::Release => key,
                // So that the new size is drawn.
                Event::Resize(..) => KeyEvent::new(KeyCode::Null, KeyModifiers::NONE),
                _ => continue,
            };
            if tell.send(key).is_err() {
                return;
            }
        }
    });
    told
}

impl Screen {
    /// Takes a key. Returns whether to end.
    async fn press(&mut self, key: KeyEvent, session: &Session) -> bool {
        let is_control_c =
            key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
        if is_control_c {
            return true;
        }
        if let Some(pid) = self.asked.take() {
            self.message = match key.code {
                KeyCode::Char('y' | 'Y') => match terminate(session, pid).await {
                    Ok(()) => format!("the session of process {pid} is ended"),
                    Err(error) => safe(&error.to_string()).into_owned(),
                },
                _ => format!("process {pid} goes on"),
            };
            return false;
        }
        let (shortest, longest) = INTERVALS;
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return true,
            KeyCode::Char(' ') => self.is_paused = !self.is_paused,
            KeyCode::Char('+') => self.interval = (self.interval * 2.0).min(longest),
            KeyCode::Char('-') => self.interval = (self.interval / 2.0).max(shortest),
            KeyCode::Char('K') => self.ask(),
            _ => {}
        }
        false
    }

    /// Asks whether to end the session that holds readers back.
    fn ask(&mut self) {
        self.asked = self.history.last().and_then(|last| {
            let mut held = last
                .in_flight
                .iter()
                .filter(|found| found.holds_safe_position);
            held.find_map(|found| found.pid)
        });
        self.message = match self.asked {
            Some(pid) => {
                format!("End the session of process {pid}, which holds readers back? [y/N]")
            }
            None => "no session holds readers back".to_owned(),
        };
    }
}

impl History {
    fn last(&self) -> Option<&Sample> {
        self.samples.back()
    }
}
