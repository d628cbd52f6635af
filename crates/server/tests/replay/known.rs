//! Exchanges that are known to be answered otherwise, with the reason. One that comes to be answered the same must leave the list.

const RECURSE: &str = "@recurse is not offered yet";
const SHORTEST: &str = "shortest paths are not offered yet";

pub(crate) const KNOWN: &[(&str, &str)] = &[
    ("recurse", RECURSE),
    ("recurse loop", RECURSE),
    ("shortest", SHORTEST),
    ("k shortest", SHORTEST),
    ("root", "our own words"),
    ("mutate no content type", "better: one JSON document"),
    ("schema", "@unique is not offered yet, and Dgraph's own predicates for namespaces have it"),
    ("abort unknown", "better: a transaction that was committed is not said to be aborted"),
    ("assign", "better: one node serves what Zero serves elsewhere"),
    ("admin restoreStatus unknown", "the older server's operation, which is offered too"),
    ("flow restore wrong key file", "better: a key file that is not there is said before the restore begins"),
];

/// What the older server had and the newer has not: ids and states of restores, and backups that are complete when they are answered.
pub(crate) const ONLY_OLDER: &[&str] =
    &["admin restoreStatus unknown", "flow full backup", "flow incremental", "flow restore 1", "flow restore status"];
