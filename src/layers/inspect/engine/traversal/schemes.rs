//! Addresses that open files, archives and commands where a path was asked for.

use crate::inspect::engine::verdict::Signs;

/// Wrappers of PHP as its manual lists them, and what Java and others add. What people link to is worth nothing.
const SCHEMES: [(&[u8], i32); 20] = [
    (b"compress.bzip2:", 9),
    (b"compress.zlib:", 9),
    (b"dict:", 4),
    (b"expect:", 9),
    (b"glob:", 9),
    (b"gopher:", 4),
    (b"jar:", 6),
    (b"local_file:", 9),
    (b"netdoc:", 9),
    (b"ogg:", 6),
    (b"phar:", 9),
    (b"php:", 9),
    (b"rar:", 6),
    (b"ssh2.exec:", 9),
    (b"ssh2.scp:", 9),
    (b"ssh2.sftp:", 9),
    (b"ssh2.shell:", 9),
    (b"ssh2.tunnel:", 9),
    (b"tftp:", 4),
    (b"zip:", 9),
];

/// The length of the longest.
const LONGEST: usize = 16;

/// The points of the scheme that a value begins with.
pub(super) fn points(text: &[u8]) -> i32 {
    let known = |(scheme, _): &&(&[u8], i32)| {
        let Some((name, rest)) = text.split_at_checked(scheme.len()) else { return false };
        // A `php: the manual` is a title.
        name.eq_ignore_ascii_case(scheme)
            && (matches!(rest, [b'/', b'/', _, ..]) || rest.starts_with(b"file:") || rest.starts_with(b"http"))
    };
    match text {
        // What most addresses begin with.
        [b'h' | b'H', b't' | b'T', ..] | [] => 0,
        _ if !text[..text.len().min(LONGEST)].contains(&b':') => 0,
        [first, ..] => {
            let mut alike = SCHEMES.iter().filter(|(scheme, _)| scheme[0] == first | 0x20);
            alike.find(known).map_or(0, |(_, points)| *points)
        }
    }
}

/// A host's share, `\\host\share`, and a disk: `d:\x`.
pub(super) fn places(text: &[u8], signs: &mut Signs) {
    if let [b'\\', b'\\', rest @ ..] = text {
        let host = rest
            .iter()
            .take(64)
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'?'))
            .count();
        if let Some([b'\\', share, ..]) = rest.get(host..).filter(|_| host > 1)
            && (share.is_ascii_alphanumeric() || *share == b'$')
        {
            // `c$`, `admin$`: what only who governs the host may open.
            let hidden = rest[host + 1..].iter().take(16).any(|byte| *byte == b'$');
            signs.add(if hidden { 10 } else { 7 }, "path-share", 0);
        }
    }
    if let [b'a'..=b'z' | b'A'..=b'Z', b':', b'/' | b'\\', next, ..] = text
        && (next.is_ascii_alphanumeric() || matches!(next, b'$' | b'.' | b'_' | b'/' | b'\\'))
    {
        signs.add(5, "path-disk", 0);
    }
}
