//! What came out: figures, remarks and faults, for people and as one line of JSON.

use serde_json::{Map, Value, json};

use crate::latencies::Latencies;

#[derive(Debug)]
pub struct Report {
    scenario: &'static str,
    figures: Vec<(String, f64)>,
    notes: Vec<String>,
    faults: Vec<Fault>,
}

#[derive(Debug)]
struct Fault {
    what: &'static str,
    count: u64,
    example: Option<String>,
}

impl Report {
    pub fn new(scenario: &'static str) -> Self {
        Report { scenario, figures: Vec::new(), notes: Vec::new(), faults: Vec::new() }
    }

    /// The name ends in its unit; nothing that cannot be computed is told.
    pub fn figure(&mut self, name: impl Into<String>, value: f64) {
        if value.is_finite() {
            self.figures.push((name.into(), value));
        }
    }

    pub fn latencies(&mut self, of: &str, latencies: Latencies) {
        self.figure(format!("{of}_samples"), latencies.count() as f64);
        let Some(percentiles) = latencies.percentiles() else { return };
        self.figure(format!("{of}_p50_milliseconds"), percentiles.p50_milliseconds);
        self.figure(format!("{of}_p95_milliseconds"), percentiles.p95_milliseconds);
        self.figure(format!("{of}_p99_milliseconds"), percentiles.p99_milliseconds);
        self.figure(format!("{of}_max_milliseconds"), percentiles.max_milliseconds);
    }

    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Something that must not happen; told only if it did.
    pub fn fault(&mut self, what: &'static str, count: u64, example: Option<String>) {
        if count > 0 {
            self.faults.push(Fault { what, count, example });
        }
    }

    /// What was measured of the same scene with so many messages in it, and then with more: each by its number, and the
    /// last as so many times the first.
    pub fn growth(&mut self, steps: Vec<(u64, Report)>) {
        let costs = |report: &Report| {
            let is_cost =
                |name: &str| name.ends_with("_p50_milliseconds") || name.starts_with("server_cpu_milliseconds");
            let costs = report.figures.iter().filter(|(name, _)| is_cost(name));
            costs.cloned().collect::<Vec<_>>()
        };
        let ratios = match steps.as_slice() {
            [(_, first), .., (_, last)] => costs(first).into_iter().zip(costs(last)).collect(),
            _ => Vec::new(),
        };
        let is_alone = steps.len() == 1;
        for (messages, step) in steps {
            for (name, value) in step.figures {
                self.figure(if is_alone { name } else { format!("{name}_at_{messages}") }, value);
            }
            self.notes.extend(step.notes);
            self.faults.extend(step.faults);
        }
        for ((name, before), (_, now)) in ratios {
            let of = name.replace("_milliseconds", "");
            self.figure(format!("{of}_times_the_first"), now / before);
        }
    }

    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }

    pub fn print(&self, as_json: bool) {
        println!("{}", self.scenario);
        let width = self.figures.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in &self.figures {
            println!("  {name:<width$}  {:>14}", readable(*value));
        }
        self.notes.iter().for_each(|note| println!("  {note}"));
        for Fault { what, count, example } in &self.faults {
            println!("  FAULT: {count} {what}");
            example.iter().for_each(|example| println!("         {example}"));
        }
        if as_json {
            println!("{}", self.json());
        }
    }

    fn json(&self) -> Value {
        let figures: Map<String, Value> =
            self.figures.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let faults: Map<String, Value> =
            self.faults.iter().map(|fault| (fault.what.to_owned(), json!(fault.count))).collect();
        json!({
            "scenario": self.scenario,
            "command": std::env::args().skip(1).collect::<Vec<_>>().join(" "),
            "figures": figures,
            "notes": self.notes,
            "faults": faults,
        })
    }
}

/// As many digits as mean something.
fn readable(value: f64) -> String {
    match value.abs() {
        whole if whole.fract() == 0.0 || whole >= 1_000.0 => format!("{value:.0}"),
        large if large >= 100.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

/// That of the middle; of an even number of them, the greater one of the two in the middle.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
