//! How a sub-command fails: with one line on stderr and an exit code.

use std::fmt;
use std::process::ExitCode;

/// The command was given something it cannot mean: exit code 2 instead of 1.
#[derive(Debug)]
pub(crate) struct Misuse(String);

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misuse {}

/// An error that says how the command is meant to be used.
pub(crate) fn misuse(message: impl Into<String>) -> anyhow::Error {
    Misuse(message.into()).into()
}

/// What ended the command has an exit code of its own.
#[derive(Debug)]
struct Coded {
    code: u8,
    message: String,
}

impl fmt::Display for Coded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Coded {}

/// An error after which the command ends with this exit code.
pub(crate) fn with_code(code: u8, message: impl Into<String>) -> anyhow::Error {
    Coded { code, message: message.into() }.into()
}

/// Prints an error with its causes on one line.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    eprintln!("graphdb: {}", one_line(error));
    let code = error.chain().find_map(|cause| match cause.downcast_ref::<Coded>() {
        Some(coded) => Some(coded.code),
        None => cause.is::<Misuse>().then_some(2),
    });
    ExitCode::from(code.unwrap_or(1))
}

/// `what: cause: its cause`. A cause that the text before already ends with is not said twice.
pub(crate) fn one_line(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string().replace('\n', " ");
        if text.ends_with(&cause) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(cause.trim());
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, anyhow};

    use super::*;

    #[test]
    fn causes_stand_on_one_line_and_not_twice() {
        let error = anyhow!("no such\nfile").context("cannot read a: no such file").context("read key");
        assert_eq!(one_line(&error), "read key: cannot read a: no such file");
    }

    #[test]
    fn misuse_is_told_from_failure_through_contexts() {
        let misused = Err::<(), _>(misuse("say what")).context("config").expect_err("it is an error");
        assert_eq!(report(&misused), ExitCode::from(2));
        assert_eq!(report(&anyhow!("disk full")), ExitCode::from(1));
        assert_eq!(report(&with_code(3, "damaged").context("verify")), ExitCode::from(3));
    }
}
