//! The core's promises, one file a subject. One program, so that it is linked once; `memory` and `wiping` bring an allocator
//! of their own and stand alone.

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
