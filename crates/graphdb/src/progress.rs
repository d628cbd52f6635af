//! Shows on stderr how far something long has come: a bar on a terminal, else a line every few seconds.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const REDRAW_EVERY: Duration = Duration::from_millis(200);
const LINE_EVERY: Duration = Duration::from_secs(5);

/// How far something is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stand {
    /// 0 to 1, if anybody knows.
    pub(crate) part: Option<f64>,
    /// What to say beside it.
    pub(crate) text: String,
}

/// A thread that shows progress until this is dropped.
pub(crate) struct Reporter {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Reporter {
    /// Asks `stand` now and then, and shows what it says.
    pub(crate) fn start(stand: impl Fn() -> Stand + Send + 'static) -> Reporter {
        let (stop, stopped) = mpsc::channel();
        let thread =
            thread::spawn(
                move || {
                    if console_is_there() { show_bar(&stopped, stand) } else { show_lines(&stopped, stand) }
                },
            );
        Reporter { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

fn console_is_there() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stderr())
}

fn show_bar(stopped: &mpsc::Receiver<()>, stand: impl Fn() -> Stand) {
    const STEPS: u64 = 1000;
    let bar = ProgressBar::with_draw_target(Some(STEPS), ProgressDrawTarget::stderr());
    let known = ProgressStyle::with_template("{bar:30} {percent:>3}%  {msg}").expect("the template is right");
    let unknown = ProgressStyle::with_template("{spinner} {msg}").expect("the template is right");
    while stopped.recv_timeout(REDRAW_EVERY) == Err(RecvTimeoutError::Timeout) {
        let stand = stand();
        bar.set_style(if stand.part.is_some() { known.clone() } else { unknown.clone() });
        bar.set_position((stand.part.unwrap_or_default() * STEPS as f64) as u64);
        bar.set_message(stand.text);
        bar.tick();
    }
    bar.finish_and_clear();
}

fn show_lines(stopped: &mpsc::Receiver<()>, stand: impl Fn() -> Stand) {
    while stopped.recv_timeout(LINE_EVERY) == Err(RecvTimeoutError::Timeout) {
        let stand = stand();
        match stand.part {
            Some(part) => eprintln!("{:>3.0}%  {}", 100.0 * part, stand.text),
            None => eprintln!("{}", stand.text),
        }
    }
}

/// `1,234,567`
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes as people read them: `1.5 MB`; in powers of 1000.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if count < 1000 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [0, 999, 1000, 999_949, 999_950, u64::MAX].map(bytes),
            ["0 B", "999 B", "1.0 kB", "999.9 kB", "1.0 MB", "18.4 EB"]
        );
    }
}
