//! What depends on the size of frames.

use super::chart::{Axis, Chart, Line};

/// A value over the bytes of a frame, as SVG. Curves have names and points, the shortest frames first.
pub fn by_size(title: &str, subtitle: &str, value: &str, curves: Vec<(String, Vec<(usize, f64)>)>) -> String {
    let points = || curves.iter().flat_map(|(_, points)| points);
    let (least, most) =
        points().fold((usize::MAX, 1), |(least, most), (bytes, _)| (least.min(*bytes), most.max(*bytes)));
    let highest = points().fold(0.0, |highest: f64, (_, value)| highest.max(*value));
    let x = Axis::logarithmic(
        "bytes of a frame, with its check sequence",
        least.min(most) as f64,
        most as f64,
        |bytes| bytes.to_string(),
    );
    let line = |(name, points): (String, Vec<(usize, f64)>)| Line {
        name,
        points: points.into_iter().map(|(bytes, value)| ((bytes as f64).log10(), value)).collect(),
    };
    Chart {
        title: title.to_owned(),
        subtitle: subtitle.to_owned(),
        x,
        y: Axis::linear(value, highest, highest * 1.05),
        lines: curves.into_iter().map(line).collect(),
    }
    .svg()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_has_its_curves() {
        let curves =
            vec![("wire".to_owned(), vec![(64, 14.88), (1518, 0.81)]), ("bridge".to_owned(), vec![])];
        let svg = by_size("Frames", "of one function", "million frames/s", curves);
        for part in ["Frames", "of one function", "million frames/s", "wire", "bridge", "100", "1000"] {
            assert!(svg.contains(part), "no {part} in {svg}");
        }
        assert!(by_size("", "", "", vec![]).contains("no frames"));
    }
}
