//! Encryption keys, from files and from Vault, and other files that hold secrets.
//!
//! What is read is overwritten when it is dropped, as far as it is ours: files, answers of Vault, decoded keys, tokens. Not ours, and so
//! not overwritten, are the buffers of the HTTP and TLS libraries that an answer or a login passes through, and the copies of the role id,
//! the secret id and the token in requests. That is one reason more to keep the process out of core dumps.

mod answer;
mod file;
mod flags;
mod options;
mod process;
mod session;
mod source;
mod vault;

#[cfg(test)]
mod tests;

pub(crate) use file::{check_token, is_readable_by_all, read_token};
pub(crate) use flags::{KeyFlags, VAULT_ACL_FIELD, key_source, surroundings};
pub(crate) use options::{KeySource, VaultSurroundings};
pub(crate) use process::keep_out_of_core_dumps;
pub(crate) use source::{HeldKey, RequestKeys, hold_key, read_key};
