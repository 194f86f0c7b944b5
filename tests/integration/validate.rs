//! A request's data that keeps the rules of its type, and what a client is told of data that does not.

use std::collections::HashMap;

use axum::{
    Form, Json, Router,
    body::Body,
    extract::{Path, Query},
    routing::{get, post},
};
use garde::Validate;
use palisade::{
    Stack,
    html::SafeHtml,
    validate::{Valid, rules},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::support::{Answer, from_peer, send};

#[derive(Debug, Deserialize, Serialize, Validate)]
struct Item {
    #[garde(length(min = 1, max = 10))]
    name: String,
    #[garde(range(min = 1))]
    #[serde(default = "one")]
    count: u32,
}

#[derive(Debug, Deserialize, Serialize, Validate)]
struct Wish {
    #[serde(rename = "maxPrice")]
    #[garde(range(min = 1))]
    max_price: u32,
}

const fn one() -> u32 {
    1
}

#[derive(Debug, Deserialize, Serialize, Validate)]
struct Order {
    #[garde(dive, length(min = 1))]
    items: Vec<Item>,
    #[garde(dive)]
    #[serde(default)]
    extras: HashMap<String, Item>,
    #[serde(rename = "invoiceFile")]
    #[garde(inner(custom(rules::safe_file_name)))]
    invoice_file: Option<String>,
    #[garde(skip)]
    note: Option<SafeHtml>,
}

fn routes() -> Router {
    Router::new()
        .route("/orders", post(|Valid(Json(order)): Valid<Json<Order>>| async { Json(order) }))
        .route("/search", get(|Valid(Form(wish)): Valid<Form<Wish>>| async { Json(wish) }))
        .route("/form", post(|Valid(Form(item)): Valid<Form<Item>>| async { Json(item) }))
        .route("/items", get(|Valid(Query(item)): Valid<Query<Item>>| async { Json(item) }))
        .route("/items/{name}", get(|item: Valid<Path<Item>>, body: String| async move { item.name.clone() + &body }))
}

async fn order(app: &Router, order: &Value) -> Answer {
    let request = from_peer("192.0.2.1", "POST", "/orders").header("content-type", "application/json");
    send(app, request.body(Body::from(order.to_string())).unwrap()).await
}

#[tokio::test]
async fn each_broken_rule_is_named_by_the_pointer_to_its_field() {
    let wrong = json!({
        "items": [{ "name": "fine" }, { "name": "", "count": 0 }],
        "extras": { "a/b.c": { "name": "much too long a name" } },
        "invoiceFile": "../../etc/passwd",
    });
    for app in [Stack::production().build().unwrap().wrap(routes()), routes()] {
        let answer = order(&app, &wrong).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (400, "application/problem+json"));
        let problem = answer.json();
        assert!(problem["type"].as_str().unwrap().ends_with("#validation-failed"));
        let mut pointers: Vec<_> =
            problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        pointers.sort_unstable();
        assert_eq!(pointers, ["/extras/a~1b.c/name", "/invoiceFile", "/items/1/count", "/items/1/name"]);
        assert!(!answer.text().contains("passwd"), "the value is not told");
        assert_eq!(problem["requestId"].as_str().unwrap_or_default(), answer.header("x-request-id"));
    }
}

#[tokio::test]
async fn every_extractor_of_a_value_can_be_held_to_its_rules() {
    let form = "application/x-www-form-urlencoded";
    for (method, path, content_type, body, status, pointer) in [
        ("POST", "/form", form, "name=pen&count=2", 200, ""),
        ("POST", "/form", form, "name=pen&count=0", 400, "/count"),
        ("GET", "/search?maxPrice=0", "", "", 400, "/maxPrice"),
        ("GET", "/items?name=pen", "", "", 200, ""),
        ("GET", "/items?name=", "", "", 400, "/name"),
        ("GET", "/items/pen", "", "and a body", 200, ""),
        ("GET", "/items/much-too-long-a-name", "", "", 400, "/name"),
        ("GET", "/items/much-too-long-a-name?Name=1&NAME=2", "", "", 400, "/name"),
    ] {
        let request = from_peer("192.0.2.1", method, path).header("content-type", content_type);
        let answer = send(&routes(), request.body(Body::from(body)).unwrap()).await;
        assert_eq!(answer.status.as_u16(), status, "{path} {}", answer.text());
        if status == 400 {
            assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{path}");
        }
    }
}

#[tokio::test]
async fn what_is_flattened_is_named_where_it_was_sent() {
    #[derive(Deserialize, Validate)]
    struct Parcel {
        #[serde(flatten)]
        #[garde(dive)]
        content: Item,
        #[garde(skip)]
        #[expect(dead_code, reason = "it is sent")]
        address: String,
    }
    let app = Router::new().route("/", post(|Valid(Json(parcel)): Valid<Json<Parcel>>| async { parcel.content.name }));
    let request = from_peer("192.0.2.1", "POST", "/").header("content-type", "application/json");
    let body = json!({ "name": "", "address": "here" }).to_string();
    let answer = send(&app, request.body(Body::from(body)).unwrap()).await;
    assert_eq!(answer.json()["errors"][0]["pointer"], "/name", "{}", answer.text());
}

#[tokio::test]
async fn what_cannot_be_read_at_all_is_a_problem_without_a_stack_too() {
    for (content_type, body, status) in
        [("application/json", "{", 400), ("application/json", "{\"items\":1}", 422), ("text/plain", "{}", 415)]
    {
        let request = from_peer("192.0.2.1", "POST", "/orders").header("content-type", content_type);
        let answer = send(&routes(), request.body(Body::from(body)).unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (status, "application/problem+json"));
        assert_eq!(answer.json()["status"], status);
    }
}

#[tokio::test]
async fn html_in_a_request_arrives_clean() {
    let note = |html: &str| json!({ "items": [{ "name": "pen" }], "note": html });
    let answer = order(&routes(), &note("<p onclick=x()>soon<script>x()</script></p>")).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["note"]), (200, &"<p>soon</p>".into()));
    let answer = order(&routes(), &note(&"<div>".repeat(10_000))).await;
    assert_eq!(answer.status, 422);
    assert!(answer.text().contains("HTML is nested too deep"), "{}", answer.text());
}
