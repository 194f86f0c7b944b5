//! palisade beside OpenTelemetry: the handler's span is part of the trace that palisade read, and so is what it calls. Run it with
//! `cargo run --example opentelemetry`; `PALISADE_ADDR` sets another address.

use axum::{Router, routing::get};
use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState, TracerProvider as _},
};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
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
            println!("span {} of trace {}, child of {}", span.name, span.span_context.trace_id(), span.parent_span_id);
        }
        Ok(())
    }
}

/// The caller's span as the parent of ours, or a root in palisade's trace: one id in logs, problems and traces.
fn parent(trace: TraceContext) -> Context {
    let span = trace.parent_id().unwrap_or(trace.span_id()).to_string();
    let (trace_id, span_id) = (TraceId::from_hex(&trace.trace_id().to_string()), SpanId::from_hex(&span));
    let flags = if trace.is_sampled() { TraceFlags::SAMPLED } else { TraceFlags::default() };
    let (Ok(trace_id), Ok(span_id)) = (trace_id, span_id) else { return Context::new() };
    Context::new().with_remote_span_context(SpanContext::new(trace_id, span_id, flags, true, TraceState::default()))
}

fn span(facts: &Facts) -> Span {
    let span =
        tracing::info_span!("request", "otel.name" = facts.route(), "otel.kind" = "server", "url.path" = facts.path());
    if let Some(trace) = facts.trace() {
        // Refused only once the span is entered, or without the layer.
        let _ = span.set_parent(parent(trace));
    }
    span
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let provider = SdkTracerProvider::builder().with_simple_exporter(Printer).build();
    let tracer = provider.tracer("palisade example");
    tracing_subscriber::registry().with(tracing_opentelemetry::layer().with_tracer(tracer)).init();

    let hello = |facts: Facts| async move {
        // For a call to another service: `facts.propagate(&mut headers)`.
        let trace = facts.trace().map(|trace| trace.trace_id().to_string());
        tracing::info_span!("work").in_scope(|| format!("hello, in trace {}\n", trace.unwrap_or_default()))
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
