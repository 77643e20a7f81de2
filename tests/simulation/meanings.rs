//! What every word of the language means, against figures worked out by hand or by a Markov chain.

use super::chains::{mean as over, stationary};
use super::{agrees, compiled, effort, errors, figure, mean, p95, queue_length, simulated, throughput, utilization};
use plimsoll::prediction::{Ended, ServiceResult};
use plimsoll::simulate::{Effort, simulate};

/// An entry with these steps in front of services, and five requests a second.
fn front(steps: &str, services: &str) -> String {
    format!(
        "[service.f]\ncores = \"unlimited\"\noperations.o.steps = [ {steps} ]\n{services}\n[workload.w]\nentry = \"f.o\"\nrate = \"5/s\"\n"
    )
}

/// A service without queues whose operation takes an exponential time of 0.1 s.
const DELAY: &str = "[service.b]\ncores = \"unlimited\"\noperations.o.work = \"0.1s\"";

fn response(s: &ServiceResult) -> super::Figure {
    figure(s.response.mean, s.confidence.as_ref().unwrap().response.mean)
}

fn wait(s: &ServiceResult) -> super::Figure {
    figure(s.wait.mean, s.confidence.as_ref().unwrap().wait.mean)
}

fn arrivals(s: &ServiceResult) -> super::Figure {
    figure(Some(s.arrival_rate), s.confidence.as_ref().unwrap().arrival_rate)
}

#[test]
fn a_timed_out_call_is_sent_again_and_its_work_goes_on() {
    // X exponential with mean m = 0.1 s, given up after t = 0.15 s, sent again b = 0.02 s later, at most twice:
    // q = P(X > t) = e^{-t/m}; errors q³; attempts 1 + q + q²; a success at attempt k took k (t + b) more than X given X < t,
    // which has mean m - t q / (1 - q).
    let model = front("{ call = \"b.o\", timeout = \"150ms\", retries = 2, backoff = \"20ms\" }", DELAY);
    let run = simulated(&model).prediction;
    let (m, t, b) = (0.1f64, 0.15f64, 0.02);
    let q = (-t / m).exp();
    agrees("errors", errors(&run.workloads[0]), q.powi(3));
    agrees("attempts", arrivals(&run.services[1]), 5.0 * (1.0 + q + q * q));
    let within = m - t * q / (1.0 - q);
    let lost: f64 = (0..3).map(|k| q.powi(k) * (1.0 - q) * f64::from(k) * (t + b)).sum();
    agrees("response", mean(&run.workloads[0]), within + lost / (1.0 - q.powi(3)));
    // Nobody waits for the rest of an abandoned attempt, but it is done.
    agrees("all work is done", response(&run.services[1]), m);
}

#[test]
fn the_time_between_attempts_grows_to_its_most_and_jitter_halves_it() {
    // Half of the attempts fail at once; pauses of 1, 2 and 3 s (at most): a success comes after 0, 1, 3 or 6 s with
    // probabilities 1/2, 1/4, 1/8, 1/16 of all, 15/16 together.
    let exact = (0.25 + 3.0 * 0.125 + 6.0 * 0.0625) / 0.9375;
    let failing = "[service.b]\ncores = \"unlimited\"\noperations.o.steps = [ { fail = 0.5 } ]";
    for (jitter, share) in [("", 1.0), (", jitter = \"full\"", 0.5)] {
        let backoff = format!("{{ base = \"1s\", factor = 2, max = \"3s\"{jitter} }}");
        let call = format!("{{ call = \"b.o\", retries = 3, backoff = {backoff} }}");
        let run = simulated(&front(&call, failing)).prediction;
        agrees(jitter, mean(&run.workloads[0]), share * exact);
        agrees(jitter, errors(&run.workloads[0]), 0.0625);
        agrees(jitter, arrivals(&run.services[1]), 5.0 * 1.875);
    }
}

#[test]
fn a_second_copy_is_sent_after_the_hedge_and_the_first_answer_counts() {
    // min(X, h + Y): ∫ P(X > t) dt up to h, then both run: m (1 - e^{-h/m}) + e^{-h/m} m / 2. A copy more in e^{-h/m} cases.
    let (m, h) = (0.1f64, 0.05f64);
    let run = simulated(&front("{ call = \"b.o\", hedge = \"50ms\" }", DELAY)).prediction;
    let sent = (-h / m).exp();
    agrees("response", mean(&run.workloads[0]), m * (1.0 - sent) + sent * m / 2.0);
    agrees("copies", arrivals(&run.services[1]), 5.0 * (1.0 + sent));
    // With a timeout t the call fails when both are late: P(X > t) P(Y > t - h).
    let run = simulated(&front("{ call = \"b.o\", hedge = \"50ms\", timeout = \"120ms\" }", DELAY)).prediction;
    agrees("late", errors(&run.workloads[0]), (-0.12 / m).exp() * (-(0.12 - h) / m).exp());
    // A copy that fails at once is an answer: no other is sent.
    let failing = "[service.b]\ncores = \"unlimited\"\noperations.o.steps = [ { fail = 0.3 } ]";
    let run = simulated(&front("{ call = \"b.o\", hedge = \"50ms\" }", failing)).prediction;
    agrees("failed copies", errors(&run.workloads[0]), 0.3);
    agrees("one copy", arrivals(&run.services[1]), 5.0);
}

#[test]
fn the_way_to_a_service_takes_half_of_the_network_each_way() {
    // Half of a constant second there and half back; a timeout runs from the moment the call is sent, so with 0.8 s no
    // answer can come; the callee's response does not know the way.
    let call = |more: &str| front(&format!("{{ call = \"b.o\", network = {{ constant = \"1s\" }}{more} }}"), DELAY);
    let run = simulated(&call("")).prediction;
    agrees("with the way", mean(&run.workloads[0]), 1.1);
    agrees("at the service", response(&run.services[1]), 0.1);
    let run = simulated(&call(", timeout = \"0.8s\"")).prediction;
    assert_eq!(run.workloads[0].error_rate, 1.0);
    agrees("still served", arrivals(&run.services[1]), 5.0);
    // An error answer comes back the same way: attempts are a second apart.
    let failing = "[service.b]\ncores = \"unlimited\"\noperations.o.steps = [ { fail = 0.5 } ]";
    let call = "{ call = \"b.o\", network = { constant = \"1s\" }, retries = 1 }";
    let run = simulated(&front(call, failing)).prediction;
    agrees("errors travel", mean(&run.workloads[0]), (0.5 * 1.0 + 0.25 * 2.0) / 0.75);
}

/// Mean number in a chain of births at one rate and deaths at rates by the number there, with at most so many.
fn births_and_deaths(birth: f64, death: impl Fn(u32) -> f64, most: u32) -> (f64, f64) {
    let chain = stationary(0u32, |n| {
        let mut next = vec![(n + 1, if *n < most { birth } else { 0.0 })];
        if *n > 0 {
            next.push((n - 1, death(*n)));
        }
        next
    });
    (over(&chain, |n| f64::from(*n)), chain[&most])
}

#[test]
fn a_worker_is_held_through_the_calls_of_its_request() {
    // Three workers, each held for a call of 0.1 s: M/M/3 with 25 requests a second.
    let model = "[service.f]\ncores = \"unlimited\"\nworkers = 3\noperations.o.steps = [ { call = \"b.o\" } ]\n[service.b]\ncores = \"unlimited\"\noperations.o.work = \"0.1s\"\n[workload.w]\nentry = \"f.o\"\nrate = \"25/s\"\n";
    let run = simulated(model).prediction;
    let (number, _) = births_and_deaths(25.0, |n| 10.0 * f64::from(n.min(3)), 300);
    agrees("response", mean(&run.workloads[0]), number / 25.0);
    agrees("wait", wait(&run.services[0]), number / 25.0 - 0.1);
    let busy =
        figure(run.services[0].workers_utilization, run.services[0].confidence.as_ref().unwrap().workers_utilization);
    agrees("busy workers", busy, 25.0 * 0.1 / 3.0);
    // With two places to wait: M/M/3/5.
    let run = simulated(&model.replace("workers = 3", "workers = 3\nqueue = 2")).prediction;
    let (_, refused) = births_and_deaths(25.0, |n| 10.0 * f64::from(n.min(3)), 5);
    agrees("refused", errors(&run.workloads[0]), refused);
}

#[test]
fn a_pool_is_held_for_its_steps_and_given_back_on_errors() {
    // Two of a pool, each held for 0.1 s: M/M/2 with 15 a second. Half of the requests fail while they hold one.
    let hold = |inside: &str| {
        format!(
            "[pool.p]\nsize = 2\n[service.f]\ncores = \"unlimited\"\noperations.o.steps = [ {{ hold = \"p\", steps = [ {inside} ] }} ]\n[workload.w]\nentry = \"f.o\"\nrate = \"15/s\"\n"
        )
    };
    let (number, _) = births_and_deaths(15.0, |n| 10.0 * f64::from(n.min(2)), 400);
    let run = simulated(&hold("{ delay = \"0.1s\" }")).prediction;
    agrees("response", mean(&run.workloads[0]), number / 15.0);
    let run = simulated(&hold("{ delay = \"0.1s\" }, { fail = 0.5 }")).prediction;
    agrees("with errors", mean(&run.workloads[0]), number / 15.0);
    agrees("errors", errors(&run.workloads[0]), 0.5);
    // In a loop and in a branch, which run in frames of their own.
    let run = simulated(&hold("{ repeat = 1, steps = [ { delay = \"0.1s\" }, { fail = 0.5 } ] }")).prediction;
    agrees("in a loop", mean(&run.workloads[0]), number / 15.0);
    let branch = "{ parallel = [ [ { delay = \"0.1s\" }, { fail = 0.5 } ] ] }";
    agrees("in a branch", mean(&simulated(&hold(branch)).prediction.workloads[0]), number / 15.0);
    // One in each of two instances, drawn at random: two queues M/M/1 with 7.5 a second.
    let each = hold("{ delay = \"0.1s\" }")
        .replace("size = 2", "size = 1\nper = \"f\"")
        .replace("cores", "instances = 2\nbalancer = \"random\"\ncores");
    agrees("in each instance", mean(&simulated(&each).prediction.workloads[0]), 0.1 / (1.0 - 0.75));
}

#[test]
fn an_external_has_slots_and_a_bucket_of_calls() {
    let external = |more: &str, rate: &str, arrivals: &str| {
        format!(
            "[external.x]\nlatency = \"0.1s\"\n{more}\n[service.f]\ncores = \"unlimited\"\noperations.o.steps = [ {{ call = \"x\" }} ]\n[workload.w]\nentry = \"f.o\"\nrate = \"{rate}\"\n{arrivals}\n"
        )
    };
    // Two slots: M/M/2.
    let (number, _) = births_and_deaths(15.0, |n| 10.0 * f64::from(n.min(2)), 400);
    agrees("slots", mean(&simulated(&external("concurrency = 2", "15/s", "")).prediction.workloads[0]), number / 15.0);
    // A bucket of one: a call passes a second or more after the last that passed, so every 1 + 1/λ seconds.
    let run = simulated(&external("limit = \"1/s\"", "2/s", "")).prediction;
    agrees("bucket of one", throughput(&run.workloads[0]), 1.0 / 1.5);
    // Twice as many as the limit at even distances: half of them pass; as many as the limit: all.
    let run = simulated(&external("limit = \"10/s\"", "20/s", "arrivals = \"regular\"")).prediction;
    agrees("even", errors(&run.workloads[0]), 0.5);
    let run = simulated(&external("limit = \"10/s\"", "10/s", "arrivals = \"regular\"")).prediction;
    assert_eq!(run.workloads[0].error_rate, 0.0);
}

#[test]
fn servers_slow_each_other_down() {
    // Speed of n in service 1 / (1 + α (n - 1) + β n (n - 1)); served at once are the cores, or all under sharing.
    let (alpha, beta) = (0.1, 0.01);
    let slow = |n: f64| 1.0 + alpha * (n - 1.0) + beta * n * (n - 1.0);
    let model = |discipline: &str| {
        format!(
            "[service.s]\ncores = 3\ndiscipline = \"{discipline}\"\ncontention = {{ alpha = {alpha}, beta = {beta} }}\noperations.o.work = \"0.1s\"\n[workload.w]\nentry = \"s.o\"\nrate = \"15/s\"\n"
        )
    };
    for discipline in ["fcfs", "lifo"] {
        let run = simulated(&model(discipline)).prediction;
        let death = |n: u32| 10.0 * f64::from(n.min(3)) / slow(f64::from(n.min(3)));
        let (number, _) = births_and_deaths(15.0, death, 400);
        agrees(discipline, mean(&run.workloads[0]), number / 15.0);
    }
    // Under sharing the speed falls to nothing with many: at this load they hardly ever become so many.
    let run =
        simulated(&model("ps").replace("15/s", "8/s").replace("0.1, beta = 0.01", "0.05, beta = 0.001")).prediction;
    let slow = |n: f64| 1.0 + 0.05 * (n - 1.0) + 0.001 * n * (n - 1.0);
    let (number, _) = births_and_deaths(8.0, |n| 10.0 * f64::from(n.min(3)) / slow(f64::from(n)), 40);
    agrees("ps", mean(&run.workloads[0]), number / 8.0);
}

#[test]
fn sharing_does_not_care_for_the_law_of_work() {
    // M/G/1 and M/M/2 under processor sharing: means as those of exponential work.
    let model = |cores: u32, work: &str, rate: &str| {
        super::station(&format!("cores = {cores}\ndiscipline = \"ps\""), work, &format!("rate = \"{rate}\""))
    };
    let run = simulated(&model(1, "{ mean = \"0.1s\", cv = 2 }", "7/s")).prediction;
    agrees("one core", mean(&run.workloads[0]), 0.1 / 0.3);
    agrees("beyond the work", wait(&run.services[0]), 0.1 / 0.3 - 0.1);
    let (number, _) = births_and_deaths(15.0, |n| 10.0 * f64::from(n.min(2)), 400);
    let run = simulated(&model(2, "{ dist = \"erlang\", mean = \"0.1s\", k = 3 }", "15/s")).prediction;
    assert!((mean(&run.workloads[0]).value / (number / 15.0) - 1.0).abs() < 0.05, "nearly so with two");
    let run = simulated(&model(2, "\"0.1s\"", "15/s")).prediction;
    agrees("two cores", mean(&run.workloads[0]), number / 15.0);
    let exact = plimsoll::analytic::solve(&compiled(&model(1, "\"0.1s\"", "7/s")));
    let run = simulated(&model(1, "\"0.1s\"", "7/s")).prediction;
    agrees("p95", p95(&run.workloads[0]), exact.workloads[0].response.p95().unwrap());
}

#[test]
fn urgent_work_goes_first() {
    let model = |discipline: &str| {
        format!(
            "[service.s]\ndiscipline = \"{discipline}\"\noperations.u.work = \"0.1s\"\noperations.l.work = \"0.2s\"\n[workload.u]\nentry = \"s.u\"\nrate = \"3/s\"\npriority = 1\n[workload.l]\nentry = \"s.l\"\nrate = \"2/s\"\npriority = 2\n"
        )
    };
    // ρ = 0.3 and 0.4; work in service found on arrival R = Σ ρ m (exponential).
    let (first, both, left) = (0.7, 0.3, 0.3 * 0.1 + 0.4 * 0.2);
    let run = simulated(&model("priority")).prediction;
    agrees("urgent", mean(&run.workloads[0]), 0.1 + left / first);
    agrees("patient", mean(&run.workloads[1]), 0.2 + left / (first * both));
    // A preemptive server knows only what is at least as urgent; what it interrupts goes on where it stopped.
    let run = simulated(&model("preemptive")).prediction;
    agrees("urgent, at once", mean(&run.workloads[0]), 0.1 / first);
    agrees("interrupted", mean(&run.workloads[1]), 0.2 / first + left / (first * both));
}

#[test]
fn users_think_between_an_answer_and_their_next_request() {
    // Twelve users, one server: by mean value analysis R_n = m (1 + Q_{n-1}), X_n = n / (R_n + Z), Q_n = X_n R_n.
    let model =
        "[service.s]\noperations.o.work = \"0.1s\"\n[workload.w]\nentry = \"s.o\"\nusers = 12\nthink = \"1s\"\n";
    let (mut queue, mut exact) = (0.0, (0.0, 0.0));
    for n in 1..=12 {
        let response = 0.1 * (1.0 + queue);
        let rate = f64::from(n) / (response + 1.0);
        (queue, exact) = (rate * response, (rate, response));
    }
    let run = simulated(model).prediction;
    agrees("throughput", throughput(&run.workloads[0]), exact.0);
    agrees("response", mean(&run.workloads[0]), exact.1);
    // Failures come back too: as many requests, fewer successes.
    let failing =
        model.replace("operations.o.work = \"0.1s\"", "operations.o.steps = [ { work = \"0.1s\" }, { fail = 0.25 } ]");
    agrees("successes", throughput(&simulated(&failing).prediction.workloads[0]), 0.75 * exact.0);
}

#[test]
fn users_who_all_wait_are_given_time_to_settle() {
    // The server is always busy, so 100 cycles a second of 300 users: 3 s each, 10 ms of them to think. The first ones
    // wait less, though as many are there as ever after.
    let model = super::station("", "\"10ms\"", "users = 300\nthink = \"10ms\"");
    let effort = Effort { seed: 4, requests: Some(40_000), replications: Some(16), ..Effort::default() };
    let prediction = simulate(&compiled(&model), &effort, &|_| true).prediction;
    assert!(prediction.simulation.as_ref().unwrap().warmup > 5.0);
    agrees("response", mean(&prediction.workloads[0]), 2.99);
    agrees("throughput", throughput(&prediction.workloads[0]), 100.0);
}

#[test]
fn bursts_are_poisson_at_two_rates() {
    // On for 2 s and off for 6 s on average, four times as fast while on: λ_off = 4 · 8 / (4 · 2 + 6), a queue in a random
    // environment.
    let model = super::station(
        "",
        "\"0.1s\"",
        "rate = \"4/s\"\narrivals = { burst = { ratio = 4, on = \"2s\", off = \"6s\" } }",
    );
    let slow = 4.0 * 8.0 / (4.0 * 2.0 + 6.0);
    let chain = stationary((0u32, false), |(n, on)| {
        let rate = if *on { 4.0 * slow } else { slow };
        let mut next = vec![((*n, !on), if *on { 0.5 } else { 1.0 / 6.0 })];
        if *n < 500 {
            next.push(((n + 1, *on), rate));
        }
        if *n > 0 {
            next.push(((n - 1, *on), 10.0));
        }
        next
    });
    let run = simulated(&model).prediction;
    agrees("rate", throughput(&run.workloads[0]), 4.0);
    agrees("response", mean(&run.workloads[0]), over(&chain, |(n, _)| f64::from(*n)) / 4.0);
}

#[test]
fn a_profile_changes_the_rate_and_comes_again() {
    // 2/s for ten seconds, then 8/s for five: 4/s on average, by steps; on a line from 0 to 6/s and back 3/s.
    let profile = |points: &str, shape: &str| {
        super::station(
            "cores = \"unlimited\"",
            "\"0.1s\"",
            &format!("profile = [ {points} ]\nshape = \"{shape}\"\nperiod = \"15s\""),
        )
    };
    let steps = simulated(&profile("{ at = \"0s\", rate = \"2/s\" }, { at = \"10s\", rate = \"8/s\" }", "steps"));
    agrees("steps", throughput(&steps.prediction.workloads[0]), 4.0);
    let line = simulated(&profile("{ at = \"0s\", rate = \"0/s\" }, { at = \"5s\", rate = \"6/s\" }", "linear"));
    agrees("line", throughput(&line.prediction.workloads[0]), 3.0);
}

#[test]
fn what_is_under_way_at_the_end_of_a_profile_is_waited_for() {
    // Ten seconds of requests that take eight each, a tenth of them after 60 s more: all are answered, and none comes later.
    let model = "[service.s]\noperations.o.steps = [ { delay = { constant = \"8s\" } }, \
        { choose = [ { weight = 0.1, steps = [ { delay = { constant = \"60s\" } } ] }, { weight = 0.9, steps = [] } ] } ]\n\
        [workload.w]\nentry = \"s.o\"\nprofile = [ { at = \"0s\", rate = \"40/s\" }, { at = \"10s\", rate = \"0/s\" } ]\n";
    let simulated = simulate(&compiled(model), &Effort { replications: Some(16), ..Effort::default() }, &|_| true);
    for run in &simulated.replications {
        let requests = &run.record.workloads[0];
        assert_eq!((run.record.time, requests.arrivals), (10.0, requests.successes()));
    }
    let w = &simulated.prediction.workloads[0];
    agrees("throughput", throughput(w), 40.0);
    agrees("mean", mean(w), 8.0 + 0.1 * 60.0);
    agrees("p95", p95(w), 68.0);
}

#[test]
fn the_shortest_of_two_queues() {
    // Two queues of one server each, a request goes to the one with fewer in it: a chain on both numbers.
    let chain = stationary((0u32, 0u32), |(a, b)| {
        let mut next = Vec::new();
        let (to_a, to_b) = match a.cmp(b) {
            std::cmp::Ordering::Less => (16.0, 0.0),
            std::cmp::Ordering::Greater => (0.0, 16.0),
            std::cmp::Ordering::Equal => (8.0, 8.0),
        };
        if a + b < 120 {
            next.extend([((a + 1, *b), to_a), ((*a, b + 1), to_b)]);
        }
        if *a > 0 {
            next.push(((a - 1, *b), 10.0));
        }
        if *b > 0 {
            next.push(((*a, b - 1), 10.0));
        }
        next
    });
    let exact = over(&chain, |(a, b)| f64::from(a + b)) / 16.0;
    for balancer in ["least-outstanding", "power-of-two"] {
        let service = format!("instances = 2\nbalancer = \"{balancer}\"");
        let run = simulated(&super::station(&service, "\"0.1s\"", "rate = \"16/s\"")).prediction;
        agrees(balancer, mean(&run.workloads[0]), exact);
    }
}

#[test]
fn retries_into_a_short_queue() {
    // One server, one place to wait; a refused call comes once more 0.1 s (exponential) later. A chain on those in the
    // service and those that wait to come again; a refused second attempt is an error.
    let call = "{ call = \"b.o\", retries = 1, backoff = \"0.1s\" }";
    let run = simulated(&front(call, "[service.b]\nqueue = 1\noperations.o.work = \"0.2s\"")).prediction;
    // The pause is constant: the chain takes Erlang's law of many stages for it.
    const STAGES: u32 = 6;
    let chain = stationary((0u32, [0u8; STAGES as usize]), |(n, pauses)| {
        let mut next = Vec::new();
        if *n < 2 {
            next.push(((n + 1, *pauses), 5.0));
        } else if pauses.iter().sum::<u8>() < 6 {
            let mut more = *pauses;
            more[0] += 1;
            next.push(((*n, more), 5.0));
        }
        if *n > 0 {
            next.push(((n - 1, *pauses), 5.0));
        }
        for stage in 0..STAGES as usize {
            let mut moved = *pauses;
            if moved[stage] == 0 {
                continue;
            }
            let rate = f64::from(moved[stage]) * f64::from(STAGES) / 0.1;
            moved[stage] -= 1;
            if stage + 1 < STAGES as usize {
                moved[stage + 1] += 1;
                next.push(((*n, moved), rate));
            } else {
                // It comes again: served if there is room, else an error.
                next.push((((n + 1).min(2), moved), rate));
            }
        }
        next
    });
    let again = f64::from(STAGES) / 0.1;
    let lost = over(&chain, |(n, pauses)| if *n == 2 { f64::from(pauses[STAGES as usize - 1]) * again } else { 0.0 });
    let simulated_errors = errors(&run.workloads[0]);
    // What the stages leave out of a constant is within three percent.
    assert!((simulated_errors.value / (lost / 5.0) - 1.0).abs() < 0.03, "{simulated_errors:?} {}", lost / 5.0);
}

#[test]
fn what_is_sent_never_fails_its_sender_and_a_lost_race_is_run_to_its_end() {
    let run = simulated(&front(
        "{ send = \"b.o\" }, { delay = \"0.2s\" }",
        "[service.b]\noperations.o.steps = [ { work = \"0.1s\" }, { fail = 1.0 } ]",
    ))
    .prediction;
    assert_eq!((run.workloads[0].error_rate, run.services[1].error_rate), (0.0, 1.0));
    agrees("sent work is done", utilization(&run.services[1]), 0.5);
    // The slower of two branches works on after the faster has answered: 10 cores are each busy for both.
    let both = "{ parallel = [ \"b.o\", \"b.o\" ], wait = \"any\" }";
    let run = simulated(&front(both, "[service.b]\ncores = 10\noperations.o.work = \"0.1s\"")).prediction;
    agrees("both branches work", utilization(&run.services[1]), 0.1);
    agrees("the faster answers", mean(&run.workloads[0]), 0.05);
}

#[test]
fn a_cache_keeps_what_was_asked_for_last() {
    let cached = |cache: &str| {
        format!("[cache.c]\n{cache}\n{}", front("{ cache = \"c\", miss = [ { call = \"b.o\" } ] }", DELAY))
    };
    agrees("given", arrivals(&simulated(&cached("hit = 0.8")).prediction.services[1]), 1.0);
    let run = simulated(&cached("size = 100\nobjects = 1000\npopularity = { zipf = 0.9 }")).prediction;
    // Che's approximation is that good for caches of this size.
    let hit = plimsoll::math::cache::hit_ratio(100, 1000, 0.9);
    let misses = arrivals(&run.services[1]);
    assert!((misses.value / (5.0 * (1.0 - hit)) - 1.0).abs() < 0.01, "{misses:?} {hit}");
}

#[test]
fn what_cannot_go_on_is_found_out() {
    // A worker waits for a worker of its own service.
    let deadlock = "[service.a]\nworkers = 2\noperations.x.steps = [ { work = \"1ms\" }, { call = \"a.y\" } ]\noperations.y.work = \"1ms\"\n[workload.w]\nentry = \"a.x\"\n";
    for load in ["rate = \"400/s\"", "users = 50\nthink = \"10ms\""] {
        let run = simulate(&compiled(&format!("{deadlock}{load}\n")), &Effort::default(), &|_| true).prediction;
        assert!(!run.stable, "{load}");
        assert_eq!(run.deadlocked, ["a"], "{load}");
    }
    // Nor is it alive while it waits within a loop, whatever timeout may stand behind the loop.
    let behind = deadlock.replace(
        "{ call = \"a.y\" } ]",
        "{ repeat = 1, steps = [ { call = \"a.y\" } ] }, { call = \"a.y\", timeout = \"10ms\" } ]",
    );
    let run = simulate(&compiled(&format!("{behind}users = 50\nthink = \"10ms\"\n")), &Effort::default(), &|_| true);
    assert_eq!(run.prediction.deadlocked, ["a"]);
    // More comes than can be done.
    let run = simulate(&compiled(&super::station("", "\"0.1s\"", "rate = \"12/s\"")), &Effort::default(), &|_| true);
    let run = run.prediction;
    assert!(!run.stable && run.workloads[0].response.mean.is_none());
    assert!((run.overloads[0].load - 1.2).abs() < 0.02, "{:?}", run.overloads);
    agrees_roughly(run.workloads[0].throughput, 10.0);
    // Requests that start more than one of themselves, after a while: they fill any memory.
    let circle = "[service.a]\ncores = \"unlimited\"\noperations.x.steps = [ { delay = \"1ms\" }, { choose = [ { weight = 0.6, steps = [ { send = \"a.x\" }, { send = \"a.x\" } ] }, { weight = 0.4, steps = [] } ] } ]\n[workload.w]\nentry = \"a.x\"\nrate = \"1/s\"\n";
    let run = simulate(&compiled(circle), &Effort { replications: Some(2), ..Effort::default() }, &|_| true).prediction;
    assert_eq!((run.stable, run.simulation.unwrap().ended), (false, Ended::Hopeless));
}

fn agrees_roughly(got: f64, want: f64) {
    assert!((got / want - 1.0).abs() < 0.02, "{got} {want}");
}

#[test]
fn a_run_with_few_requests_says_so() {
    let rare = super::station("", "\"0.1s\"", "rate = \"1/day\"");
    let run = simulate(&compiled(&rare), &Effort { duration: Some(10.0), ..effort(10.0) }, &|_| true).prediction;
    assert_eq!(run.workloads[0].response.mean, None);
    assert_eq!(queue_length(&run.services[0]).value, 0.0);
}
