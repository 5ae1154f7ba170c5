//! Its oracle is [`restream_oauth_fuzz::broker_request`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| restream_oauth_fuzz::broker_request(data));
