//! Whole commands that simulate: what they print, that it is the same wherever it runs, and what they write.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

use assert_cmd::Command;
use serde_json::Value;
use std::path::Path;

fn plimsoll(args: &[&str], folder: &Path) -> assert_cmd::assert::Assert {
    Command::cargo_bin("plimsoll").unwrap().current_dir(folder).args(args).assert()
}

fn model(name: &str) -> String {
    format!("{}/models/{name}.toml", env!("CARGO_MANIFEST_DIR"))
}

fn json(args: &[&str], folder: &Path) -> Value {
    serde_json::from_slice(&plimsoll(args, folder).success().get_output().stdout).unwrap()
}

#[test]
fn simulated_figures_say_how_sure_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["solve", &model("read-api"), "--method", "simulate", "--requests", "100k", "--format", "json"];
    let got = json(&args, folder.path());
    assert_eq!((&got["method"], &got["stable"]), (&"simulate".into(), &true.into()));
    let readers = &got["workloads"]["readers"];
    assert_eq!(readers["accuracy"]["kind"], "simulated");
    for key in ["mean", "p50", "p75", "p90", "p95", "p99", "p999"] {
        let (figure, half) = (&readers["response"][key], &readers["accuracy"]["confidence"]["response"][key]);
        assert!(half.as_f64().unwrap() > 0.0 && half.as_f64().unwrap() < figure.as_f64().unwrap(), "{key}");
    }
    let database = &got["services"]["database"];
    for key in ["utilization", "queue_length", "throughput", "error_rate"] {
        assert!(database["confidence"][key].is_number(), "{key}: {database}");
    }
    let simulation = &got["simulation"];
    assert_eq!((simulation["seed"].as_u64(), simulation["ended"].as_str()), (Some(1), Some("length")));
    assert!(simulation["warmup"].as_f64().unwrap() > 0.0);
    assert!((simulation["requests"].as_f64().unwrap() / 1e5 - 1.0).abs() < 0.05);
    assert_eq!(got["manifest"]["seed"], 1);
    let sum: f64 = readers["breakdown"]
        .as_array()
        .unwrap()
        .iter()
        .map(|share| share["queueing"].as_f64().unwrap() + share["service_time"].as_f64().unwrap())
        .sum();
    assert!((sum / readers["response"]["mean"].as_f64().unwrap() - 1.0).abs() < 1e-9);
}

#[test]
fn the_figures_do_not_know_the_threads() {
    let folder = tempfile::tempdir().unwrap();
    let run = |threads: &str, seed: &str| {
        let file = model("tenants");
        let options = ["--method", "simulate", "--precision", "10%", "--format", "json", "--threads", threads];
        let args: Vec<&str> = ["solve", &file].into_iter().chain(options).chain(["--seed", seed]).collect();
        plimsoll(&args, folder.path()).success().get_output().stdout.clone()
    };
    let one = run("1", "7");
    assert_eq!(one, run("2", "7"));
    assert_eq!(one, run("16", "7"));
    assert_ne!(one, run("2", "8"));
}

#[test]
fn parts_that_were_run_apart_make_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let file = model("read-api");
    let base = ["solve", &file, "--method", "simulate", "--duration", "20s", "--format", "json", "--seed", "3"];
    let with = |more: &[&str]| -> Vec<u8> {
        let args: Vec<&str> = base.iter().chain(more).copied().collect();
        plimsoll(&args, folder.path()).success().get_output().stdout.clone()
    };
    let whole = with(&["--replications", "5"]);
    with(&["--replications", "2", "--save", "a.json"]);
    with(&["--replications", "3", "--first-replication", "2", "--save", "b.json"]);
    let merged = with(&["--merge", "b.json", "--merge", "a.json"]);
    let (whole, merged): (Value, Value) =
        (serde_json::from_slice(&whole).unwrap(), serde_json::from_slice(&merged).unwrap());
    for key in ["workloads", "services", "bottleneck", "headroom", "objectives"] {
        assert_eq!(whole[key], merged[key], "{key}");
    }
    // What does not belong together is refused, and a file that is none is named.
    let refused = |more: &[&str], said: &str| {
        let args: Vec<&str> = base.iter().chain(more).copied().collect();
        let output = plimsoll(&args, folder.path()).code(2).get_output().stderr.clone();
        let text = String::from_utf8_lossy(&output).into_owned();
        assert!(text.contains(said), "{text}");
    };
    refused(&["--merge", "a.json", "--merge", "a.json"], "replication 0 is there twice");
    refused(&["--merge", "a.json", "--set", "workload.readers.rate=10/s"], "another model");
    std::fs::write(folder.path().join("c.json"), "{}").unwrap();
    refused(&["--merge", "c.json"], "c.json is no file of replications");
    let other = with(&["--replications", "1", "--warmup", "1s", "--first-replication", "9", "--save", "d.json"]);
    assert!(!other.is_empty());
    refused(&["--merge", "a.json", "--merge", "d.json"], "did not run for the same time");
}

#[test]
fn requests_are_written_span_by_span() {
    let folder = tempfile::tempdir().unwrap();
    let file = model("web-shop");
    let run = |trace: &str| {
        let args =
            ["solve", &file, "--method", "simulate", "--requests", "20k", "--trace", trace, "--trace-requests", "7"];
        plimsoll(&args, folder.path()).success();
        std::fs::read_to_string(folder.path().join(trace)).unwrap()
    };
    let rows: Vec<csv::StringRecord> =
        csv::Reader::from_reader(run("t.csv").as_bytes()).records().map(Result::unwrap).collect();
    let roots: Vec<_> = rows.iter().filter(|row| row[2].is_empty()).collect();
    assert_eq!(roots.len(), 7);
    for row in &rows {
        let number = |i: usize| row[i].parse::<f64>().unwrap();
        if row[7].is_empty() {
            continue;
        }
        assert!(number(7) >= number(6));
        // What is inside an operation lies within it; what is sent may go on after it.
        if let (Ok(parent), true) = (row[2].parse::<usize>(), &row[5] != "operation") {
            let parent = &rows[parent];
            assert!(number(6) >= parent[6].parse::<f64>().unwrap());
            assert!(parent[7].is_empty() || number(7) <= parent[7].parse::<f64>().unwrap() + 1e-9);
        }
    }
    let otlp: Value = serde_json::from_str(&run("t.json")).unwrap();
    let spans: Vec<&Value> = otlp["resourceSpans"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|resource| resource["scopeSpans"][0]["spans"].as_array().unwrap())
        .collect();
    assert_eq!(spans.iter().filter(|span| span["parentSpanId"] == "").count(), 7);
    for span in &spans {
        assert_eq!(span["traceId"].as_str().unwrap().len(), 32);
        let nanoseconds = |key: &str| span[key].as_str().unwrap().parse::<u64>().unwrap();
        assert!(nanoseconds("endTimeUnixNano") >= nanoseconds("startTimeUnixNano"));
    }
}

const DAY: &str = "[service.s]\ncores = 4\noperations.o.work = \"10ms\"\n[workload.w]\nentry = \"s.o\"\nprofile = [ { at = \"0s\", rate = \"50/s\" }, { at = \"60s\", rate = \"300/s\" } ]\nperiod = \"2min\"\n";

#[test]
fn a_profile_is_followed_through_time() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("day.toml"), DAY).unwrap();
    let args =
        ["solve", "day.toml", "--method", "simulate", "--duration", "2min", "--series", "s.csv", "--format", "json"];
    let got = json(&args, folder.path());
    assert!((got["workloads"]["w"]["throughput"].as_f64().unwrap() / 175.0 - 1.0).abs() < 0.02);
    let text = std::fs::read_to_string(folder.path().join("s.csv")).unwrap();
    let rows: Vec<csv::StringRecord> =
        csv::Reader::from_reader(text.as_bytes()).records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 240);
    // The second period, the same in each: slow in its first half, fast in its second.
    for row in rows.iter().filter(|row| &row[2] == "workload") {
        let (start, rate): (f64, f64) = (row[0].parse().unwrap(), row[4].parse().unwrap());
        let expected = if start < 179.9 { 50.0 } else { 300.0 };
        // Sixteen runs of one second each: seven standard deviations.
        assert!((rate - expected).abs() < 7.0 * (expected / 16.0f64).sqrt(), "{start}: {rate}");
    }
}

#[test]
fn load_tests_find_what_they_look_for() {
    let folder = tempfile::tempdir().unwrap();
    // Saturates at 1.25 times the load; p95 of M/M/1 is 3 m / (1 - ρ): 0.3 s at a load of 0.8 · 1.125.
    let text = "[service.s]\noperations.o.work = \"10ms\"\n[workload.w]\nentry = \"s.o\"\nrate = \"80/s\"\n[[objective]]\nworkload = \"w\"\np95 = \"300ms\"\n";
    std::fs::write(folder.path().join("m.toml"), text).unwrap();
    let test = |kind: &str| json(&["solve", "m.toml", "--test", kind, "--format", "json"], folder.path());
    let load = test("load");
    assert_eq!(load["found"]["objectives"][0]["met"], true);
    let stress = test("stress");
    let breaking = &stress["found"]["breaking_point"];
    assert!((breaking["fails"].as_f64().unwrap() / 1.25 - 1.0).abs() < 0.03, "{breaking}");
    assert_eq!(breaking["why"][0], "s");
    let objective = &stress["found"]["objectives_limit"];
    assert!((objective["fails"].as_f64().unwrap() / 1.125 - 1.0).abs() < 0.03, "{objective}");
    let spike = test("spike");
    let recovery = &spike["found"]["recovery"]["workloads"]["w"];
    assert!(recovery["recovery_time"].as_f64().unwrap() > 0.0, "{recovery}");
    assert!(recovery["p95_worst"].as_f64() > recovery["p95_before"].as_f64());
    assert_eq!(test("soak")["found"]["drift"]["w"], Value::Null);
    let scalability = test("scalability");
    for efficiency in scalability["found"]["efficiency"].as_array().unwrap() {
        assert!((efficiency.as_f64().unwrap() - 1.0).abs() < 0.05, "{efficiency}");
    }
    let table = plimsoll(&["solve", "m.toml", "--test", "stress"], folder.path()).success().get_output().stdout.clone();
    assert!(String::from_utf8_lossy(&table).contains("stress test, breaks beyond 1.2"));
}

#[test]
fn theory_stands_beside_the_simulation() {
    let folder = tempfile::tempdir().unwrap();
    let file = model("tenants");
    let args = ["solve", &file, "--method", "both", "--requests", "300k", "--format", "json"];
    let got = json(&args, folder.path());
    let differences = got["differences"].as_array().unwrap();
    assert!(differences.len() > 20);
    for difference in differences.iter().filter(|d| d["metric"] == "throughput") {
        assert!(difference["difference"].as_f64().unwrap().abs() < 0.02, "{difference}");
    }
    assert!(got["analytic"]["workloads"].is_object());
    // Where retries keep it overloaded both say so.
    let args = ["solve", &model("retry-storm"), "--method", "both", "--requests", "20k", "--format", "json"];
    let got = json(&args, folder.path());
    assert_eq!((&got["stable"], &got["analytic"]["stable"]), (&Value::Bool(false), &Value::Bool(false)));
}

#[test]
fn options_of_simulations_are_refused_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let file = model("read-api");
    for (args, said) in [
        (vec!["solve", &file, "--duration", "10s"], "add --method simulate"),
        (vec!["solve", &file, "--method", "simulate", "--precision", "0"], "write a share between 0 and 1"),
        (vec!["solve", &file, "--method", "simulate", "--duration", "10"], "unit"),
        (vec!["solve", &file, "--test", "strss"], "write one of load, stress"),
    ] {
        let output = plimsoll(&args, folder.path()).code(2).get_output().stderr.clone();
        let text = String::from_utf8_lossy(&output).into_owned();
        assert!(text.contains(said), "{args:?}: {text}");
    }
    // Objectives can be checked by simulation too.
    plimsoll(&["check", &model("retry-storm")], folder.path()).code(1);
    plimsoll(&["check", &model("retry-storm"), "--method", "simulate", "--requests", "20k"], folder.path()).code(1);
}

#[test]
fn it_ends_when_its_time_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let args = [
        "solve",
        &model("web-shop"),
        "--method",
        "simulate",
        "--precision",
        "0.01%",
        "--max-time",
        "300ms",
        "--format",
        "json",
    ];
    let got = json(&args, folder.path());
    assert_eq!(got["simulation"]["ended"], "stopped");
    assert!(got["warnings"].as_array().unwrap().iter().any(|w| w.as_str().unwrap().contains("was stopped")));
    assert!(got["workloads"]["shoppers"]["response"]["p95"].is_number());
}

#[test]
#[cfg(unix)]
fn the_interrupt_key_prints_what_was_reached() {
    let child = std::process::Command::new(assert_cmd::cargo::cargo_bin("plimsoll"))
        .args(["solve", &model("web-shop"), "--method", "simulate", "--precision", "0.001%", "--format", "json"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let id = child.id().to_string();
    std::process::Command::new("kill").args(["-INT", &id]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let got: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(got["simulation"]["ended"], "stopped");
}
