//! A report as a picture: a bar per ratio, its range as a whisker, its target as a mark.

use anyhow::Result;
use plotters::prelude::{DrawingBackend, RGBColor};
use plotters::style::text_anchor::HPos;

use super::picture::{self, FAINT, INK, Picture};
use super::{Comparison, Report, Target};

const WIDTH: i32 = 1200;
/// Where the bars begin, and the length of the longest one.
const LABELS: i32 = 560;
const BARS: i32 = 500;
const TOP: i32 = 96;
const ROW: i32 = 44;
const BOTTOM: i32 = 56;

const MET: RGBColor = RGBColor(0x2a, 0x7f, 0x9e);
const MISSED: RGBColor = RGBColor(0xd9, 0x82, 0x2b);
const MARK: RGBColor = RGBColor(0xb0, 0x1e, 0x2e);

/// The comparisons of a report.
pub(super) struct Bars<'a>(pub(super) &'a Report);

impl Picture for Bars<'_> {
    fn size(&self) -> (u32, u32) {
        let rows = i32::try_from(self.0.comparisons.len()).unwrap_or(i32::MAX / ROW - 10);
        (
            WIDTH.unsigned_abs(),
            (TOP + rows * ROW + BOTTOM).unsigned_abs(),
        )
    }

    fn draw<B: DrawingBackend>(&self, canvas: &picture::Canvas<'_, B>) -> Result<()>
    where
        B::ErrorType: 'static,
    {
        let report = self.0;
        canvas.text(report.title, (24, 34), 26, &INK, HPos::Left)?;
        let subtitle = format!(
            "median of the ratios to the reference, whiskers from min to max · {}",
            report.machine.summary()
        );
        canvas.text(&subtitle, (24, 66), 16, &FAINT, HPos::Left)?;
        let canvas = Canvas {
            canvas,
            scale: f64::from(BARS) / longest(report),
        };
        let mut top = TOP;
        for row in &report.comparisons {
            canvas.row(row, top)?;
            top += ROW;
        }
        canvas.legend(top + BOTTOM / 2)
    }
}

/// The ratio at the right edge.
fn longest(report: &Report) -> f64 {
    let ends = report.comparisons.iter().flat_map(|row| {
        let target = row.target.map_or(1.0, Target::limit);
        [row.ratio.max, target, 1.0]
    });
    ends.fold(0.0, f64::max)
}

struct Canvas<'a, B: DrawingBackend> {
    canvas: &'a picture::Canvas<'a, B>,
    /// Pixels for a ratio of 1.
    scale: f64,
}

impl<B: DrawingBackend> Canvas<'_, B>
where
    B::ErrorType: 'static,
{
    fn row(&self, row: &Comparison, top: i32) -> Result<()> {
        let middle = top + ROW / 2;
        let clients = match row.clients {
            1 => "1 client".to_owned(),
            clients => format!("{clients} clients"),
        };
        let label = format!("{}, {clients}", row.work);
        self.canvas
            .text(&label, (LABELS - 12, middle - 9), 16, &INK, HPos::Right)?;
        let against = format!("{}, against {}", row.unit, row.reference);
        self.canvas.text(
            &against,
            (LABELS - 12, middle + 11),
            16,
            &FAINT,
            HPos::Right,
        )?;

        let colour = if row.met { MET } else { MISSED };
        let bar = [
            (LABELS, middle - 12),
            (self.x(row.ratio.median), middle + 12),
        ];
        self.canvas.fill(bar, &colour)?;
        let (min, max) = (self.x(row.ratio.min), self.x(row.ratio.max));
        if row.rounds.len() > 1 {
            self.canvas.line(&[(min, middle), (max, middle)], &INK, 1)?;
            for end in [min, max] {
                self.canvas
                    .line(&[(end, middle - 4), (end, middle + 4)], &INK, 1)?;
            }
        }
        let mut value = format!("{:.2}", row.ratio.median);
        let mut end = max;
        if let Some(target) = row.target {
            let mark = self.x(target.limit());
            self.canvas
                .line(&[(mark, middle - 18), (mark, middle + 18)], &MARK, 3)?;
            end = end.max(mark);
            let sign = match target {
                Target::AtLeast(_) => '≥',
                Target::AtMost(_) => '≤',
            };
            value.push_str(&format!(" ({sign} {:.2})", target.limit()));
        }
        self.canvas
            .text(&value, (end + 10, middle), 16, &INK, HPos::Left)
    }

    fn legend(&self, y: i32) -> Result<()> {
        let entries = [
            (24, MET, "target reached, or none"),
            (250, MISSED, "target missed"),
            (400, MARK, "target: ≥ where more is better, ≤ where less is"),
        ];
        for (x, colour, text) in entries {
            let square = [(x, y - 7), (x + 14, y + 7)];
            self.canvas.fill(square, &colour)?;
            self.canvas.text(text, (x + 22, y), 16, &INK, HPos::Left)?;
        }
        Ok(())
    }

    /// The x coordinate of a ratio.
    fn x(&self, ratio: f64) -> i32 {
        #[expect(clippy::cast_possible_truncation, reason = "pixels of a picture")]
        let pixels = (ratio * self.scale).round() as i32;
        LABELS + pixels
    }
}
