//! What a hostile reader found once, kept from coming back.

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, StatusCode, header, request::Parts},
    routing::get,
};
use palisade::{
    Facts, Guard as _, Kind, Mode, Part, Principal, Rejection, Stack,
    cors::CorsLayer,
    rate_limit::{Key, Policy, Quota},
    request_id::RequestIdLayer,
    security_headers::SecurityHeadersLayer,
};

use crate::support::{ORIGIN, application, from_peer, get_from, log, send, stack};

async fn tier(facts: Facts) -> String {
    facts.tier().unwrap_or("none").to_owned()
}

#[tokio::test]
async fn the_flood_limit_puts_nobody_in_a_tier() {
    let limits = Policy::new("api", Key::principal_or_address())
        .tier("anonymous", Quota::per_minute(10))
        .tier("pro", Quota::per_minute(100));
    let who = |head: &Parts| head.headers.get("x-user").map(|_| Principal::new("user:1").tier("pro"));
    let app = Stack::production().authenticate(who).limits(limits).build().unwrap();
    let app = app.wrap(Router::new().route("/", get(tier)));
    assert_eq!(send(&app, get_from("192.0.2.1", "/")).await.text(), "anonymous");
    let request = from_peer("192.0.2.1", "GET", "/").header("x-user", "1").body(Body::empty()).unwrap();
    assert_eq!(send(&app, request).await.text(), "pro");
}

#[tokio::test]
async fn a_limit_alone_counts_each_peer_for_itself() {
    let limit = Policy::new("api", Key::address()).quota(Quota::per_minute(1)).build().unwrap();
    let app: Router = Router::new().route("/", get(|| async {})).layer(limit);
    for peer in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        assert_eq!(send(&app, get_from(peer, "/")).await.status, 200, "{peer}");
        assert_eq!(send(&app, get_from(peer, "/")).await.status, 429, "{peer}");
    }
}

#[tokio::test]
async fn a_rejection_that_a_handler_returns_gets_the_request_id() {
    let refuses = || async { Err::<&str, _>(Rejection::new(Kind::Forbidden).detail("Only owners.")) };
    let answer =
        send(&stack().build().unwrap().wrap(Router::new().route("/", get(refuses))), get_from("192.0.2.1", "/")).await;
    assert_eq!(answer.status, 403);
    assert_eq!(answer.json()["requestId"], answer.header("x-request-id"));
    assert_eq!(answer.json()["instance"], "/");
    assert_eq!(answer.json()["detail"], "Only owners.");
}

#[tokio::test]
async fn a_401_carries_a_challenge() {
    let app = stack()
        .build()
        .unwrap()
        .wrap(Router::new().route("/", get(|caller: Principal| async move { caller.id().to_owned() })));
    let answer = send(&app, get_from("192.0.2.1", "/")).await;
    assert_eq!((answer.status, answer.header("www-authenticate")), (StatusCode::UNAUTHORIZED, "Bearer"));
}

#[tokio::test]
async fn guessing_credentials_is_limited_like_anything_else() {
    let guess = |head: &Parts| match head.headers.get("x-api-key") {
        Some(_) => Err(Rejection::new(Kind::Unauthenticated)),
        None => Ok(None),
    };
    let app = stack().authenticate(guess).build().unwrap().wrap(application());
    let mut statuses = Vec::new();
    for index in 0..12 {
        let request = from_peer("192.0.2.1", "GET", "/items/1").header("x-api-key", index);
        statuses.push(send(&app, request.body(Body::empty()).unwrap()).await.status.as_u16());
    }
    assert_eq!(statuses, [vec![401; 10], vec![429; 2]].concat());
}

#[tokio::test]
async fn every_header_of_a_preset_can_be_left_out() {
    let headers =
        SecurityHeadersLayer::api().without(&header::STRICT_TRANSPORT_SECURITY).without(&header::X_FRAME_OPTIONS);
    let app = stack().trusted_proxies(["10.0.0.1"]).security_headers(headers).build().unwrap().wrap(application());
    let request =
        from_peer("10.0.0.1", "GET", "/items/1").header("x-forwarded-proto", "https").body(Body::empty()).unwrap();
    let answer = send(&app, request).await;
    assert_eq!((answer.header("strict-transport-security"), answer.header("x-frame-options")), ("", ""));
}

#[tokio::test]
async fn a_header_the_handler_has_set_stays_with_all_its_values() {
    let policies = || async {
        let policy = header::CONTENT_SECURITY_POLICY;
        (axum::response::AppendHeaders([(policy.clone(), "default-src 'self'"), (policy, "img-src *")]), "page")
    };
    let app = stack().build().unwrap().wrap(Router::new().route("/", get(policies)));
    let answer = send(&app, get_from("192.0.2.1", "/")).await;
    let sent: Vec<_> = answer.headers.get_all("content-security-policy").iter().collect();
    assert_eq!(sent, ["default-src 'self'", "img-src *"]);
    assert_eq!(answer.headers.get_all("x-frame-options").iter().count(), 1);
}

#[tokio::test]
async fn a_long_error_is_cut_in_the_log_and_left_whole_to_the_client() {
    let log = log();
    let app = Router::new()
        .route("/500", get(|| async { (StatusCode::INTERNAL_SERVER_ERROR, "long cause ".repeat(200)) }))
        .route("/400", get(|| async { (StatusCode::BAD_REQUEST, "y".repeat(1500)) }));
    let app = stack().build().unwrap().wrap(app);
    let answer = send(&app, get_from("192.0.2.1", "/500")).await;
    assert!(!answer.text().contains("long cause"));
    let lines = log.lines_with(answer.header("x-request-id"));
    assert!(lines.iter().any(|line| line.contains("long cause long cause") && line.contains("...")), "{lines:?}");
    assert_eq!(send(&app, get_from("192.0.2.1", "/400")).await.text(), "y".repeat(1500));
}

#[tokio::test]
async fn a_body_that_fails_is_told_of() {
    let log = log();
    let broken = || async {
        Body::from_stream(futures_util::stream::iter([Ok("a"), Err(std::io::Error::other("the disk went away"))]))
    };
    let stack = stack().access(palisade::Access::loopback()).build().unwrap();
    let app = stack.inner_routes().merge(stack.wrap(Router::new().route("/", get(broken))));
    let response = tower::ServiceExt::oneshot(app.clone(), get_from("192.0.2.1", "/")).await.unwrap();
    axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap_err();
    assert_eq!(log.lines_with("the disk went away").len(), 1);
    assert_eq!(send(&app, get_from("127.0.0.1", "/errors/stats")).await.json()["error_counts"]["server"], 1);
}

#[tokio::test]
async fn two_stacks_around_each_other_give_one_id_and_vary_once() {
    let seen =
        |request: axum::extract::Request| async move { request.headers()["x-request-id"].to_str().unwrap().to_owned() };
    let stack = stack().build().unwrap();
    let app = stack.wrap(stack.wrap(Router::new().route("/", get(seen))));
    let request = from_peer("192.0.2.1", "GET", "/").header("x-request-id", "forged").body(Body::empty()).unwrap();
    let answer = send(&app, request).await;
    assert_eq!(answer.text(), answer.header("x-request-id"));
    assert_eq!(answer.headers.get_all("vary").iter().count(), 1);
}

#[tokio::test]
async fn of_two_ids_from_a_proxy_neither_is_taken() {
    let app = stack().trusted_proxies(["10.0.0.1"]).build().unwrap().wrap(application());
    let request = from_peer("10.0.0.1", "GET", "/items/1").header("x-request-id", "a").header("x-request-id", "b");
    assert_eq!(send(&app, request.body(Body::empty()).unwrap()).await.header("x-request-id").len(), 36);
}

#[tokio::test]
async fn the_route_is_known_although_a_layer_outside_the_router_came_first() {
    let inner = Router::new().route("/items/{id}", get(|facts: Facts| async move { facts.route().to_owned() }));
    let app: Router = Router::new().fallback_service(tower::Layer::layer(&RequestIdLayer::new(), inner));
    assert_eq!(send(&app, get_from("192.0.2.1", "/items/1")).await.text(), "/items/{id}");
}

#[tokio::test]
async fn a_chain_that_can_be_absent_keeps_what_is_known() {
    #[derive(Clone)]
    struct Breaks;
    impl palisade::Guard for Breaks {
        type Ticket = ();
        fn on_request(&self, _: &mut Parts) -> std::ops::ControlFlow<palisade::Response, ()> {
            std::ops::ControlFlow::Continue(())
        }
        fn on_response(&self, (): &mut (), _: &mut palisade::Response) {
            panic!("in the guard")
        }
    }
    let chain = Some(RequestIdLayer::new().then(Breaks));
    let app: Router = Router::new().route("/", get(|| async {})).layer(chain.into_layer());
    let answer = send(&app, get_from("192.0.2.1", "/")).await;
    assert_eq!(answer.status, 500);
    assert_eq!(answer.json()["requestId"], answer.header("x-request-id"));
}

#[test]
fn origins_of_plain_http_get_no_credentials_unless_they_are_this_machine() {
    let with = |origin: &str| Stack::production().origins([origin]).credentials(true).build();
    assert!(with("http://evil.example").unwrap_err().to_string().contains("plain HTTP"));
    assert!(with("https://app.example").is_ok());
    assert!(with("http://localhost:3000").is_ok());
    assert!(Stack::development().credentials(true).build().is_ok());
    let cors = CorsLayer::origins(["http://evil.example"]).unwrap().credentials(true);
    assert!(Stack::production().cors(cors).build().is_err());
}

#[test]
fn a_trusted_proxy_cannot_be_everybody_and_a_token_cannot_be_empty() {
    for everybody in ["0.0.0.0/0", "::/0", "::ffff:0:0/96"] {
        assert!(Stack::production().trusted_proxies([everybody]).build().is_err(), "{everybody}");
    }
    assert!(Stack::production().access(palisade::Access::token("")).build().is_err());
}

#[tokio::test]
async fn a_guard_of_ones_own_objects_like_any_other() {
    #[derive(Clone)]
    struct Closed;
    impl palisade::Guard for Closed {
        type Ticket = ();
        fn on_request(&self, head: &mut Parts) -> std::ops::ControlFlow<palisade::Response, ()> {
            Mode::Enforce.object(head, "hours", "opening", Rejection::new(Kind::Unavailable))
        }
    }
    let stack = stack().access(palisade::Access::loopback()).build().unwrap();
    let app = stack.inner_routes().merge(stack.wrap(application().layer(Closed.into_layer())));
    let answer = send(&app, get_from("192.0.2.1", "/items/1")).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["requestId"], answer.header("x-request-id"));
    let metrics = send(&app, get_from("127.0.0.1", "/metrics")).await;
    assert!(metrics.text().contains(r#"guard="hours",policy="opening",outcome="refused",reason="unavailable""#));
}

#[tokio::test]
async fn a_body_cut_while_reading_and_a_missed_deadline_are_decisions() {
    tokio::time::pause();
    let stack = stack().access(palisade::Access::loopback()).build().unwrap();
    let app = stack.inner_routes().merge(stack.wrap(application()));
    let pieces = futures_util::stream::iter((0..48).map(|_| Ok::<_, std::io::Error>(vec![b'a'; 1 << 16])));
    send(&app, from_peer("192.0.2.1", "POST", "/raw").body(Body::from_stream(pieces)).unwrap()).await;
    send(&app, get_from("192.0.2.1", "/slow")).await;
    let metrics = send(&app, get_from("127.0.0.1", "/metrics")).await;
    for reason in ["payload-too-large", "handler-timeout"] {
        assert!(metrics.text().contains(&format!(r#"reason="{reason}""#)), "{reason} in {}", metrics.text());
    }
}

#[tokio::test]
async fn a_variant_may_allow_what_the_stack_refuses() {
    let stack = stack().build().unwrap();
    let files = Router::new().route("/files/{name}", get(|| async { "file" }));
    let lenient = stack.hygiene(palisade::hygiene::HygieneLayer::new().encoded_slash(true));
    let open = stack.cors(CorsLayer::origins(["https://other.example"]).unwrap());
    assert_eq!(send(&stack.wrap(files.clone()), get_from("192.0.2.1", "/files/a%2Fb")).await.status, 400);
    assert_eq!(send(&lenient.wrap(files.clone()), get_from("192.0.2.1", "/files/a%2Fb")).await.status, 200);
    let request = from_peer("192.0.2.1", "GET", "/files/a").header("origin", ORIGIN).body(Body::empty()).unwrap();
    assert_eq!(send(&open.wrap(files), request).await.headers.get("access-control-allow-origin"), None::<&HeaderValue>);
}

#[test]
fn the_description_tells_each_mode() {
    let limit = Policy::new("api", Key::address()).quota(Quota::per_minute(1)).mode(Mode::Report);
    let text = Stack::production().limits(limit).build().unwrap().without(Part::BodyLimit).describe();
    assert!(text.contains("rate_limit        report"), "{text}");
    assert!(text.contains("body_limit        off"), "{text}");
    assert!(text.contains("client_ip         on"), "{text}");
}

#[tokio::test]
async fn a_running_stack_takes_other_limits() {
    let stack = stack().build().unwrap();
    let app = stack.wrap(application());
    let limits = stack.rate_limit().unwrap();
    let stricter = Policy::new("api", Key::address()).quota(Quota::per_minute(1));
    limits.replace(palisade::rate_limit::RateLimitLayer::builder().policy(stricter)).unwrap();
    assert_eq!(send(&app, get_from("192.0.2.1", "/items/1")).await.status, 200);
    assert_eq!(send(&app, get_from("192.0.2.1", "/items/1")).await.status, 429);
}

#[tokio::test]
async fn a_scrape_tells_of_the_limits_of_every_variant() {
    let stack = stack().access(palisade::Access::loopback()).build().unwrap();
    let uploads = stack.limits(Policy::new("upload", Key::address()).quota(Quota::per_hour(5)).build().unwrap());
    let again = stack.limits(Policy::new("upload", Key::address()).quota(Quota::per_hour(5)).build().unwrap());
    let routes = |path: &str| Router::new().route(path, get(|| async {}));
    let app = stack.inner_routes().merge(uploads.wrap(routes("/a"))).merge(again.wrap(routes("/b")));
    for path in ["/a", "/b"] {
        send(&app, get_from("192.0.2.1", path)).await;
    }
    let metrics = send(&app, get_from("127.0.0.1", "/metrics")).await;
    for line in [
        r#"palisade_rate_limit_allowed_total{policy="upload"} 2"#,
        r#"palisade_rate_limit_allowed_total{policy="api"} 0"#,
    ] {
        assert!(metrics.text().lines().any(|have| have == line), "{line} in {}", metrics.text());
    }
}

#[tokio::test]
async fn what_is_only_reported_is_not_told_to_the_client() {
    let limit = Policy::new("api", Key::address()).quota(Quota::per_minute(1)).mode(Mode::Report);
    let app = Stack::production().limits(limit).build().unwrap().wrap(application());
    for _ in 0..3 {
        let answer = send(&app, get_from("192.0.2.1", "/items/1")).await;
        assert_eq!((answer.status, answer.header("x-ratelimit-limit")), (StatusCode::OK, ""));
    }
}

#[tokio::test]
async fn a_quota_beside_tiers_is_for_those_of_none() {
    let by_header = |head: &Parts, _: Option<&Principal>| Some(head.headers.get("x-tier")?.to_str().ok()?.into());
    let policy = Policy::new("api", Key::address()).tier("trial", Quota::per_minute(10)).quota(Quota::per_minute(100));
    let app: Router = Router::new().route("/", get(|| async {})).layer(policy.tier_of(by_header).build().unwrap());
    for (tier, limit) in [("trial", "10"), ("gold", "100")] {
        let request = from_peer("192.0.2.1", "GET", "/").header("x-tier", tier).body(Body::empty()).unwrap();
        assert_eq!(send(&app, request).await.header("x-ratelimit-limit"), limit, "{tier}");
    }
}

#[test]
fn a_preset_takes_another_number_and_a_policy_must_have_a_name() {
    use palisade::rate_limit::presets;
    assert!(presets::search().quota(Quota::per_minute(30)).build().is_ok());
    assert!(Policy::new(" ", Key::address()).quota(Quota::per_minute(30)).build().is_err());
    assert!(Stack::production().access(palisade::Access::token(" ")).build().is_err());
}

/// 100 000 keys of 100 a minute are some 90 MB; sixteen times that would not fit here.
#[test]
fn a_sliding_window_by_address_takes_the_memory_of_its_addresses() {
    let day = Policy::new("day", Key::address()).quota(Quota::per_day(10_000).sliding_window()).keys(1000);
    assert!(day.build().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_ban_outlives_the_limits_it_was_imposed_under() {
    use palisade::rate_limit::{PenaltyLadder, RateLimitLayer};
    let rules = |count| {
        let policy = Policy::new("api", Key::address()).quota(Quota::per_hour(count));
        RateLimitLayer::builder().policy(policy).penalty(PenaltyLadder::new().tolerates(Quota::per_minute(2)))
    };
    let limits = rules(1).build().unwrap();
    let app: Router = Router::new().route("/", get(|| async {})).layer(limits.clone());
    let mut last = StatusCode::OK;
    for _ in 0..5 {
        last = send(&app, get_from("192.0.2.1", "/")).await.status;
    }
    assert_eq!(last, 403);
    limits.replace(rules(100)).unwrap();
    assert_eq!(send(&app, get_from("192.0.2.1", "/")).await.status, 403);
}

#[tokio::test]
async fn a_limit_that_two_variants_share_is_scraped_once() {
    let stack = stack().access(palisade::Access::loopback()).build().unwrap();
    let upload = Policy::new("upload", Key::address()).quota(Quota::per_hour(5)).build().unwrap();
    let (one, two) = (stack.limits(upload.clone()), stack.limits(upload));
    let routes = |path: &str| Router::new().route(path, get(|| async {}));
    let app = stack.inner_routes().merge(one.wrap(routes("/a"))).merge(two.wrap(routes("/b")));
    send(&app, get_from("192.0.2.1", "/a")).await;
    let metrics = send(&app, get_from("127.0.0.1", "/metrics")).await;
    assert!(metrics.text().contains("palisade_rate_limit_allowed_total{policy=\"upload\"} 1\n"), "{}", metrics.text());
}

#[tokio::test(start_paused = true)]
async fn a_locked_account_can_be_unlocked() {
    use palisade::rate_limit::LoginLimit;
    let limit = LoginLimit::builder().build().unwrap();
    let app = |limit: LoginLimit| -> Router {
        let login = move |facts: Facts| async move {
            limit.attempt("Ada", &facts).map_or_else(|refused| refused, |attempt| attempt.failed())
        };
        stack()
            .limits(Policy::new("api", Key::address()).quota(Quota::per_minute(100)))
            .build()
            .unwrap()
            .wrap(Router::new().route("/", get(login)))
    };
    let app = app(limit.clone());
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(send(&app, get_from("192.0.2.1", "/")).await.status.as_u16());
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429]);
    assert!(limit.reset(" ada "));
    assert_eq!(send(&app, get_from("192.0.2.1", "/")).await.status, 401);
}

#[tokio::test]
async fn a_network_of_ipv6_has_not_a_budget_of_guesses_for_each_of_its_addresses() {
    use palisade::rate_limit::LoginLimit;
    let limit = LoginLimit::builder().address(Quota::per_hour(1)).build().unwrap();
    let login = move |facts: Facts| async move {
        let account = facts.address().map(|addr| addr.to_string()).unwrap_or_default();
        limit.attempt(&account, &facts).map_or_else(|refused| refused, |attempt| attempt.failed())
    };
    let app: Router = Router::new().route("/", get(login));
    let mut tried = 0;
    for network in 0..64 {
        tried += usize::from(send(&app, get_from(&format!("[2001:db8:0:{network:x}::1]"), "/")).await.status == 401);
    }
    assert_eq!(tried, 16);
}

#[tokio::test]
async fn a_head_that_is_too_much_or_told_in_two_ways_goes_no_further() {
    let app = stack().flood(None).build().unwrap().wrap(Router::new().fallback(|| async { "in" }));
    let long = format!("/{}", "a".repeat(8192));
    let value = "v".repeat(33 * 1024);
    for (method, target, headers, status, slug) in [
        ("GET", &*long, &[][..], 414, "uri-too-long"),
        ("GET", "/", &[("x-long", &*value)], 431, "headers-too-large"),
        ("GET", "/", &[("x!odd", "v")], 400, "malformed-request"),
        ("POST", "/", &[("content-length", "0"), ("content-length", "0")], 400, "malformed-request"),
        ("TRACE", "/", &[], 405, "method-not-allowed"),
        ("PROPFIND", "/", &[], 405, "method-not-allowed"),
        ("GET", "/", &[("x_under.score-1", "v")], 200, ""),
    ] {
        let mut request = from_peer("192.0.2.1", method, target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = send(&app, request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {slug}");
        let allow = if status == 405 { "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS" } else { "" };
        assert_eq!(answer.header("allow"), allow);
        if status != 200 {
            assert!(answer.json()["type"].as_str().unwrap().ends_with(slug), "{}", answer.text());
            assert_eq!(answer.json()["requestId"], answer.header("x-request-id"));
        }
    }
    let mut many = from_peer("192.0.2.1", "GET", "/");
    for index in 0..100 {
        many = many.header(format!("x-{index}"), "v");
    }
    assert_eq!(send(&app, many.body(Body::empty()).unwrap()).await.status, 431);

    let dav = palisade::hygiene::HygieneLayer::new().methods(["GET", "PROPFIND"].map(|name| name.parse().unwrap()));
    let app = stack().hygiene(dav).build().unwrap().wrap(Router::new().fallback(|| async { "in" }));
    for (method, status, allow) in [("PROPFIND", 200, ""), ("POST", 405, "GET, PROPFIND")] {
        let answer = send(&app, from_peer("192.0.2.1", method, "/").body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (status, allow));
    }
}
