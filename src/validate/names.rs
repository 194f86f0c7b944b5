//! What a client calls the fields of a type: garde knows them by their names in Rust, serde may read them by others.
//!
//! Which others, the client has just shown: they are looked up in what it sent, where `invoice_file` is found as `invoiceFile`. One that it did
//! not send is written the way the others are.

use http::{HeaderMap, header};
use percent_encoding::percent_decode_str;
use serde_json::Value;

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
    let name = |pair: &str| {
        let name = pair.split('=').next().unwrap_or_default().replace('+', " ");
        percent_decode_str(&name).decode_utf8_lossy().into_owned()
    };
    pairs.split('&').map(|pair| (name(pair), Value::Null)).collect()
}

/// The JSON pointer (RFC 6901) of a field, by the names that `sent` has.
pub(super) fn pointer(path: &garde::Path, sent: &Value) -> String {
    // As data: a key may have a dot in it.
    let Ok(Value::Array(steps)) = serde_json::to_value(path) else { return String::new() };
    let mut pointer = String::new();
    let mut at = Some(sent);
    for step in &steps {
        let (Some(kind @ ("key" | "index")), Some(name)) = (step[0].as_str(), step[1].as_str()) else { continue };
        let object = at.and_then(Value::as_object);
        let name = match object {
            Some(object) if !object.contains_key(name) => {
                let same = |sent: &&String| letters(sent).eq(letters(name));
                let known = object.keys().find(same).cloned();
                known.unwrap_or_else(|| if is_camel(sent) { camel(name) } else { name.to_owned() })
            }
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
        ] {
            assert_eq!(pointer(&path, &sent), expected);
        }
        assert_eq!(pointer(&key("not_sent"), &json!({ "a_b": 1 })), "/not_sent");
        assert_eq!(pointer(&key("not_sent").join("x"), &Value::Null), "/not_sent/x");
    }

    #[test]
    fn the_names_of_a_query_are_decoded() {
        assert_eq!(
            of_pairs("a=1&userName=&b%20c&d+e=x=y"),
            json!({ "a": null, "userName": null, "b c": null, "d e": null })
        );
    }
}
