//! The span that a handler runs in.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Body, routing::get};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use palisade::{Guard as _, Principal, authentication::AuthenticationLayer, containment::ContainmentLayer};
use tracing::{Event, Metadata, Subscriber, field::Visit, span};

use crate::support::{from_peer, get_from, send};

/// Notes the span's fields, and of every event whether it was said inside.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>, Arc<Mutex<usize>>);

struct Written<'a>(&'a mut Vec<String>);

impl Visit for Written<'_> {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        self.0.push(format!("{field}={value:?}"));
    }
}

impl Subscriber for Notes {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("palisade::guard") || metadata.target().starts_with("integration")
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        span.record(&mut Written(&mut self.0.lock().unwrap()));
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut said = Vec::new();
        event.record(&mut Written(&mut said));
        let place = if *self.1.lock().unwrap() > 0 { "inside" } else { "outside" };
        self.0.lock().unwrap().push(format!("{place}: {}", said.concat()));
    }

    fn enter(&self, _: &span::Id) {
        *self.1.lock().unwrap() += 1;
    }

    fn exit(&self, _: &span::Id) {
        *self.1.lock().unwrap() -= 1;
    }
}

struct SaysGoodbye;

impl Drop for SaysGoodbye {
    fn drop(&mut self) {
        tracing::info!("goodbye");
    }
}

fn app() -> Router {
    let pieces = || {
        let end = SaysGoodbye;
        stream::iter(0..2).map(move |piece| {
            let _ = &end;
            tracing::info!("piece {piece}");
            Ok::<_, std::io::Error>("piece")
        })
    };
    let caller = AuthenticationLayer::new(|head: &http::request::Parts| {
        head.headers.contains_key("x-user").then(|| Principal::new("user:42"))
    });
    Router::new()
        .route("/stream/{id}", get(move || async move { Body::from_stream(pieces()) }))
        .route("/whole", get(|| async { "whole" }))
        .layer((caller.into_layer(), ContainmentLayer::unlimited()))
}

#[test]
fn what_is_said_while_a_body_is_streamed_is_said_in_the_span() {
    let notes = Notes::default();
    tracing::subscriber::with_default(notes.clone(), || {
        let request = from_peer("192.0.2.1", "GET", "/stream/1").header("x-user", "ada").body(Body::empty()).unwrap();
        let answer = send(&app(), request).now_or_never().unwrap();
        assert_eq!(answer.text(), "piecepiece");
        tracing::info!("later");
    });
    let notes = notes.0.lock().unwrap();
    let expected = [
        "method=GET",
        "route=\"/stream/{id}\"",
        "user=\"user:42\"",
        "inside: message=piece 0",
        "inside: message=piece 1",
        "inside: message=goodbye",
        "outside: message=later",
    ];
    assert_eq!(*notes, expected);
}

#[test]
fn a_body_that_is_there_already_costs_nothing_more_for_the_span() {
    let app = app();
    let count = || {
        let request = get_from("192.0.2.1", "/whole");
        let counted = allocation_counter::measure(|| drop(send(&app, request).now_or_never().unwrap()));
        counted.count_total
    };
    // What is set up once is not of the request. Nobody else's subscriber may take part, and this one notes nothing.
    let counted = |under: tracing::Dispatch| {
        tracing::dispatcher::with_default(&under, || {
            let _ = count();
            count()
        })
    };
    let unseen = counted(tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new()));
    assert_eq!(counted(tracing::Dispatch::new(Deaf)), unseen);
}

struct Deaf;

impl Subscriber for Deaf {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}
