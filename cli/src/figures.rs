//! Measured figures, as `bench` and `synth` print them.

use crate::output;
use serde::Serialize;

/// Which way a figure improves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    Higher,
    Lower,
}

/// One measured value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// `block: what`; stays the same from release to release.
    pub name: String,
    pub value: f64,
    pub unit: &'static str,
    pub goal: Option<f64>,
    /// What physics or a model allows.
    pub limit: Option<f64>,
    pub better: Better,
}

impl Figure {
    fn reached(&self) -> Option<bool> {
        self.goal.map(|goal| match self.better {
            Better::Higher => self.value >= goal,
            Better::Lower => self.value <= goal,
        })
    }
}

/// What a command prints, in the order of measurement.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    pub figures: Vec<Figure>,
}

impl Figures {
    pub fn higher(&mut self, name: String, value: f64, unit: &'static str, goal: Option<f64>) {
        self.figures.push(Figure {
            name,
            value: rounded(value),
            unit,
            goal,
            limit: None,
            better: Better::Higher,
        });
    }

    pub fn lower(&mut self, name: String, value: f64, unit: &'static str, goal: Option<f64>) {
        self.figures.push(Figure {
            name,
            value: rounded(value),
            unit,
            goal,
            limit: None,
            better: Better::Lower,
        });
    }

    /// One that has a limit.
    pub fn limited(&mut self, name: String, value: f64, unit: &'static str, limit: f64) {
        let (value, limit) = (rounded(value), Some(rounded(limit)));
        self.figures.push(Figure { name, value, unit, goal: None, limit, better: Better::Higher });
    }

    /// To stdout: JSON, or a table that marks the goals.
    pub fn print(&self, json: bool) {
        if json {
            output::print_json(self);
        } else {
            output::print(&self.table());
        }
    }

    fn table(&self) -> String {
        let width = self.figures.iter().map(|figure| figure.name.len()).max().unwrap_or(0);
        let mut out = String::new();
        for figure in &self.figures {
            let goal = match (figure.goal, figure.reached()) {
                (Some(goal), Some(true)) => format!("  goal {} reached", number(goal)),
                (Some(goal), _) => format!("  goal {} MISSED", number(goal)),
                (None, _) => String::new(),
            };
            let share = |limit: f64| format!("  {:.1} % of {}", 100.0 * figure.value / limit, number(limit));
            let goal = figure.limit.map_or(goal, share);
            let (name, value, unit) = (&figure.name, number(figure.value), figure.unit);
            out += format!("{name:width$}  {value:>12} {unit:<15}{goal}").trim_end();
            out.push('\n');
        }
        out
    }
}

/// Four digits are more than any measurement here is good for.
fn rounded(value: f64) -> f64 {
    if value.abs() >= 1000.0 { value.round() } else { (value * 1000.0).round() / 1000.0 }
}

fn number(value: f64) -> String {
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_and_goals() {
        let mut figures = Figures::default();
        figures.higher("veb/parser/small: Fmax".into(), 312.51, "MHz", Some(156.25));
        figures.lower("veb/small: cycles".into(), 8.12345, "cycles/frame", Some(8.0));
        figures.lower("veb/small: LUTs".into(), 1234.4, "LUT4", None);
        figures.limited("nic/small: received".into(), 14.8, "million frames/s", 14.881);
        let json = serde_json::to_value(&figures).unwrap();
        assert_eq!(
            json["figures"][0],
            serde_json::json!({"name": "veb/parser/small: Fmax", "value": 312.51, "unit": "MHz", "goal": 156.25,
                "limit": null, "better": "higher"})
        );
        assert_eq!(json["figures"][1]["value"], 8.123);
        assert_eq!(json["figures"][2]["goal"], serde_json::Value::Null);
        let table = figures.table();
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[0].ends_with("goal 156.25 reached"), "{table}");
        assert!(lines[1].ends_with("goal 8 MISSED"), "{table}");
        assert!(lines[2].ends_with("1234 LUT4"), "{table}");
        assert!(lines[3].ends_with("99.5 % of 14.881"), "{table}");
    }
}
