//! Its oracle is [`restream_oauth_fuzz::saved_tokens`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| restream_oauth_fuzz::saved_tokens(data));
