//! The layers, in the order of the stack.

pub mod access_log;
pub mod authentication;
pub mod body_limit;
pub mod client_ip;
#[cfg(feature = "compression")]
pub mod compression;
pub mod cors;
pub mod error_tracking;
pub mod hygiene;
pub mod inspect;
pub mod metrics;
pub mod problem;
pub mod rate_limit;
pub mod request_id;
pub mod response_time;
pub mod security_headers;
pub mod sensitive;
pub mod tier_lookup;
pub mod trace_context;
