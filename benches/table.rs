//! What is printed in the end.

/// Measured values and their ratios.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<[String; 4]>,
}

impl Table {
    /// Adds a line: what was measured, the value, what it is compared with, the goal.
    pub(crate) fn add(&mut self, what: &str, value: String, compared: String, goal: &str) {
        println!("  {what}: {value}  {compared}");
        self.rows.push([what.to_owned(), value, compared, goal.to_owned()]);
    }

    pub(crate) fn print(&self) {
        let header = ["measured", "value", "compared", "goal"].map(String::from);
        let all: Vec<&[String; 4]> = std::iter::once(&header).chain(&self.rows).collect();
        let widths: [usize; 4] =
            std::array::from_fn(|at| all.iter().map(|row| row[at].chars().count()).max().unwrap_or(0));
        println!();
        for row in all {
            let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            println!("{}", cells.join("  ").trim_end());
        }
    }
}

/// Megabytes a second.
pub(crate) fn rate(bytes: u64, seconds: f64) -> String {
    format!("{:.0} MB/s", bytes as f64 / 1e6 / seconds)
}
