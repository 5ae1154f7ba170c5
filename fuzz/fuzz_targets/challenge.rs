//! Its oracle is [`restream_oauth_fuzz::challenge`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| restream_oauth_fuzz::challenge(data));
