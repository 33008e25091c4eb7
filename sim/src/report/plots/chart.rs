//! A line chart with its legend beside it.

use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, ValueFormatter};
use plotters::element::DashedPathElement;
use plotters::prelude::*;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type DrawingResult = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// A chart to be drawn.
pub struct Chart {
    pub title: String,
    /// What the title does not say.
    pub subtitle: String,
    pub x: Axis,
    pub y: Axis,
    pub lines: Vec<Line>,
}

/// A curve with a name.
pub struct Line {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

impl Line {
    /// The line in other coordinates.
    pub fn map(self, x: impl Fn(f64) -> f64, y: impl Fn(f64) -> f64) -> Line {
        Line { points: self.points.into_iter().map(|point| (x(point.0), y(point.1))).collect(), ..self }
    }
}

/// An axis: where it begins and ends, and what stands at it.
pub struct Axis {
    label: String,
    from: f64,
    to: f64,
    /// Place and text.
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// From 0 to `end`, with round numbers up to `most`.
    pub fn linear(label: &str, most: f64, end: f64) -> Axis {
        let most = if most > 0.0 { most } else { 1.0 };
        let power = 10_f64.powf((most / 10.0).log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
        let step = steps.into_iter().find(|step| most / step <= 10.0).unwrap_or(most);
        let digits = (-step.log10().floor()).max(0.0) as usize;
        let count = (end.max(most) / step + 1e-9).floor() as usize;
        let ticks = (0..=count).map(|index| {
            let value = index as f64 * step;
            (value, format!("{value:.digits$}"))
        });
        Axis { label: label.to_owned(), from: 0.0, to: end.max(most), ticks: ticks.collect() }
    }

    /// Decimal logarithms of values from `low` to `high`, both above 0, between round values; `format` prints a value.
    pub fn logarithmic(label: &str, low: f64, high: f64, format: impl Fn(f64) -> String) -> Axis {
        let values = |factors: &[f64]| {
            let powers = low.log10().floor() as i32 - 1..=high.log10().ceil() as i32;
            let values: Vec<f64> = powers
                .flat_map(|power| factors.iter().map(move |factor| factor * 10_f64.powi(power)))
                .collect();
            let first = values.iter().rposition(|&value| value <= low).unwrap_or(0);
            let last = values.iter().position(|&value| value >= high).unwrap_or(values.len() - 1);
            values[first..=last].to_vec()
        };
        let fitting = [&[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0][..], &[1.0, 2.0, 5.0], &[1.0]].map(values);
        // As many as there is room for.
        let values = fitting.iter().find(|values| values.len() <= 12).unwrap_or(&fitting[2]);
        Axis {
            label: label.to_owned(),
            from: values[0].log10(),
            to: values[values.len() - 1].log10(),
            ticks: values.iter().map(|&value| (value.log10(), format(value))).collect(),
        }
    }

    /// Decimal logarithms of `1 / (1 - q)`, up to `most`, where q is a share: 90 %, 99 %, 99.9 % are equally far apart.
    pub fn percentiles(label: &str, most: f64) -> Axis {
        let to = most.log10();
        let nines = (1..=to.floor() as usize).map(|nines| {
            let percent = format!("{:.*}", nines.saturating_sub(2), 100.0 - 10_f64.powi(2 - nines as i32));
            (nines as f64, percent + " %")
        });
        let ticks = [(0.0, "0 %".to_owned()), (2_f64.log10(), "50 %".to_owned())].into_iter().chain(nines);
        Axis { label: label.to_owned(), from: 0.0, to, ticks: ticks.collect() }
    }
}

/// So that the mesh shows exactly the ticks.
impl Ranged for &Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (low, high): (i32, i32)) -> i32 {
        let share = (value - self.from) / (self.to - self.from);
        low + (share * f64::from(high - low)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.iter().map(|(place, _)| *place).collect()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.from..self.to
    }
}

impl ValueFormatter<f64> for &Axis {
    fn format_ext(&self, place: &f64) -> String {
        let tick = self.ticks.iter().find(|(tick, _)| tick == place);
        tick.map(|(_, text)| text.clone()).unwrap_or_default()
    }
}

/// Colours that stay apart for the colour-blind (Okabe and Ito), without yellow, which is too faint on white.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(0, 0, 0),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

/// Dashes and gaps: when the colours are used up, the next kind of line follows. None is a whole line.
const DASHES: [Option<(u32, u32)>; 3] = [None, Some((9, 4)), Some((3, 3))];

/// Lines that can be told apart.
const MOST_LINES: usize = COLOURS.len() * DASHES.len();

const HEIGHT: u32 = 560;
const PLOT_WIDTH: u32 = 860;
const TITLE_HEIGHT: u32 = 64;
/// Of a letter of the legend; the SVG has no fonts to measure.
const LETTER_WIDTH: u32 = 8;
const LEGEND_LINE: i32 = 21;
const GREY: RGBColor = RGBColor(90, 90, 90);
const GRID: RGBColor = RGBColor(222, 222, 222);

impl Chart {
    /// The chart as SVG.
    pub fn svg(&self) -> String {
        let shown = &self.lines[..self.lines.len().min(MOST_LINES)];
        let letters = shown.iter().map(|line| line.name.chars().count() as u32).max().unwrap_or(0);
        let legend_width = 64 + LETTER_WIDTH * letters.max(10);
        let mut svg = String::new();
        {
            let root =
                SVGBackend::with_string(&mut svg, (PLOT_WIDTH + legend_width, HEIGHT)).into_drawing_area();
            // A string takes everything that is written.
            self.draw(&root, shown).expect("drawing into a string does not fail");
        }
        svg
    }

    fn draw(&self, root: &Area, shown: &[Line]) -> DrawingResult {
        root.fill(&WHITE)?;
        let (head, body) = root.split_vertically(TITLE_HEIGHT);
        head.draw(&Text::new(self.title.clone(), (24, 14), font(22, &BLACK)))?;
        head.draw(&Text::new(self.subtitle.clone(), (24, 42), font(14, &GREY)))?;
        let (plot, legend) = body.split_horizontally(PLOT_WIDTH);
        let mut chart = ChartBuilder::on(&plot)
            .margin(12)
            .x_label_area_size(56)
            .y_label_area_size(84)
            .build_cartesian_2d(&self.x, &self.y)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(GREY)
            .x_desc(&self.x.label)
            .y_desc(&self.y.label)
            .label_style(font(14, &BLACK))
            .axis_desc_style(font(15, &BLACK))
            .draw()?;
        for (index, line) in shown.iter().enumerate() {
            let (style, dash) = look(index);
            let points = line.points.iter().copied();
            match dash {
                None => chart.draw_series(LineSeries::new(points, style))?,
                Some((dash, gap)) => chart.draw_series(DashedLineSeries::new(points, dash, gap, style))?,
            };
        }
        self.draw_legend(&legend, shown)
    }

    /// Beside the plot, where it covers nothing.
    fn draw_legend(&self, area: &Area, shown: &[Line]) -> DrawingResult {
        let mut y = 24;
        for (index, line) in shown.iter().enumerate() {
            let (style, dash) = look(index);
            let ends = [(4, y), (36, y)];
            match dash {
                None => area.draw(&PathElement::new(ends, style))?,
                Some((dash, gap)) => area.draw(&DashedPathElement::new(ends, dash, gap, style))?,
            }
            area.draw(&Text::new(line.name.clone(), (44, y - 7), font(14, &BLACK)))?;
            y += LEGEND_LINE;
        }
        let rest = match (shown.len(), self.lines.len() - shown.len()) {
            (0, _) => "no frames".to_owned(),
            (_, 0) => return Ok(()),
            (_, more) => format!("and {more} more"),
        };
        area.draw(&Text::new(rest, (4, y - 7), font(14, &GREY)))
    }
}

fn font<'a>(size: u32, colour: &'a RGBColor) -> TextStyle<'a> {
    TextStyle::from(("sans-serif", size)).color(colour)
}

/// Colour and dashes of a line.
fn look(index: usize) -> (ShapeStyle, Option<(u32, u32)>) {
    let style = COLOURS[index % COLOURS.len()].stroke_width(2);
    (style, DASHES[index / COLOURS.len() % DASHES.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn axes_have_round_numbers() {
        assert_eq!(
            texts(&Axis::linear("", 9.6, 10.08)),
            ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]
        );
        assert_eq!(
            texts(&Axis::linear("", 0.42, 0.44)),
            ["0.00", "0.05", "0.10", "0.15", "0.20", "0.25", "0.30", "0.35", "0.40"]
        );
        assert_eq!(
            texts(&Axis::linear("", 0.0, 0.0)),
            ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1.0"]
        );
        let number = |value: f64| value.round().to_string();
        assert_eq!(
            texts(&Axis::logarithmic("", 130.0, 4100.0, number)),
            ["100", "200", "500", "1000", "2000", "5000"]
        );
        assert_eq!(texts(&Axis::logarithmic("", 310.0, 600.0, number)), ["300", "400", "500", "700"]);
        assert_eq!(
            texts(&Axis::percentiles("", 20_000.0)),
            ["0 %", "50 %", "90 %", "99 %", "99.9 %", "99.99 %"]
        );
    }

    #[test]
    fn a_chart_shows_its_lines_and_names() {
        let line = |index| Line { name: format!("line<{index}>"), points: vec![(0.0, 1.0), (9.0, 2.0)] };
        let chart = |count: usize| Chart {
            title: "Title".into(),
            subtitle: "Subtitle".into(),
            x: Axis::linear("abscissa", 9.0, 9.0),
            y: Axis::linear("ordinate", 2.0, 2.0),
            lines: (0..count).map(line).collect(),
        };
        let svg = chart(2).svg();
        for part in ["Title", "Subtitle", "abscissa", "ordinate", "line&lt;1&gt;", "#0072B2", "#D55E00"] {
            assert!(svg.contains(part), "no {part} in {svg}");
        }
        let crowded = chart(MOST_LINES + 3).svg();
        assert!(crowded.contains("and 3 more") && !crowded.contains(&format!("line&lt;{MOST_LINES}&gt;")));
        assert!(chart(0).svg().contains("no frames"));
    }
}
