//! What a client calls the fields of a type: garde knows them by their names in Rust, serde may read them by others.
//!
//! Which others, the client has just shown: they are looked up in what it sent, where `invoice_file` is found as `invoiceFile`. One that it did
//! not send is written the way the others are. A struct that is not there while its field is was flattened, and is left out. An alias
//! in other letters cannot be known.

use http::{HeaderMap, header};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// Whether it is a form whose names can be looked up: JSON, or pairs.
pub(super) fn are_readable(headers: &HeaderMap) -> bool {
    is_json(headers) || essence(headers) == "application/x-www-form-urlencoded"
}

fn is_json(headers: &HeaderMap) -> bool {
    let essence = essence(headers);
    essence == "application/json" || essence.ends_with("+json")
}

fn essence(headers: &HeaderMap) -> String {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// What a body holds, as far as names go.
pub(super) fn of_body(headers: &HeaderMap, body: &[u8]) -> Value {
    if is_json(headers) {
        serde_json::from_slice(body).unwrap_or_default()
    } else {
        of_pairs(std::str::from_utf8(body).unwrap_or_default())
    }
}

/// What a query or a form holds, as far as names go.
pub(super) fn of_pairs(pairs: &str) -> Value {
    keys(pairs.split('&').map(pair_name))
}

/// What a target holds: of those in the path and in the query, nobody but the extractor knows which are meant, but the path's are not the
/// client's to choose.
pub(super) fn of_target(in_path: Vec<String>, query: &str) -> Value {
    let is_other = |name: &String| !in_path.iter().any(|known| letters(known).eq(letters(name)));
    let others: Vec<_> = query.split('&').map(pair_name).filter(is_other).collect();
    keys(in_path.into_iter().chain(others))
}

/// Names, without what they name.
fn keys(names: impl Iterator<Item = String>) -> Value {
    names.map(|name| (name, Value::Null)).collect()
}

fn pair_name(pair: &str) -> String {
    let name = pair.split('=').next().unwrap_or_default().replace('+', " ");
    percent_decode_str(&name).decode_utf8_lossy().into_owned()
}

/// The JSON pointer (RFC 6901) of a field, by the names that `sent` has.
pub(super) fn pointer(path: &garde::Path, sent: &Value) -> String {
    // As data: a key may have a dot in it.
    let Ok(Value::Array(steps)) = serde_json::to_value(path) else { return String::new() };
    let steps = steps.iter().filter_map(|step| match (step[0].as_str()?, step[1].as_str()?) {
        (kind @ ("key" | "index"), name) => Some((kind, name)),
        _ => None,
    });
    let mut steps = steps.peekable();
    let mut pointer = String::new();
    let mut at = Some(sent);
    while let Some((kind, name)) = steps.next() {
        let object = at.and_then(Value::as_object);
        let name = match object.map(|object| (key(object, name), object)) {
            Some((Some(known), _)) => known.to_owned(),
            Some((None, object)) if steps.peek().is_some_and(|(_, next)| key(object, next).is_some()) => continue,
            Some((None, _)) if is_camel(sent) => camel(name),
            _ => name.to_owned(),
        };
        pointer.push('/');
        pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
        at = match kind {
            "key" => object.and_then(|object| object.get(&name)),
            _ => at.and_then(|list| list.get(name.parse::<usize>().ok()?)),
        };
    }
    pointer
}

/// What a client calls this field.
fn key<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    let same = |sent: &&String| letters(sent).eq(letters(name));
    let known = object.get_key_value(name).map(|(known, _)| known);
    known.or_else(|| object.keys().find(same)).map(String::as_str)
}

/// A name without what sets its words apart.
fn letters(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase)
}

/// Whether a name in it is written `likeThis`.
fn is_camel(sent: &Value) -> bool {
    let is_camel_name = |name: &String| name.contains(char::is_uppercase) && !name.contains(['_', '-']);
    sent.as_object().is_some_and(|object| object.keys().any(is_camel_name))
}

fn camel(name: &str) -> String {
    let mut words = name.split('_').filter(|word| !word.is_empty());
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut name, word| {
        let mut letters = word.chars();
        name.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        name.push_str(letters.as_str());
        name
    })
}

#[cfg(test)]
mod tests {
    use garde::Path;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_is_a_json_pointer_by_the_client_s_names() {
        let sent = json!({ "invoiceFile": 1, "Items": [{ "unit-price": 1 }], "a_b": { "x": 1 }, "map": { "a/b.c": 1, "cD": 1 } });
        let key = Path::new;
        for (path, expected) in [
            (Path::empty(), ""),
            (key("invoice_file"), "/invoiceFile"),
            (key("items").join(0).join("unit_price"), "/Items/0/unit-price"),
            (key("items").join(7).join("unit_price"), "/Items/7/unit_price"),
            (key("a_b").join("x"), "/a_b/x"),
            (key("a_b").join("not_sent"), "/a_b/notSent"),
            (key("not_sent_at_all"), "/notSentAtAll"),
            (key("map").join("a/b.c"), "/map/a~1b.c"),
            (key("map").join("m~n"), "/map/m~0n"),
            (key("flat").join("invoice_file"), "/invoiceFile"),
            (key("flat").join("flatter").join("not_sent"), "/flat/flatter/not_sent"),
            (key("a_b").join("flat").join("x"), "/a_b/x"),
        ] {
            assert_eq!(pointer(&path, &sent), expected);
        }
        assert_eq!(pointer(&key("not_sent"), &json!({ "a_b": 1 })), "/not_sent");
        assert_eq!(pointer(&key("not_sent").join("x"), &Value::Null), "/not_sent/x");
    }

    #[test]
    fn a_name_in_the_path_is_the_path_s() {
        let sent = of_target(vec!["user_name".to_owned()], "userName=1&Other=2");
        assert_eq!(sent, json!({ "user_name": null, "Other": null }));
    }

    #[test]
    fn the_names_of_a_query_are_decoded() {
        assert_eq!(
            of_pairs("a=1&userName=&b%20c&d+e=x=y"),
            json!({ "a": null, "userName": null, "b c": null, "d e": null })
        );
    }
}
