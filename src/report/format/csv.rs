//! CSV: every figure of a JSON result on a row of its own, or a sweep with a row for each value.

use serde_json::Value;

/// A result as rows of `kind,name,metric,value`, in SI units.
pub fn tidy(result: &Value) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["kind", "name", "metric", "value"])?;
    for (kind, key) in [("workload", "workloads"), ("service", "services")] {
        for (name, figures) in result[key].as_object().into_iter().flatten() {
            rows(&mut writer, kind, name, "", figures)?;
        }
    }
    for objective in result["objectives"].as_array().into_iter().flatten() {
        let name = objective["name"].as_str().unwrap_or_default();
        for metric in ["predicted", "target", "met", "margin"] {
            writer.write_record(["objective", name, metric, &text(&objective[metric])])?;
        }
    }
    for (name, figures) in result["plan"]["services"].as_object().into_iter().flatten() {
        rows(&mut writer, "plan", name, "", figures)?;
    }
    for key in ["stable", "bottleneck", "headroom", "cost_per_hour"] {
        writer.write_record(["model", "", key, &text(&result[key])])?;
    }
    Ok(finish(writer))
}

/// A sweep, one row for each value.
pub fn swept(result: &Value) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
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
    Ok(finish(writer))
}

/// A flat result, `key,value` a row.
pub fn flat(result: &Value) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["key", "value"])?;
    for (key, value) in result.as_object().into_iter().flatten() {
        writer.write_record([key, &text(value)])?;
    }
    Ok(finish(writer))
}

fn rows(
    writer: &mut csv::Writer<Vec<u8>>,
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

fn finish(writer: csv::Writer<Vec<u8>>) -> String {
    // Writing to memory does not fail, and only text was written.
    writer.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}
