//! Flags may be written with dashes or underscores, as Dgraph's users of different years are used to.

use std::ffi::OsString;

/// Makes `--encryption_key_file` of Dgraph's older versions into `--encryption-key-file`. Only names of long flags change: not their
/// values, and nothing behind `--`.
pub(crate) fn with_dashes(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut flags_ended = false;
    args.into_iter()
        .map(|arg| {
            flags_ended |= arg == "--";
            match arg.to_str() {
                Some(text) if !flags_ended && text.starts_with("--") => flag_with_dashes(text).into(),
                _ => arg,
            }
        })
        .collect()
}

fn flag_with_dashes(flag: &str) -> String {
    match flag.split_once('=') {
        Some((name, value)) => format!("{}={value}", name.replace('_', "-")),
        None => flag.replace('_', "-"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(args: &[&str]) -> Vec<String> {
        let args = with_dashes(args.iter().map(OsString::from));
        args.into_iter().map(|arg| arg.into_string().expect("the test has text only")).collect()
    }

    #[test]
    fn names_of_long_flags_get_dashes() {
        assert_eq!(normal(&["--encryption_key_file", "my_key"]), ["--encryption-key-file", "my_key"]);
        assert_eq!(normal(&["--force_zero=false"]), ["--force-zero=false"]);
    }

    #[test]
    fn values_short_flags_and_what_follows_two_dashes_stay() {
        assert_eq!(normal(&["--location=/my_backups/a_b"]), ["--location=/my_backups/a_b"]);
        assert_eq!(normal(&["-l_x", "a_b", "--", "--not_a_flag"]), ["-l_x", "a_b", "--", "--not_a_flag"]);
    }
}
