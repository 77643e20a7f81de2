//! CSV: every figure of a result on a row of its own, or a sweep with a row for each value.

use crate::report::json::{self, Facts, Solved};
use serde_json::{Value, json};
use std::io::Write;

/// Any result as CSV.
pub fn print(facts: &Facts<'_>, out: impl Write) -> Result<(), csv::Error> {
    let mut writer = csv::Writer::from_writer(out);
    match facts {
        Facts::Solved(solved) => tidy(&mut writer, solved)?,
        Facts::Swept(sweep) => swept(&mut writer, sweep)?,
        Facts::Tested(test) => tested(&mut writer, test)?,
        Facts::Calculated(calculation) => flat(&mut writer, calculation)?,
    }
    Ok(writer.flush()?)
}

/// A solved model as rows of `kind,name,metric,value`, in SI units.
fn tidy(writer: &mut csv::Writer<impl Write>, solved: &Solved<'_>) -> Result<(), csv::Error> {
    writer.write_record(["kind", "name", "metric", "value"])?;
    for workload in solved.workloads {
        rows(writer, "workload", &workload.name, "", &json::workload(workload))?;
    }
    for service in solved.services {
        rows(writer, "service", &service.name, "", &json::service(service))?;
    }
    for objective in &solved.objectives {
        let name = objective["name"].as_str().unwrap_or_default();
        for metric in ["predicted", "target", "met", "margin"] {
            writer.write_record(["objective", name, metric, &text(&objective[metric])])?;
        }
    }
    for difference in solved.differences.iter().filter_map(Value::as_array).flatten() {
        let metric = text(&difference["metric"]);
        for (kind, name) in
            ["workload", "service"].into_iter().filter_map(|kind| Some((kind, difference[kind].as_str()?)))
        {
            writer.write_record([kind, name, &format!("{metric}_analytic"), &text(&difference["analytic"])])?;
        }
    }
    let planned = solved.plan.as_ref().and_then(|plan| plan["services"].as_object());
    for (name, figures) in planned.into_iter().flatten() {
        rows(writer, "plan", name, "", figures)?;
    }
    let of_all = [
        ("stable", solved.stable.to_string()),
        ("bottleneck", solved.bottleneck.unwrap_or_default().to_string()),
        ("headroom", text(&json!(solved.headroom))),
        ("cost_per_hour", text(&json!(solved.cost_per_hour))),
    ];
    for (key, value) in of_all {
        writer.write_record(["model", "", key, &value])?;
    }
    Ok(())
}

/// A load test as rows of `stage,subject,metric,value`; stages are numbered from one.
fn tested(writer: &mut csv::Writer<impl Write>, test: &Value) -> Result<(), csv::Error> {
    writer.write_record(["stage", "subject", "metric", "value"])?;
    for (i, stage) in test["stages"].as_array().into_iter().flatten().enumerate() {
        for (kind, key) in [("workload", "workloads"), ("service", "services")] {
            for (name, figures) in stage[key].as_object().into_iter().flatten() {
                rows(writer, &(i + 1).to_string(), &format!("{kind} {name}"), "", figures)?;
            }
        }
    }
    Ok(())
}

/// A sweep, one row for each value.
fn swept(writer: &mut csv::Writer<impl Write>, result: &Value) -> Result<(), csv::Error> {
    let points = result["points"].as_array().cloned().unwrap_or_default();
    let mut header = vec![result["parameter"].as_str().unwrap_or("value").to_string(), "stable".to_string()];
    for (i, point) in points.iter().enumerate() {
        let mut row = vec![text(&point["value"]), text(&point["stable"])];
        for (name, workload) in point["workloads"].as_object().into_iter().flatten() {
            for (metric, value) in workload["response"].as_object().into_iter().flatten() {
                if i == 0 {
                    header.push(format!("{name} {metric}"));
                }
                row.push(text(value));
            }
            for metric in ["throughput", "error_rate"] {
                if i == 0 {
                    header.push(format!("{name} {metric}"));
                }
                row.push(text(&workload[metric]));
            }
        }
        for (name, service) in point["services"].as_object().into_iter().flatten() {
            if i == 0 {
                header.push(format!("{name} utilization"));
            }
            row.push(text(&service["utilization"]));
        }
        if i == 0 {
            writer.write_record(&header)?;
        }
        writer.write_record(&row)?;
    }
    Ok(())
}

/// A flat result, `key,value` a row.
fn flat(writer: &mut csv::Writer<impl Write>, result: &Value) -> Result<(), csv::Error> {
    writer.write_record(["key", "value"])?;
    for (key, value) in result.as_object().into_iter().flatten() {
        writer.write_record([key, &text(value)])?;
    }
    Ok(())
}

fn rows(
    writer: &mut csv::Writer<impl Write>,
    kind: &str,
    name: &str,
    metric: &str,
    value: &Value,
) -> Result<(), csv::Error> {
    let below = |key: &str| if metric.is_empty() { key.to_string() } else { format!("{metric}_{key}") };
    match value {
        Value::Object(map) => map.iter().try_for_each(|(key, value)| rows(writer, kind, name, &below(key), value)),
        Value::Array(items) => items.iter().try_for_each(|item| {
            let service = item["service"].as_str().unwrap_or_default();
            ["queueing", "service_time", "visits"].iter().try_for_each(|key| {
                writer.write_record([kind, name, &format!("{metric}_{service}_{key}"), &text(&item[*key])])
            })
        }),
        value => writer.write_record([kind, name, metric, &text(value)]),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}
