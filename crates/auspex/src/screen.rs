//! What people see: progress bars on stderr, tables and lines on stdout.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::sync::LazyLock;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

static BARS: LazyLock<MultiProgress> = LazyLock::new(|| {
    let bars = MultiProgress::new();
    // Bars are for people: none into a pipe or a log file.
    if !io::stderr().is_terminal() {
        bars.set_draw_target(ProgressDrawTarget::hidden());
    }
    bars
});

/// Does something to stderr while no bar is drawn.
pub(crate) fn beside_bars<T>(write: impl FnOnce() -> T) -> T {
    BARS.suspend(write)
}

/// A bar over bytes of files.
pub(crate) fn byte_bar(total: u64, what: &str) -> ProgressBar {
    bar(total, what, "{msg} [{bar:30}] {bytes}/{total_bytes} {eta}")
}

/// A bar over counted things.
pub(crate) fn count_bar(total: u64, what: &str) -> ProgressBar {
    bar(total, what, "{msg} [{bar:30}] {pos}/{len} {eta}")
}

fn bar(total: u64, what: &str, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).expect("the templates above are right").progress_chars("=> ");
    BARS.add(ProgressBar::new(total)).with_style(style).with_message(what.to_owned())
}

/// Shows that something without a known length goes on.
pub(crate) fn spinner(what: impl Into<Cow<'static, str>>) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}").expect("the template is right");
    let spinner = BARS.add(ProgressBar::new_spinner()).with_style(style).with_message(what);
    spinner.enable_steady_tick(Duration::from_millis(120));
    spinner
}

/// Writes text to stdout, with a newline.
pub(crate) fn say(text: impl AsRef<str>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    beside_bars(|| {
        out.write_all(text.as_ref().as_bytes())?;
        out.write_all(b"\n")?;
        out.flush()
    })
}

/// Writes one JSON value to stdout, with a newline.
pub(crate) fn say_json<T: Serialize>(value: &T) -> io::Result<()> {
    say(serde_json::to_string_pretty(value).map_err(io::Error::other)?)
}

/// Writes a note for people to stderr.
pub(crate) fn note(text: impl AsRef<str>) {
    // Whoever closed stderr does not want to know.
    let _ = beside_bars(|| writeln!(io::stderr(), "{}", text.as_ref()));
}

/// A table of text: columns are as wide as their widest cell.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    /// Columns to the left of this one hold words and are aligned left; the others hold numbers.
    n_words: usize,
}

impl Table {
    /// A table of these headers, of which the first `n_words` name things.
    pub(crate) fn new(n_words: usize, headers: &[&str]) -> Self {
        Self { rows: vec![headers.iter().map(|header| (*header).to_owned()).collect()], n_words }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let n_columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..n_columns).map(width).collect();
        for (index, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let (width, gap) = (widths[column], if column == 0 { "" } else { "  " });
                line += gap;
                line += &if column < self.n_words { format!("{cell:<width$}") } else { format!("{cell:>width$}") };
            }
            let newline = if index == 0 { "" } else { "\n" };
            write!(f, "{newline}{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// A whole number with its thousands set apart.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with `places` decimals, or a dash where there is none.
pub(crate) fn number(value: Option<f64>, places: usize) -> String {
    let Some(value) = value else { return "–".to_owned() };
    let text = format!("{value:.places$}");
    match text.strip_prefix('-') {
        // What rounds to nothing is not below it.
        Some(rest) if rest.bytes().all(|byte| matches!(byte, b'0' | b'.')) => rest.to_owned(),
        _ => text,
    }
}

/// A price with the digits that matter.
pub(crate) fn price(value: f64) -> String {
    let places = match value.abs() {
        v if v >= 1000.0 => 2,
        v if v >= 1.0 => 4,
        v if v > 0.0 => (4.0 - v.log10()).ceil().min(12.0) as usize,
        _ => 2,
    };
    format!("{value:.places$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        let check = |n, expected: &str| assert_eq!(count(n), expected);
        check(0, "0");
        check(999, "999");
        check(1000, "1,000");
        check(1_234_567, "1,234,567");
        assert_eq!(price(43_210.123_4), "43210.12");
        assert_eq!(price(0.072_345_6), "0.072346");
        assert_eq!(number(None, 2), "–");
        assert_eq!(number(Some(-0.004), 2), "0.00");
        assert_eq!(number(Some(-0.006), 2), "-0.01");
    }

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(1, &["model", "n", "skill"]);
        table.row(vec!["har".into(), "12".into(), "1.5".into()]);
        table.row(vec!["ensemble".into(), "7".into(), "–".into()]);
        assert_eq!(table.to_string(), "model      n  skill\nhar       12    1.5\nensemble   7      –");
    }
}
