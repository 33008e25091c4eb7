//! The measurements as tables in Markdown.

use super::{Measured, Rate, Way, isolation, shares, ways};
use sim::clock::Clock;

/// The sections of the page, behind the name of the configuration.
pub const SECTIONS: [&str; 4] = ["rates", "bytes", "latency", "isolation"];

/// Each section and its text.
pub fn sections(measured: &Measured) -> Vec<(String, String)> {
    let texts = [rates(measured), bytes(measured), latency(measured), isolation(measured)];
    SECTIONS.iter().map(|name| format!("{} {name}", measured.config.name)).zip(texts).collect()
}

/// A table of rates for each ring and number of functions.
fn rates(measured: &Measured) -> String {
    let mut tables = vec![];
    for packed in [true, false] {
        let mut counts: Vec<usize> = measured.rates.iter().map(|rate| rate.functions).collect();
        counts.sort_unstable();
        counts.dedup();
        for functions in counts {
            let ring = if packed { "Packed" } else { "Split" };
            let heading = match functions {
                1 => format!("{ring} ring, one function (between functions: two)"),
                _ => format!("{ring} ring, {functions} functions"),
            };
            let own: Vec<&Rate> =
                measured.rates.iter().filter(|it| it.packed == packed && it.functions == functions).collect();
            let mut lengths: Vec<usize> = own.iter().map(|rate| rate.bytes).collect();
            lengths.dedup();
            lengths.truncate(lengths.iter().position(|it| Some(it) == lengths.last()).map_or(0, |at| at + 1));
            let mut table = format!(
                "{heading}:\n\n| bytes | wire to functions | functions to wire | both: received | both: sent | between functions | lost |\n|---|---|---|---|---|---|---|\n"
            );
            for bytes in lengths {
                let of = |way: Way| own.iter().find(|rate| rate.way == way && rate.bytes == bytes);
                let cell = |way: Way, at: usize| {
                    of(way).map_or_else(|| "-".to_owned(), |rate| share(rate.rates[at], rate.limits[at]))
                };
                let lost: Vec<String> = [Way::Receive, Way::Transmit, Way::Both, Way::Bridge]
                    .into_iter()
                    .map(|way| of(way).map_or_else(String::new, |rate| rate.lost.to_string()))
                    .collect();
                table += &format!(
                    "| {bytes} | {} | {} | {} | {} | {} | {} |\n",
                    cell(Way::Receive, 0),
                    cell(Way::Transmit, 1),
                    cell(Way::Both, 0),
                    cell(Way::Both, 1),
                    cell(Way::Bridge, 2),
                    lost.join(", ")
                );
            }
            tables.push(table);
        }
    }
    if measured.rates.iter().any(|rate| rate.way == Way::Beside) {
        tables.push(beside(measured));
    }
    tables.join("\n")
}

/// The bridge while the wire is in use.
fn beside(measured: &Measured) -> String {
    let mut table = String::from(
        "Packed ring, half of the functions send to each other while the others use the wire both ways:\n\n\
         | bytes | from the wire | to the wire | between functions | lost |\n|---|---|---|---|---|\n",
    );
    let rows = measured.rates.iter().filter(|it| it.way == Way::Beside && it.packed && it.functions > 3);
    for Rate { bytes, rates, limits, lost, .. } in rows {
        let [received, sent, between] = [0, 1, 2].map(|at| share(rates[at], limits[at]));
        table += &format!("| {bytes} | {received} | {sent} | {between} | {lost} |\n");
    }
    table
}

/// Million frames in a second, and how much that is of the limit.
fn share(rate: f64, limit: f64) -> String {
    format!("{:.2} of {:.2}, {:.1} %", rate / 1e6, limit / 1e6, 100.0 * rate / limit)
}

fn bytes(measured: &Measured) -> String {
    let mut table = String::from(
        "| bytes | ring | to the host | model | from the host | model | both, beyond the model |\n|---|---|---|---|---|---|---|\n",
    );
    for cost in &measured.costs {
        let ring = if cost.packed { "packed" } else { "split" };
        let ([up, down], [model_up, model_down]) = (cost.measured, cost.model);
        let beyond = 100.0 * ((up + down) / (model_up + model_down) - 1.0);
        table += &format!(
            "| {} | {ring} | {up:.1} | {model_up:.1} | {down:.1} | {model_down:.1} | {beyond:.1} % |\n",
            cost.bytes
        );
    }
    table
}

fn latency(measured: &Measured) -> String {
    let clock = Clock::of(&measured.config);
    let mut table = String::from("| bytes | from, to | median | 99.9 % |\n|---|---|---|---|\n");
    for (bytes, latencies) in &measured.latencies {
        for (way, took) in ways(latencies) {
            let [median, most] = shares(took).map(|(_, cycles)| clock.nanoseconds(cycles));
            table += &format!("| {bytes} | {way} | {median:.0} ns | {most:.0} ns |\n");
        }
    }
    table
}

fn isolation(measured: &Measured) -> String {
    let mut table = String::from(
        "| the other function | received | sent | change | the one that loses most |\n|---|---|---|---|---|\n",
    );
    for isolation::Outcome { nuisance, rates: [received, sent], change, worst } in &measured.isolation {
        table += &format!(
            "| {} | {:.3} | {:.3} | {change:.2} % | {worst:.2} % |\n",
            isolation::act(*nuisance),
            received / 1e6,
            sent / 1e6
        );
    }
    table
}
