//! Figures as data: curves, a bound, marks. The picture format draws them.

use crate::plan::{Overloaded, Point, knee, overloaded};
use crate::system::{Kind, Metric, Scope, System};
use crate::unit::{duration, number, rate, ratio};

/// Curves over one parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// What it shows.
    pub title: String,
    /// The parameter with its unit.
    pub x_label: String,
    /// What the curves are, with their unit.
    pub y_label: String,
    /// The curves.
    pub curves: Vec<Curve>,
    /// A bound that should not be crossed, with its name.
    pub bound: Option<(f64, String)>,
    /// Values of the parameter worth a mark, with their names.
    pub marks: Vec<(f64, String)>,
    /// How values of the parameter are printed.
    pub x_kind: Kind,
}

/// One curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Its name.
    pub name: String,
    /// Its points.
    pub points: Vec<(f64, f64)>,
}

impl Figure {
    /// A value of the parameter with its unit.
    pub fn x_text(&self, value: f64) -> String {
        match self.x_kind {
            Kind::Duration | Kind::Law => duration::print(value),
            Kind::Rate => rate::print(value),
            Kind::Ratio => ratio::print(value),
            _ => number::print(value),
        }
    }
}

/// p50, p95 and p99 of a workload along a parameter, with its objective, the knee, and where it saturates.
pub fn along(
    system: &System,
    workload: usize,
    parameter: &str,
    kind: Kind,
    points: &[Point],
    saturation: Option<f64>,
) -> Figure {
    let name = system.workloads.get(workload).map_or("", |w| w.name.as_str());
    let curve = |word: &str, level: f64| Curve {
        name: word.to_string(),
        points: points
            .iter()
            .filter_map(|p| Some((p.value, p.prediction.workloads.get(workload)?.response.percentile(level)?)))
            .collect(),
    };
    let curves: Vec<Curve> = [("p99", 0.99), ("p95", 0.95), ("p50", 0.5)].map(|(w, level)| curve(w, level)).into();
    let mut marks = Vec::new();
    if let Some(knee) = knee(&curves[1].points) {
        marks.push((knee, "knee".to_string()));
    }
    let last = points.last().map_or(0.0, |p| p.value);
    if let Some(saturation) = saturation.filter(|s| *s <= last * 1.001) {
        marks.push((saturation, "saturation".to_string()));
    } else {
        match overloaded(points) {
            Some(Overloaded::From(first)) => marks.push((first, "overloaded from".to_string())),
            Some(Overloaded::UpTo(last)) => marks.push((last, "overloaded up to".to_string())),
            Some(Overloaded::Everywhere) | None => {}
        }
    }
    let bound = system.objectives.iter().find_map(|objective| match (&objective.scope, objective.metric) {
        (Scope::Workload(about), Metric::Percentile(_) | Metric::Mean) if about == name => Some((
            objective.target,
            format!("objective: {} ≤ {}", objective.metric.word(), duration::print(objective.target)),
        )),
        _ => None,
    });
    let model = if system.name.is_empty() { String::new() } else { format!("{}: ", system.name) };
    Figure {
        title: format!("{model}response time of {name}"),
        x_label: parameter.to_string(),
        y_label: "response time".to_string(),
        curves,
        bound,
        marks,
        x_kind: kind,
    }
}
