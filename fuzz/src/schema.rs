//! Schema of predicates, and types.

use graphdb_types::{PredicateSchema, TypeDef};

/// A schema and a type are written as they were read.
pub fn check(bytes: &[u8]) {
    if let Ok(schema) = PredicateSchema::from_wire(bytes) {
        let mut wire = Vec::new();
        schema.put_wire("name", &mut wire);
        assert_eq!(PredicateSchema::from_wire(&wire), Ok(schema), "a schema written and read again");
    }
    if let Ok(definition) = TypeDef::from_wire(bytes) {
        let mut wire = Vec::new();
        definition.put_wire("Name", &mut wire);
        assert_eq!(TypeDef::from_wire(&wire), Ok(definition), "a type written and read again");
    }
}
