//! The promises, each through a real router, most of them through the whole stack.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should say so and stop")]

mod allocations;
mod config;
mod corners;
mod cors;
mod examples;
mod health;
mod layers_alone;
mod limits;
mod metrics;
mod pains;
mod support;
mod wire;
