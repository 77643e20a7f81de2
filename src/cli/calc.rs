//! `plimsoll calc`: a single queue, without a model.

use super::{Failure, Outcome, OutputArgs, output};
use clap::Args;
use plimsoll::calculator::{FORMULAS, Formula, Inputs, Target, calculate};
use plimsoll::discipline::fcfs::Arrivals;
use plimsoll::distribution::{Distribution, Law};
use plimsoll::document;
use plimsoll::math::mva::{SharedStation, Station};
use plimsoll::report;
use plimsoll::system::ArrivalLaw;
use plimsoll::unit::{Mistake, duration, rate};

/// A single queue, without a model.
#[derive(Args)]
#[command(after_help = formulas())]
pub(crate) struct Calc {
    /// The formula
    #[arg(value_name = "FORMULA", value_parser = clap::builder::PossibleValuesParser::new(FORMULAS.map(|(_, word, _)| word)))]
    formula: String,
    /// Arrival rate: 80/s, 7000/min
    #[arg(long, value_name = "RATE")]
    arrival_rate: Option<String>,
    /// How arrivals are spaced: regular, '{ cv = 2 }', '{ dist = "erlang", k = 4 }'
    #[arg(long, value_name = "LAW")]
    arrivals: Option<String>,
    /// Service time: 10ms, '{ mean = "10ms", cv = 2 }', any law of the language
    #[arg(long, value_name = "LAW")]
    service_time: Option<String>,
    /// Number of servers
    #[arg(long, value_name = "N")]
    servers: Option<u32>,
    /// Places, those in service counted
    #[arg(long, value_name = "N")]
    capacity: Option<u32>,
    /// Time until a waiting request gives up
    #[arg(long, value_name = "LAW")]
    patience: Option<String>,
    /// Offered load in erlangs: arrival rate × service time
    #[arg(long, value_name = "ERLANG")]
    offered_load: Option<f64>,
    /// A class of requests, the most urgent first: 20/s:10ms (repeatable)
    #[arg(long, value_name = "RATE:LAW")]
    class: Vec<String>,
    /// Urgent requests interrupt others, which resume later
    #[arg(long)]
    preemptive: bool,
    /// Users of a closed system, or the concurrency to predict for; one number for each class of users: 8,6
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    users: Vec<u32>,
    /// Think time of the users, of each class: 1s,2s
    #[arg(long, value_name = "TIME,…", value_delimiter = ',')]
    think: Vec<String>,
    /// Demand at a station, with its servers: 20ms, 50ms:4, 1s:unlimited; of each class: 20ms,100ms (repeatable)
    #[arg(long, value_name = "TIME,…[:N]")]
    demand: Vec<String>,
    /// Measured concurrency:throughput pairs: 1:20,4:78,8:130
    #[arg(long, value_name = "N:X,…", value_delimiter = ',')]
    points: Vec<String>,
    /// Throughput of one, with --alpha and --beta
    #[arg(long, value_name = "X")]
    gamma: Option<f64>,
    /// Contention
    #[arg(long, value_name = "ALPHA")]
    alpha: Option<f64>,
    /// Cost of coherence
    #[arg(long, value_name = "BETA")]
    beta: Option<f64>,
    /// Jobs present
    #[arg(long, value_name = "N")]
    jobs: Option<f64>,
    /// Throughput
    #[arg(long, value_name = "RATE")]
    throughput: Option<String>,
    /// Response time
    #[arg(long, value_name = "TIME")]
    response_time: Option<String>,
    /// Objects a cache holds
    #[arg(long, value_name = "N")]
    size: Option<u64>,
    /// Objects there are
    #[arg(long, value_name = "N")]
    objects: Option<u64>,
    /// Exponent of Zipf's law
    #[arg(long, value_name = "S")]
    zipf: Option<f64>,
    /// Find the servers for a target: p95=50ms, wait-p95=5ms, utilization=70%, wait-probability=20%
    #[arg(long, value_name = "FIGURE=BOUND")]
    target: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

fn formulas() -> String {
    let list: Vec<String> = FORMULAS.iter().map(|(_, word, what)| format!("  {word:12} {what}")).collect();
    format!(
        "Formulas:\n{}\n\nExamples:\n  plimsoll calc mmc --arrival-rate 80/s --service-time 40ms --servers 4\n  plimsoll calc mmc --arrival-rate 80/s --service-time 40ms --target p95=150ms\n  plimsoll calc mgc --arrival-rate 80/s --service-time '{{ mean = \"40ms\", cv = 2 }}' --servers 4\n  plimsoll calc mmck --arrival-rate 80/s --service-time 40ms --servers 4 --capacity 20\n  plimsoll calc priority --class 20/s:10ms --class 30/s:20ms\n  plimsoll calc mva --users 50 --think 1s --demand 20ms --demand 50ms:4\n  plimsoll calc mva --users 8,6 --think 1s,2s --demand 20ms,100ms --demand 60ms,30ms\n  plimsoll calc erlang-a --arrival-rate 80/s --service-time 40ms --servers 3 --patience 1s\n  plimsoll calc littles-law --throughput 100/s --response-time 200ms",
        list.join("\n")
    )
}

impl Calc {
    pub(crate) fn run(self) -> Outcome {
        let formula = FORMULAS.iter().find(|(_, word, _)| *word == self.formula).map_or(Formula::Mmc, |(f, _, _)| *f);
        let inputs = self.inputs()?;
        let calculation = calculate(formula, &inputs).map_err(|why| Failure::Wrong(format!("error: {why}")))?;
        output::print(&self.output, || report::calculated(&calculation), || report::json::calculated(&calculation))?;
        Ok(0)
    }

    fn inputs(&self) -> Result<Inputs, Failure> {
        let arrival_rate = positive("arrival-rate", read("arrival-rate", &self.arrival_rate, rate::parse)?)?;
        let servers = positive("servers", self.servers.map(f64::from))?.map(|n| n as u32);
        let usl = match (self.gamma, self.alpha, self.beta) {
            (None, None, None) => None,
            (gamma, alpha, beta) => Some((gamma.unwrap_or(1.0), alpha.unwrap_or(0.0), beta.unwrap_or(0.0))),
        };
        Ok(Inputs {
            arrivals: self.arrivals(arrival_rate)?,
            arrival_rate,
            service: law("service-time", &self.service_time)?,
            servers,
            capacity: self.capacity,
            patience: law("patience", &self.patience)?,
            offered_load: positive("offered-load", self.offered_load)?,
            classes: self.class.iter().map(|text| class(text)).collect::<Result<_, _>>()?,
            preemptive: self.preemptive,
            think: self.think.iter().map(|text| time("think", text)).collect::<Result<_, _>>()?,
            stations: if self.users.len() > 1 { Vec::new() } else { self.stations(station)? },
            shared_stations: if self.users.len() > 1 { self.stations(shared_station)? } else { Vec::new() },
            users: self.users.clone(),
            points: self.points.iter().map(|text| point(text)).collect::<Result<_, _>>()?,
            usl,
            jobs: positive("jobs", self.jobs)?,
            throughput: positive("throughput", read("throughput", &self.throughput, rate::parse)?)?,
            response: positive("response-time", read("response-time", &self.response_time, duration::parse)?)?,
            size: self.size,
            objects: self.objects,
            zipf: self.zipf.filter(|z| z.is_finite() && (0.0..=10.0).contains(z)),
            target: read("target", &self.target, Target::parse)?,
        })
    }

    fn stations<T>(&self, parse: fn(&str) -> Result<T, Failure>) -> Result<Vec<T>, Failure> {
        self.demand.iter().map(|text| parse(text)).collect()
    }

    fn arrivals(&self, rate: Option<f64>) -> Result<Option<Arrivals>, Failure> {
        let Some(text) = &self.arrivals else { return Ok(None) };
        let Some(rate) = rate else { return Err(wrong("arrivals", "--arrival-rate is missing beside it")) };
        match document::read_arrivals(text).map_err(|why| wrong("arrivals", &why))? {
            ArrivalLaw::Poisson => Ok(Some(Arrivals::Poisson)),
            ArrivalLaw::Renewal(law) => Ok(Some(Arrivals::Renewal(law.scaled(1.0 / rate)))),
            ArrivalLaw::Burst { .. } | ArrivalLaw::Trace(_) => Err(wrong("arrivals", "bursts and traces need a model")),
        }
    }
}

fn wrong(flag: &str, why: &str) -> Failure {
    Failure::Wrong(format!("error: --{flag}: {why}"))
}

fn read<T>(flag: &str, text: &Option<String>, parse: fn(&str) -> Result<T, Mistake>) -> Result<Option<T>, Failure> {
    match text {
        None => Ok(None),
        Some(text) => {
            parse(text).map(Some).map_err(|mistake| wrong(flag, &format!("{}: {}", mistake.wrong, mistake.advice)))
        }
    }
}

fn positive(flag: &str, value: Option<f64>) -> Result<Option<f64>, Failure> {
    match value {
        Some(value) if !(value > 0.0 && value.is_finite()) => Err(wrong(flag, "write a number above zero")),
        value => Ok(value),
    }
}

fn law(flag: &str, text: &Option<String>) -> Result<Option<Law>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let files = |file: &str| std::fs::read_to_string(file).map_err(|error| super::input::reason(&error));
    let law = document::read_law(text, &files).map_err(|why| wrong(flag, &why))?;
    if law.mean() <= 0.0 {
        return Err(wrong(flag, "write a time above zero"));
    }
    Ok(Some(law))
}

fn class(text: &str) -> Result<(f64, Law), Failure> {
    let (arrival_rate, service) =
        text.split_once(':').ok_or_else(|| wrong("class", "write RATE:LAW, for example 20/s:10ms"))?;
    let arrival_rate = rate::parse(arrival_rate)
        .map_err(|mistake| wrong("class", &format!("{}: {}", mistake.wrong, mistake.advice)))?;
    let service =
        law("class", &Some(service.to_string()))?.ok_or_else(|| wrong("class", "a service time is missing"))?;
    Ok((arrival_rate, service))
}

fn time(flag: &str, text: &str) -> Result<f64, Failure> {
    duration::parse(text).map_err(|mistake| wrong(flag, &format!("{}: {}", mistake.wrong, mistake.advice)))
}

/// A demand for each class, at one server or at as many as come.
fn shared_station(text: &str) -> Result<SharedStation, Failure> {
    let (times, servers) = text.split_once(':').map_or((text, None), |(times, servers)| (times, Some(servers)));
    let delay = match servers {
        None | Some("1") => false,
        Some("unlimited") => true,
        Some(_) => return Err(wrong("demand", "with several classes of users a station has one server, or unlimited")),
    };
    let demands = times.split(',').map(|text| time("demand", text)).collect::<Result<_, _>>()?;
    Ok(SharedStation { demands, delay })
}

fn station(text: &str) -> Result<Station, Failure> {
    let (text, servers) = text.split_once(':').map_or((text, None), |(time, servers)| (time, Some(servers)));
    let demand = time("demand", text)?;
    let servers = match servers {
        None => Some(1),
        Some("unlimited") => None,
        Some(count) => match count.parse::<u32>() {
            Ok(count) if count > 0 => Some(count),
            _ => return Err(wrong("demand", "write servers as a whole number, or unlimited: 50ms:4")),
        },
    };
    Ok(Station { demand, servers, others: 0.0 })
}

fn point(text: &str) -> Result<(f64, f64), Failure> {
    let parsed = text.split_once(':').and_then(|(n, x)| Some((n.trim().parse().ok()?, x.trim().parse().ok()?)));
    parsed.ok_or_else(|| wrong("points", &format!("\"{text}\" is not concurrency:throughput: write for example 8:130")))
}
