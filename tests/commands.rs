//! Whole commands on whole models: exit codes, the form of the JSON, what goes where.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

use assert_cmd::Command;
use serde_json::Value;

fn plimsoll(args: &[&str]) -> assert_cmd::assert::Assert {
    Command::cargo_bin("plimsoll").unwrap().current_dir(env!("CARGO_MANIFEST_DIR")).args(args).assert()
}

fn json(args: &[&str], code: i32) -> Value {
    let output = plimsoll(args).code(code).get_output().stdout.clone();
    serde_json::from_slice(&output).unwrap()
}

#[test]
fn every_result_says_how_to_make_it_again() {
    let change = "workload.readers.rate=400/s";
    let solve = ["solve", "models/read-api.toml", "--set", change, "--format", "json"];
    let sweep =
        ["sweep", "models/read-api.toml", "--set", change, "--vary", "service.api.instances=3..4", "--format", "json"];
    let (solve, sweep) = (json(&solve, 0), json(&sweep, 0));
    assert_eq!(solve["manifest"], sweep["manifest"]);
    assert_eq!(solve["manifest"]["changes"][0], format!("--set {change}"));
    let calc = json(&["calc", "mm1", "--arrival-rate", "50/s", "--service-time", "10ms", "--format", "json"], 0);
    assert_eq!(calc["version"], solve["manifest"]["version"]);
}

#[test]
fn a_sweep_says_where_it_is_overloaded() {
    for (vary, said) in [
        ("service.api.instances=1..6", "Up to 2 it is overloaded."),
        ("workload.readers.rate=x", "--vary"),
        ("service.api.instances=1..2", "It is overloaded everywhere."),
    ] {
        let output = plimsoll(&["sweep", "models/read-api.toml", "--vary", vary]).get_output().clone();
        let all = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(all.contains(said), "{vary}: {all}");
    }
}

#[test]
fn solve_prints_the_promised_json() {
    let got = json(&["solve", "models/web-shop.toml", "--format", "json"], 0);
    assert_eq!(got["schema"], 1);
    assert_eq!(got["method"], "analytic");
    assert_eq!(got["stable"], true);
    let shoppers = &got["workloads"]["shoppers"];
    for key in ["mean", "p50", "p75", "p90", "p95", "p99", "p999"] {
        assert!(shoppers["response"][key].as_f64().unwrap() > 0.0, "{key}");
    }
    let sum: f64 = shoppers["breakdown"]
        .as_array()
        .unwrap()
        .iter()
        .map(|share| share["queueing"].as_f64().unwrap() + share["service_time"].as_f64().unwrap())
        .sum();
    assert!((sum / shoppers["response"]["mean"].as_f64().unwrap() - 1.0).abs() < 1e-9);
    assert!(got["services"]["database"]["wait"]["p95"].is_number());
    assert_eq!(got["manifest"]["model_sha256"].as_str().unwrap().len(), 64);
    assert!(got["manifest"]["tolerances"]["percentiles"].as_f64().unwrap() > 0.0);
}

#[test]
fn an_overloaded_model_is_an_answer() {
    let got = json(&["solve", "models/web-shop.toml", "--set", "workload.browsers.rate=x20", "--format", "json"], 0);
    assert_eq!(got["stable"], false);
    assert!(got["workloads"]["browsers"]["response"]["p95"].is_null());
    assert!(!got["warnings"].as_array().unwrap().is_empty());
    let through = got["workloads"]["browsers"]["throughput"].as_f64().unwrap();
    assert!(through > 0.0 && through < 6000.0);
}

#[test]
fn check_exits_with_one_when_an_objective_is_missed() {
    plimsoll(&["check", "models/web-shop.toml"]).code(1);
    plimsoll(&["check", "models/web-shop.toml", "--set", "service.mailer.instances=2"]).code(0);
}

#[test]
fn check_tells_build_servers() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("objectives.xml");
    let output = plimsoll(&["check", "models/web-shop.toml", "--junit", file.to_str().unwrap(), "--github"]).code(1);
    let annotations = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    assert!(annotations.contains("::error file=models/web-shop.toml,title=objective missed%3A mailer utilization::"));
    let xml = std::fs::read_to_string(file).unwrap();
    assert!(xml.contains("tests=\"8\" failures=\"1\""), "{xml}");
}

#[test]
fn an_objective_on_a_service_s_share_within_a_time_is_judged() {
    let model = "[service.a]\noperations.o.work = \"10ms\"\n[workload.w]\nentry = \"a.o\"\nrate = \"50/s\"\n[[objective]]\nservice = \"a\"\nwithin = \"100ms\"\nshare = \"99%\"\n";
    let mut command = Command::cargo_bin("plimsoll").unwrap();
    let output = command.args(["check", "-", "--format", "json"]).write_stdin(model).output().unwrap();
    println!("{}", String::from_utf8_lossy(&output.stderr));
    let got: Value = serde_json::from_slice(&output.stdout).unwrap();
    let predicted = got["objectives"][0]["predicted"].as_f64().unwrap();
    // M/M/1 at one half: the response is exponential with mean 20 ms.
    assert!((predicted - (1.0 - (-5.0f64).exp())).abs() < 1e-4, "{predicted}");
}

#[test]
fn every_example_of_the_help_runs_on_the_model_that_init_writes() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[String]| {
        Command::cargo_bin("plimsoll").unwrap().current_dir(folder.path()).args(args).output().unwrap()
    };
    let words = |line: &str| -> Vec<String> { line.split_whitespace().map(String::from).collect() };
    let template = run(&words("init")).stdout;
    std::fs::write(folder.path().join("shop.toml"), template).unwrap();
    let mut count = 0;
    for command in ["solve", "plan", "check", "sweep", "calc"] {
        let help = String::from_utf8(run(&words(&format!("{command} --help"))).stdout).unwrap();
        for line in help.lines().filter_map(|line| line.strip_prefix("  plimsoll ")) {
            // What stands apart behind an example explains it; laws in quotes are one word.
            let example = line.split("   ").next().unwrap();
            let mut args: Vec<String> = Vec::new();
            for (i, part) in example.split('\'').enumerate() {
                if i % 2 == 1 { args.push(part.to_string()) } else { args.extend(words(part)) }
            }
            let output = run(&args);
            let code = output.status.code();
            assert!(
                code == Some(0) || (args[0] == "check" && code == Some(1)),
                "{example}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            count += 1;
        }
    }
    assert!(count >= 18, "{count}");
}

#[test]
fn a_target_below_the_service_time_is_told_apart() {
    let args = ["calc", "mmc", "--arrival-rate", "80/s", "--service-time", "40ms", "--target"];
    let failed = plimsoll(&[&args[..], &["p95=100ms"]].concat()).code(2).get_output().stderr.clone();
    let text = String::from_utf8(failed).unwrap();
    assert!(
        text.contains("response-p95 stays at 120 ms with any number of servers, and the target is 100 ms"),
        "{text}"
    );
    plimsoll(&[&args[..], &["p95=150ms"]].concat()).code(0);
}

#[test]
fn plan_says_why_not_one_fewer() {
    let got = json(&["plan", "models/web-shop.toml", "--scenario", "black-friday", "--format", "json"], 0);
    let mailer = &got["plan"]["services"]["mailer"];
    assert_eq!(mailer["instances"], 5);
    assert_eq!(mailer["because"], "mailer utilization");
    assert_eq!(got["plan"]["optimal"], true);
    assert!(got["objectives"].as_array().unwrap().iter().all(|o| o["met"] == true));
}

#[test]
fn a_plan_that_cannot_be_exits_with_one_and_a_reason() {
    let got = json(&["plan", "models/slow-external.toml", "--scenario", "slow-provider", "--format", "json"], 1);
    assert!(got["plan"]["services"].is_null());
    assert_eq!(got["plan"]["saturated"][0], "provider");
}

#[test]
fn users_are_solved_but_not_planned_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.toml");
    let model = "[service.s]\noperations.o.work = \"10ms\"\n[workload.w]\nentry = \"s.o\"\nusers = 30\nthink = \"100ms\"\n\
        [[objective]]\nworkload = \"w\"\np95 = \"1s\"\n";
    std::fs::write(&file, model).unwrap();
    let file = file.to_str().unwrap();
    // One server is busy all the time: 30 users in 0.3 s, of which they think a third.
    let mean = json(&["solve", file, "--format", "json"], 0)["workloads"]["w"]["response"]["mean"].as_f64().unwrap();
    assert!((mean - 0.2).abs() < 1e-6, "{mean}");
    let refused = plimsoll(&["plan", file]).code(2).get_output().stderr.clone();
    assert!(String::from_utf8_lossy(&refused).contains("cannot be made yet"));
}

#[test]
fn a_wrong_command_exits_with_two_and_a_missing_file_with_three() {
    plimsoll(&["solve"]).code(2);
    plimsoll(&["solve", "models"]).code(2);
    plimsoll(&["solve", "models/none.toml"]).code(3);
    plimsoll(&["solve", "models/web-shop.toml", "--scenario", "blak-friday"]).code(2);
    plimsoll(&["calc", "mmc", "--arrival-rate", "80"]).code(2);
    plimsoll(&["solve", "models/web-shop.toml", "-o", "/nonexistent/out.txt"]).code(3);
}

#[test]
fn rubbish_is_refused_in_bounded_time() {
    let rubbish: Vec<u8> = (0..1_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let text: String = rubbish.iter().map(|b| char::from(b'!' + b % 90)).collect();
    for input in [rubbish, text.into_bytes(), b"[".repeat(100_000), b"a = {".repeat(20_000), Vec::new()] {
        let mut command = Command::cargo_bin("plimsoll").unwrap();
        command.args(["solve", "-"]).write_stdin(input).timeout(std::time::Duration::from_secs(60)).assert().code(2);
    }
}

#[test]
fn init_writes_a_model_that_meets_its_objectives() {
    let model = plimsoll(&["init"]).code(0).get_output().stdout.clone();
    Command::cargo_bin("plimsoll").unwrap().args(["check", "-"]).write_stdin(model).assert().code(0);
}

#[test]
fn pictures_are_drawn_with_their_text() {
    let folder = tempfile::tempdir().unwrap();
    let (svg, png) = (folder.path().join("a.svg"), folder.path().join("a.png"));
    plimsoll(&["solve", "models/read-api.toml", "--plot", svg.to_str().unwrap()]).code(0);
    plimsoll(&[
        "sweep",
        "models/read-api.toml",
        "--vary",
        "workload.readers.rate=500/s..3500/s:7",
        "--plot",
        png.to_str().unwrap(),
    ])
    .code(0);
    let text = std::fs::read_to_string(svg).unwrap();
    assert!(text.contains("saturation") && text.contains("knee") && text.contains("objective"));
    assert!(std::fs::read(png).unwrap().starts_with(b"\x89PNG"));
}
