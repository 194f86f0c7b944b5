//! What is logged, asked and changed over HTTP.

use axum::{Router, routing::get};
use axum_core::response::IntoResponse;
use http::{HeaderValue, StatusCode, header};

use super::{
    Logs,
    layer::{Directives, Levels},
};
use crate::{Access, Audit, Facts, Guard as _, Kind, Rejection, Response};

impl Logs {
    /// `GET /log/level` tells what is logged, `PUT /log/level` with directives as its text changes that until the next start, for those whom
    /// `access` lets in. A change is [audited](Audit).
    ///
    /// ```no_run
    /// # fn run(stack: palisade::Stack, logs: palisade::logs::Logs, app: axum::Router) {
    /// use palisade::Access;
    /// let levels = stack.probes().wrap(logs.router(Access::token("a long secret")));
    /// let app = levels.merge(stack.wrap(app));
    /// # }
    /// ```
    /// ```sh
    /// curl -X PUT -H "authorization: Bearer $TOKEN" -d info,shop=debug https://shop.example/log/level
    /// ```
    pub fn router<S: Clone + Send + Sync + 'static>(&self, access: Access) -> Router<S> {
        // Not the handle itself, whose last clone ends the log.
        let (levels, told) = (self.0.levels.clone(), self.0.levels.clone());
        let change = async move |facts: Facts, text: String| changed(&levels, &facts, text.trim());
        let tell = async move || ([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], told.said());
        Router::new().route("/log/level", get(tell).put(change)).layer(access.into_layer())
    }
}

fn changed(levels: &Levels, facts: &Facts, directives: &str) -> Response {
    let audit = Audit::new("log.level").on(directives).by(facts);
    match Directives::parse("level", directives) {
        Ok(read) => {
            levels.replace(read);
            audit.succeeded();
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => {
            audit.failed();
            Rejection::new(Kind::ValidationFailed).detail(error.mistakes().join("; ")).respond_to(Some(facts))
        }
    }
}
