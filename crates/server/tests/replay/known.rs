//! Exchanges that are known to be answered otherwise, with the reason. One that comes to be answered the same must leave the list.

const UPSERT: &str = "upserts are not offered yet";
const RECURSE: &str = "@recurse is not offered yet";
const SHORTEST: &str = "shortest paths are not offered yet";
const GEO: &str = "geo functions are not offered yet";

pub(crate) const KNOWN: &[(&str, &str)] = &[
    ("mutate upsert block", UPSERT),
    ("mutate upsert cond false", UPSERT),
    ("mutate upsert new", UPSERT),
    ("mutate upsert val", UPSERT),
    ("mutate upsert json", UPSERT),
    ("recurse", RECURSE),
    ("recurse loop", RECURSE),
    ("shortest", SHORTEST),
    ("k shortest", SHORTEST),
    ("near", GEO),
    ("within", GEO),
    ("root", "our own words"),
    ("mutate no content type", "better: one JSON document"),
    ("schema", "@unique is not offered yet, and Dgraph's own predicates for namespaces have it"),
    ("abort unknown", "better: a transaction that was committed is not said to be aborted"),
    ("assign", "better: one node serves what Zero serves elsewhere"),
    ("admin restoreStatus unknown", "the older server's operation, which is offered too"),
    ("flow restore wrong key file", "better: a key file that is not there is said before the restore begins"),
];

/// What upserts would have written, in plain mutations: what follows them finds the same data.
pub(crate) const STAND_INS: &[(&str, &str)] = &[
    ("mutate upsert block", r#"{ set { <0x1> <age> "31" . } }"#),
    ("mutate upsert new", "{ set {\n_:new <email> \"zed@x.io\" .\n_:new <name> \"Zed\" .\n_:new <age> \"55\" .\n} }"),
    ("mutate upsert val", r#"{ set { <0x2> <height> "25" . } }"#),
];
