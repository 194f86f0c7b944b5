//! Which HTML is kept, said by the operator.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use ammonia::{Builder, UrlRelative};

use super::Html;
use crate::ConfigError;

/// What runs, what loads what runs, what asks for input, and what is read in another way than the rest of a page.
const DANGEROUS_ELEMENTS: [&str; 38] = [
    "applet",
    "audio",
    "base",
    "body",
    "button",
    "canvas",
    "dialog",
    "embed",
    "fieldset",
    "form",
    "frame",
    "frameset",
    "head",
    "html",
    "iframe",
    "input",
    "isindex",
    "keygen",
    "link",
    "listing",
    "math",
    "meta",
    "noembed",
    "noframes",
    "noscript",
    "object",
    "option",
    "param",
    "plaintext",
    "portal",
    "script",
    "select",
    "slot",
    "style",
    "svg",
    "template",
    "textarea",
    "xmp",
];

/// What runs, changes what a page's own scripts and styles find, or holds addresses that are not held against the schemes.
const DANGEROUS_ATTRIBUTES: [&str; 23] = [
    "action",
    "archive",
    "attributionsrc",
    "autofocus",
    "background",
    "classid",
    "codebase",
    "dynsrc",
    "form",
    "formaction",
    "id",
    "imagesrcset",
    "is",
    "longdesc",
    "lowsrc",
    "manifest",
    "name",
    "ping",
    "profile",
    "srcdoc",
    "srcset",
    "style",
    "xmlns",
];

const DANGEROUS_SCHEMES: [&str; 8] =
    ["about", "blob", "data", "file", "filesystem", "javascript", "livescript", "vbscript"];

/// What [`Html::rich`] keeps.
pub(super) fn rich() -> Builder<'static> {
    let mut rules = Builder::default();
    rules.url_schemes(HashSet::from(["http", "https", "mailto", "tel"]));
    rules
}

/// A list of what is kept. Nothing is, before it is named.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct HtmlBuilder {
    elements: HashSet<&'static str>,
    attributes: HashMap<&'static str, HashSet<&'static str>>,
    schemes: HashSet<&'static str>,
    relative: bool,
}

impl HtmlBuilder {
    /// Elements, by their names in lower case.
    pub fn elements(mut self, names: impl IntoIterator<Item = &'static str>) -> Self {
        self.elements.extend(names);
        self
    }

    /// Attributes of an element, by their names in lower case.
    pub fn attributes(mut self, element: &'static str, names: impl IntoIterator<Item = &'static str>) -> Self {
        self.attributes.entry(element).or_default().extend(names);
        self
    }

    /// Schemes that an address may have, such as `https`.
    pub fn schemes(mut self, names: impl IntoIterator<Item = &'static str>) -> Self {
        self.schemes.extend(names);
        self
    }

    /// Whether an address may lead to the same site: `/b`, `c?d`, `#e`, but not `//elsewhere`.
    pub fn relative_links(mut self, allowed: bool) -> Self {
        self.relative = allowed;
        self
    }

    /// The list.
    ///
    /// # Errors
    /// Each element, attribute and scheme that would let a stranger's HTML do more than be shown; and attributes of an element that is not kept.
    pub fn build(self) -> Result<Html, ConfigError> {
        let mut mistakes = ConfigError::default();
        for element in &self.elements {
            if DANGEROUS_ELEMENTS.contains(element) || !is_name(element) {
                mistakes.push("HTML element", format_args!("`{element}` is not to be had from a stranger"));
            }
        }
        for (element, attributes) in &self.attributes {
            if !self.elements.contains(element) {
                mistakes.push("HTML attribute", format_args!("its element `{element}` is not kept"));
            }
            for attribute in attributes {
                let is_rel = *attribute == "rel" && *element == "a";
                let is_dangerous = DANGEROUS_ATTRIBUTES.contains(attribute) || attribute.starts_with("on") || is_rel;
                if is_dangerous || !is_name(attribute) {
                    mistakes.push("HTML attribute", format_args!("`{attribute}` is not to be had from a stranger"));
                }
            }
        }
        for scheme in &self.schemes {
            if DANGEROUS_SCHEMES.contains(scheme) || !is_name(scheme) {
                mistakes.push("scheme", format_args!("`{scheme}` is not to be had from a stranger"));
            }
        }
        mistakes.or(())?;
        let mut rules = Builder::empty();
        rules.generic_attributes(HashSet::new());
        rules
            .tags(self.elements)
            .tag_attributes(self.attributes)
            .url_schemes(self.schemes)
            .url_relative(if self.relative { UrlRelative::Custom(Box::new(same_site)) } else { UrlRelative::Deny });
        Ok(Html::of(rules))
    }
}

/// An address without a scheme, unless it names a host (WHATWG URL, 4.4: blanks go, a backslash is a slash).
fn same_site(address: &str) -> Option<Cow<'_, str>> {
    let letters =
        address.trim_start_matches(|letter| letter <= ' ').chars().filter(|letter| !"\t\n\r".contains(*letter));
    let slashes = letters.take(2).filter(|letter| matches!(letter, '/' | '\\')).count();
    (slashes < 2).then_some(Cow::Borrowed(address))
}

/// As it is compared: a name in capitals would never be met.
fn is_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-+.".contains(&byte);
    name.as_bytes().first().is_some_and(u8::is_ascii_lowercase) && name.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_keeps_what_it_names_and_nothing_else() {
        let html = Html::builder()
            .elements(["a", "em"])
            .attributes("a", ["href"])
            .schemes(["https"])
            .relative_links(true)
            .build()
            .unwrap();
        let cleaned = html.clean("<em title=x>a</em><strong>b</strong><a href=/c>c</a><a href=mailto:d>d</a>").unwrap();
        let rel = "rel=\"noopener noreferrer nofollow ugc\"";
        assert_eq!(&*cleaned, format!("<em>a</em>b<a href=\"/c\" {rel}>c</a><a {rel}>d</a>"));
    }

    #[test]
    fn an_address_of_the_same_site_names_no_host() {
        let html = Html::builder()
            .elements(["img"])
            .attributes("img", ["src"])
            .schemes(["https"])
            .relative_links(true)
            .build()
            .unwrap();
        for kept in ["/a", "a//b", "a/b?c=//d", "?a", "#a", "./a", "../a", "https://a/b", ""] {
            assert_eq!(&*html.clean(&format!("<img src=\"{kept}\">")).unwrap(), format!("<img src=\"{kept}\">"));
        }
        for left in [
            "//a",
            "\\\\a",
            "/\\a",
            "/\t/a",
            " //a",
            "\n/\n/a",
            "///a",
            "&#47;/a",
            "http://a",
            "javascript:a",
            "//a@b",
            "\u{1}//a",
        ] {
            assert_eq!(&*html.clean(&format!("<img src=\"{left}\">")).unwrap(), "<img>", "{left:?}");
        }
    }

    #[test]
    fn an_attribute_with_addresses_that_nobody_looks_at_is_not_to_be_had() {
        for attribute in ["srcset", "imagesrcset", "lowsrc", "ping", "attributionsrc"] {
            assert!(Html::builder().elements(["img"]).attributes("img", [attribute]).build().is_err(), "{attribute}");
        }
        let picture =
            Html::rich().clean("<img srcset='javascript:a 1x' src=a><video poster='javascript:a'></video>").unwrap();
        assert_eq!(&*picture, "<img src=\"a\">");
    }

    #[test]
    fn every_danger_in_a_list_is_named_at_once() {
        let dangerous = Html::builder()
            .elements(["b", "script", "SVG"])
            .attributes("b", ["onclick", "style", "title"])
            .attributes("a", ["href"])
            .schemes(["https", "javascript"]);
        let error = dangerous.build().unwrap_err();
        for mistake in ["`script`", "`SVG`", "`onclick`", "`style`", "`a` is not kept", "`javascript`"] {
            assert!(error.to_string().contains(mistake), "{mistake} in {error}");
        }
        assert_eq!(error.mistakes().len(), 6);
    }

    #[test]
    fn whatever_may_be_listed_can_be_cleaned_by() {
        // ammonia panics where a list contradicts itself.
        for element in ["a", "img", "b", "custom-element", "title", "area", "map", "video", "source", "h1", "details"] {
            let html = Html::builder().elements([element]).attributes(element, ["href", "src", "class", "title"]);
            html.build().unwrap().clean("<b class=x>a</b><a rel=x class=y href=z>b</a>").unwrap();
        }
    }
}
