//! A body that is looked at while it passes: where nothing is refused, nobody has to wait for the look.

use axum_core::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt as _;

use super::{InspectLayer, body::Gathered, content::Content};
use crate::{Facts, guard::panic::caught};

/// What was heard of a body. It is looked at when the body is let go: read to its end, or no longer wanted.
pub(super) struct Overheard {
    layer: InspectLayer,
    facts: Facts,
    content: Content,
    heard: Gathered,
    is_part: bool,
}

impl Overheard {
    pub(super) fn new(layer: InspectLayer, facts: Facts, content: Content) -> Self {
        Self { layer, facts, content, heard: Gathered::default(), is_part: false }
    }

    /// The same body.
    pub(super) fn listen(mut self, body: Body) -> Body {
        Body::new(body.map_frame(move |frame| {
            if let Some(data) = frame.data_ref() {
                self.hear(data);
            }
            frame
        }))
    }

    fn hear(&mut self, data: &Bytes) {
        if self.heard.len() <= self.layer.settings.largest {
            self.heard.push(data.clone());
        } else {
            self.is_part = true;
        }
    }
}

impl Drop for Overheard {
    fn drop(&mut self) {
        let heard = std::mem::take(&mut self.heard).into_bytes();
        if !heard.is_empty() {
            // A rule of the user's own may panic, and this may be in the middle of another panic.
            let _ = caught(|| self.layer.look_at_body(&self.content, &heard, self.is_part, &self.facts));
        }
    }
}
