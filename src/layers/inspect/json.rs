//! The strings and keys of a JSON document, each with the way to it. Nothing is built.

use std::{fmt, ops::ControlFlow};

use serde_core::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{Field, Location, leaves::See};

/// Whether a content type is one of JSON.
pub(super) fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(&*essence, "application/json" | "text/json") || essence.ends_with("+json")
}

/// Shows each string and key, below a path; whether it is JSON as far as it goes. Of a document that is cut, the last string is shown
/// up to the cut.
///
/// What is nested more than 128 deep is none: a handler that reads with `serde_json` is not given it either.
pub(super) fn walk(document: &[u8], location: Location, path: &str, see: &mut See<'_>) -> ControlFlow<(), bool> {
    let mut walk = Walk { see, location, path: path.to_owned(), is_over: false };
    let mut deserializer = serde_json::Deserializer::from_slice(document);
    let read = walk.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    if walk.is_over {
        return ControlFlow::Break(());
    }
    let Err(error) = read else { return ControlFlow::Continue(true) };
    if error.is_eof()
        && let Some(cut) = cut_string(document)
    {
        (walk.see)(Field { location, name: &walk.path }, cut)?;
    }
    ControlFlow::Continue(error.is_eof())
}

/// The string that the end of a document cuts off, if it does.
fn cut_string(document: &[u8]) -> Option<&[u8]> {
    let mut start = None;
    let mut bytes = document.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match (byte, start) {
            (b'"', None) => start = Some(at + 1),
            (b'"', Some(_)) => start = None,
            (b'\\', Some(_)) => drop(bytes.next()),
            _ => {}
        }
    }
    start.map(|start| &document[start..])
}

struct Walk<'a, 'b> {
    see: &'a mut See<'b>,
    location: Location,
    /// The keys on the way, joined by dots.
    path: String,
    is_over: bool,
}

impl Walk<'_, '_> {
    fn show<E: Error>(&mut self, text: &str) -> Result<(), E> {
        let field = Field { location: self.location, name: &self.path };
        if (self.see)(field, text.as_bytes()).is_break() {
            self.is_over = true;
            return Err(E::custom("refused"));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for &mut Walk<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Walk<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.show(text)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(&mut *self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let before = self.path.len();
        while object.next_key_seed(Key(&mut *self))?.is_some() {
            object.next_value_seed(&mut *self)?;
            self.path.truncate(before);
        }
        Ok(())
    }
}

/// A key is shown too, and is the next step of the way.
struct Key<'a, 'b, 'c>(&'a mut Walk<'b, 'c>);

impl<'de> DeserializeSeed<'de> for Key<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<(), E> {
        self.0.show(key)?;
        if !self.0.path.is_empty() {
            self.0.path.push('.');
        }
        self.0.path.push_str(key);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(document: &str) -> (Vec<String>, ControlFlow<(), bool>) {
        let mut seen = Vec::new();
        let read = walk(document.as_bytes(), Location::Json, "", &mut |field: Field<'_>, value: &[u8]| {
            seen.push(format!("{}={}", field.name(), String::from_utf8_lossy(value)));
            if value == b"stop" { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        (seen, read)
    }

    #[test]
    fn every_string_and_key_is_shown_with_the_way_to_it() {
        let document = r#"{"a":"1","b":{"c":["2",{"d":"\u0033\n"}],"e":4},"f":[null,true,-1,1.5],"":"5"}"#;
        let (shown, read) = seen(document);
        let expected = ["=a", "a=1", "=b", "b=c", "b.c=2", "b.c=d", "b.c.d=3\n", "b=e", "=f", "=", "=5"];
        assert_eq!((shown, read), (expected.map(str::to_owned).to_vec(), ControlFlow::Continue(true)));
        assert_eq!(seen("\"a\"").0, ["=a"]);
    }

    #[test]
    fn what_is_no_json_is_said_to_be_none_and_is_shown_as_far_as_it_goes() {
        let deep = "[".repeat(10_000) + "\"x\"";
        for (document, shown) in
            [("{\"a\":\"b\",x", 2), ("{\"a\":\"b\"} x", 2), ("\"\\ud83d<b>", 0), ("{'a':1}", 0), (&deep, 0)]
        {
            let (seen, read) = seen(document);
            assert_eq!(
                (seen.len(), read),
                (shown, ControlFlow::Continue(false)),
                "{}",
                &document[..document.len().min(20)]
            );
        }
    }

    #[test]
    fn what_is_cut_is_shown_up_to_the_cut() {
        for (document, shown) in [
            ("", &[][..]),
            ("[1,", &[]),
            ("{\"a\":\"b\",\"c", &["=a", "a=b", "=c"]),
            ("{\"a\":{\"b\":[\"c\",\"d\\\"\\u00", &["=a", "a=b", "a.b=c", "a.b=d\\\"\\u00"]),
            ("{\"a\":\"b\"", &["=a", "a=b"]),
        ] {
            assert_eq!(
                seen(document),
                (shown.iter().map(|&shown| shown.to_owned()).collect(), ControlFlow::Continue(true))
            );
        }
    }

    #[test]
    fn every_beginning_of_json_is_json_as_far_as_it_goes() {
        let document =
            "{\"a\":[-1.5e-3,true,null,\"\\ud83d\\ude00\\\\\\\"\",{}],\"\u{e9}\\n\":{\"\u{1f600}\":\"end\"} }"
                .as_bytes();
        for end in 0..=document.len() {
            let read = walk(&document[..end], Location::Json, "", &mut |_, _| ControlFlow::Continue(()));
            assert_eq!(read, ControlFlow::Continue(true), "{end}");
        }
    }

    #[test]
    fn who_has_seen_enough_sees_no_more() {
        assert_eq!(seen(r#"["a","stop","b"]"#), (vec!["=a".to_owned(), "=stop".to_owned()], ControlFlow::Break(())));
    }
}
