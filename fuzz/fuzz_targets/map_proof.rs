#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| custody_proof::fuzz::map_proof(bytes));
