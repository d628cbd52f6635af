use std::fmt;
use std::str::FromStr;

/// How data is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// N-Quads, one a line. Keeps everything.
    #[default]
    Rdf,
    /// An array of objects, one a value or edge.
    Json,
}

/// A text that names no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid export format: {0}; rdf and json are known")]
pub struct UnknownFormat(String);

impl Format {
    /// The name, which is also how names of files end.
    pub fn name(self) -> &'static str {
        match self {
            Format::Rdf => "rdf",
            Format::Json => "json",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    /// Reads the name in any case.
    fn from_str(text: &str) -> Result<Format, UnknownFormat> {
        let named = [Format::Rdf, Format::Json].into_iter().find(|format| text.eq_ignore_ascii_case(format.name()));
        named.ok_or_else(|| UnknownFormat(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_named_in_any_case_and_others_are_told_the_choices() {
        for (text, format) in [("rdf", Format::Rdf), ("JSON", Format::Json), ("Rdf", Format::Rdf)] {
            assert_eq!(text.parse(), Ok(format), "{text}");
        }
        let refused = "csv".parse::<Format>().map_err(|error| error.to_string());
        assert_eq!(refused, Err("invalid export format: csv; rdf and json are known".to_owned()));
    }
}
