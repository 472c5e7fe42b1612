#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    icehost_fuzz_decoders::probes(bytes);
});
