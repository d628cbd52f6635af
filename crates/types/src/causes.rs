use std::error::Error;

/// An error with its causes on one line, `what: why: its cause`. What the text before says already is not said again.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<Box<Layer>>);

    #[test]
    fn causes_follow_in_order_and_none_is_said_twice() {
        let disk = Layer("disk is full", None);
        let write = Layer("cannot write: disk is full", Some(Box::new(disk)));
        assert_eq!(with_causes(&Layer("backup", Some(Box::new(write)))), "backup: cannot write: disk is full");
    }
}
