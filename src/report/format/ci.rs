//! For continuous integration: JUnit's XML, and annotations of GitHub's workflows.

use crate::plan::Verdict;
use crate::report::solved::{bound, distance, figure};
use crate::system::System;

/// One test case for each objective, in the XML that test reporters of all build servers read.
pub fn junit(system: &System, verdicts: &[Verdict]) -> String {
    let missed = verdicts.iter().filter(|verdict| !verdict.met).count();
    let suite = if system.name.is_empty() { "objectives" } else { &system.name };
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"{}\" tests=\"{}\" failures=\"{missed}\" errors=\"0\">\n",
        escaped(suite),
        verdicts.len()
    );
    for verdict in verdicts {
        let name = format!("{} {}", verdict.name, bound(verdict.metric, verdict.target, system));
        let case = format!("    <testcase classname=\"{}\" name=\"{}\"", escaped(suite), escaped(&name));
        if verdict.met {
            out.push_str(&format!("{case}/>\n"));
        } else {
            let message = escaped(&sentence(system, verdict));
            out.push_str(&format!("{case}>\n      <failure message=\"{message}\"/>\n    </testcase>\n"));
        }
    }
    out + "  </testsuite>\n</testsuites>\n"
}

/// One annotation of this file for each objective that is missed.
pub fn github(file: &str, system: &System, verdicts: &[Verdict]) -> String {
    // Line ends and the signs of the form itself are written as bytes.
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let missed = verdicts.iter().filter(|verdict| !verdict.met);
    missed
        .map(|verdict| {
            let title = property(&format!("objective missed: {}", verdict.name));
            format!("::error file={},title={title}::{}\n", property(file), data(&sentence(system, verdict)))
        })
        .collect()
}

fn sentence(system: &System, verdict: &Verdict) -> String {
    format!(
        "{} is predicted to be {}, the target is {}: {}",
        verdict.name,
        figure(verdict.metric, verdict.predicted, system),
        bound(verdict.metric, verdict.target, system),
        distance(verdict)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::Metric;

    fn verdict(met: bool) -> Verdict {
        Verdict {
            name: "a<b p95".to_string(),
            workload: Some("a<b".to_string()),
            service: None,
            metric: Metric::Percentile(0.95),
            target: 0.1,
            predicted: Some(if met { 0.05 } else { 0.2 }),
            met,
            margin: Some(if met { 0.5 } else { -1.0 }),
        }
    }

    #[test]
    fn a_missed_objective_is_a_failed_case() {
        let xml = junit(&System::default(), &[verdict(true), verdict(false)]);
        assert!(xml.contains("tests=\"2\" failures=\"1\""));
        assert!(xml.contains("<testcase classname=\"objectives\" name=\"a&lt;b p95 ≤ 100 ms\"/>"));
        assert!(xml.contains(
            "<failure message=\"a&lt;b p95 is predicted to be 200 ms, the target is ≤ 100 ms: 100% over\"/>"
        ));
    }

    #[test]
    fn annotations_are_of_what_is_missed() {
        let text = github("a,b.toml", &System::default(), &[verdict(true), verdict(false)]);
        assert_eq!(
            text,
            "::error file=a%2Cb.toml,title=objective missed%3A a<b p95::a<b p95 is predicted to be 200 ms, the target is ≤ 100 ms: 100%25 over\n"
        );
    }
}
