//! `--plot`: response times against load, or along the parameter of a sweep.

use super::{Failure, output, solve};
use plimsoll::plan::{self, Point, Sweep};
use plimsoll::report::figure;
use plimsoll::report::figure::Figure;
use plimsoll::report::format::picture;
use plimsoll::system::{Kind, Load, Path, System};
use std::path::Path as FilePath;

/// Points of a load curve.
const POINTS: usize = 60;

/// Draws a figure into a file, by its ending.
pub(crate) fn write(figure: &Figure, file: &FilePath) -> Result<(), Failure> {
    let failed = |why: String| Failure::Outside(format!("error: {} cannot be drawn: {why}", file.display()));
    match file.extension().and_then(|e| e.to_str()) {
        Some("svg") => output::write(Some(file), &picture::svg(figure).map_err(failed)?),
        Some("png") => {
            let png = picture::png(figure).map_err(failed)?;
            output::write_file(file, |out| out.write_all(&png))
        }
        _ => Err(Failure::Wrong(format!("error: --plot {}: name a file that ends in .svg or .png", file.display()))),
    }
}

/// The response times of the first workload as the load of all workloads grows together, up to saturation.
pub(crate) fn load_curve(system: &System, headroom: Option<f64>) -> Result<Figure, Failure> {
    let rate = match system.workloads.first().map(|w| &w.load) {
        Some(Load::Open { rate, .. }) if *rate > 0.0 => *rate,
        _ => return Err(Failure::Wrong("error: --plot: the first workload has no load to vary".to_string())),
    };
    let most = headroom.unwrap_or(2.0);
    let points: Vec<Point> = (1..=POINTS)
        .map(|i| {
            // Closer together near saturation, where the curve bends.
            let share = i as f64 / POINTS as f64;
            let factor = most * (1.0 - (1.0 - share).powi(2)).clamp(0.02, 0.995);
            let mut changed = system.clone();
            for workload in &mut changed.workloads {
                if let Load::Open { rate, .. } = &mut workload.load {
                    *rate *= factor;
                }
            }
            let prediction = solve::solved(&changed);
            Point { value: rate * factor, system: changed, prediction }
        })
        .collect();
    let name = &system.workloads[0].name;
    let label = if system.workloads.len() > 1 {
        format!("arrival rate of {name}, all workloads growing together")
    } else {
        format!("arrival rate of {name}")
    };
    let mut figure = figure::along(system, 0, &label, Kind::Rate, &points, headroom.map(|h| h * rate * 0.9999));
    // The end of the curve is the saturation point itself.
    if let Some(headroom) = headroom {
        figure.marks.retain(|(_, name)| name == "knee");
        figure.marks.push((rate * headroom, "saturation".to_string()));
    }
    if headroom.is_some_and(|h| h > 1.0) {
        figure.marks.push((rate, "now".to_string()));
    }
    Ok(figure)
}

/// The response times of the first workload along a sweep.
pub(crate) fn sweep_curve(system: &System, sweep: &Sweep, kind: Kind, points: &[plan::Point]) -> Figure {
    let path: &Path = &sweep.path;
    let words = path.words();
    let moved = match words.as_slice() {
        ["workload", name, "rate"] => system.workloads.iter().position(|w| w.name == **name),
        _ => None,
    };
    let workload = moved.unwrap_or(0);
    let saturation = moved.and_then(|w| points.first().and_then(|p| p.prediction.workloads[w].saturation_rate));
    figure::along(system, workload, &path.to_string(), kind, points, saturation)
}
