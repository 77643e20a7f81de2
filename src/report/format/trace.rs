//! Requests span by span: as rows, and as OTLP JSON for trace viewers.

use crate::network::Network;
use crate::simulate::{Part, Span};
use serde_json::{Value, json};
use std::io::{self, Write};

/// Simulated time zero on the calendar of trace viewers, which show nothing of 1970: 1 January 2024, in seconds.
const ZERO: f64 = 1_704_067_200.0;

/// One row a span; times in simulated seconds.
///
/// # Errors
/// What the writer says.
pub fn csv(network: &Network, spans: &[Span], out: &mut dyn Write) -> io::Result<()> {
    let mut rows = csv::Writer::from_writer(out);
    rows.write_record([
        "request",
        "span",
        "parent",
        "service",
        "operation",
        "part",
        "start",
        "end",
        "duration",
        "failed",
    ])?;
    for (number, span) in spans.iter().enumerate() {
        let (service, operation) = names(network, span);
        let optional = |value: Option<String>| value.unwrap_or_default();
        rows.write_record([
            span.request.to_string(),
            number.to_string(),
            optional(span.parent.map(|parent| parent.to_string())),
            service.to_string(),
            operation.to_string(),
            part(span).to_string(),
            span.start.to_string(),
            optional(span.end.map(|end| end.to_string())),
            optional(span.end.map(|end| (end - span.start).to_string())),
            span.failed.to_string(),
        ])?;
    }
    rows.flush()
}

/// One object as the OpenTelemetry protocol writes it (`TracesData` in JSON); spans that never ended are left out.
///
/// # Errors
/// What the writer says.
pub fn otlp(network: &Network, spans: &[Span], out: &mut dyn Write) -> io::Result<()> {
    let mut by_service: Vec<Vec<Value>> = vec![Vec::new(); network.services.len()];
    for (number, span) in spans.iter().enumerate() {
        if let Some(end) = span.end {
            by_service[network.operations[span.operation].service].push(otlp_span(network, number, span, end));
        }
    }
    let resources: Vec<Value> = network
        .services
        .iter()
        .zip(by_service)
        .filter(|(_, spans)| !spans.is_empty())
        .map(|(service, spans)| {
            json!({
                "resource": { "attributes": [text("service.name", &service.name)] },
                "scopeSpans": [{
                    "scope": { "name": "plimsoll", "version": env!("CARGO_PKG_VERSION") },
                    "spans": spans,
                }],
            })
        })
        .collect();
    serde_json::to_writer(&mut *out, &json!({ "resourceSpans": resources }))?;
    out.write_all(b"\n")
}

fn otlp_span(network: &Network, number: usize, span: &Span, end: f64) -> Value {
    let (_, operation) = names(network, span);
    let (name, kind) = match span.part {
        // A server's span, and one inside it.
        Part::Operation => (operation, 2),
        Part::Step(name) => (name, 1),
    };
    // Identifiers of all zeros mean none.
    let id = |number: usize| format!("{:016x}", number + 1);
    json!({
        "traceId": format!("{:032x}", span.request + 1),
        "spanId": id(number),
        "parentSpanId": span.parent.map_or_else(String::new, id),
        "name": name,
        "kind": kind,
        "startTimeUnixNano": nanoseconds(span.start),
        "endTimeUnixNano": nanoseconds(end),
        "attributes": [text("plimsoll.part", part(span))],
        "status": if span.failed { json!({ "code": 2 }) } else { json!({}) },
    })
}

fn names<'n>(network: &'n Network, span: &Span) -> (&'n str, &'n str) {
    let operation = &network.operations[span.operation];
    (&network.services[operation.service].name, &operation.name)
}

fn part(span: &Span) -> &'static str {
    match span.part {
        Part::Operation => "operation",
        Part::Step(name) => name,
    }
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn nanoseconds(time: f64) -> String {
    // Whole seconds apart from the rest: together they would lose digits.
    let whole = (ZERO + time.floor()) as u128 * 1_000_000_000;
    (whole + ((time - time.floor()) * 1e9).round() as u128).to_string()
}
