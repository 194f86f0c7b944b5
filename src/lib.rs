//! One dependency and one call between the internet and an axum, hyper or Tower service.
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use palisade::{Health, Stack};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let router = Router::new().route("/", get(|| async { "hello" }));
//!     let stack = Stack::production().origins(["https://app.example"]).build()?;
//!     let app = Health::new().router(&stack).merge(stack.wrap(router));
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!     palisade::serve(listener, app).await?;
//!     Ok(())
//! }
//! ```
//!
//! A **guard** sees each request on its way in and its response on its way out. A **stack** is guards in an order. A
//! **rejection** is how any of them says no.
//!
//! | to | look at |
//! |---|---|
//! | put everything in place | [`Stack`], [`serve()`], [`Health`] |
//! | use one layer alone | the modules below, one per layer |
//! | answer an error from a handler | [`AppError`], [`Respond`] |
//! | check a request's data, take HTML in | `validate`, `html` (features) |
//! | write a guard | [`Guard`], [`Rejection`] |
//! | know what palisade knows of a request | [`Facts`], [`Principal`] |
//! | find out what is wrong with the settings | [`ConfigError`] |

#![forbid(unsafe_code)]

mod access;
mod audit;
mod decision;
mod error;
mod facts;
pub mod guard;
pub mod health;
#[cfg(feature = "html")]
pub mod html;
mod layers;
#[cfg(feature = "logs")]
pub mod logs;
mod principal;
mod profile;
mod redact;
pub mod rejection;
pub mod serve;
pub mod stack;
mod text;
mod trust;
#[cfg(feature = "validate")]
pub mod validate;

pub use axum_core::{body::Body, response::Response};

#[cfg(feature = "compression")]
pub use crate::layers::compression;
pub use crate::{
    access::Access,
    audit::Audit,
    decision::{Decision, Label, Mode},
    error::{AppError, BoxError, ConfigError, Failed, Respond},
    facts::Facts,
    guard::{End, Guard, Then, containment},
    health::{Check, Health},
    layers::{
        access_log, authentication, body_limit, client_ip, cors, error_tracking, hygiene, inspect, metrics, problem,
        rate_limit, request_id, response_time, security_headers, sensitive, tier_lookup, trace_context,
    },
    principal::Principal,
    profile::Profile,
    redact::Redacted,
    rejection::{Kind, Rejection},
    serve::{Server, serve, serve_until},
    stack::{Part, Stack},
    trust::Trust,
};

/// The README's code is code.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
