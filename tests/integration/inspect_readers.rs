//! What a handler reads was looked at: whatever a client says of a body, inspection reads it as axum's extractors do.

use std::collections::HashMap;

use axum::{Form, Json, Router, body::Body, extract::Multipart, http::Request, routing::post};
use palisade::{
    Mode,
    inspect::{Field, InspectLayer},
};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::Value;
use tower::ServiceExt as _;

const MARK: &str = "marked";

/// The names of the texts that a form's fields were read as, with the mark in them.
async fn fields(mut form: Multipart) -> Json<Vec<String>> {
    let mut told = Vec::new();
    while let Ok(Some(field)) = form.next_field().await {
        let (name, is_file) = (field.name().unwrap_or_default().to_owned(), field.file_name().is_some());
        let Ok(text) = field.text().await else { break };
        if !is_file && text.contains(MARK) {
            told.push(name);
        }
    }
    Json(told)
}

/// Refuses what holds the mark, but in a field that may.
fn guarded(is_allowed: impl Fn(Field<'_>) -> bool + Send + Sync + 'static) -> Router {
    let holds = |value: &[u8]| value.windows(MARK.len()).any(|window| window == MARK.as_bytes());
    let inspect = InspectLayer::new()
        .mode(Mode::Enforce)
        .rule("mark", move |field: Field<'_>, value: &[u8]| holds(value) && !is_allowed(field));
    Router::new()
        .route("/fields", post(fields))
        .route("/form", post(|Form(form): Form<HashMap<String, String>>| async move { format!("{form:?}") }))
        .route("/json", post(|Json(json): Json<Value>| async move { json.to_string() }))
        .route("/part", post(|Json(part): Json<Part>| async move { part.q }))
        .layer(inspect)
}

/// A reader that leaves out what it does not know.
#[derive(serde::Deserialize)]
struct Part {
    q: String,
}

async fn read(app: &Router, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, String) {
    let request = Request::post(path);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let response = app.clone().oneshot(request.body(Body::from(body.to_vec())).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn what_a_client_says_of_a_body_hides_nothing_that_is_read() {
    let app = guarded(|_| false);
    for (path, body) in [
        ("/form", &b"a=b&c=%6darked"[..]),
        ("/form", b"a=\xff&c=marked"),
        ("/json", b"{\"a\":[{\"b\":\"\\u006darked\"}]}"),
        ("/json", b"{\"\\u006darked\":1}"),
        ("/json", b"{\"a\":\"marked\",\"a\":1}"),
        ("/part", b"{\"x\":\"\xff\",\"q\":\"marked\"}"),
    ] {
        for content_type in [
            "application/json",
            "application/json; charset=utf-16",
            "application/json ;a=b",
            "application/vnd.x+json",
            "application/x-www-form-urlencoded",
            "application/x-www-form-urlencoded; charset=utf-7",
            "application/x-www-form-urlencoded, image/png",
            "application/x-www-form-urlencodedness",
            "text/plain",
            "image/png",
        ] {
            for coding in ["", "identity", "gzip", "br, gzip", "no-such-thing"] {
                let headers =
                    [("content-type", content_type), ("content-type", "image/png"), ("content-encoding", coding)];
                let (status, text) = read(&app, path, &headers, body).await;
                assert_ne!(status, 200, "{path} {content_type} {coding}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_compressed_passes() {
    let app = guarded(|_| false).route("/any", post(|body: axum::body::Bytes| async move { body.len().to_string() }));
    // {"a":"marked"}
    let body = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xabVJT\xb2R\xcaM,\xcaNMQ\xaa\x05\x00\xb5\x96\x18\x1d\x0e\x00\x00\x00";
    for content_type in ["application/json", "text/plain", "application/x-ndjson"] {
        let headers = [("content-type", content_type), ("content-encoding", "gzip")];
        let (status, text) = read(&app, "/any", &headers, body).await;
        assert_eq!((status, text), (200, body.len().to_string()), "{content_type}");
    }
}

/// What forms with files are made of, and what confuses their readers.
fn fragment() -> impl Strategy<Value = Vec<u8>> {
    const TEXTS: [&str; 44] = [
        "--b\r\n",
        "\r\n--b\r\n",
        "\r\n--b--",
        "--b--\r\n",
        "--b",
        "\n--b\r\n",
        "\r\n--b \t\r\n",
        "\r\n",
        "\r\n\r\n",
        "\n\n",
        "\n",
        "Content-Disposition: form-data; name=\"t\"",
        "Content-Disposition: form-data; name=\"allowed\"",
        "Content-Disposition: form-data; name=t; filename=f\r\n",
        "Content-Disposition: form-data; name=\"t\"; filename=\"f\"\r\n\r\n",
        "content-disposition: form-data; name=\"t\"\r\n\r\n",
        "Content-Disposition: form-data",
        "Content-Disposition : form-data; name=t",
        "Content-Type: image/png\r\n",
        "Content-Type: application/json\r\n\r\n",
        "Content-Type: text/plain; charset=utf-16le\r\n\r\n",
        "Content-Type: text/plain; charset=\"iso-2022-jp\"\r\n\r\n",
        "; filename=\"f\"",
        "; filename=f",
        "; FileName=f",
        "; filename*=UTF-8''f",
        "; filename=\"f",
        "; name=allowed",
        "; name=\"allowed\"",
        "; NAME=allowed",
        "; name=t",
        "; x=\"; name=allowed\"",
        "; name=\"; filename=f\"",
        "; name=\"a filename b\"",
        "filename",
        "=",
        "\"",
        "\\\"",
        ":",
        "{\"allowed\":\"marked\"}",
        "marked",
        "mar\u{1b}(Bked",
        ";",
        " ",
    ];
    prop_oneof![
        8 => select(TEXTS.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        1 => Just(MARK.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        1 => Just([0xFF, 0xFE].into_iter().chain(MARK.encode_utf16().flat_map(u16::to_le_bytes)).collect()),
        1 => Just(vec![0xFF]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 3000 } else { 100_000 }))]
    #[test]
    fn a_field_that_axum_reads_as_a_text_was_looked_at_by_its_name(fragments in vec(fragment(), 0..24), whole in any::<bool>()) {
        let mut body = fragments.concat();
        if whole {
            body = [b"--b\r\n", &*body, b"\r\n--b--\r\n"].concat();
        }
        let app = guarded(|field| field.name() == "allowed");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let headers = [("content-type", "multipart/form-data; boundary=b")];
        let (status, told) = runtime.block_on(read(&app, "/fields", &headers, &body));
        if status == 200 {
            let names: Vec<String> = serde_json::from_str(&told).unwrap();
            prop_assert!(names.iter().all(|name| name == "allowed"), "{names:?} of {:?}", String::from_utf8_lossy(&body));
        }
    }
}
