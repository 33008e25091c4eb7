//! What is shown while something takes long: on stderr, and only on a terminal.

use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// Something that takes a while of unknown length.
pub fn spinner(what: impl Into<String>) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(what.into());
    bar.set_style(style("{spinner} {msg} [{elapsed}]"));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// A number of things, one after the other.
pub fn bar(what: impl Into<String>, count: u64) -> ProgressBar {
    let bar = ProgressBar::new(count).with_message(what.into());
    bar.set_style(style("{msg} [{bar:40}] {pos}/{len} {eta}"));
    bar
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is a constant").progress_chars("=> ")
}
