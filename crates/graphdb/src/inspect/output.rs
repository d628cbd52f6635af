//! Standard output, which a reader such as `head` may close.

use std::io::{self, BufWriter, Stdout, Write};
use std::ops::ControlFlow;

use anyhow::Context as _;

/// Standard output: once its reader is gone, what follows goes nowhere, and nobody is told.
#[derive(Debug)]
pub(super) struct Output<W: Write> {
    out: BufWriter<W>,
    failure: Option<io::Error>,
}

impl Output<Stdout> {
    pub(super) fn stdout() -> Output<Stdout> {
        Output::new(io::stdout())
    }
}

impl<W: Write> Output<W> {
    pub(super) fn new(out: W) -> Output<W> {
        Output { out: BufWriter::new(out), failure: None }
    }

    /// Writes, and says whether there is any use in writing more.
    pub(super) fn write(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        if self.failure.is_none() {
            self.failure = self.out.write_all(bytes).err();
        }
        if self.failure.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Writes the rest.
    ///
    /// # Errors
    /// What went wrong since the beginning, unless it is that the reader left.
    pub(super) fn finish(&mut self) -> anyhow::Result<()> {
        let flushed = match self.failure.take() {
            Some(failure) => Err(failure),
            None => self.out.flush(),
        };
        match flushed {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("write to standard output"),
            _ => Ok(()),
        }
    }

    /// Writes all there is.
    pub(super) fn print(mut self, bytes: &[u8]) -> anyhow::Result<()> {
        _ = self.write(bytes);
        self.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_left_is_no_failure_and_a_full_disk_is() {
        for (kind, is_fine) in [(io::ErrorKind::BrokenPipe, true), (io::ErrorKind::StorageFull, false)] {
            let mut output = Output::new(Failing(kind));
            assert!(output.write(&[b'x'; 1 << 20]).is_break(), "more than is buffered");
            assert!(output.write(b"y").is_break());
            assert_eq!(output.finish().is_ok(), is_fine);
            let short = Output::new(Failing(kind)).print(b"x");
            assert_eq!(short.is_ok(), is_fine, "what is buffered fails at the end");
        }
    }
}
