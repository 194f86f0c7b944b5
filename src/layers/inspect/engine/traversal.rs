//! Path traversal: how far above its root a path goes, and whether it names a file that nobody should ask for.

use memchr::memchr_iter;

use super::{
    canonical::Signals,
    gate::{Made, has},
    verdict::{Finding, Location, Signs},
};

mod files;

/// Whether it is worth a look.
pub(super) fn may_be(made: Made, signals: Signals, text: &[u8]) -> bool {
    made.has(has::DOTS | has::HEX | has::SEGMENT)
        || matches!(
            text,
            [_, b':', ..] | [b'/' | b'\\', ..] | [b'f' | b'F', b'i' | b'I', b'l' | b'L', b'e' | b'E', b':', ..]
        )
        || is_encoded(text)
        || signals.disguised
        || signals.nul
}

/// `../` in base64, where a value is nothing else.
pub(super) fn is_encoded(text: &[u8]) -> bool {
    text.starts_with(b"Li4v") || text.starts_with(b"Li5c") || text.starts_with(b"Ly4uL")
}

/// What the climbs of a value add up to.
#[derive(Default)]
struct Climbs {
    count: i32,
    first: usize,
    /// Dots and slashes that no honest path has: `....//`, `..;/`, `0x2e`, both kinds of slashes.
    odd: i32,
}

/// One pass over the segments.
pub(super) fn score(text: &[u8], made: Made, signals: Signals, location: Location) -> Finding {
    let mut signs = Signs::default();
    let climbs = if made.has(has::DOTS | has::HEX) || signals.disguised { climbs(text) } else { Climbs::default() };
    let spaced = text.iter().filter(|byte| byte.is_ascii_whitespace()).count();
    let is_path = spaced == 0 || spaced * 12 < text.len() && !text.starts_with(b" ") && files::is_rooted(text);
    let disguised = signals.disguised || signals.nested || signals.percent;
    if climbs.count > 0 {
        let starts = text[..climbs.first].iter().all(|byte| matches!(byte, b'/' | b'\\' | b'.'));
        let points = match climbs.count {
            1 => 3,
            2 => 5,
            3 => 7,
            _ => 10,
        };
        signs.add(points, "path-climb", climbs.first);
        if is_path && starts {
            signs.add(if climbs.count == 1 { 6 } else { 4 }, "path-climb", climbs.first);
        } else if !is_path && climbs.count < 4 {
            signs.add(-2, "path-climb", climbs.first);
        }
        if disguised {
            signs.add(5, "path-encoding", climbs.first);
        }
        if climbs.odd > 0 {
            signs.add(4, "path-encoding", climbs.first);
        }
        if signals.nul {
            signs.add(4, "path-nul", text.len());
        }
    }
    if is_path && made.has(has::DOT) {
        let is_still = |at: &usize| {
            let before = &text[..*at];
            matches!((before.last(), text.get(at + 1)), (Some(b'/'), Some(b'/')) | (Some(b'\\'), Some(b'\\')))
                || before.ends_with(b"//")
        };
        let still = climbs.count == 0 && memchr_iter(b'.', text).filter(is_still).take(2).count() == 2;
        let long = climbs.count == 0 && made.has(has::DOTS) && text.windows(6).any(|dots| dots == b"......");
        if still || long && files::is_rooted(text) {
            signs.add(5, "path-dots", 0);
        }
    }
    if is_encoded(text) && is_path {
        signs.add(9, "path-encoding", 0);
    }
    // A hidden file; only one directory is meant to be seen.
    if matches!(location, Location::Path | Location::Query) && is_path && matches!(text, [b'/', ..]) && has_hidden(text)
    {
        signs.add(8, "path-hidden", 0);
    }
    files::named(text, is_path, climbs.count > 0, &mut signs);
    if signals.nul && climbs.count == 0 && is_path && text.iter().any(|byte| matches!(byte, b'/' | b'\\' | b'.')) {
        signs.add(4, "path-nul", text.len());
    }
    signs.less(0)
}

fn has_hidden(text: &[u8]) -> bool {
    text.windows(3).enumerate().any(|(at, three)| {
        matches!(three, [b'/', b'.', letter] if letter.is_ascii_alphabetic())
            && !text[at..].starts_with(b"/.well-known")
    })
}

/// One character of a path, with both slashes as one and the spelled-out forms read.
fn step(text: &[u8], at: usize, dots: i32) -> (u8, usize) {
    match text[at..] {
        // A percent sign that somebody took away.
        [b'2', b'f' | b'F', ..] | [b'5', b'c' | b'C', ..] if dots >= 2 => (b'/', 2),
        [b'0', b'x' | b'X', b'2', b'e' | b'E', ..] => (b'.', 4),
        [b'0', b'x' | b'X', b'2', b'f' | b'F', ..] | [b'0', b'x' | b'X', b'5', b'c' | b'C', ..] => (b'/', 4),
        [b'\\', ..] => (b'/', 1),
        [byte, ..] => (byte, 1),
        [] => (0, 1),
    }
}

fn climbs(text: &[u8]) -> Climbs {
    let mut climbs = Climbs::default();
    let mut at = 0;
    // Of the segment that is being read.
    let (mut dots, mut others, mut start, mut spelled, mut separated) = (0, 0, 0, false, false);
    let (mut forward, mut backward) = (false, false);
    let close =
        |dots: i32, others: i32, start: usize, spelled: bool, separated: bool, ended: bool, climbs: &mut Climbs| {
            let climbs_here = dots >= 2 && others == 0 && (separated || ended);
            if climbs_here {
                if climbs.count == 0 {
                    climbs.first = start;
                }
                climbs.count += 1;
                climbs.odd += i32::from(dots > 2) + i32::from(spelled);
            }
        };
    while at < text.len() {
        let (byte, length) = step(text, at, if others == 0 { dots } else { 0 });
        match byte {
            b'/' => {
                forward |= text[at] == b'/';
                backward |= text[at] == b'\\';
                spelled |= length > 1;
                close(dots, others, start, spelled, separated, true, &mut climbs);
                (dots, others, start, spelled, separated) = (0, 0, at + length, length > 1, true);
            }
            b'.' => {
                dots += 1;
                spelled |= length > 1;
            }
            b';' if dots == 2 && others == 0 => spelled = true,
            _ if is_boundary(byte) => (dots, others, start, spelled, separated) = (0, 0, at + length, false, false),
            _ => others += 1,
        }
        at += length;
    }
    close(dots, others, start, spelled, separated, false, &mut climbs);
    climbs.odd += i32::from(forward && backward && climbs.count > 0);
    climbs
}

/// A path begins after it.
fn is_boundary(byte: u8) -> bool {
    byte.is_ascii_whitespace()
        || matches!(byte, b'=' | b'"' | b'\'' | b'`' | b'(' | b'[' | b'<' | b'>' | b',' | b'?' | b'&' | b'|' | b':')
}
