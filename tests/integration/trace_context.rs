//! Which trace a request belongs to, and who is told.

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode},
    routing::get,
};
use futures_util::FutureExt as _;
use palisade::{
    Facts, Stack, Trust,
    request_id::{RequestId, RequestIdLayer},
    trace_context::{PropagateLayer, TraceContext, TraceContextLayer},
};
use serde_json::{Value, json};
use tower::{Layer as _, Service as _, ServiceExt as _, service_fn};

use crate::support::{from_peer, get_from, log, send};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const PROXY: &str = "10.0.0.1";

/// What the handler knows, what it was sent, and what a call to another service would carry.
async fn seen(facts: Facts, trace: TraceContext, headers: HeaderMap) -> axum::Json<Value> {
    let mut onward = HeaderMap::new();
    facts.propagate(&mut onward);
    let of =
        |headers: &HeaderMap, name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap().to_owned());
    axum::Json(json!({
        "trace_id": trace.trace_id().to_string(),
        "span_id": trace.span_id().to_string(),
        "parent_id": trace.parent_id().map(|id| id.to_string()),
        "sampled": trace.is_sampled(),
        "sent": [of(&headers, "traceparent"), of(&headers, "tracestate")],
        "onward": [of(&onward, "traceparent"), of(&onward, "tracestate")],
        "request_id": of(&onward, "x-request-id").or(of(&onward, "x-correlation-id")),
    }))
}

fn app() -> Router {
    let routes = Router::new()
        .route("/", get(seen))
        .route("/broken", get(|| async { (StatusCode::INTERNAL_SERVER_ERROR, "the cause of this trace") }))
        .route("/logs", get(|| async { tracing::info!("a line of the handler's own") }));
    Stack::production().trusted_proxies(["10.0.0.0/8"]).build().unwrap().wrap(routes)
}

async fn ask(peer: &str, headers: &[(&str, &str)]) -> Value {
    let mut request = from_peer(peer, "GET", "/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(&app(), request.body(Body::empty()).unwrap()).await.json()
}

fn assert_is_new(seen: &Value) {
    assert_eq!((&seen["parent_id"], &seen["sampled"]), (&Value::Null, &true.into()), "{seen}");
    assert_ne!(seen["trace_id"], TRACE);
    assert_eq!(seen["onward"][1], Value::Null, "a new trace has no state: {seen}");
    let flags = seen["onward"][0].as_str().unwrap();
    assert!(flags.ends_with("-03"), "random and sampled: {flags}");
}

#[tokio::test]
async fn a_trusted_proxy_s_trace_goes_on_with_a_span_of_its_own() {
    let seen = ask(PROXY, &[("traceparent", PARENT), ("tracestate", "foo=1, bar=2"), ("tracestate", "baz=3")]).await;
    assert_eq!((&seen["trace_id"], &seen["parent_id"]), (&TRACE.into(), &"b7ad6b7169203331".into()));
    assert_ne!(seen["span_id"], "b7ad6b7169203331");
    let onward = seen["onward"][0].as_str().unwrap();
    assert!(onward.starts_with(&format!("00-{TRACE}-")) && onward.ends_with("-01"), "{onward}");
    assert!(!onward.contains("b7ad6b7169203331"), "every call has a span of its own: {onward}");
    assert_eq!(seen["onward"][1], "foo=1,bar=2,baz=3");
    assert_eq!(seen["sent"][0], PARENT, "a tracer in the handler reads the same");
}

#[tokio::test]
async fn a_stranger_s_trace_ends_at_the_edge() {
    let seen = ask("192.0.2.1", &[("traceparent", PARENT), ("tracestate", "foo=1")]).await;
    assert_is_new(&seen);
    let own = format!("00-{}-{}-03", seen["trace_id"].as_str().unwrap(), seen["span_id"].as_str().unwrap());
    assert_eq!(seen["sent"], json!([own, null]), "nor does the handler see it");
    assert_is_new(&ask("192.0.2.1", &[]).await);
    assert_eq!(ask("192.0.2.1", &[]).await["sent"], json!([null, null]));
}

/// What a conforming service is asked in public: each is sent by a trusted proxy.
#[tokio::test]
async fn a_malformed_parent_begins_a_new_trace() {
    let span = "b7ad6b7169203331";
    let cases = [
        vec![("traceparent", PARENT.replace("80319c", "80319d")), ("traceparent", PARENT.to_owned())],
        vec![("traceparent", PARENT.to_owned()), ("traceparent", PARENT.to_owned())],
        vec![("trace-parent", PARENT.to_owned())],
        vec![("trace.parent", PARENT.to_owned())],
        vec![("traceparent", format!("{PARENT}."))],
        vec![("traceparent", format!("{PARENT}-what-comes-later"))],
        vec![("traceparent", format!("cc-{TRACE}-{span}-01.what-comes-later"))],
        vec![("traceparent", format!("ff-{TRACE}-{span}-01"))],
        vec![("traceparent", format!("00-{}-{span}-01", "0".repeat(32)))],
        vec![("traceparent", format!("00-{TRACE}-{}-01", "0".repeat(16)))],
        vec![("traceparent", PARENT.to_uppercase())],
        vec![("traceparent", String::new())],
    ];
    for case in cases {
        let headers: Vec<_> = case.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let headers = [&headers[..], &[("tracestate", "foo=1")]].concat();
        assert_is_new(&ask(PROXY, &headers).await);
    }
}

#[tokio::test]
async fn a_later_version_and_any_casing_and_white_space_are_read() {
    let later = format!("cc-{TRACE}-b7ad6b7169203331-01-what-comes-later");
    for (name, value) in [("traceparent", &*later), ("TraceParent", PARENT), ("TRACEPARENT", PARENT)] {
        let seen = ask(PROXY, &[(name, value), ("TraceState", "foo=1")]).await;
        assert_eq!((&seen["trace_id"], &seen["onward"][1]), (&TRACE.into(), &"foo=1".into()), "{name}: {value}");
        assert!(seen["onward"][0].as_str().unwrap().starts_with("00-"), "what goes on is of our version");
    }
    let padded = format!("\t {PARENT} \t");
    assert_eq!(ask(PROXY, &[("traceparent", &padded)]).await["trace_id"], TRACE);
}

#[tokio::test]
async fn a_malformed_state_is_dropped_and_the_trace_goes_on() {
    for states in [&["foo=bar=baz"][..], &["foo=1", "FOO=1"], &["@bar=1,bar=2"], &[""]] {
        let mut headers = vec![("traceparent", PARENT)];
        headers.extend(states.iter().map(|state| ("tracestate", *state)));
        let seen = ask(PROXY, &headers).await;
        assert_eq!((&seen["trace_id"], &seen["onward"][1]), (&TRACE.into(), &Value::Null), "{states:?}");
        assert_eq!(seen["sent"], json!([PARENT, null]), "nor does the handler see it");
    }
}

#[tokio::test]
async fn whose_word_is_taken_is_a_setting() {
    let routes = || Router::new().route("/", get(seen));
    let request = |peer| from_peer(peer, "GET", "/").header("traceparent", PARENT).header("x-correlation-id", "theirs");
    for (trust, peer, is_taken) in [
        (Trust::Nobody, PROXY, false),
        (Trust::Proxies, PROXY, true),
        (Trust::Proxies, "192.0.2.1", false),
        (Trust::UnsafeEverybody, "192.0.2.1", true),
    ] {
        let id = RequestIdLayer::new().trust(trust).header(HeaderName::from_static("x-correlation-id"));
        let stack = Stack::production()
            .trusted_proxies([PROXY])
            .trace_context(TraceContextLayer::new().trust(trust).sampled(false))
            .request_id(id);
        let answer = send(&stack.build().unwrap().wrap(routes()), request(peer).body(Body::empty()).unwrap()).await;
        let seen = answer.json();
        assert_eq!(seen["trace_id"] == TRACE, is_taken, "{trust:?} {peer}");
        assert_eq!(seen["sampled"], is_taken, "a new trace is not sampled here");
        assert_eq!(answer.header("x-correlation-id") == "theirs", is_taken, "{trust:?} {peer}");
        assert_eq!(seen["request_id"] == "theirs", is_taken);
        assert_eq!(answer.header("x-request-id"), "");
    }
    let quiet = Stack::production().request_id(RequestIdLayer::new().echo(false)).build().unwrap();
    assert_eq!(send(&quiet.wrap(routes()), get_from("192.0.2.1", "/")).await.header("x-request-id"), "");
    let problem = send(&quiet.wrap(routes()), get_from("192.0.2.1", "/nowhere")).await.json();
    assert_eq!(problem["requestId"].as_str().unwrap().len(), 36);
}

#[tokio::test]
async fn problems_and_log_lines_name_the_trace() {
    let log = log();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    for path in ["/broken", "/logs"] {
        let request = from_peer(PROXY, "GET", path).header("traceparent", format!("00-{trace}-00f067aa0ba902b7-00"));
        let answer = send(&app(), request.body(Body::empty()).unwrap()).await;
        if path == "/broken" {
            assert_eq!(answer.json()["traceId"], trace);
        }
    }
    let lines = log.lines_with(trace);
    for part in ["palisade::error: a request failed", "palisade::access: request", "a line of the handler's own"] {
        assert!(lines.iter().any(|line| line.contains(part)), "{part} in {lines:#?}");
    }
}

#[tokio::test]
async fn a_client_hands_on_what_it_is_told_and_overwrites_nothing() {
    let headers_of =
        |request: Request<()>| async move { Ok::<_, std::convert::Infallible>(request.into_parts().0.headers) };
    let call = move |facts: Facts, id: RequestId, trace: TraceContext| async move {
        let mut by_request = PropagateLayer::new().layer(service_fn(headers_of));
        let mut by_layer = PropagateLayer::of(facts.clone()).layer(service_fn(headers_of));
        let mut spans = std::collections::HashSet::new();
        for (client, request) in [
            (by_request.clone(), Request::get("http://stock/").extension(facts)),
            (by_layer.clone(), Request::get("http://stock/")),
            (by_layer.clone(), Request::get("http://stock/")),
        ] {
            let mut client = client;
            let sent = client.call(request.body(()).unwrap()).now_or_never().unwrap().unwrap();
            assert_eq!(sent["x-request-id"], id.as_str());
            let parent = sent["traceparent"].to_str().unwrap();
            assert_eq!(parent[3..35], trace.trace_id().to_string());
            assert!(spans.insert(parent.to_owned()));
        }
        let own = Request::get("http://stock/").header("traceparent", PARENT).header("x-request-id", "own");
        let sent = by_layer.call(own.body(()).unwrap()).now_or_never().unwrap().unwrap();
        assert_eq!((&sent["traceparent"], &sent["x-request-id"]), (&PARENT.parse().unwrap(), &"own".parse().unwrap()));
        let unknown = by_request.ready().await.unwrap().call(Request::new(())).await.unwrap();
        assert!(unknown.is_empty(), "who is told nothing hands nothing on");
    };
    let app = Stack::production().build().unwrap().wrap(Router::new().route("/", get(call)));
    assert_eq!(send(&app, get_from("192.0.2.1", "/")).await.status, 200);
}

#[tokio::test]
async fn a_handler_that_asks_for_a_trace_where_none_is_gets_a_clear_answer() {
    let app = Router::new().route("/", get(|_: TraceContext| async {}));
    assert_eq!(send(&app, get_from("192.0.2.1", "/")).await.status, 500);
}

#[tokio::test]
async fn a_service_in_the_same_process_knows_its_own_caller() {
    let whose = |facts: Facts| async move {
        format!("{:?} {} {}", facts.principal().map(|caller| caller.id().to_owned()), facts.path(), facts.route())
    };
    let key = |head: &axum::http::request::Parts| {
        head.headers.contains_key("x-admin").then(|| palisade::Principal::new("admin"))
    };
    let stack = Stack::production().authenticate(key).build().unwrap();
    let inner = stack.wrap(Router::new().route("/in/{id}", get(whose)));
    let outer = get(move |facts: Facts| {
        let mut client = PropagateLayer::new().layer(inner.clone());
        async move {
            client
                .call(Request::get("/in/1").header("host", "localhost").extension(facts).body(Body::empty()).unwrap())
                .await
        }
    });
    let app = stack.wrap(Router::new().route("/out", outer));
    let request = from_peer("192.0.2.1", "GET", "/out").header("x-admin", "yes").body(Body::empty()).unwrap();
    assert_eq!(send(&app, request).await.text(), "None /in/1 /in/{id}");
}

#[tokio::test]
async fn an_id_in_a_header_of_one_s_own_is_handed_on_and_may_be_read_in_it() {
    let name = axum::http::HeaderName::from_static("x-correlation-id");
    let handed_on = |facts: Facts| async move {
        let mut headers = HeaderMap::new();
        facts.propagate(&mut headers);
        assert!(!headers.contains_key("x-request-id"));
        headers["x-correlation-id"].to_str().unwrap().to_owned()
    };
    let stack = Stack::production().request_id(RequestIdLayer::new().header(name)).origins(["https://app.example"]);
    let app = stack.build().unwrap().wrap(Router::new().route("/", get(handed_on)));
    let request = from_peer("192.0.2.1", "GET", "/").header("origin", "https://app.example");
    let answer = send(&app, request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.text(), answer.header("x-correlation-id"));
    let exposed = answer.header("access-control-expose-headers");
    assert!(exposed.starts_with("x-correlation-id, retry-after") && !exposed.contains("x-request-id"), "{exposed}");
}
