//! Backups at a real object store, Ceph's, with keys from a real server for secrets: taken, listed and restored by every kind of
//! credentials, through kills, full buckets and wrong settings; and what `graphdb check` says of such places.
//!
//! Every request and command of these stories goes through a [`lab::Lab`], which looks for secrets in what comes back.

mod bucket;
mod lab;
mod listening;
mod secrets;
mod series;
mod who;

mod checked;
mod credentials;
mod killed;
mod large;
mod refused;
mod roundtrip;
mod traced;
mod write_only;
