//! What a text would cost its parser, before it is parsed: time grows with the square of how deep it is nested, and of how many attributes a
//! tag has; and elements such as `<b>` that are left open are made anew in every paragraph that follows.

use std::cell::{Cell, RefCell};

use html5ever::{
    LocalName,
    tendril::StrTendril,
    tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts},
};

/// As deep as Chromium nests, which puts what is deeper beside it.
const DEEPEST: usize = 512;

/// A step for each element that is open at each tag: some 20 ms.
const MOST_STEPS: usize = 2_000_000;
/// Elements that a parser may make anew: some 50 MB.
const MOST_MADE_ANEW: usize = 150_000;

/// What is opened again where something else ended it.
const FORMATTING: [&str; 14] =
    ["a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"];
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
    let Depth { deepest, steps, made_anew, .. } = tokenizer.sink;
    deepest.get() > DEEPEST || steps.get() > MOST_STEPS || made_anew.get() > MOST_MADE_ANEW
}

#[derive(Default)]
struct Depth {
    open: RefCell<Vec<LocalName>>,
    deepest: Cell<usize>,
    steps: Cell<usize>,
    made_anew: Cell<usize>,
    /// How many of those that are open are formatting.
    formatting: Cell<usize>,
    /// Whether there was SVG or `MathML`, in which every element can hold others.
    is_foreign: Cell<bool>,
}

impl Depth {
    fn see(&self, tag: Tag) {
        let mut open = self.open.borrow_mut();
        let is_last = open.last().is_some_and(|last| *last == tag.name);
        let is_formatting = FORMATTING.contains(&&*tag.name);
        self.is_foreign.set(self.is_foreign.get() || matches!(&*tag.name, "svg" | "math"));
        let holds_nothing = VOID.contains(&&*tag.name) || is_last && SELF_ENDING.contains(&&*tag.name);
        match tag.kind {
            TagKind::StartTag if holds_nothing && !self.is_foreign.get() => {}
            // What is deeper changes nothing more.
            TagKind::StartTag if open.len() <= DEEPEST => {
                self.formatting.set(self.formatting.get() + usize::from(is_formatting));
                open.push(tag.name);
            }
            // An end that belongs to another element may end nothing.
            TagKind::EndTag if is_last => {
                self.formatting.set(self.formatting.get() - usize::from(is_formatting));
                drop(open.pop());
            }
            _ => {}
        }
        self.steps.set(self.steps.get() + open.len());
        self.made_anew.set(self.made_anew.get() + self.formatting.get());
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
    fn what_would_be_made_anew_over_and_over_is_seen() {
        let open = (0..500).fold(String::new(), |open, number| open + &format!("<b title={number}>"));
        assert!(is_too_deep(&format!("<div>{open}</div>{}", "<p>x</p>".repeat(1000))));
        assert!(!is_too_deep(&format!("<b><i><u>{}", "<p>x</p>".repeat(5000))));
        assert!(is_too_deep(&("<svg>".to_owned() + &"<wbr>".repeat(600))));
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
