//! The report of `plan`: the counts, what they bring, and why not one fewer.

use super::solved::{bound, distance, enumerate, figure, objectives, plural};
use super::{Block, Cell, Manifest, Report, Table, Tone, manifest_line};
use crate::plan::{Losing, Plan, PlanError, Verdict};
use crate::prediction::Prediction;
use crate::system::{Metric, System};
use crate::unit::{duration, number, price};

/// The report of a plan: `before` and `after` are the predictions without and with it.
pub fn planned(
    system: &System,
    plan: &Plan,
    before: &Prediction,
    after: &Prediction,
    verdicts: &[Verdict],
    warnings: &[String],
    manifest: &Manifest,
) -> Report {
    let mut report = Report::default();
    let total: u32 = plan.services.iter().map(|s| s.instances).sum();
    let was: u32 = plan.services.iter().map(|s| s.before).sum();
    let name = if system.name.is_empty() { "Model" } else { &system.name };
    let cost = plan.cost_after.map_or_else(String::new, |cost| format!(", {}", price::print(cost, &system.currency)));
    let change = match total.cmp(&was) {
        std::cmp::Ordering::Equal => "as many as now".to_string(),
        std::cmp::Ordering::Greater => format!("{} more than now", total - was),
        std::cmp::Ordering::Less => format!("{} fewer than now", was - total),
    };
    let text = format!("{name}: {total} {} meet every objective ({change}){cost}", plural(total as usize, "instance"));
    report.push(Block::Headline(text, Tone::Good));
    report.push(Block::Table(counts(system, plan)));
    if let (Some(cost_before), Some(cost_after)) = (plan.cost_before, plan.cost_after) {
        report.push(Block::Paragraph(format!(
            "Cost: {}, now {}.",
            price::print(cost_after, &system.currency),
            price::print(cost_before, &system.currency)
        )));
    }
    report.push(Block::Paragraph(if plan.optimal {
        "No cheaper choice meets the objectives.".to_string()
    } else {
        let gap = (plan.objective_value / plan.lower_bound - 1.0) * 100.0;
        format!("The search was cut short: a cheaper choice may exist, by at most {}%.", number::print(gap))
    }));
    report.push(Block::Heading("Objectives with the plan".to_string()));
    if let Some(table) = objectives(system, verdicts) {
        report.push(Block::Table(table));
    }
    report.push(Block::Heading("Before and after".to_string()));
    report.push(Block::Table(comparison(before, after)));
    report.list("Warnings", warnings);
    report.list("Assumptions", &system.assumptions);
    report.push(Block::Paragraph(manifest_line(manifest)));
    report
}

fn counts(system: &System, plan: &Plan) -> Table {
    let rows = plan
        .services
        .iter()
        .map(|service| {
            let tone = if service.instances > service.before { Tone::Careful } else { Tone::Plain };
            vec![
                service.name.clone().into(),
                service.before.to_string().into(),
                Cell::toned(service.instances.to_string(), tone),
                because(&service.because, service.instances, system).into(),
            ]
        })
        .collect();
    let header = ["service", "now", "plan", "why not one fewer"].map(String::from).to_vec();
    Table { header, rows, text_columns: 1, optional: Vec::new() }
}

/// Why a count is not one smaller, in words.
fn because(losing: &Losing, instances: u32, system: &System) -> String {
    let fewer = instances.saturating_sub(1);
    let within = |case: &Option<String>| case.as_ref().map_or_else(String::new, |case| format!(" ({case})"));
    match losing {
        Losing::Breaks { verdict, case, .. } if verdict.predicted.is_none() => {
            format!("with {fewer}: {} does not exist, it cannot keep up{}", verdict.name, within(case))
        }
        Losing::Breaks { verdict, case, .. } => format!(
            "with {fewer}: {} {}, {}{}",
            verdict.name,
            figure(verdict.metric, verdict.predicted, system),
            distance(verdict),
            within(case)
        ),
        Losing::Saturates { case } => format!("with {fewer}: it cannot keep up{}", within(case)),
        Losing::Least => "the least its scale allows".to_string(),
        Losing::Fixed => "fixed".to_string(),
        Losing::Unproven => "not proven: the search was cut short".to_string(),
    }
}

fn comparison(before: &Prediction, after: &Prediction) -> Table {
    let time = |value: Option<f64>| value.map_or_else(|| "overloaded".to_string(), duration::print);
    let rows = before
        .workloads
        .iter()
        .zip(&after.workloads)
        .map(|(before, after)| {
            vec![
                before.name.clone().into(),
                time(before.response.p95()).into(),
                time(after.response.p95()).into(),
                time(before.response.mean).into(),
                time(after.response.mean).into(),
            ]
        })
        .collect();
    let header = ["workload", "p95 now", "p95 with plan", "mean now", "mean with plan"].map(String::from).to_vec();
    Table { header, rows, text_columns: 1, optional: Vec::new() }
}

/// The report when no counts meet the objectives.
pub fn no_plan(system: &System, error: &PlanError) -> Report {
    let mut report = Report::default();
    let name = if system.name.is_empty() { "Model" } else { &system.name };
    let case = error.case.as_ref().map_or_else(String::new, |case| format!(" ({case})"));
    report.push(Block::Headline(format!("{name}: no instance counts meet the objectives"), Tone::Bad));
    let text = match &error.verdict {
        Some(verdict) => {
            let way_out = match verdict.metric {
                Metric::Mean | Metric::Percentile(_) | Metric::Within(_) => {
                    "what remains is work, delays and externals that more instances do not shorten, or a fixed service"
                }
                _ => "what remains does not depend on the counts within `scale`",
            };
            let found = match verdict.predicted {
                Some(_) => format!("is {}", figure(verdict.metric, verdict.predicted, system)),
                None => "does not exist, because something on its way cannot keep up,".to_string(),
            };
            format!(
                "With every service at the most its scale allows, {}{case} {found} and should be {}: {way_out}.",
                verdict.name,
                bound(verdict.metric, verdict.target, system),
            )
        }
        None => format!("Even with every service at the most its scale allows, something cannot keep up{case}."),
    };
    report.push(Block::Paragraph(text));
    if !error.saturated.is_empty() {
        report.push(Block::Paragraph(format!("Over capacity: {}.", enumerate(&error.saturated))));
    }
    report
}
