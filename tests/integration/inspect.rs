//! Attacks in every part of a request, and what looks like one and is none.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    http::{HeaderMap, HeaderName, Request},
    routing::{any, post},
};
use futures_util::{StreamExt as _, stream};
use http_body_util::BodyExt as _;
use palisade::{
    Access, Facts, Mode, Part, Stack,
    inspect::{Class, Field, InspectLayer, Location, PartlyInspected, Place},
};
use serde_json::{Value, json};

use crate::support::{Answer, from_peer, get_from, send};

const PEER: &str = "192.0.2.1";
const SQL: &str = "1' OR '1'='1' --";
const XSS: &str = "<script>alert(1)</script>";
const TRAVERSAL: &str = "../../../../etc/passwd";
const COMMAND: &str = "; cat /etc/passwd";

/// Gives back the body that it was given.
fn routes() -> Router {
    Router::new()
        .route("/echo", post(|body: Bytes| async { body }))
        .route("/articles/{id}", post(|body: Bytes| async { body }))
        .fallback(any(|| async { "in" }))
}

fn enforced() -> Router {
    stack(InspectLayer::new().mode(Mode::Enforce)).wrap(routes())
}

fn stack(inspect: InspectLayer) -> Stack {
    Stack::production().flood(None).inspect(inspect).access(Access::loopback()).build().unwrap()
}

fn encoded(value: &str) -> String {
    value.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02x}"))
}

async fn posted(app: &Router, path: &str, content_type: &str, body: impl Into<Body>) -> Answer {
    let request = from_peer(PEER, "POST", path).header("content-type", content_type);
    send(app, request.body(body.into()).unwrap()).await
}

fn class_of(answer: &Answer) -> (u16, String) {
    let class =
        if answer.status == 400 { answer.json()["class"].as_str().unwrap_or("none").to_owned() } else { String::new() };
    (answer.status.as_u16(), class)
}

#[tokio::test]
async fn an_attack_is_refused_wherever_it_stands() {
    let app = enforced();
    let multipart = |disposition: &str, value: &str| {
        format!("--b\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{value}\r\n--b--\r\n")
    };
    for (attack, class) in
        [(SQL, "sql-injection"), (XSS, "xss"), (TRAVERSAL, "path-traversal"), (COMMAND, "command-injection")]
    {
        let query = format!("/search?page=2&q={}", encoded(attack));
        assert_eq!(class_of(&send(&app, get_from(PEER, &query)).await), (400, class.to_owned()), "query: {attack}");
        let name = format!("/search?{}=1", encoded(attack));
        assert_eq!(send(&app, get_from(PEER, &name)).await.status, 400, "name in the query: {attack}");
        for header in ["user-agent", "referer", "cookie"] {
            let value =
                if header == "cookie" { format!("a=b; c={}", attack.replace(';', "%3b")) } else { attack.to_owned() };
            let request = from_peer(PEER, "GET", "/").header(header, value).body(Body::empty()).unwrap();
            assert_eq!(send(&app, request).await.status, 400, "{header}: {attack}");
        }
        for (content_type, body) in [
            ("application/json", json!({ "a": [1, { "b": attack }] }).to_string()),
            ("application/json", json!({ attack: 1 }).to_string()),
            ("application/merge-patch+json", json!(attack).to_string()),
            ("application/x-ndjson", format!("{{}}\n{}", json!({ "a": attack }))),
            ("application/x-www-form-urlencoded", format!("a=b&c={}", encoded(attack))),
            ("multipart/form-data; boundary=b", multipart("name=a", attack)),
            ("multipart/form-data; boundary=b", multipart(&format!("name=a; filename=\"{attack}\""), "file")),
            ("text/plain", attack.to_owned()),
            ("application/json", format!("{{\"cut\": \"{}", attack.replace('"', ""))),
        ] {
            let answer = posted(&app, "/echo", content_type, body).await;
            assert_eq!(answer.status, 400, "{content_type}: {attack} {}", answer.text());
            assert!(!answer.text().contains(attack), "the value is not told: {}", answer.text());
            assert_eq!(answer.json()["requestId"], answer.header("x-request-id"));
        }
    }
}

#[tokio::test]
async fn a_parameter_of_the_path_is_a_value_and_found_once() {
    for attack in ["1' OR '1'='1' --", "<img src=x onerror=alert(1)>", "exec('sleep 5')", "; net view"] {
        let path = format!("/articles/{}", encoded(attack));
        assert_eq!(send(&enforced(), get_from(PEER, &path)).await.status, 400, "{attack}");
        let reporting = InspectLayer::new();
        send(&routes().layer(reporting.clone()), get_from(PEER, &path)).await;
        let summary = reporting.summary();
        let counts: Vec<_> =
            summary["findings"].as_array().unwrap().iter().map(|row| (&row["class"], &row["count"])).collect();
        assert!(!counts.is_empty() && counts.iter().all(|(_, count)| **count == 1), "{attack}: {counts:?}");
    }
    for path in ["/articles/Tom%20%26%20Jerry's", "/articles/caf%C3%A9%20(2)", "/@scope/name@1.2.3", "/a;v=1/b,c"] {
        assert_ne!(send(&enforced(), get_from(PEER, path)).await.status, 400, "{path}");
    }
}

#[tokio::test]
async fn what_people_send_reaches_the_handler_byte_for_byte() {
    let app = enforced();
    for (content_type, body) in [
        ("application/json", r#"{"name":"O'Brien","note":"1 < 2 && 3 > 2, <3, SELECT a colour \u0001"}"#.to_owned()),
        ("application/json", "{\"broken\": ".to_owned()),
        ("application/json", "[".repeat(10_000)),
        ("application/x-www-form-urlencoded", "a=1&".repeat(100_000 / 4)),
        ("application/x-www-form-urlencoded", "%zz=%&=&&".to_owned()),
        ("text/plain", "Tom & Jerry's \"best of\"".to_owned()),
        ("image/png", SQL.to_owned()),
        ("application/octet-stream", XSS.to_owned()),
        ("multipart/form-data; boundary=b", "no line".to_owned()),
        ("multipart/form-data", "no line".to_owned()),
    ] {
        let answer = posted(&app, "/echo", content_type, body.clone()).await;
        assert_eq!((answer.status.as_u16(), &*answer.body), (200, body.as_bytes()), "{content_type}");
    }
    let invalid = [0xff, 0xfe, 0xc0, 0x80, 0];
    let answer = posted(&app, "/echo", "text/plain", Bytes::copy_from_slice(&invalid)).await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (200, &invalid[..]));
}

#[tokio::test]
async fn a_stack_reports_until_it_is_told_to_enforce_and_says_what_it_found() {
    let stack = Stack::production().flood(None).access(Access::loopback()).build().unwrap();
    let decisions = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&decisions);
    let routes = routes().route(
        "/facts",
        any(move |facts: Facts| {
            heard.lock().unwrap().extend(facts.decisions());
            std::future::ready(())
        }),
    );
    let app = stack.inner_routes().merge(stack.wrap(routes));
    for _ in 0..3 {
        let answer = posted(&app, "/articles/7", "application/json", json!({ "body": XSS }).to_string()).await;
        assert_eq!(answer.status, 200);
    }
    send(&app, get_from(PEER, &format!("/facts?q={}", encoded(SQL)))).await;
    posted(&app, "/echo", "image/png", "png").await;

    let decisions = decisions.lock().unwrap().clone();
    assert_eq!(decisions.len(), 1);
    assert_eq!((decisions[0].guard(), decisions[0].policy()), ("inspect", "sql-injection"));
    assert_eq!((decisions[0].outcome(), decisions[0].reason()), ("reported", "suspicious-input"));

    assert_eq!(send(&app, get_from(PEER, "/inspect/summary")).await.status, 403);
    let summary = send(&app, get_from("127.0.0.1", "/inspect/summary")).await.json();
    let first = &summary["findings"][0];
    for (name, expected) in [
        ("class", json!("xss")),
        ("route", json!("/articles/{id}")),
        ("location", json!("json")),
        ("field", json!("body")),
        ("mode", json!("report")),
        ("count", json!(3)),
    ] {
        assert_eq!(first[name], expected, "{name} in {summary}");
    }
    assert_eq!(summary["findings"].as_array().unwrap().len(), 2);
    assert_eq!(summary["bodies"], json!({ "inspected": 3, "partly": 0, "passed": 1 }));
    let metrics = send(&app, get_from("127.0.0.1", "/metrics")).await;
    let line = "palisade_decisions_total{guard=\"inspect\",policy=\"xss\",outcome=\"reported\",reason=\"suspicious-input\",mode=\"report\"} 3";
    assert!(metrics.text().contains(line), "{}", metrics.text());
    assert!(stack.describe().contains("xss report"), "{}", stack.describe());
}

#[tokio::test]
async fn a_field_that_is_meant_to_hold_it_may() {
    let inspect = InspectLayer::new()
        .mode(Mode::Enforce)
        .class(Class::CommandInjection, Mode::Off)
        .allow(Place::field("body").route("/articles/{id}"), [Class::Xss])
        .allow(Place::field("filter").location(Location::Query), [Class::SqlInjection])
        .allow(Place::at(Location::Text), Class::ALL);
    let app = stack(inspect).wrap(routes());
    for (path, content_type, body, status) in [
        ("/articles/7", "application/json", json!({ "body": XSS }), 200),
        ("/articles/7", "application/json", json!({ "article": [{ "body": XSS }] }), 200),
        ("/articles/7", "application/json", json!({ "antibody": XSS }), 400),
        ("/articles/7", "application/json", json!({ "body": SQL }), 400),
        ("/articles/7", "application/json", json!({ "title": XSS }), 400),
        ("/echo", "application/json", json!({ "body": XSS }), 400),
        ("/echo", "text/plain", json!(XSS), 200),
        ("/echo", "application/json", json!(COMMAND), 200),
    ] {
        let answer = posted(&app, path, content_type, body.to_string()).await;
        assert_eq!(answer.status.as_u16(), status, "{path} {content_type} {body}");
    }
    for (query, status) in [("filter", 200), ("q", 400)] {
        let answer = send(&app, get_from(PEER, &format!("/?{query}={}", encoded(SQL)))).await;
        assert_eq!(answer.status.as_u16(), status, "{query}");
    }
}

#[tokio::test]
async fn a_rule_of_one_s_own_is_asked_of_every_value() {
    let rule = |field: Field<'_>, value: &[u8]| field.name() != "ok" && value.starts_with(b"internal-");
    let inspect = InspectLayer::new().mode(Mode::Enforce).rule("internal-id", rule);
    let app = stack(inspect).wrap(routes());
    let answer = send(&app, get_from(PEER, "/?id=internal-7")).await;
    assert_eq!(class_of(&answer), (400, "internal-id".to_owned()));
    assert_eq!(send(&app, get_from(PEER, "/?ok=internal-7")).await.status, 200);
    assert_eq!(posted(&app, "/echo", "application/json", "[\"internal-7\"]").await.status, 400);
}

#[tokio::test]
async fn a_rule_that_panics_breaks_nothing_while_it_is_reported() {
    let rule = |_: Field<'_>, value: &[u8]| value == b"panic" && panic!("a rule of one's own");
    for (mode, status) in [(Mode::Report, 200), (Mode::Enforce, 500)] {
        let app = stack(InspectLayer::new().rule("panics", rule).mode(mode)).wrap(routes());
        assert_eq!(send(&app, get_from(PEER, "/?a=panic")).await.status.as_u16(), status, "{mode}");
    }
}

#[tokio::test]
async fn an_allowance_is_for_the_field_that_it_names_and_no_other() {
    let inspect = InspectLayer::new()
        .mode(Mode::Enforce)
        .allow(Place::field("body"), Class::ALL)
        .allow(Place::field("User-Agent").location(Location::Header), Class::ALL);
    let app = stack(inspect).wrap(routes());
    let form = "application/x-www-form-urlencoded";
    for (field, status) in [
        ("body", 200),
        ("%62ody", 200),
        ("BODY", 400),
        ("body[]", 400),
        ("body[a]", 400),
        ("a.body", 400),
        ("body.a", 400),
        ("body%00", 400),
    ] {
        let answer = posted(&app, "/echo", form, format!("{field}={}", encoded(XSS))).await;
        assert_eq!(answer.status.as_u16(), status, "form: {field}");
        let answer = send(&app, get_from(PEER, &format!("/?{field}={}", encoded(XSS)))).await;
        assert_eq!(answer.status.as_u16(), status, "query: {field}");
    }
    for (body, status) in [
        (json!({ "body": [XSS, { "a": 1 }] }), 200),
        (json!({ "comment": { "body": XSS } }), 200),
        (json!({ "body": { "a": XSS } }), 400),
        (json!({ "/body": XSS }), 400),
        (json!({ XSS: { "body": 1 } }), 400),
    ] {
        let answer = posted(&app, "/echo", "application/json", body.to_string()).await;
        assert_eq!(answer.status.as_u16(), status, "{body}");
    }
    for (head, value, status) in [
        ("name=\"body\"", XSS.to_owned(), 200),
        ("name=\"title\"", XSS.to_owned(), 400),
        ("name=\"title\"\r\nContent-Type: application/json", json!({ "body": XSS }).to_string(), 400),
        ("name=\"body\"; name=\"title\"", XSS.to_owned(), 400),
    ] {
        let body = format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n--b--\r\n");
        let answer = posted(&app, "/echo", "multipart/form-data; boundary=b", body).await;
        assert_eq!(answer.status.as_u16(), status, "multipart: {head}");
    }
    let request = from_peer(PEER, "GET", "/").header("user-agent", XSS).body(Body::empty()).unwrap();
    assert_eq!(send(&app, request).await.status, 200);
}

#[tokio::test]
async fn the_named_headers_are_looked_at_and_no_others() {
    let inspect = InspectLayer::new().mode(Mode::Enforce).headers([HeaderName::from_static("x-search")]);
    let app = stack(inspect).wrap(routes());
    for (name, status) in [("x-search", 400), ("user-agent", 200), ("x-other", 200)] {
        let request = from_peer(PEER, "GET", "/").header(name, SQL).body(Body::empty()).unwrap();
        assert_eq!(send(&app, request).await.status.as_u16(), status, "{name}");
    }
}

/// A body in so many pieces, without a length.
fn streamed(piece: &'static str, pieces: usize) -> Body {
    Body::from_stream(stream::iter(vec![Ok::<_, Infallible>(piece); pieces]))
}

#[tokio::test]
async fn what_is_larger_is_looked_at_in_part_and_passes_whole_unless_it_is_to_be_refused() {
    let small = InspectLayer::new().mode(Mode::Enforce).largest(1000);
    let lenient = stack(small.clone());
    let app = lenient.inner_routes().merge(lenient.wrap(routes()));
    for body in [streamed("harmless ", 1000), Body::from("harmless ".repeat(1000))] {
        let answer = posted(&app, "/echo", "text/plain", body).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 9000));
    }
    assert_eq!(posted(&app, "/echo", "text/plain", streamed("' OR '1'='1' -- ", 1000)).await.status, 400);
    let summary = send(&app, get_from("127.0.0.1", "/inspect/summary")).await.json();
    assert_eq!(summary["bodies"]["partly"], 3);

    let strict = stack(small.refuse_larger(true)).wrap(routes());
    let answer = posted(&strict, "/echo", "text/plain", streamed("harmless ", 1000)).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["limitBytes"]), (413, &json!(1000)));
    assert_eq!(posted(&strict, "/echo", "text/plain", streamed("harmless ", 100)).await.status, 200);
}

#[tokio::test]
async fn a_body_as_large_as_what_is_looked_at_is_no_larger() {
    let inspect = InspectLayer::new().mode(Mode::Enforce).largest(1000).refuse_larger(true);
    let app = stack(inspect).wrap(routes());
    for (length, status) in [(999, 200), (1000, 200), (1001, 413)] {
        assert_eq!(posted(&app, "/echo", "text/plain", "a".repeat(length)).await.status.as_u16(), status, "{length}");
        let answer = posted(&app, "/echo", "text/plain", streamed("a", length)).await;
        assert_eq!(answer.status.as_u16(), status, "{length} in pieces");
    }
    let never = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
    let announced =
        from_peer(PEER, "POST", "/echo").header("content-type", "text/plain").header("content-length", "1001");
    assert_eq!(send(&app, announced.body(never).unwrap()).await.status, 413, "before the read");
}

#[tokio::test]
async fn json_that_is_cut_where_the_look_ends_is_still_json() {
    let inspect = InspectLayer::new().mode(Mode::Enforce).largest(1000).allow(Place::field("html"), [Class::Xss]);
    let partly = |request: Request<Body>| async move {
        let is_partly = request.extensions().get::<PartlyInspected>().is_some();
        is_partly.to_string()
    };
    let app = stack(inspect).wrap(routes().route("/partly", post(partly)));
    let pieces = |text: &str| {
        let pieces: Vec<_> = text.as_bytes().chunks(100).map(|piece| Ok::<_, Infallible>(piece.to_vec())).collect();
        Body::from_stream(stream::iter(pieces))
    };
    let people = json!({ "notes": vec!["Tom's \"best\" & more; cat it or not"; 100] }).to_string();
    let article = json!({ "html": XSS.repeat(100) }).to_string();
    for body in [people, article] {
        assert_eq!(posted(&app, "/partly", "application/json", pieces(&body)).await.text(), "true");
    }
    let attacks = json!({ "text": format!("{}{XSS}{}", "a".repeat(800), "a".repeat(1000)) }).to_string();
    assert_eq!(posted(&app, "/partly", "application/json", pieces(&attacks)).await.status, 400);
    assert_eq!(posted(&app, "/partly", "application/json", "{}").await.text(), "false");
}

#[tokio::test]
async fn there_is_one_limit_and_it_stands_before_the_read() {
    let stack = Stack::production().body_limit(100).inspect(InspectLayer::new().mode(Mode::Enforce)).build().unwrap();
    let app = stack.wrap(routes());
    for body in [streamed("0123456789", 20), Body::from("0".repeat(200))] {
        let answer = posted(&app, "/echo", "text/plain", body).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["limitBytes"]), (413, &json!(100)));
    }
    assert_eq!(posted(&app, "/echo", "text/plain", streamed("0123456789", 10)).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn who_drips_has_the_handler_s_deadline_to_be_done() {
    let dripping = |drops: u32| {
        Body::from_stream(stream::iter(0..drops).then(|_| async {
            tokio::time::sleep(Duration::from_secs(9)).await;
            Ok::<_, Infallible>("drop ")
        }))
    };
    for mode in [Mode::Report, Mode::Enforce] {
        let stack = Stack::production().deadline(Duration::from_secs(20)).inspect(InspectLayer::new().mode(mode));
        let app = stack.build().unwrap().wrap(routes());
        let began = tokio::time::Instant::now();
        let answer = posted(&app, "/echo", "text/plain", dripping(3)).await;
        assert_eq!((answer.status.as_u16(), began.elapsed().as_secs()), (408, 20), "{mode}");
        assert_eq!(posted(&app, "/echo", "text/plain", dripping(2)).await.text(), "drop drop ");
        let stalled = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
        let began = tokio::time::Instant::now();
        assert_eq!(posted(&app, "/echo", "text/plain", stalled).await.status, 408);
        assert_eq!(began.elapsed().as_secs(), 10, "nothing at all is waited for less");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_only_reported_is_not_waited_for() {
    let first_piece = post(|body: Body| async move {
        let first = body.into_data_stream().next().await.unwrap().unwrap();
        String::from_utf8(first.to_vec()).unwrap()
    });
    let inspect = InspectLayer::new().rule("panics", |_: Field<'_>, value: &[u8]| {
        assert!(!value.ends_with(b"panic"), "a rule of one's own");
        false
    });
    let stack = stack(inspect);
    let app = stack.inner_routes().merge(stack.wrap(routes().route("/first", first_piece)));
    let talking = Body::from_stream(stream::iter([Ok::<_, Infallible>("' OR '1'='1' -- ")]).chain(stream::pending()));
    assert_eq!(posted(&app, "/first", "text/plain", talking).await.text(), "' OR '1'='1' -- ");
    assert_eq!(posted(&app, "/echo", "text/plain", "don't panic").await.status, 200);
    assert_eq!(posted(&app, "/nowhere", "text/plain", "never read").await.text(), "in");
    let summary = send(&app, get_from("127.0.0.1", "/inspect/summary")).await.json();
    assert_eq!((&summary["findings"][0]["location"], &summary["bodies"]["inspected"]), (&json!("text"), &json!(2)));
}

#[tokio::test]
async fn it_stands_alone_on_any_service() {
    let app = routes().layer(InspectLayer::new().mode(Mode::Enforce));
    assert_eq!(posted(&app, "/echo", "text/plain", SQL).await.status, 400);
    assert_eq!(posted(&app, "/echo", "text/plain", "fine").await.text(), "fine");
    let with_trailers = http_body_util::Full::new(Bytes::from_static(b"fine")).with_trailers(std::future::ready(Some(
        Ok(HeaderMap::from_iter([(HeaderName::from_static("x-sum"), "1".parse().unwrap())])),
    )));
    let trailers = |request: Request<Body>| async move {
        let trailers = request.into_body().collect().await.unwrap().trailers().cloned().unwrap();
        trailers["x-sum"].to_str().unwrap().to_owned()
    };
    let app = Router::new().route("/", post(trailers)).layer(InspectLayer::new());
    assert_eq!(posted(&app, "/", "text/plain", Body::new(with_trailers)).await.text(), "1");
}

#[tokio::test]
async fn a_variant_finds_into_the_summary_of_its_stack() {
    let whole = stack(InspectLayer::new().mode(Mode::Enforce));
    let wiki = whole.inspect(|inspect| inspect.allow(Place::field("text"), [Class::Xss]));
    let wiki_routes = Router::new().route("/wiki", post(|body: Bytes| async { body }));
    let files = Router::new().route("/files", post(|body: Bytes| async { body }));
    let app = whole
        .inner_routes()
        .merge(wiki.wrap(wiki_routes))
        .merge(whole.without(Part::Inspect).wrap(files))
        .merge(whole.wrap(routes()));
    let form = "application/x-www-form-urlencoded";
    for (path, field, status) in
        [("/wiki", "text", 200), ("/wiki", "title", 400), ("/echo", "text", 400), ("/files", "text", 200)]
    {
        assert_eq!(
            posted(&app, path, form, format!("{field}={}", encoded(XSS))).await.status,
            status,
            "{path} {field}"
        );
    }
    let summary = send(&app, get_from("127.0.0.1", "/inspect/summary")).await.json();
    let mut routes: Vec<_> = summary["findings"].as_array().unwrap().iter().map(|row| &row["route"]).collect();
    routes.sort_by_key(|route| route.to_string());
    assert_eq!(routes, [&json!("/echo"), &json!("/wiki")]);
}

#[tokio::test]
async fn a_client_that_invents_fields_does_not_grow_the_summary() {
    let inspect = InspectLayer::new();
    let app = routes().layer(inspect.clone());
    for index in 0..2000 {
        send(&app, get_from(PEER, &format!("/?field{index}={}", encoded(SQL)))).await;
    }
    let summary: Value = inspect.summary();
    let rows = summary["findings"].as_array().unwrap();
    assert!((500..=510).contains(&rows.len()), "{}", rows.len());
    assert_eq!((&rows[0]["field"], rows[0]["count"].as_u64().unwrap()), (&json!("overflow"), 1500));
    posted(&app, "/articles/7", "application/json", json!({ "late": SQL }).to_string()).await;
    let summary: Value = inspect.summary();
    let routes: Vec<_> = summary["findings"].as_array().unwrap().iter().map(|row| &row["route"]).collect();
    assert!(routes.contains(&&json!("/articles/{id}")), "who invents fields of one route hides no other");
    let to_read = to_bytes(Body::from(summary.to_string()), usize::MAX).await.unwrap();
    assert!(to_read.len() < 200_000);
}
