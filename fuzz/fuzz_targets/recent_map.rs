#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| custody_ledger::fuzz::recent_map(bytes));
