//! How a moment is drawn.

use eventcore_inspect::Time;
use eventcore_inspect::inflight::InFlight;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Row, Sparkline, Table};

use super::sample::{History, Sample, Total};
use crate::commands::held::told;
use crate::output::{maybe, safe, seconds};

/// What is drawn, and what a person has chosen.
pub(super) struct Screen {
    pub(super) history: History,
    /// In seconds.
    pub(super) interval: f64,
    pub(super) is_paused: bool,
    /// The process that K asked about.
    pub(super) asked: Option<i32>,
    pub(super) message: String,
}

impl Screen {
    pub(super) fn new(interval: f64) -> Self {
        Self {
            history: History::default(),
            interval,
            is_paused: false,
            asked: None,
            message: String::new(),
        }
    }
}

const HEAD: Style = Style::new().add_modifier(Modifier::BOLD);
const BAD: Style = Style::new().fg(Color::Red);

/// Draws everything that has room; what is less urgent is left out first.
pub(super) fn draw(frame: &mut Frame<'_>, screen: &Screen) {
    let Some(sample) = screen.history.samples.back() else {
        return;
    };
    let rows = |count: usize, most: u16| {
        let rows = u16::try_from(count).unwrap_or(u16::MAX).min(most);
        Constraint::Length(rows.saturating_add(2))
    };
    let areas = Layout::vertical([
        Constraint::Length(2 + u16::from(sample.holder().is_some())),
        Constraint::Length(5),
        rows(sample.in_flight.len(), 5),
        rows(sample.subscriptions.len(), 8),
        rows(sample.projections.len(), 8),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .split(frame.area());
    title(frame, areas[0], screen, sample);
    rates(frame, areas[1], &screen.history);
    in_flight(frame, areas[2], sample);
    subscriptions(frame, areas[3], sample);
    projections(frame, areas[4], sample);
    events(frame, areas[5], sample);
    foot(frame, areas[6], screen);
}

fn title(frame: &mut Frame<'_>, area: Rect, screen: &Screen, sample: &Sample) {
    let stats = &sample.stats;
    let paused = match screen.is_paused {
        true => "  paused",
        false => "",
    };
    let first = format!(
        "{}  eventcore {}  PostgreSQL {}  {}  every {} s{paused}",
        safe(&stats.database),
        safe(&stats.extension_version),
        safe(&stats.server_version),
        clock(stats.taken_at),
        screen.interval,
    );
    let above = stats.last_position - stats.safe_position;
    let second = format!(
        "safe position {}  above it {}  in flight {}  notifier {}{}",
        stats.safe_position,
        above.max(0),
        stats.in_flight,
        safe(&stats.notifier_state),
        match stats.is_standby {
            true => "  standby",
            false => "",
        }
    );
    let mut lines = vec![Line::styled(first, HEAD), Line::raw(second)];
    if let Some(holder) = sample.holder() {
        lines.push(Line::styled(safe(&told(holder)).into_owned(), BAD));
    }
    frame.render_widget(ratatui::text::Text::from(lines), area);
}

/// The time of day, without its date.
fn clock(time: Time) -> String {
    let text = time.to_string();
    text.get(11..19).unwrap_or_default().to_owned()
}

fn rates(frame: &mut Frame<'_>, area: Rect, history: &History) {
    let rows = Layout::vertical([Constraint::Length(1); 4]).split(area);
    for (total, row) in Total::ALL.iter().zip(rows.iter()) {
        let rates = history.rates(*total);
        let now = rates.last().copied().unwrap_or_default();
        let columns = Layout::horizontal([Constraint::Length(28), Constraint::Min(0)]).split(*row);
        let label = format!("{:14}{now:>12.1}", total.name());
        frame.render_widget(Line::raw(label), columns[0]);
        let fit = usize::from(columns[1].width).min(rates.len());
        let shown = rates[rates.len() - fit..].iter();
        // A sparkline takes whole numbers.
        let shown = shown.map(|rate| (rate * 10.0).round() as u64);
        let line = Sparkline::default().data(shown.collect::<Vec<_>>());
        frame.render_widget(line, columns[1]);
    }
}

/// A table below a head that is underlined by nothing but its weight.
fn table(
    frame: &mut Frame<'_>,
    area: Rect,
    head: &[&'static str],
    widths: &[u16],
    rows: Vec<(Vec<String>, Style)>,
) {
    if area.height == 0 {
        return;
    }
    let cells = |cells: Vec<String>, style| {
        let cells = cells.into_iter();
        let cells = cells.map(|cell| Cell::from(Span::raw(safe(&cell).into_owned())));
        Row::new(cells.collect::<Vec<_>>()).style(style)
    };
    let last = widths.len() - 1;
    let constraints = widths.iter().enumerate().map(|(place, width)| match place {
        // The last column takes what is left.
        place if place == last => Constraint::Min(*width),
        _ => Constraint::Length(*width),
    });
    let table = Table::new(
        rows.into_iter().map(|(row, style)| cells(row, style)),
        constraints.collect::<Vec<_>>(),
    )
    .header(Row::new(head.to_vec()).style(HEAD));
    frame.render_widget(table, area);
}

fn in_flight(frame: &mut Frame<'_>, area: Rect, sample: &Sample) {
    let row = |found: &InFlight| {
        let style = match found.holds_safe_position && found.age_seconds > Some(10.0) {
            true => BAD,
            false => Style::new(),
        };
        let cells = vec![
            match found.pid {
                Some(pid) => pid.to_string(),
                None => found.holder.clone(),
            },
            found.age_seconds.map(seconds).unwrap_or_default(),
            match found.holds_safe_position {
                true => "holds readers".to_owned(),
                false => String::new(),
            },
            maybe(found.state.as_ref()),
            maybe(found.application_name.as_ref()),
            maybe(found.query.as_ref()),
        ];
        (cells, style)
    };
    let head = ["IN FLIGHT", "AGE", "", "STATE", "APPLICATION", "QUERY"];
    let rows = sample.in_flight.iter().map(row).collect();
    table(frame, area, &head, &[10, 8, 14, 20, 20, 10], rows);
}

fn subscriptions(frame: &mut Frame<'_>, area: Rect, sample: &Sample) {
    let rows = sample.subscriptions.iter().map(|found| {
        let is_left_alone =
            found.expired_leases > 0 || (found.lag_seconds > 60.0 && found.leases == 0);
        let style = match found.streams_stopped > 0 || is_left_alone {
            true => BAD,
            false => Style::new(),
        };
        let cells = vec![
            found.name.clone(),
            found.lag_events.to_string(),
            seconds(found.lag_seconds),
            found.leased.to_string(),
            found.consumers.to_string(),
            found.expired_leases.to_string(),
            found.retrying.to_string(),
            found.parked.to_string(),
            match found.paused {
                true => "paused".to_owned(),
                false => maybe(found.last_error.as_ref()),
            },
        ];
        (cells, style)
    });
    let head = [
        "SUBSCRIPTION",
        "POSITIONS",
        "BEHIND",
        "LEASED",
        "CONSUMERS",
        "EXPIRED",
        "RETRYING",
        "PARKED",
        "",
    ];
    table(
        frame,
        area,
        &head,
        &[24, 10, 8, 8, 10, 8, 9, 8, 10],
        rows.collect(),
    );
}

fn projections(frame: &mut Frame<'_>, area: Rect, sample: &Sample) {
    let rows = sample.projections.iter().map(|found| {
        let style = match found.status.as_str() {
            "failed" => BAD,
            _ => Style::new(),
        };
        let cells = vec![
            found.name.clone(),
            found.lag_events.to_string(),
            seconds(found.lag_seconds),
            found.status.clone(),
            maybe(found.worker_pid),
            found.attempts.to_string(),
            found.parked.to_string(),
            match &found.waits_for {
                Some(waits_for) => format!("waits for: {waits_for}"),
                None => maybe(found.last_error.as_ref()),
            },
        ];
        (cells, style)
    });
    let head = [
        "PROJECTION",
        "POSITIONS",
        "BEHIND",
        "STATUS",
        "WORKER",
        "ATTEMPTS",
        "PARKED",
        "",
    ];
    table(
        frame,
        area,
        &head,
        &[24, 10, 8, 8, 10, 9, 8, 10],
        rows.collect(),
    );
}

fn events(frame: &mut Frame<'_>, area: Rect, sample: &Sample) {
    let rows = sample.events.iter().map(|event| {
        let cells = vec![
            event.position.to_string(),
            clock(event.recorded_at),
            event.stream_id.clone(),
            event.version.to_string(),
            event.event_type.clone(),
            event.payload.get().to_owned(),
        ];
        (cells, Style::new())
    });
    let head = [
        "LAST EVENTS",
        "RECORDED",
        "STREAM",
        "VERSION",
        "TYPE",
        "PAYLOAD",
    ];
    table(frame, area, &head, &[12, 9, 30, 8, 20, 10], rows.collect());
}

fn foot(frame: &mut Frame<'_>, area: Rect, screen: &Screen) {
    let text = match screen.message.is_empty() {
        true => {
            "q quit  space pause  + slower  - faster  K end the session that holds readers back"
                .to_owned()
        }
        false => screen.message.clone(),
    };
    frame.render_widget(Line::styled(text, HEAD), area);
}
