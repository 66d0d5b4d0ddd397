//! Curves as a picture: a panel for each, the cost at every size as a multiple of that at the smallest,
//! sizes on a logarithmic axis.

use anyhow::Result;
use plotters::prelude::{DrawingBackend, RGBColor};
use plotters::style::text_anchor::HPos;

use super::picture::{Canvas, FAINT, INK, Picture};
use super::{Curve, Report};

const COLUMNS: usize = 2;
const HEADING: i32 = 92;
/// A panel, and the margins of its axes within it.
const WIDTH: i32 = 620;
const HEIGHT: i32 = 320;
const LEFT: i32 = 72;
const RIGHT: i32 = 52;
const TOP: i32 = 72;
const BOTTOM: i32 = 48;

const CURVE: RGBColor = RGBColor(0x2a, 0x7f, 0x9e);
const GRID: RGBColor = RGBColor(0xe4, 0xe4, 0xe4);
const SAME: RGBColor = RGBColor(0x9a, 0x9a, 0x9a);

/// The curves of a report.
pub(super) struct Lines<'a>(pub(super) &'a Report);

impl Picture for Lines<'_> {
    fn size(&self) -> (u32, u32) {
        let rows = i32::try_from(self.0.curves.len().div_ceil(COLUMNS)).unwrap_or(1);
        let columns = i32::try_from(COLUMNS.min(self.0.curves.len())).unwrap_or(1);
        (
            (WIDTH * columns).unsigned_abs(),
            (HEADING + HEIGHT * rows).unsigned_abs(),
        )
    }

    fn draw<B: DrawingBackend>(&self, canvas: &Canvas<'_, B>) -> Result<()>
    where
        B::ErrorType: 'static,
    {
        canvas.text(self.0.title, (24, 30), 26, &INK, HPos::Left)?;
        let subtitle = format!(
            "cost as a multiple of the cost at the smallest size, median and range · {}",
            self.0.machine.summary()
        );
        canvas.text(&subtitle, (24, 62), 16, &FAINT, HPos::Left)?;
        for (number, curve) in self.0.curves.iter().enumerate() {
            let [column, row] = [number % COLUMNS, number / COLUMNS].map(i32::try_from);
            let corner = (column? * WIDTH, HEADING + row? * HEIGHT);
            Panel::new(curve, corner).draw(canvas)?;
        }
        Ok(())
    }
}

/// A curve with its axes.
struct Panel<'a> {
    curve: &'a Curve,
    corner: (i32, i32),
    /// The exponents at both ends of the x axis.
    exponents: (f64, f64),
    /// The multiple at the upper end of the y axis, and the distance of its marks.
    highest: f64,
    step: f64,
}

impl<'a> Panel<'a> {
    fn new(curve: &'a Curve, corner: (i32, i32)) -> Self {
        let exponents = curve.points.iter().map(|point| exponent(curve, point.size));
        let (first, last) = exponents.fold((f64::MAX, f64::MIN), |(first, last), one| {
            (first.min(one), last.max(one))
        });
        let multiples = curve.points.iter().map(|point| curve.growth(point).max);
        let highest = multiples.fold(1.25, f64::max) * 1.08;
        let step = step(highest);
        Self {
            curve,
            corner,
            exponents: (first, last.max(first + 1.0)),
            highest,
            step,
        }
    }

    fn draw<B: DrawingBackend>(&self, canvas: &Canvas<'_, B>) -> Result<()>
    where
        B::ErrorType: 'static,
    {
        let (left, top) = self.corner;
        let title = (left + 24, top + 18);
        canvas.text(&self.curve.work, title, 19, &INK, HPos::Left)?;
        let over = format!("over the number of {}", self.curve.growing);
        canvas.text(&over, (left + 24, top + 42), 15, &FAINT, HPos::Left)?;
        self.axes(canvas)?;
        self.points(canvas)
    }

    fn axes<B: DrawingBackend>(&self, canvas: &Canvas<'_, B>) -> Result<()>
    where
        B::ErrorType: 'static,
    {
        let (left, right) = (self.corner.0 + LEFT, self.corner.0 + WIDTH - RIGHT);
        let mut mark = 0.0;
        while mark <= self.highest {
            let y = self.y(mark);
            canvas.line(&[(left - 14, y), (right + 24, y)], &GRID, 1)?;
            let digits = if self.step < 0.5 {
                2
            } else {
                usize::from(self.step < 1.0)
            };
            let label = format!("{mark:.digits$} ×");
            canvas.text(&label, (left - 20, y), 14, &FAINT, HPos::Right)?;
            mark += self.step;
        }
        let same = self.y(1.0);
        canvas.line(&[(left - 14, same), (right + 24, same)], &SAME, 1)?;
        for point in &self.curve.points {
            let (x, y) = (self.x(point.size), self.y(0.0));
            canvas.line(&[(x, y), (x, y + 6)], &FAINT, 1)?;
            let label = match point.size {
                0 => "none".to_owned(),
                size => Curve::number(size),
            };
            canvas.text(&label, (x, y + 18), 15, &INK, HPos::Center)?;
        }
        Ok(())
    }

    fn points<B: DrawingBackend>(&self, canvas: &Canvas<'_, B>) -> Result<()>
    where
        B::ErrorType: 'static,
    {
        let points = self.curve.points.iter();
        let places: Vec<(i32, i32)> = points
            .clone()
            .map(|point| {
                let at = self.curve.growth(point).median;
                (self.x(point.size), self.y(at))
            })
            .collect();
        canvas.line(&places, &CURVE, 3)?;
        for (point, at) in points.zip(places) {
            let spread = self.curve.growth(point);
            let (low, high) = (self.y(spread.min), self.y(spread.max));
            canvas.line(&[(at.0, low), (at.0, high)], &INK, 1)?;
            for end in [low, high] {
                canvas.line(&[(at.0 - 4, end), (at.0 + 4, end)], &INK, 1)?;
            }
            canvas.dot(at, 5, &CURVE)?;
            // Below the lower end, where the line, which mostly rises, is not; but above the axis.
            let below = low.max(at.1) + 16;
            let y = match below + 8 < self.y(0.0) {
                true => below,
                false => high.min(at.1) - 16,
            };
            let label = self.curve.cost(point);
            canvas.text(&label, (at.0, y), 14, &INK, HPos::Center)?;
        }
        Ok(())
    }

    fn x(&self, size: u64) -> i32 {
        let (first, last) = self.exponents;
        let share = (exponent(self.curve, size) - first) / (last - first);
        self.corner.0 + LEFT + pixels(share * f64::from(WIDTH - LEFT - RIGHT))
    }

    fn y(&self, multiple: f64) -> i32 {
        let share = multiple / self.highest;
        self.corner.1 + HEIGHT - BOTTOM - pixels(share * f64::from(HEIGHT - TOP - BOTTOM))
    }
}

/// Where a size is on the axis. None is as far from the first other size as a tenth of it.
fn exponent(curve: &Curve, size: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "for a picture")]
    let exponent = |size: u64| (size as f64).log10();
    if size > 0 {
        return exponent(size);
    }
    let others = curve.points.iter().map(|point| point.size);
    let first = others.filter(|size| *size > 0).min().unwrap_or(1);
    exponent(first) - 1.0
}

/// A round distance between marks, of which there are at most six.
fn step(highest: f64) -> f64 {
    let mut decade = 0.1;
    loop {
        for step in [2.5, 5.0, 10.0] {
            if highest / (step * decade) <= 6.0 {
                return step * decade;
            }
        }
        decade *= 10.0;
    }
}

fn pixels(length: f64) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "pixels of a picture")]
    let pixels = length.round() as i32;
    pixels
}
