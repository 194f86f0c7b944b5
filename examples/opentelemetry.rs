//! palisade beside OpenTelemetry: a request's span has the ids that palisade's logs and problems name, its parent is the caller's span,
//! and a service that is called is told of the span of that call. Run it with `cargo run --example opentelemetry`;
//! `PALISADE_ADDR` sets another address.

use std::{cell::Cell, collections::HashMap};

use axum::{Router, routing::get};
use http::HeaderMap;
use opentelemetry::{
    Context,
    propagation::TextMapPropagator as _,
    trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState, TracerProvider as _},
};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    propagation::TraceContextPropagator,
    trace::{IdGenerator, RandomIdGenerator, SdkTracerProvider, SpanData, SpanExporter},
};
use palisade::{Facts, Stack, trace_context::TraceContext};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// Prints spans. In its place goes the exporter of the crate `opentelemetry-otlp`.
#[derive(Debug)]
struct Printer;

impl SpanExporter for Printer {
    async fn export(&self, spans: Vec<SpanData>) -> OTelSdkResult {
        for span in spans {
            let (own, parent) = (span.span_context, span.parent_span_id);
            println!("span {} {} of trace {}, child of {parent}", span.name, own.span_id(), own.trace_id());
        }
        Ok(())
    }
}

thread_local! {
    /// The ids of the span that is about to begin, where palisade has chosen them.
    static CHOSEN: Cell<Option<(TraceId, SpanId)>> = const { Cell::new(None) };
}

/// Ids that palisade chose, and others for what begins below.
#[derive(Debug, Default)]
struct Ids(RandomIdGenerator);

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        CHOSEN.get().map_or_else(|| self.0.new_trace_id(), |(trace, _)| trace)
    }

    fn new_span_id(&self) -> SpanId {
        CHOSEN.get().map_or_else(|| self.0.new_span_id(), |(_, span)| span)
    }
}

fn span(facts: &Facts) -> Span {
    let span =
        tracing::info_span!("request", "otel.name" = facts.route(), "otel.kind" = "server", "url.path" = facts.path());
    if let Some(trace) = facts.trace() {
        begin(&span, trace);
    }
    span
}

/// One id in logs, problems and traces. The parent is the caller's span, if a caller was believed.
fn begin(span: &Span, trace: TraceContext) {
    let span_id = |id: palisade::trace_context::SpanId| SpanId::from_hex(&id.to_string()).unwrap_or(SpanId::INVALID);
    let trace_id = TraceId::from_hex(&trace.trace_id().to_string()).unwrap_or(TraceId::INVALID);
    if let Some(parent) = trace.parent_id() {
        let flags = if trace.is_sampled() { TraceFlags::SAMPLED } else { TraceFlags::default() };
        let caller = SpanContext::new(trace_id, span_id(parent), flags, true, TraceState::default());
        // Refused only without the layer.
        let _ = span.set_parent(Context::new().with_remote_span_context(caller));
    }
    CHOSEN.set(Some((trace_id, span_id(trace.span_id()))));
    // Here the span begins, and takes the ids.
    let _ = span.context();
    CHOSEN.set(None);
}

/// What goes along with a call to another service: the span of this call from the tracer, the request's id from palisade.
fn onward(facts: &Facts) -> HeaderMap {
    let mut fields = HashMap::new();
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut fields);
    let mut headers = HeaderMap::try_from(&fields).unwrap_or_default();
    facts.propagate(&mut headers);
    headers
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let provider = SdkTracerProvider::builder().with_id_generator(Ids::default()).with_simple_exporter(Printer).build();
    let tracer = provider.tracer("palisade example");
    tracing_subscriber::registry().with(tracing_opentelemetry::layer().with_tracer(tracer)).init();

    let hello = |facts: Facts| async move {
        // Sent with `client.get(url).headers(..)`; shown here.
        let headers = tracing::info_span!("call").in_scope(|| onward(&facts));
        let trace = facts.trace().map(|trace| trace.trace_id().to_string());
        format!("hello, in trace {}\nand to the next: {headers:?}\n", trace.unwrap_or_default())
    };
    let stack = Stack::development().trusted_proxies(["127.0.0.1"]).span(span).build()?;
    let app = stack.wrap(Router::new().route("/hello", get(hello)));

    let addr = std::env::var("PALISADE_ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener =
        tokio::net::TcpListener::bind(&addr).await.map_err(|error| format!("PALISADE_ADDR {addr}: {error}"))?;
    let url = format!("http://{}", listener.local_addr()?);
    println!("Listening on {url}. Try:");
    println!("  curl {url}/hello        # its spans are printed here");
    println!("  curl -H 'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' {url}/hello");
    palisade::serve(listener, app).await?;
    provider.shutdown()?;
    Ok(())
}
