//! What folders and files of an export are called.

use graphdb_types::value::DateTime;
use graphdb_types::{GroupId, Ts};

use crate::Format;

/// The folder of an export at `read_ts` that begins `unix_seconds` after 1970 in UTC: `dgraph.r<read_ts>.u<MMDD.HHMM>`.
pub fn folder(read_ts: Ts, unix_seconds: i64) -> String {
    let begin = DateTime::from_unix(unix_seconds, 0).map(|at| at.to_string()).unwrap_or_default();
    let parts: Vec<&str> = begin.split(['-', 'T', ':']).collect();
    match parts[..] {
        [_, month, day, hour, minute, _] => format!("dgraph.r{read_ts}.u{month}{day}.{hour}{minute}"),
        _ => format!("dgraph.r{read_ts}.u0000.0000"), // a clock before the year 0
    }
}

/// The data of a group: `g01.rdf.gz`.
pub fn data(group: GroupId, format: Format) -> String {
    file(group, format.name())
}

/// The predicates and types of a group: `g01.schema.gz`.
pub fn schema(group: GroupId) -> String {
    file(group, "schema")
}

/// The GraphQL schema of each namespace: `g01.gql_schema.gz`.
pub fn gql_schema(group: GroupId) -> String {
    file(group, "gql_schema")
}

fn file(group: GroupId, what: &str) -> String {
    format!("g{:02}.{what}.gz", group.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_dgraph() {
        assert_eq!(folder(Ts(17), 1_767_567_477), "dgraph.r17.u0104.2257");
        assert_eq!(folder(Ts(1), i64::MIN), "dgraph.r1.u0000.0000");
        assert_eq!(data(GroupId(1), Format::Rdf), "g01.rdf.gz");
        assert_eq!(data(GroupId(123), Format::Json), "g123.json.gz");
        assert_eq!((schema(GroupId(2)), gql_schema(GroupId(2))), ("g02.schema.gz".into(), "g02.gql_schema.gz".into()));
    }
}
