//! The nouns of graphdb: ids, keys, posting lists, values, index tokens, schema, object names, secrets.
//!
//! Nothing here reads or writes anything but the bytes it is given. The encodings are those of Dgraph's backups
//! (`archive/FORMAT.md`), because the store keeps a posting list in the very bytes that a backup carries.

mod ids;
mod predicate;
mod wire;

mod key;
mod posting;
mod schema;

mod causes;
mod object_name;
mod secret;

pub mod token;
pub mod value;

pub use causes::with_causes;
pub use ids::{GroupId, Namespace, Ts, Uid};
pub use key::{BackupKey, Key, KeyKind, MAX_PREDICATE_BYTES, StoredKeyParts};
pub use object_name::{InvalidObjectName, ObjectName};
pub use posting::{
    Facet, FacetType, Posting, PostingList, VALUE_UID, ValType, languages, list_splits, max_object, with_absolute_ids,
    with_differences,
};
pub use predicate::Predicate;
pub use schema::{DropOp, PredicateSchema, Schema, Tokenizer, TypeDef, VectorIndex};
pub use secret::Secret;
pub use value::Value;
pub use wire::{
    Field, Malformed, WireReader, put_bytes_field, put_len_prefix, put_uvarint, put_varint_field, uvarint_len,
};

/// FarmHash `Fingerprint64`: the posting id of a list value or a language tag, and of a conflict key.
pub fn fingerprint64(bytes: &[u8]) -> u64 {
    farmhash::fingerprint64(bytes)
}
