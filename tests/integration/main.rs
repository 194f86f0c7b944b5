//! The promises, each through a real router, most of them through the whole stack.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should say so and stop")]

mod access_log;
mod allocations;
mod app_errors;
mod audit;
#[cfg(feature = "sentry")]
mod bugsink;
mod client_ip_attacks;
#[cfg(feature = "compression")]
mod compression;
mod config;
mod corners;
mod cors;
mod error_tracking;
mod examples;
mod header_forms;
mod health;
#[cfg(feature = "http2")]
mod http2;
mod inspect;
mod inspect_readers;
mod inspection;
mod layers_alone;
mod limit_costs;
mod limit_headers;
mod limit_insight;
mod limit_keys;
mod limit_logins;
mod limit_penalties;
mod limit_policies;
mod limit_properties;
mod limit_replaced;
mod limit_settings;
mod limit_windows;
mod limits;
#[cfg(feature = "logs")]
mod logs;
mod metrics;
mod metrics_load;
mod metrics_told;
mod pains;
mod prometheus;
#[cfg(all(feature = "logs", feature = "sentry"))]
mod secrets;
#[cfg(feature = "sentry")]
mod sentry;
mod serve;
mod slow_bodies;
mod spans;
#[cfg(feature = "compression")]
mod streams;
mod support;
mod tier_lookup;
mod trace_context;
#[cfg(all(feature = "html", feature = "validate"))]
mod validate;
mod wire;
