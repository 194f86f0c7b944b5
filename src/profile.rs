//! The numbers a stack starts from: production's, and the others as differences from them.

use std::{fmt, str::FromStr, time::Duration};

use crate::{Access, ConfigError, rate_limit::Quota};

/// Where the service runs. Production is the default; each difference of the others has its reason in the source.
#[derive(Debug, Clone)]
pub struct Profile {
    pub(crate) name: &'static str,
    pub(crate) body_limit: usize,
    pub(crate) body_patience: Duration,
    pub(crate) deadline: Duration,
    pub(crate) flood: Option<Quota>,
    pub(crate) origins: &'static [&'static str],
    pub(crate) access: Access,
    pub(crate) response_time: bool,
}

impl Profile {
    /// On the internet.
    #[must_use]
    pub fn production() -> Self {
        Self {
            name: "production",
            // What axum's extractors allow: no handler that worked before stops working.
            body_limit: 2 * 1024 * 1024,
            // A mobile client that changes cells needs some seconds; one that needs more has gone, or holds on for its own reasons.
            body_patience: Duration::from_secs(10),
            // The usual patience of load balancers is 60 s: the service must give up before they do.
            deadline: Duration::from_secs(30),
            // More than a page full of requests, or an office behind one address; far less than a flood.
            flood: Some(Quota::per_second(100).burst(500)),
            // Which sites may call is nobody's guess.
            origins: &[],
            // Metrics tell an attacker what works.
            access: Access::nobody(),
            // How long an answer took can tell what exists.
            response_time: false,
        }
    }

    /// Where a release is rehearsed. It is production under another name: what differs would not be rehearsed.
    #[must_use]
    pub fn staging() -> Self {
        Self { name: "staging", ..Self::production() }
    }

    /// On the developer's own machine.
    #[must_use]
    pub fn development() -> Self {
        Self {
            name: "development",
            // A load test comes from one address.
            flood: None,
            // Where front-end servers listen by default.
            origins: &["http://localhost:3000", "http://localhost:5173", "http://localhost:8080"],
            // No token has been made yet, and the only peer is the developer.
            access: Access::loopback(),
            // It is the developer who wants to know.
            response_time: true,
            ..Self::production()
        }
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self::production()
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl FromStr for Profile {
    type Err = ConfigError;

    /// `production`, `staging` or `development`.
    fn from_str(name: &str) -> Result<Self, ConfigError> {
        match name {
            "production" => Ok(Self::production()),
            "staging" => Ok(Self::staging()),
            "development" => Ok(Self::development()),
            _ => Err(ConfigError::new(
                "profile",
                format_args!("`{name}` is none; there are `production`, `staging` and `development`"),
            )),
        }
    }
}

impl TryFrom<&str> for Profile {
    type Error = ConfigError;

    fn try_from(name: &str) -> Result<Self, ConfigError> {
        name.parse()
    }
}
