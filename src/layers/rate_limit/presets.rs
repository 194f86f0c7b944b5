//! The limits services have, each one line to take and one to change.
//!
//! ```
//! use palisade::rate_limit::{RateLimitLayer, presets};
//! # fn main() -> Result<(), palisade::ConfigError> {
//! let stack = palisade::Stack::production().limits(presets::api()).build()?;
//! let uploads = stack.limits(presets::upload().build()?);
//! let both = RateLimitLayer::builder().policy(presets::api()).policy(presets::global()).build()?;
//! # Ok(()) }
//! ```

use std::time::Duration;

use super::{Key, Policy, Quota};

/// 100 per minute and user.
pub fn api() -> Policy {
    Policy::new("api", Key::principal_or_address()).quota(Quota::per_minute(100))
}

/// By tier, per minute: `anonymous` 10, `quick-project` 100, `research-project` 500, `production-api` 2000.
pub fn projects() -> Policy {
    Policy::new("api", Key::principal_or_address())
        .tier("anonymous", Quota::per_minute(10))
        .tier("quick-project", Quota::per_minute(100))
        .tier("research-project", Quota::per_minute(500))
        .tier("production-api", Quota::per_minute(2000))
}

/// 20 per minute and user.
pub fn search() -> Policy {
    Policy::new("search", Key::principal_or_address()).quota(Quota::per_minute(20))
}

/// 10 per minute and user.
pub fn chat() -> Policy {
    Policy::new("chat", Key::principal_or_address()).quota(Quota::per_minute(10))
}

/// 5 per hour and organisation.
pub fn upload() -> Policy {
    Policy::new("upload", Key::organisation()).quota(Quota::per_hour(5))
}

/// 50 per day and organisation.
pub fn share() -> Policy {
    Policy::new("share", Key::organisation()).quota(Quota::per_day(50))
}

/// 10 per minute and address.
pub fn anonymous() -> Policy {
    Policy::new("anonymous", Key::address()).quota(Quota::per_minute(10))
}

/// 5 in any 15 minutes and address. For what only a login can know, see [`LoginLimit`](super::LoginLimit).
pub fn login() -> Policy {
    Policy::new("login", Key::address()).quota(Quota::per(Duration::from_secs(15 * 60), 5).sliding_window())
}

/// 5 per minute and address: registration, password resets, token refresh.
pub fn auth() -> Policy {
    Policy::new("auth", Key::address()).quota(Quota::per_minute(5))
}

/// 10 per hour and user: what a model or a renderer makes.
pub fn generation() -> Policy {
    Policy::new("generation", Key::principal_or_address()).quota(Quota::per_hour(10))
}

/// 1000 per hour and user, whatever they do.
pub fn global() -> Policy {
    Policy::new("global", Key::principal_or_address()).quota(Quota::per_hour(1000))
}

/// 10 per second and address: health pages for people. Probes have no limit.
pub fn health() -> Policy {
    Policy::new("health", Key::address()).quota(Quota::per_second(10))
}
