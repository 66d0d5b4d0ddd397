//! Sparklines: a small chart as SVG, made on the server.

use std::fmt::Write;

use maud::{Markup, html};

const WIDTH: f32 = 240.0;
const HEIGHT: f32 = 48.0;

/// The most points of a line. More are put together, and the highest of them counts.
const POINTS: usize = 120;

/// A line of values, the oldest first; where there is none the line has a gap. The room on the left
/// is for what is not known yet.
pub(crate) fn line(label: &str, values: &[Option<f32>], room: usize) -> Markup {
    let width = values.len().max(room).max(2);
    let each = width.div_ceil(POINTS);
    let missing = width - values.len();
    let mut points: Vec<Option<f32>> = vec![None; width.div_ceil(each)];
    for (at, value) in values.iter().enumerate() {
        let point = &mut points[(missing + at) / each];
        *point = match (*point, *value) {
            (Some(one), Some(other)) => Some(one.max(other)),
            (one, other) => one.or(other),
        };
    }
    let highest = points.iter().flatten().copied().fold(0.0_f32, f32::max);
    let (path, area) = paths(&points, highest.max(f32::MIN_POSITIVE));
    html! {
        svg.spark viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) preserveAspectRatio="none" role="img" aria-label=(label) {
            path.area d=(area) {}
            path.line d=(path) {}
        }
    }
}

/// The line, and the area beneath it.
fn paths(points: &[Option<f32>], highest: f32) -> (String, String) {
    let step = WIDTH / (points.len().saturating_sub(1).max(1)) as f32;
    let place = |at: usize, value: f32| {
        let y = HEIGHT - 2.0 - (value / highest) * (HEIGHT - 4.0);
        (at as f32 * step, y)
    };
    let (mut line, mut area) = (String::new(), String::new());
    let mut last: Option<f32> = None;
    for (at, point) in points.iter().enumerate() {
        match (*point, last) {
            (Some(value), before) => {
                let (x, y) = place(at, value);
                // Writing to a String cannot fail.
                let _ = match before {
                    Some(_) => write!(line, "L{x:.1} {y:.1}"),
                    None => write!(line, "M{x:.1} {y:.1}"),
                };
                let _ = match before {
                    Some(_) => write!(area, "L{x:.1} {y:.1}"),
                    None => write!(area, "M{x:.1} {HEIGHT}L{x:.1} {y:.1}"),
                };
                last = Some(x);
            }
            (None, Some(x)) => {
                let _ = write!(area, "L{x:.1} {HEIGHT}Z");
                last = None;
            }
            (None, None) => {}
        }
    }
    if let Some(x) = last {
        let _ = write!(area, "L{x:.1} {HEIGHT}Z");
    }
    (line, area)
}

/// Whether a lag rises, falls or stays: the last values against those before.
pub(crate) fn trend(lags: &[i64]) -> Markup {
    let half = lags.len().min(12) / 2;
    let mean =
        |part: &[i64]| part.iter().map(|lag| *lag as f64).sum::<f64>() / part.len().max(1) as f64;
    let (old, new) = match half {
        0 => (0.0, 0.0),
        half => {
            let recent = &lags[lags.len() - 2 * half..];
            (mean(&recent[..half]), mean(&recent[half..]))
        }
    };
    html! {
        @if new > old * 1.1 + 1.0 { span.trend.bad title="rising" { "↗" span.unseen { "rising" } } }
        @else if old > new * 1.1 + 1.0 { span.trend.good title="falling" { "↘" span.unseen { "falling" } } }
        @else { span.trend.calm title="steady" { "→" span.unseen { "steady" } } }
    }
}
