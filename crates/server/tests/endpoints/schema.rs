//! `schema/admin.graphql` is what the code prints.

use std::fs;

#[test]
fn the_schema_file_is_what_the_code_prints() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schema/admin.graphql");
    let printed = graphdb_server::sdl();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, &printed).unwrap();
    }
    let stored = fs::read_to_string(path).unwrap_or_default();
    assert!(
        stored == printed,
        "schema/admin.graphql is not what the code prints; run this test with UPDATE=1 and read the difference"
    );
}
