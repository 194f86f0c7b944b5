//! HTML that a service takes in and shows to others, cleaned when it arrives.
//!
//! What a field's type says is what it holds: a [`SafeHtml`] in a request's struct was cleaned while it was read, and a `String` is
//! what the client sent, always. The cleaning is [ammonia](https://docs.rs/ammonia)'s: parsed as a browser does, and only what is
//! on a list is written again. No other text than one to be shown as HTML is to be cleaned: where a page is to show a text as it is,
//! its template escapes it.
//!
//! ```
//! use palisade::html::{Html, SafeHtml};
//!
//! #[derive(serde::Deserialize)]
//! struct Comment {
//!     body: SafeHtml,                                                  // as `Html::rich` has it
//!     #[serde(deserialize_with = "palisade::html::text_only")]
//!     title: SafeHtml,
//! }
//! let comment: Comment = serde_json::from_str(
//!     r#"{"body": "<p onclick=x()>hi<script>x()</script></p>", "title": "<h1>1 < 2</h1>"}"#,
//! )?;
//! assert_eq!((&*comment.body, &*comment.title), ("<p>hi</p>", "1 &lt; 2"));
//!
//! let short = Html::builder().elements(["b", "i", "a"]).attributes("a", ["href"]).schemes(["https"]).build()?;
//! assert_eq!(&*short.clean("<b>a</b><a href=http://b>b</a>")?, r#"<b>a</b><a rel="noopener noreferrer nofollow ugc">b</a>"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod builder;
mod depth;

use std::{
    fmt,
    ops::Deref,
    sync::{Arc, LazyLock},
};

use ammonia::Builder;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

pub use self::builder::HtmlBuilder;

/// Which HTML is kept. A cheap handle, made once.
#[derive(Debug, Clone)]
pub struct Html(Arc<Builder<'static>>);

static RICH: LazyLock<Html> = LazyLock::new(|| Html::of(builder::rich()));
static TEXT_ONLY: LazyLock<Html> = LazyLock::new(|| Html::of(Builder::empty()));

impl Html {
    fn of(mut rules: Builder<'static>) -> Self {
        // Whoever is linked to owes the writer nothing, and is told nothing.
        rules.link_rel(Some("noopener noreferrer nofollow ugc"));
        Self(Arc::new(rules))
    }

    /// No element at all: what is left is text, escaped to be put into a page. What stood between script or style tags is gone.
    #[must_use]
    pub fn text_only() -> Self {
        TEXT_ONLY.clone()
    }

    /// What people write: paragraphs, headings, lists, tables, quotes, links and images. No script, style, frame, form, class or id;
    /// addresses are `http`, `https`, `mailto`, `tel` or relative. An image is fetched from where it says, so that its owner
    /// learns who looks: take `img` out with a [builder](Self::builder), or name your own host in `img-src` of the policy.
    #[must_use]
    pub fn rich() -> Self {
        RICH.clone()
    }

    /// A list of one's own, which begins empty.
    pub fn builder() -> HtmlBuilder {
        HtmlBuilder::default()
    }

    /// The part of this HTML that is kept.
    ///
    /// # Errors
    /// More than 64 KiB, elements nested more than 512 deep, or so many left open that it would take a parser more time or memory than
    /// anybody's text is worth.
    pub fn clean(&self, html: &str) -> Result<SafeHtml, TooMuch> {
        if html.len() > LONGEST {
            return Err(TooMuch("HTML is longer than 64 KiB"));
        }
        if depth::is_too_deep(html) {
            return Err(TooMuch("HTML is nested too deep"));
        }
        Ok(SafeHtml(self.0.clean(html).to_string()))
    }

    /// For `#[serde(deserialize_with = "..")]`, in a function of one's own that names the profile.
    ///
    /// ```
    /// # use palisade::html::{Html, SafeHtml};
    /// # use std::sync::LazyLock;
    /// static SHORT: LazyLock<Html> = LazyLock::new(|| Html::builder().elements(["b", "i"]).build().unwrap_or(Html::text_only()));
    ///
    /// fn short<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<SafeHtml, D::Error> {
    ///     SHORT.deserialize(deserializer)
    /// }
    /// ```
    ///
    /// # Errors
    /// Where there is no text, or it is [`TooMuch`].
    pub fn deserialize<'de, D: Deserializer<'de>>(&self, deserializer: D) -> Result<SafeHtml, D::Error> {
        let html = String::deserialize(deserializer)?;
        self.clean(&html).map_err(D::Error::custom)
    }
}

/// For `#[serde(deserialize_with = "palisade::html::text_only")]`: see [`Html::text_only`].
///
/// # Errors
/// Where there is no text, or it is [`TooMuch`].
pub fn text_only<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SafeHtml, D::Error> {
    TEXT_ONLY.deserialize(deserializer)
}

/// The time for a tag with nothing but attributes grows with their square.
const LONGEST: usize = 64 * 1024;

/// HTML that is too much to be cleaned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMuch(&'static str);

impl fmt::Display for TooMuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for TooMuch {}

/// HTML that may be put between the tags of a page as it is. Read from a request it was cleaned by [`Html::rich`].
///
/// Not inside an attribute, a script or a style: there, other rules hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SafeHtml(String);

impl SafeHtml {
    /// The text.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl Deref for SafeHtml {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for SafeHtml {
    fn as_ref(&self) -> &str {
        self
    }
}

impl fmt::Display for SafeHtml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl<'de> Deserialize<'de> for SafeHtml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        RICH.deserialize(deserializer)
    }
}

impl Serialize for SafeHtml {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_kept_and_what_runs_is_not() {
        let rich = Html::rich();
        for (html, kept) in [
            ("<p>Tom &amp; <b>Jerry</b></p>", "<p>Tom &amp; <b>Jerry</b></p>"),
            ("1 < 2 && 3 > 2", "1 &lt; 2 &amp;&amp; 3 &gt; 2"),
            ("<script>steal()</script>a<style>b{}</style>", "a"),
            ("<p onclick=steal() style=color:red class=x id=y>a</p>", "<p>a</p>"),
            ("<a href=\"java\tscript:steal()\">a</a>", "<a rel=\"noopener noreferrer nofollow ugc\">a</a>"),
            ("<a href=' JavaScript:steal()'>a</a>", "<a rel=\"noopener noreferrer nofollow ugc\">a</a>"),
            ("<a href=data:text/html,x>a</a>", "<a rel=\"noopener noreferrer nofollow ugc\">a</a>"),
            ("<a href=/b>a</a>", "<a href=\"/b\" rel=\"noopener noreferrer nofollow ugc\">a</a>"),
            ("<img src=x onerror=steal()>", "<img src=\"x\">"),
            ("<svg onload=steal()><math><mi>a", ""),
            ("<iframe src=//evil></iframe><form action=//evil><input>a</form>", "a"),
            ("<!-- --!><img src=x onerror=steal()> -->", "<img src=\"x\"> --&gt;"),
            ("<b>not closed", "<b>not closed</b>"),
            ("", ""),
        ] {
            assert_eq!(&*rich.clean(html).unwrap(), kept, "{html}");
        }
        assert_eq!(&*Html::text_only().clean("<p>a <b>b</b></p> & <script>c</script>").unwrap(), "a b &amp; ");
    }

    #[test]
    fn what_is_clean_stays_as_it_is() {
        let rich = Html::rich();
        for html in ["<p>a &amp; <a href=b>c</a></p>", "<table><tr><td>a", "<ul><li>a<li>b", "a < b", "&amp;lt;"] {
            let once = rich.clean(html).unwrap();
            assert_eq!(rich.clean(&once).unwrap(), once);
        }
    }

    #[test]
    fn what_is_nested_too_deep_is_refused_and_said_so() {
        let deep = "<div>".repeat(600);
        assert_eq!(Html::rich().clean(&deep), Err(TooMuch("HTML is nested too deep")));
        assert_eq!(Html::rich().clean(&"a".repeat(LONGEST + 1)), Err(TooMuch("HTML is longer than 64 KiB")));
        let error = serde_json::from_value::<SafeHtml>(deep.into()).unwrap_err();
        assert_eq!(error.to_string(), "HTML is nested too deep");
    }
}
