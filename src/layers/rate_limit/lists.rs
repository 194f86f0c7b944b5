//! Who is never limited, and who is never served.

use std::collections::HashSet;

use ipnet::IpNet;

use super::caller::Caller;
use crate::{ConfigError, client_ip::parse_cidr};

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

    pub(super) fn is_empty(&self) -> bool {
        [&self.allowed, &self.denied].iter().all(|list| list.nets.is_empty() && list.principals.is_empty())
    }

    pub(super) fn allow(&self, caller: Caller<'_>) -> bool {
        self.allowed.has(caller)
    }

    pub(super) fn deny(&self, caller: Caller<'_>) -> bool {
        self.denied.has(caller)
    }
}

impl List {
    fn has(&self, caller: Caller<'_>) -> bool {
        let by_address = || {
            let addr = caller.address();
            addr.is_some_and(|addr| self.nets.iter().any(|net| net.contains(&addr)))
        };
        let by_name = || caller.principal().is_some_and(|principal| self.principals.contains(principal.id()));
        (!self.nets.is_empty() && by_address()) || (!self.principals.is_empty() && by_name())
    }
}
