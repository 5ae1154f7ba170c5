//! Tests of the core's public behaviour, one file for each subject. They are one program, so that it is linked only
//! once. `memory` and `wiping` are programs of their own, because each has its own allocator.

mod authorization;
mod bearer;
mod callback;
mod cases;
mod configuration;
mod documented_request;
mod failures;
mod json_suite;
mod leniency;
mod lifetimes;
mod limits;
mod odd_responses;
mod promises;
mod properties;
mod regressions;
mod request_properties;
mod saved;
mod secrets;
mod serializable;
mod support;
mod transport;
mod truncation;
mod words;
