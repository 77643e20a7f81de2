//! Every key of the model language in one table: the reader takes its spellings from here, the JSON Schema and the
//! reference page their meanings.

use crate::discipline::Discipline;
use crate::system::Balancer;

/// What is written behind a key.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// Any text.
    Text,
    /// A length of time.
    Duration,
    /// A rate.
    Rate,
    /// A ratio.
    Ratio,
    /// A plain number.
    Number,
    /// A whole number.
    Count,
    /// A whole number, or `"unlimited"`.
    CountOrUnlimited,
    /// A price by time.
    Price,
    /// A law of a random time.
    Law,
    /// One of a few words.
    Word(fn() -> Vec<(&'static str, &'static str)>),
    /// An operation or an external: `"service.operation"` or `"payments"`.
    Target,
    /// A list of targets.
    Targets,
    /// A list of steps.
    Steps,
    /// A list of steps or targets.
    Branches,
    /// A table with these keys.
    Table(&'static Section),
    /// A table of named tables with these keys.
    Named(&'static Section),
    /// A list of tables with these keys.
    List(&'static Section),
    /// One of several forms.
    OneOf(&'static [Form]),
    /// A table from targets to ratios.
    Mix,
    /// A table from paths to changes.
    Changes,
}

/// A key with its meaning.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// How it is spelt.
    pub name: &'static str,
    /// What is written behind it.
    pub form: Form,
    /// What it means, in a sentence.
    pub meaning: &'static str,
    /// An example value, as TOML.
    pub example: &'static str,
}

/// The keys of one kind of table.
#[derive(Debug)]
pub struct Section {
    /// What such a table is called in messages.
    pub name: &'static str,
    /// What it is for, in a sentence.
    pub meaning: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
}

impl Section {
    /// Whether a key belongs here.
    pub fn has(&self, name: &str) -> bool {
        self.keys.iter().any(|key| key.name == name)
    }
}

const fn key(name: &'static str, form: Form, example: &'static str, meaning: &'static str) -> Key {
    Key { name, form, meaning, example }
}

fn disciplines() -> Vec<(&'static str, &'static str)> {
    Discipline::ALL.iter().map(|(_, word, meaning)| (*word, *meaning)).collect()
}

fn balancers() -> Vec<(&'static str, &'static str)> {
    Balancer::ALL.iter().map(|(_, word, meaning)| (*word, *meaning)).collect()
}

fn shapes() -> Vec<(&'static str, &'static str)> {
    vec![("steps", "the rate jumps at each point"), ("linear", "the rate moves in a straight line between points")]
}

fn jitters() -> Vec<(&'static str, &'static str)> {
    vec![("none", "the time as it is"), ("full", "drawn evenly between zero and the time")]
}

fn waits() -> Vec<(&'static str, &'static str)> {
    vec![("all", "goes on when every branch has succeeded"), ("any", "goes on at the first success")]
}

fn fixed() -> Vec<(&'static str, &'static str)> {
    vec![("fixed", "sizing keeps `instances`")]
}

fn regular() -> Vec<(&'static str, &'static str)> {
    vec![("regular", "evenly spaced"), ("poisson", "independent of each other")]
}

/// The words of `dist`.
pub fn laws() -> Vec<(&'static str, &'static str)> {
    vec![
        ("exponential", "memoryless: mean"),
        ("constant", "always the same: mean"),
        ("erlang", "sum of k equal exponential stages: mean, k"),
        ("gamma", "mean, cv"),
        ("lognormal", "mean, cv"),
        ("hyperexponential", "one of two exponentials with balanced means: mean, cv ≥ 1"),
        ("uniform", "between min and max"),
        ("weibull", "mean, shape"),
        ("pareto", "power tail above a least value: mean, shape > 1"),
        ("lomax", "power tail from zero: mean, shape > 1"),
    ]
}

/// The whole file.
pub static ROOT: Section = Section {
    name: "the model",
    meaning: "A Plimsoll model: services, what they call, how much work arrives, what must hold.",
    keys: &[
        key("model", Form::Table(&MODEL), "{ name = \"Web shop\" }", "Name and currency of the model."),
        key("service", Form::Named(&SERVICE), "", "Services: instances with cores, running operations."),
        key("external", Form::Named(&EXTERNAL), "", "Dependencies that nobody here scales."),
        key("pool", Form::Named(&POOL), "", "Pools of things that requests hold for a while."),
        key("cache", Form::Named(&CACHE), "", "Caches."),
        key("workload", Form::Named(&WORKLOAD), "", "Where requests come from."),
        key("objective", Form::List(&OBJECTIVE), "", "What must hold."),
        key("scenario", Form::Changes, "", "Named sets of changes to the model, by path."),
    ],
};

/// `[model]`.
pub static MODEL: Section = Section {
    name: "[model]",
    meaning: "Name and currency of the model.",
    keys: &[
        key("name", Form::Text, "\"Web shop\"", "What the model is called in reports."),
        key("description", Form::Text, "\"Checkout at peak\"", "One sentence about it."),
        key("currency", Form::Text, "\"EUR\"", "Currency of all prices; USD where nothing is said."),
    ],
};

/// `[service.NAME]`.
pub static SERVICE: Section = Section {
    name: "a service",
    meaning: "A service: instances with cores, running operations.",
    keys: &[
        key("instances", Form::Count, "3", "Replicas; 1 where nothing is said."),
        key(
            "cores",
            Form::CountOrUnlimited,
            "2",
            "Servers per instance that do `work`; 1 where nothing is said, \"unlimited\" makes it a pure delay.",
        ),
        key("discipline", Form::Word(disciplines), "\"ps\"", "How the cores serve; fcfs where nothing is said."),
        key(
            "workers",
            Form::Count,
            "16",
            "Requests an instance works on at once, each holding its worker until it answers; no limit where nothing is said.",
        ),
        key("queue", Form::Count, "200", "Waiting requests an instance holds; one more is refused."),
        key(
            "balancer",
            Form::Word(balancers),
            "\"round-robin\"",
            "How requests are spread over the instances; shared where nothing is said.",
        ),
        key("speed", Form::Number, "1.5", "Divides all `work`; 1 where nothing is said."),
        key(
            "contention",
            Form::Table(&CONTENTION),
            "{ alpha = 0.02, beta = 0.0001 }",
            "Slow-down of the cores as more of them are busy (Universal Scalability Law).",
        ),
        key("price", Form::Price, "\"0.192/h\"", "Price of an instance."),
        key(
            "scale",
            Form::OneOf(&[Form::Table(&SCALE), Form::Word(fixed)]),
            "{ min = 2, max = 40 }",
            "What sizing may choose; 1 to 1000 where nothing is said, \"fixed\" keeps `instances`.",
        ),
        key("zones", Form::Count, "3", "Zones over which the instances are spread evenly."),
        key(
            "devices",
            Form::Named(&DEVICE),
            "{ disk = { servers = 1 } }",
            "Further queues of each instance, used by `use` steps.",
        ),
        key("operations", Form::Named(&OPERATION), "", "What the service can be asked to do."),
    ],
};

/// `contention = { … }`.
pub static CONTENTION: Section = Section {
    name: "`contention`",
    meaning: "With n in service each runs at 1 / (1 + alpha (n - 1) + beta n (n - 1)) of its speed.",
    keys: &[
        key("alpha", Form::Number, "0.02", "Contention for shared things."),
        key("beta", Form::Number, "0.0001", "Cost of keeping them coherent."),
    ],
};

/// `scale = { … }`.
pub static SCALE: Section = Section {
    name: "`scale`",
    meaning: "What sizing may choose.",
    keys: &[key("min", Form::Count, "2", "Fewest instances."), key("max", Form::Count, "40", "Most instances.")],
};

/// `devices.NAME`.
pub static DEVICE: Section = Section {
    name: "a device",
    meaning: "A further queue of each instance.",
    keys: &[
        key("servers", Form::Count, "1", "Servers per instance; 1 where nothing is said."),
        key("discipline", Form::Word(disciplines), "\"fcfs\"", "How they serve."),
    ],
};

/// `operations.NAME`.
pub static OPERATION: Section = Section {
    name: "an operation",
    meaning: "What a service does when asked: its steps, or the short form with work and calls.",
    keys: &[
        key("steps", Form::Steps, "[ { work = \"3ms\" }, { call = \"db.find\" } ]", "What it does, in order."),
        key("work", Form::Law, "\"3ms\"", "Short form: work on a core, before the calls."),
        key("calls", Form::Targets, "[\"inventory.reserve\"]", "Short form: synchronous calls, one after the other."),
    ],
};

/// `[external.NAME]`.
pub static EXTERNAL: Section = Section {
    name: "an external",
    meaning: "A dependency that nobody here scales.",
    keys: &[
        key("latency", Form::Law, "{ p50 = \"80ms\", p99 = \"400ms\" }", "Time to answer."),
        key("concurrency", Form::Count, "50", "Calls in flight at once; more wait."),
        key(
            "limit",
            Form::Rate,
            "\"200/s\"",
            "Calls it accepts; a token bucket that holds one second's worth, more are refused.",
        ),
        key("failure", Form::Ratio, "0.002", "Share of calls that fail."),
    ],
};

/// `[pool.NAME]`.
pub static POOL: Section = Section {
    name: "a pool",
    meaning: "Things that requests hold for a while, such as connections.",
    keys: &[
        key("size", Form::Count, "20", "How many there are."),
        key(
            "per",
            Form::Text,
            "\"orders\"",
            "So many in each instance of this service; one pool for all where nothing is said.",
        ),
    ],
};

/// `[cache.NAME]`.
pub static CACHE: Section = Section {
    name: "a cache",
    meaning: "A cache with a given hit ratio, or least recently used with Zipf popularity.",
    keys: &[
        key("hit", Form::Ratio, "0.92", "Hit ratio; every lookup is an independent draw."),
        key("size", Form::Count, "50000", "Objects it holds."),
        key("objects", Form::Count, "2000000", "Objects there are."),
        key("popularity", Form::Table(&POPULARITY), "{ zipf = 0.9 }", "How often each object is asked for."),
    ],
};

/// `popularity = { … }`.
pub static POPULARITY: Section = Section {
    name: "`popularity`",
    meaning: "How often each object is asked for.",
    keys: &[key("zipf", Form::Number, "0.9", "The k-th most popular object is asked for in proportion to 1 / k^zipf.")],
};

/// `[workload.NAME]`.
pub static WORKLOAD: Section = Section {
    name: "a workload",
    meaning: "Where requests come from: open (rate), closed (users) or profiled.",
    keys: &[
        key("entry", Form::Target, "\"gateway.checkout\"", "The operation it asks for."),
        key(
            "mix",
            Form::Mix,
            "{ \"gateway.browse\" = 0.8, \"gateway.checkout\" = 0.2 }",
            "Several operations with their shares.",
        ),
        key("rate", Form::Rate, "\"350/s\"", "Open: mean arrival rate."),
        key(
            "arrivals",
            Form::OneOf(&[Form::Word(regular), Form::Table(&ARRIVALS)]),
            "{ cv = 2.0 }",
            "Open: how arrivals are spaced; Poisson where nothing is said.",
        ),
        key("users", Form::Count, "800", "Closed: users with one request at a time each."),
        key("think", Form::Law, "\"5s\"", "Closed: time between an answer and the next request."),
        key(
            "profile",
            Form::List(&PROFILE_POINT),
            "[ { at = \"0s\", rate = \"100/s\" } ]",
            "A rate that changes with time, instead of `rate`.",
        ),
        key("shape", Form::Word(shapes), "\"linear\"", "How the rate moves between the points of the profile."),
        key("period", Form::Duration, "\"1d\"", "After this time the profile starts again."),
        key("priority", Form::Count, "1", "Lower is more urgent; used by priority disciplines."),
        key("growth", Form::Text, "\"6%/month\"", "How fast it grows."),
    ],
};

/// A point of `profile`.
pub static PROFILE_POINT: Section = Section {
    name: "a point of a profile",
    meaning: "From this time on, or at it, this rate.",
    keys: &[
        key("at", Form::Duration, "\"10min\"", "Time since the start."),
        key("rate", Form::Rate, "\"900/s\"", "Arrival rate."),
    ],
};

/// `arrivals = { … }`.
pub static ARRIVALS: Section = Section {
    name: "`arrivals`",
    meaning: "How arrivals are spaced: a law without its mean, bursts, or a file of arrival times.",
    keys: &[
        key(
            "cv",
            Form::Number,
            "2.0",
            "Coefficient of variation of the interarrival times (gamma where `dist` is not given).",
        ),
        key("dist", Form::Word(laws), "\"erlang\"", "Law of the interarrival times, without its mean."),
        key("k", Form::Count, "4", "Stages of an Erlang law."),
        key("shape", Form::Number, "2.2", "Shape of a Weibull, Pareto or Lomax law."),
        key("burst", Form::Table(&BURST), "{ ratio = 5, on = \"2s\", off = \"20s\" }", "On and off periods."),
        key("trace", Form::Text, "\"arrivals.csv\"", "A file of arrival times, relative to the model."),
        key("column", Form::Text, "\"time\"", "Column of the file."),
        key("unit", Form::Text, "\"s\"", "Unit of the column."),
    ],
};

/// `burst = { … }`.
pub static BURST: Section = Section {
    name: "`burst`",
    meaning: "On and off periods are exponential; arrivals are Poisson, `ratio` times as fast while on.",
    keys: &[
        key("ratio", Form::Number, "5", "Rate while on over rate while off."),
        key("on", Form::Duration, "\"2s\"", "Mean length of an on period."),
        key("off", Form::Duration, "\"20s\"", "Mean length of an off period."),
    ],
};

/// `[[objective]]`.
pub static OBJECTIVE: Section = Section {
    name: "an objective",
    meaning: "What must hold, for a workload, a service, or the whole model.",
    keys: &[
        key("workload", Form::Text, "\"shoppers\"", "Whom it is about: a workload."),
        key("service", Form::Text, "\"orders\"", "Whom it is about: each request this service serves."),
        key("mean", Form::Duration, "\"80ms\"", "Mean response time, at most."),
        key("p50", Form::Duration, "\"50ms\"", "Median response time, at most."),
        key("p75", Form::Duration, "\"90ms\"", "75th percentile of the response time, at most."),
        key("p90", Form::Duration, "\"200ms\"", "90th percentile of the response time, at most."),
        key("p95", Form::Duration, "\"300ms\"", "95th percentile of the response time, at most."),
        key("p99", Form::Duration, "\"800ms\"", "99th percentile of the response time, at most."),
        key("p999", Form::Duration, "\"2s\"", "99.9th percentile of the response time, at most."),
        key("throughput", Form::Rate, "\"340/s\"", "Successful requests, at least."),
        key("error_rate", Form::Ratio, "\"0.1%\"", "Share of failed requests, at most."),
        key(
            "utilization",
            Form::Ratio,
            "\"70%\"",
            "Busy share of the cores, at most; each service where none is named.",
        ),
        key("within", Form::Duration, "\"300ms\"", "With `share`: that share of requests answers within this time."),
        key("share", Form::Ratio, "\"99%\"", "Goes with `within`."),
        key("cost", Form::Price, "\"4000/month\"", "Price of all instances, at most."),
        key("availability", Form::Ratio, "\"99.9%\"", "Share of requests that succeed, at least."),
    ],
};

/// A law written as a table.
pub static LAW: Section = Section {
    name: "a distribution",
    meaning: "A law of a random time.",
    keys: &[
        key("mean", Form::Duration, "\"6ms\"", "Mean; with `cv` alone the law is lognormal."),
        key("cv", Form::Number, "1.4", "Coefficient of variation: standard deviation over mean."),
        key("constant", Form::Duration, "\"6ms\"", "Always this long."),
        key("dist", Form::Word(laws), "\"erlang\"", "Name of the law."),
        key("k", Form::Count, "4", "Stages of an Erlang law."),
        key("min", Form::Duration, "\"2ms\"", "Lower bound of a uniform law."),
        key("max", Form::Duration, "\"9ms\"", "Upper bound of a uniform law."),
        key("shape", Form::Number, "2.2", "Shape of a Weibull, Pareto or Lomax law."),
        key("p50", Form::Duration, "\"4ms\"", "One of two percentiles a lognormal law goes through."),
        key("p75", Form::Duration, "\"7ms\"", "One of two percentiles a lognormal law goes through."),
        key("p90", Form::Duration, "\"12ms\"", "One of two percentiles a lognormal law goes through."),
        key("p95", Form::Duration, "\"18ms\"", "One of two percentiles a lognormal law goes through."),
        key("p99", Form::Duration, "\"31ms\"", "One of two percentiles a lognormal law goes through."),
        key("p999", Form::Duration, "\"70ms\"", "One of two percentiles a lognormal law goes through."),
        key("samples", Form::Text, "\"measured.csv\"", "A file of measured times, relative to the model."),
        key("column", Form::Text, "\"ms\"", "Column of the file."),
        key("unit", Form::Text, "\"ms\"", "Unit of the column."),
        key("low", Form::Duration, "\"4ms\"", "Least value of an uncertain mean."),
        key("likely", Form::Duration, "\"6ms\"", "Most likely value of an uncertain mean; the one a plain solve uses."),
        key("high", Form::Duration, "\"11ms\"", "Greatest value of an uncertain mean."),
    ],
};

/// `backoff = { … }`.
pub static BACKOFF: Section = Section {
    name: "`backoff`",
    meaning: "Time between the attempts of a call.",
    keys: &[
        key("base", Form::Duration, "\"50ms\"", "Before the first retry."),
        key("factor", Form::Number, "2", "Each further retry waits so many times as long."),
        key("max", Form::Duration, "\"1s\"", "It grows no further than this."),
        key("jitter", Form::Word(jitters), "\"full\"", "Whether the time is drawn at random."),
    ],
};

/// One way of `choose`.
pub static WAY: Section = Section {
    name: "one way of `choose`",
    meaning: "One of several ways, with its probability.",
    keys: &[
        key("weight", Form::Ratio, "0.8", "How likely this way is."),
        key("steps", Form::Steps, "[ { work = \"2ms\" } ]", "What is done."),
    ],
};

/// Every kind of step: its first key names it.
pub static STEPS: [Section; 11] = [
    Section {
        name: "a `work` step",
        meaning: "Needs a core of this service for that long.",
        keys: &[key("work", Form::Law, "\"3ms\"", "Time on a core.")],
    },
    Section {
        name: "a `call` step",
        meaning: "Asks another operation and waits for the answer.",
        keys: &[
            key("call", Form::Target, "\"orders.place\"", "Who is asked."),
            key("times", Form::Count, "3", "How often, one after the other."),
            key("probability", Form::Ratio, "0.2", "How likely the call is made at all."),
            key("network", Form::Law, "\"0.5ms\"", "Time on the network, there and back."),
            key("timeout", Form::Duration, "\"800ms\"", "The caller gives up after this time."),
            key("retries", Form::Count, "2", "Further attempts after a failed one."),
            key(
                "backoff",
                Form::OneOf(&[Form::Duration, Form::Table(&BACKOFF)]),
                "\"100ms\"",
                "Time between attempts.",
            ),
            key("hedge", Form::Duration, "\"50ms\"", "A second copy is sent without an answer by then."),
        ],
    },
    Section {
        name: "a `parallel` step",
        meaning: "All branches at once.",
        keys: &[
            key(
                "parallel",
                Form::Branches,
                "[\"a.find\", \"b.find\"]",
                "The branches: steps, lists of steps, or operations to call.",
            ),
            key(
                "wait",
                Form::OneOf(&[Form::Word(waits), Form::Count]),
                "\"any\"",
                "How many must succeed before it goes on; all where nothing is said.",
            ),
        ],
    },
    Section {
        name: "a `send` step",
        meaning: "Asks another operation and goes on at once.",
        keys: &[key("send", Form::Target, "\"mailer.confirm\"", "Who is asked.")],
    },
    Section {
        name: "a `delay` step",
        meaning: "Time that needs no resource.",
        keys: &[key("delay", Form::Law, "\"20ms\"", "How long.")],
    },
    Section {
        name: "a `use` step",
        meaning: "A device of this service.",
        keys: &[
            key("use", Form::Text, "\"disk\"", "The device."),
            key("time", Form::Law, "\"4ms\"", "How long it is used."),
        ],
    },
    Section {
        name: "a `hold` step",
        meaning: "Takes one from a pool, first come first served, and gives it back after its steps.",
        keys: &[
            key("hold", Form::Text, "\"db_connections\"", "The pool."),
            key("steps", Form::Steps, "[ { call = \"db.find\" } ]", "What is done meanwhile."),
        ],
    },
    Section {
        name: "a `choose` step",
        meaning: "One of several ways.",
        keys: &[key(
            "choose",
            Form::List(&WAY),
            "[ { weight = 1.0, steps = [] } ]",
            "The ways; their weights add up to 1.",
        )],
    },
    Section {
        name: "a `cache` step",
        meaning: "Its steps run only when the cache has no answer.",
        keys: &[
            key("cache", Form::Text, "\"catalog\"", "The cache."),
            key("miss", Form::Steps, "[ { call = \"db.find\" } ]", "What is done on a miss."),
        ],
    },
    Section {
        name: "a `repeat` step",
        meaning: "The same steps several times, one after the other.",
        keys: &[
            key("repeat", Form::Count, "5", "How often."),
            key("steps", Form::Steps, "[ { work = \"1ms\" } ]", "What is repeated."),
        ],
    },
    Section {
        name: "a `fail` step",
        meaning: "The request ends here with an error, that often.",
        keys: &[key("fail", Form::Ratio, "0.001", "How often.")],
    },
];
