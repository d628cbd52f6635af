#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| graphdb_fuzz::posting_list::check(bytes));
