//! Results as tables for people, as JSON, and as files.

use super::{FlowResults, Results};

impl Results {
    /// The files of a report directory: name and content.
    pub fn files(&self) -> [(&'static str, String); 5] {
        [
            ("flows.txt", self.text()),
            ("flows.json", self.json()),
            ("sent.svg", self.sent_svg()),
            ("received.svg", self.received_svg()),
            ("latency.svg", self.latency_svg()),
        ]
    }

    /// The figures in the shape of the type, indented.
    ///
    /// # Panics
    /// Never: all keys are strings.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("all keys are strings") + "\n"
    }

    /// A line for each flow, and under it one for each port where its frames left, if there are several.
    pub fn text(&self) -> String {
        let header = [
            "flow",
            "from",
            "to",
            "offered",
            "delivered",
            "lost",
            "Mb/s",
            "on the line",
            "min",
            "median",
            "99.9 %",
            "max",
        ];
        let mut rows = vec![header.map(str::to_owned)];
        self.flows.iter().for_each(|flow| rows.extend(flow_rows(flow)));
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..header.len()).map(width).collect();
        let mut out = format!(
            "{:.1} us simulated ({} cycles); frames; latency in ns from the first beat in to the last beat out\n\n",
            self.time.nanoseconds / 1e3,
            self.time.cycles
        );
        for row in &rows {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| match column {
                // Names to the left, numbers to the right.
                0..=2 => format!("{cell:width$}"),
                _ => format!("{cell:>width$}"),
            });
            out += cells.collect::<Vec<_>>().join("  ").trim_end();
            out.push('\n');
        }
        if self.unknown_frames > 0 {
            out += &format!("\n{} frames left that are of no flow\n", self.unknown_frames);
        }
        out
    }
}

/// The rows of a flow.
fn flow_rows(flow: &FlowResults) -> Vec<[String; 12]> {
    let number = |value: f64| format!("{value:.0}");
    let latency = |part: fn(&super::Latency) -> super::Tick| {
        flow.latency.as_ref().map_or("-".to_owned(), |latency| number(part(latency).nanoseconds))
    };
    let to = match &flow.deliveries[..] {
        [] => "-".to_owned(),
        [only] => only.port.clone(),
        several => format!("{} ports", several.len()),
    };
    let mut rows = vec![[
        flow.name.clone(),
        flow.port.clone(),
        to,
        flow.offered.frames.to_string(),
        flow.delivered.frames.to_string(),
        flow.lost_frames.to_string(),
        rate(flow.mbps),
        rate(flow.line_mbps),
        latency(|latency| latency.minimum),
        latency(|latency| latency.median),
        latency(|latency| latency.percentile_99_9),
        latency(|latency| latency.maximum),
    ]];
    if flow.deliveries.len() > 1 {
        for delivery in &flow.deliveries {
            let mut row = <[String; 12]>::default();
            row[2] = delivery.port.clone();
            row[4] = delivery.frames.to_string();
            row[6] = rate(delivery.mbps);
            rows.push(row);
        }
    }
    rows
}

/// Mb/s with four digits.
fn rate(mbps: f64) -> String {
    match mbps {
        ..10.0 => format!("{mbps:.2}"),
        ..100.0 => format!("{mbps:.1}"),
        _ => format!("{mbps:.0}"),
    }
}
