//! Pictures as SVG and PNG, with a font that is part of the program.

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};

pub(super) const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
pub(super) const FAINT: RGBColor = RGBColor(0x70, 0x70, 0x70);

/// Something that can be drawn.
pub(super) trait Picture {
    /// Width and height in pixels.
    fn size(&self) -> (u32, u32);

    fn draw<B: DrawingBackend>(&self, canvas: &Canvas<'_, B>) -> Result<()>
    where
        B::ErrorType: 'static;
}

/// Where it is drawn.
pub(super) struct Canvas<'a, B: DrawingBackend> {
    area: &'a DrawingArea<B, Shift>,
}

pub(super) fn svg(picture: &impl Picture) -> Result<String> {
    let mut text = String::new();
    draw(
        picture,
        &SVGBackend::with_string(&mut text, picture.size()).into_drawing_area(),
    )?;
    Ok(text)
}

pub(super) fn png(picture: &impl Picture) -> Result<Vec<u8>> {
    let (width, height) = picture.size();
    let mut pixels = vec![0; width as usize * height as usize * 3];
    draw(
        picture,
        &BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area(),
    )?;
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(file)
}

fn draw<B: DrawingBackend>(picture: &impl Picture, area: &DrawingArea<B, Shift>) -> Result<()>
where
    B::ErrorType: 'static,
{
    register_font("sans-serif", FontStyle::Normal, ttf_noto_sans::REGULAR)
        .map_err(|_| anyhow!("the embedded font is malformed"))?;
    area.fill(&WHITE)?;
    picture.draw(&Canvas { area })?;
    area.present()?;
    Ok(())
}

impl<B: DrawingBackend> Canvas<'_, B>
where
    B::ErrorType: 'static,
{
    /// A rectangle between two corners.
    pub(super) fn fill(&self, corners: [(i32, i32); 2], colour: &RGBColor) -> Result<()> {
        Ok(self.area.draw(&Rectangle::new(corners, colour.filled()))?)
    }

    pub(super) fn line(&self, points: &[(i32, i32)], colour: &RGBColor, width: u32) -> Result<()> {
        let line = PathElement::new(points.to_vec(), colour.stroke_width(width));
        Ok(self.area.draw(&line)?)
    }

    pub(super) fn dot(&self, at: (i32, i32), radius: i32, colour: &RGBColor) -> Result<()> {
        Ok(self.area.draw(&Circle::new(at, radius, colour.filled()))?)
    }

    /// A text that is centred vertically.
    pub(super) fn text(
        &self,
        text: &str,
        at: (i32, i32),
        size: i32,
        colour: &RGBColor,
        side: HPos,
    ) -> Result<()> {
        let style = ("sans-serif", size)
            .into_font()
            .color(colour)
            .pos(Pos::new(side, VPos::Center));
        Ok(self.area.draw(&Text::new(text.to_owned(), at, style))?)
    }
}
