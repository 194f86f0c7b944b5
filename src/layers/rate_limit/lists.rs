//! Who is never limited, and who is never served.

use std::collections::HashSet;

use ipnet::IpNet;

use crate::{ConfigError, Facts, client_ip::parse_cidr};

#[derive(Debug, Default)]
pub(super) struct Lists {
    allowed: List,
    denied: List,
}

#[derive(Debug, Default)]
struct List {
    nets: Vec<IpNet>,
    principals: HashSet<String>,
}

impl Lists {
    pub(super) fn new(
        allowed: Vec<String>,
        denied: Vec<String>,
        allowed_principals: Vec<String>,
        denied_principals: Vec<String>,
    ) -> Result<Self, ConfigError> {
        let mut error = ConfigError::default();
        let mut list = |place: &str, nets: Vec<String>, principals: Vec<String>| List {
            nets: nets.iter().filter_map(|net| error.keep(parse_cidr(place, net))).collect(),
            principals: principals.into_iter().collect(),
        };
        let lists = Self {
            allowed: list("allow list", allowed, allowed_principals),
            denied: list("deny list", denied, denied_principals),
        };
        error.or(lists)
    }

    pub(super) fn allow(&self, facts: &Facts) -> bool {
        self.allowed.has(facts)
    }

    pub(super) fn deny(&self, facts: &Facts) -> bool {
        self.denied.has(facts)
    }
}

impl List {
    fn has(&self, facts: &Facts) -> bool {
        let by_address = || {
            let addr = facts.address();
            addr.is_some_and(|addr| self.nets.iter().any(|net| net.contains(&addr)))
        };
        let by_name = || facts.principal().is_some_and(|caller| self.principals.contains(caller.id()));
        (!self.nets.is_empty() && by_address()) || (!self.principals.is_empty() && by_name())
    }
}
