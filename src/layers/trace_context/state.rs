//! `tracestate`: a list that is handed on as it is, if it is one.

/// More members than that, and the list is dropped.
const MOST_MEMBERS: usize = 32;
/// Longer than all that members within the rule can need is nobody's list.
const LONGEST: usize = 32 * 514;

/// All lines as one list, in their order; `None` for a list that is empty or malformed.
pub(super) fn combined<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<String> {
    let mut members = Vec::new();
    let mut length = 0;
    for line in lines {
        length += line.len();
        if length > LONGEST {
            return None;
        }
        for member in std::str::from_utf8(line).ok()?.split(',').map(trimmed).filter(|member| !member.is_empty()) {
            let (key, value) = member.split_once('=')?;
            if members.len() == MOST_MEMBERS || !is_key(key) || !is_value(value) {
                return None;
            }
            members.push(member);
        }
    }
    (!members.is_empty()).then(|| members.join(","))
}

fn trimmed(member: &str) -> &str {
    member.trim_matches([' ', '\t'])
}

/// As level 2 has it: an `@` is a character like the others.
fn is_key(key: &str) -> bool {
    key.len() <= 256
        && key.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(&byte))
}

/// Printable, without `,` and `=`, and not empty. Its end is no space: that was trimmed.
fn is_value(value: &str) -> bool {
    (1..=256).contains(&value.len()) && value.bytes().all(|byte| matches!(byte, 0x20..0x7f) && byte != b'=')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(lines: &[&str]) -> Option<String> {
        combined(lines.iter().map(|line| line.as_bytes()))
    }

    #[test]
    fn a_list_is_handed_on_in_its_order() {
        let letters = "abcdefghijklmnopqrstuvwxyz0123456789_-*/";
        let printable: String = (0x20..0x7f_u8).map(char::from).filter(|char| !",=".contains(*char)).collect();
        let members: Vec<_> = (0..32).map(|number| format!("k{number}={number}")).collect();
        for (lines, expected) in [
            (vec!["foo=1,bar=2".to_owned()], "foo=1,bar=2".to_owned()),
            (
                vec!["foo=1,bar=2".into(), "rojo=1,congo=2".into(), "baz=3".into()],
                "foo=1,bar=2,rojo=1,congo=2,baz=3".into(),
            ),
            (vec![String::new(), "foo=1".into()], "foo=1".into()),
            (vec!["foo=1".into(), String::new()], "foo=1".into()),
            (vec!["foo=1,,bar=2,".into()], "foo=1,bar=2".into()),
            (vec!["\t foo=1 \t,\t bar=2 ".into()], "foo=1,bar=2".into()),
            (vec![format!("{letters}={printable}")], format!("{letters}={printable}")),
            (vec![format!("{letters}@a-z0-9_-*/={printable}")], format!("{letters}@a-z0-9_-*/={printable}")),
            (vec!["1foo=1,1foo@bar=1".into()], "1foo=1,1foo@bar=1".into()),
            (vec!["foo@=1,foo@@bar=2,a@b@1c=3".into()], "foo@=1,foo@@bar=2,a@b@1c=3".into()),
            (vec!["foo=1,foo=1".into(), "foo=2".into()], "foo=1,foo=1,foo=2".into()),
            (vec![format!("{}=1", "z".repeat(256))], format!("{}=1", "z".repeat(256))),
            (
                vec![format!("{}@{}=1", "t".repeat(241), "v".repeat(14))],
                format!("{}@{}=1", "t".repeat(241), "v".repeat(14)),
            ),
            (vec![format!("a={}", "v".repeat(256))], format!("a={}", "v".repeat(256))),
            (vec![members[..20].join(","), members[20..].join(",")], members.join(",")),
        ] {
            let lines: Vec<_> = lines.iter().map(String::as_str).collect();
            assert_eq!(read(&lines), Some(expected), "{lines:?}");
        }
    }

    #[test]
    fn one_malformed_member_drops_the_list() {
        let members: Vec<_> = (0..33).map(|number| format!("k{number}={number}")).collect();
        for line in [
            "",
            " , ",
            "foo",
            "foo=",
            "foo=,bar=3",
            "=1",
            "foo=bar=baz",
            "foo =1",
            "FOO=1",
            "foo.bar=1",
            "_foo=1",
            "@foo=1,bar=2",
            "foo=b\u{e9}",
            "foo=b\tr",
            "bar=1;foo=1",
            &format!("foo=1,{}=1", "z".repeat(257)),
            &format!("foo={}", "v".repeat(257)),
            &members.join(","),
        ] {
            assert_eq!(read(&[line]), None, "{line:?}");
        }
        assert_eq!(combined([&b"foo=\xff"[..]].into_iter()), None);
    }

    proptest! {
        #[test]
        fn what_is_handed_on_is_handed_on_again(line in "[a-z0-9@=, \t]{0,60}") {
            if let Some(list) = read(&[&line]) {
                prop_assert_eq!(read(&[&list]), Some(list));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = combined([&bytes[..]].into_iter());
        }
    }
}
