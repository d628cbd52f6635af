#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| graphdb_fuzz::key::check(bytes));
