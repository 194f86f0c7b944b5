//! What is wrong with the settings is told once, completely, and before anything is served.

use palisade::{
    Stack,
    rate_limit::{Key, Policy, Quota, RateLimitLayer},
};

#[test]
fn every_mistake_is_told_at_once() {
    let error = Stack::profile("prod")
        .origins(["*", "https://fine.example", "https://app.example/path"])
        .trusted_proxies(["10.0.0.0/8", "10.0.0.0/64", "proxy.internal"])
        .limits(
            RateLimitLayer::builder()
                .policy(Policy::new("api", Key::address()).tier("free", Quota::per_minute(0)))
                .policy(Policy::new("empty", Key::address())),
        )
        .flood(Quota::per_second(5).burst(0))
        .body_limit(0)
        .build()
        .unwrap_err();
    let told = error.to_string();
    for mistake in [
        "`prod`",
        "`*`",
        "/path",
        "10.0.0.0/64",
        "proxy.internal",
        "policy `api`",
        "policy `empty`",
        "policy `flood`",
        "body limit",
    ] {
        assert!(told.contains(mistake), "{mistake} in {told}");
    }
    assert_eq!(error.mistakes().len(), 9, "{told}");
    assert!(!told.contains("fine.example"));
}

#[test]
fn a_profile_is_known_by_its_name() {
    for name in ["production", "staging", "development"] {
        let stack = Stack::profile(name).build().unwrap();
        assert!(stack.describe().contains(&format!("profile {name}")));
    }
}

#[test]
fn the_description_tells_order_mode_and_numbers() {
    let limit = Policy::new("api", Key::principal_or_address()).tier("anonymous", Quota::per_minute(100).burst(20));
    let text = Stack::production().origins(["https://app.example"]).limits(limit).build().unwrap().describe();
    let order = [
        "client_ip",
        "request_id",
        "metrics",
        "error_tracking",
        "security_headers",
        "cors",
        "hygiene",
        "flood",
        "authentication",
        "rate_limit",
        "problem",
        "body_limit",
        "inspect",
        "containment",
    ];
    let found: Vec<_> = order
        .iter()
        .map(|part| text.find(&format!(". {part} ")).unwrap_or_else(|| panic!("{part} in {text}")))
        .collect();
    assert!(found.is_sorted(), "{text}");
    for number in [
        "anonymous 100 per minute, burst 20",
        "https://app.example",
        "2097152 bytes",
        "deadline 30s",
        "100 per second, burst 500",
    ] {
        assert!(text.contains(number), "{number} in {text}");
    }
    assert!(text.contains("authentication    off"), "{text}");
}

#[test]
fn a_stack_fits_in_a_field() {
    #[derive(Clone)]
    struct Service {
        stack: Stack,
    }
    fn is_shared<T: Send + Sync + 'static>(_: &T) {}
    let service = Service { stack: Stack::production().build().unwrap() };
    is_shared(&service.clone().stack);
}
