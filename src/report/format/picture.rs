//! Pictures: SVG and PNG, drawn by plotters with a font that comes along.

use crate::report::figure::Figure;
use crate::unit::duration;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};
use std::sync::Once;

const SIZE: (u32, u32) = (1000, 620);

/// Pixels drawn for each pixel of a PNG, along each side.
const FINER: u32 = 3;

/// Colours of the curves, distinct for the colour-blind too (Okabe and Ito, 2008).
const COLORS: [RGBColor; 3] = [RGBColor(213, 94, 0), RGBColor(0, 114, 178), RGBColor(0, 158, 115)];
const INK: RGBColor = RGBColor(60, 60, 60);
const FAINT: RGBColor = RGBColor(225, 225, 225);

/// A figure as SVG.
///
/// # Errors
/// Why it cannot be drawn.
pub fn svg(figure: &Figure) -> Result<String, String> {
    font();
    let mut text = String::new();
    draw(SVGBackend::with_string(&mut text, SIZE).into_drawing_area(), figure, 1)?;
    Ok(text)
}

/// A figure as PNG.
///
/// # Errors
/// Why it cannot be drawn.
pub fn png(figure: &Figure) -> Result<Vec<u8>, String> {
    font();
    // Drawn larger and then shrunk: its lines have no steps.
    let large = (SIZE.0 * FINER, SIZE.1 * FINER);
    let mut pixels = vec![0u8; (large.0 * large.1 * 3) as usize];
    draw(BitMapBackend::with_buffer(&mut pixels, large).into_drawing_area(), figure, FINER)?;
    let drawn = image::RgbImage::from_raw(large.0, large.1, pixels).ok_or("the picture has no size")?;
    let shrunk = image::imageops::thumbnail(&drawn, SIZE.0, SIZE.1);
    let mut bytes = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new(&mut bytes);
    image::ImageEncoder::write_image(encoder, &shrunk, SIZE.0, SIZE.1, image::ColorType::Rgb8)
        .map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn font() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // A font that does not register shows as missing text; the test of a drawn picture would see it.
        let _ = register_font("sans-serif", FontStyle::Normal, dejavu::sans::regular());
    });
}

/// Draws a figure with all lengths `k` times as long.
fn draw<B: DrawingBackend>(area: DrawingArea<B, Shift>, figure: &Figure, k: u32) -> Result<(), String> {
    draw_on(&area, figure, k).map_err(|error| error.to_string())
}

fn draw_on<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    figure: &Figure,
    k: u32,
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    area.fill(&WHITE)?;
    let (x_range, top) = ranges(figure);
    let text = |size: i32| ("sans-serif", size * k as i32).into_font().color(&INK);
    let mut chart = ChartBuilder::on(area)
        .caption(&figure.title, text(24))
        .margin(18 * k)
        .margin_right(40 * k)
        .x_label_area_size(52 * k)
        .y_label_area_size(86 * k)
        .build_cartesian_2d(x_range.0..x_range.1, 0.0..top)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(FAINT.stroke_width(k))
        .axis_style(INK.stroke_width(k))
        .x_desc(&figure.x_label)
        .y_desc(&figure.y_label)
        .set_all_tick_mark_size(5 * k)
        .x_labels(8)
        .y_labels(8)
        .x_label_formatter(&|x| figure.x_text(*x))
        .y_label_formatter(&|y| duration::print(*y))
        .label_style(text(15))
        .axis_desc_style(text(17))
        .draw()?;
    if let Some((bound, name)) = figure.bound.as_ref().filter(|(bound, _)| *bound <= top) {
        let line = [(x_range.0, *bound), (x_range.1, *bound)];
        chart.draw_series(DashedLineSeries::new(line, 8 * k, 5 * k, INK.stroke_width(2 * k)))?;
        // Beside the legend, which stands in the corner.
        let at = (x_range.0 + 0.12 * (x_range.1 - x_range.0), *bound + 0.012 * top);
        chart.draw_series(std::iter::once(Text::new(name.clone(), at, text(15).pos(bottom_left()))))?;
    }
    for (i, (at, name)) in figure.marks.iter().enumerate() {
        chart.draw_series(DashedLineSeries::new([(*at, 0.0), (*at, top)], 3 * k, 4 * k, INK.stroke_width(k)))?;
        // At the foot, where curves that rise do not come.
        // Beside the line, on the side where there is room.
        let width = x_range.1 - x_range.0;
        let left = *at < x_range.0 + 0.3 * width;
        let (side, anchor) = if left { (0.006, bottom_left()) } else { (-0.006, bottom_right()) };
        let place = (*at + side * width, top * (0.012 + 0.05 * i as f64));
        let label = format!("{name} {}", figure.x_text(*at));
        chart.draw_series(std::iter::once(Text::new(label, place, text(15).pos(anchor))))?;
    }
    for (curve, color) in figure.curves.iter().zip(COLORS) {
        for (i, run) in below(&curve.points, top).into_iter().enumerate() {
            let series = chart.draw_series(LineSeries::new(run, color.stroke_width(3 * k)))?;
            if i == 0 {
                series.label(&curve.name).legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 22 * k as i32, y)], color.stroke_width(3 * k))
                });
            }
        }
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .margin(10 * k)
        .legend_area_size(30 * k)
        .background_style(WHITE)
        .border_style(FAINT)
        .label_font(text(16))
        .draw()?;
    area.present()
}

/// The runs of a curve that lie within the picture, cut where they leave it.
fn below(points: &[(f64, f64)], top: f64) -> Vec<Vec<(f64, f64)>> {
    let mut runs = vec![Vec::new()];
    let mut before: Option<(f64, f64)> = None;
    for &(x, y) in points {
        let cut = before.filter(|(_, last)| (*last <= top) != (y <= top));
        let edge = cut.map(|(from, last)| (from + (x - from) * (top - last) / (y - last), top));
        if y <= top && edge.is_some() && runs.last().is_some_and(|run| !run.is_empty()) {
            runs.push(Vec::new());
        }
        if let Some(run) = runs.last_mut() {
            run.extend(edge);
            run.extend((y <= top).then_some((x, y)));
        }
        before = Some((x, y));
    }
    runs
}

fn bottom_left() -> plotters::style::text_anchor::Pos {
    use plotters::style::text_anchor::{HPos, Pos, VPos};
    Pos::new(HPos::Left, VPos::Bottom)
}

fn bottom_right() -> plotters::style::text_anchor::Pos {
    use plotters::style::text_anchor::{HPos, Pos, VPos};
    Pos::new(HPos::Right, VPos::Bottom)
}

/// The range of the parameter, and the highest time shown: near saturation curves rise without end, and what matters
/// lies below a few times the objective or the start.
fn ranges(figure: &Figure) -> ((f64, f64), f64) {
    let all = || figure.curves.iter().flat_map(|curve| curve.points.iter());
    let low = all().map(|p| p.0).chain(figure.marks.iter().map(|m| m.0)).fold(f64::INFINITY, f64::min);
    let high = all().map(|p| p.0).chain(figure.marks.iter().map(|m| m.0)).fold(f64::NEG_INFINITY, f64::max);
    let (low, high) = if low < high { (low, high) } else { (0.0, 1.0) };
    let highest = all().map(|p| p.1).fold(0.0, f64::max);
    let first = figure.curves.iter().filter_map(|c| c.points.first()).map(|p| p.1).fold(0.0, f64::max);
    let bound = figure.bound.as_ref().map_or(0.0, |(bound, _)| *bound);
    let cap = (4.0 * first).max(1.6 * bound);
    // A bound not far above the curves belongs into the picture.
    let wanted = if bound < 3.0 * highest { highest.max(1.1 * bound) } else { highest };
    let top = if wanted > 0.0 { (1.08 * wanted).min(cap) } else { 1.0 };
    ((low, high + 0.02 * (high - low)), top)
}

#[cfg(test)]
mod tests {
    use super::below;

    #[test]
    fn a_curve_is_cut_where_it_leaves_the_picture() {
        let points = [(0.0, 1.0), (1.0, 3.0), (2.0, 5.0), (3.0, 3.0), (4.0, 1.0)];
        let runs = below(&points, 2.0);
        assert_eq!(runs, [vec![(0.0, 1.0), (0.5, 2.0)], vec![(3.5, 2.0), (4.0, 1.0)]]);
        assert_eq!(below(&points, 9.0), [points.to_vec()]);
        assert_eq!(below(&[(0.0, 5.0), (1.0, 5.0)], 2.0), [vec![]]);
    }
}
