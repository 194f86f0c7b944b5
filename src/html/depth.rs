//! How deep a text's elements are nested, before it is parsed: a parser's time grows with the square of it.

use std::cell::{Cell, RefCell};

use html5ever::{
    LocalName,
    tendril::StrTendril,
    tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts},
};

/// As deep as Chromium nests, which puts what is deeper beside it.
const DEEPEST: usize = 512;

/// Elements that have no end.
const VOID: [&str; 14] =
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"];
/// Elements that their like ends.
const SELF_ENDING: [&str; 10] = ["dd", "dt", "li", "p", "tbody", "td", "tfoot", "th", "thead", "tr"];

/// Whether it is nested too deep. It counts what is left open by sloppy HTML too, so that nothing escapes it.
pub(super) fn is_too_deep(html: &str) -> bool {
    let input = BufferQueue::default();
    input.push_back(StrTendril::from_slice(html));
    let tokenizer = Tokenizer::new(Depth::default(), TokenizerOpts::default());
    // Where a script ends, the tokenizer stops to have it run.
    while !input.is_empty() {
        let _ = tokenizer.feed(&input);
    }
    tokenizer.sink.deepest.get() > DEEPEST
}

#[derive(Default)]
struct Depth {
    open: RefCell<Vec<LocalName>>,
    deepest: Cell<usize>,
}

impl Depth {
    fn see(&self, tag: Tag) {
        let mut open = self.open.borrow_mut();
        let is_last = open.last().is_some_and(|last| *last == tag.name);
        match tag.kind {
            TagKind::StartTag if VOID.contains(&&*tag.name) || is_last && SELF_ENDING.contains(&&*tag.name) => {}
            // What is deeper changes nothing more.
            TagKind::StartTag if open.len() <= DEEPEST => open.push(tag.name),
            // An end that belongs to another element may end nothing.
            TagKind::EndTag if is_last => drop(open.pop()),
            _ => {}
        }
        self.deepest.set(self.deepest.get().max(open.len()));
    }
}

impl TokenSink for Depth {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        if let Token::TagToken(tag) = token {
            self.see(tag);
        }
        TokenSinkResult::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_not_deep() {
        let many = |text: &str| text.repeat(2000);
        for html in [
            "",
            "a < b",
            &many("<p>a<br>"),
            &many("<div><b>a</b></div>"),
            &many("<img src=x>"),
            &format!("<ul>{}</ul>", many("<li>a")),
            &format!("{}a{}", "<div>".repeat(512), "</div>".repeat(512)),
        ] {
            assert!(!is_too_deep(html), "{}", &html[..html.len().min(40)]);
        }
    }

    #[test]
    fn what_is_nested_deep_is_seen_however_it_is_hidden() {
        for html in [
            "<div>",
            "<b></i>",
            "<b title='</b>'>",
            "<b><div></b>",
            "<dd><li>",
            "<b><!-- </b> -->",
            "<ul><li>",
            "<rt>",
            "<b><script></b></script>",
            "<svg><b>",
            "<B>",
        ] {
            assert!(is_too_deep(&html.repeat(600)), "{html}");
        }
    }
}
