//! Path traversal: how far above its root a path goes, and whether it names a file that nobody should ask for.

use memchr::memchr_iter;

use super::{
    canonical::Signals,
    gate::{Made, has},
    verdict::{Finding, Location, Signs},
};

mod files;
mod schemes;

/// Whether it is worth a look.
pub(super) fn may_be(made: Made, signals: Signals, text: &[u8]) -> bool {
    made.has(has::DOTS | has::HEX | has::SEGMENT)
        || matches!(
            text,
            [_, b':', ..] | [b'/' | b'\\', ..] | [b'.', b'\\' | b'a'..=b'z' | b'A'..=b'Z', ..]
        )
        || matches!(text, [b'f' | b'F', b'i' | b'I', ..]) && files::is_address(text)
        || is_encoded(text)
        || made.has(has::OTHER) && schemes::points(text) > 0
        || signals.disguised
        || signals.nul
}

/// `../` in base64, where a value is nothing else.
pub(super) fn is_encoded(text: &[u8]) -> bool {
    text.starts_with(b"Li4v") || text.starts_with(b"Li5c") || text.starts_with(b"Ly4uL")
}

/// What the climbs of a path add up to; of several paths in a text, those of the one that climbs most.
#[derive(Default, Clone, Copy)]
struct Climbs {
    count: i32,
    first: usize,
    /// Dots and slashes that no honest path has: `....//`, `..;/`, `0x2e`, both kinds of slashes.
    odd: i32,
    /// More directories are left than were entered.
    leaves: bool,
    depth: i32,
    forward: bool,
    backward: bool,
}

impl Climbs {
    /// The path ends here, and another may begin.
    fn end(&mut self, most: &mut Self) {
        self.odd += i32::from(self.forward && self.backward && self.count > 0);
        if self.count > most.count {
            *most = *self;
        }
        *self = Self::default();
    }
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
            // In a value that is a path: enough for who is strict.
            1 => 3 + i32::from(is_path),
            2 => 5,
            3 => 7,
            _ => 10,
        };
        signs.add(points, "path-climb", climbs.first);
        if is_path && (starts || climbs.leaves && climbs.count > 1) {
            signs.add(if climbs.count == 1 { 5 } else { 4 }, "path-climb", climbs.first);
        } else if !is_path && climbs.count < 4 {
            signs.add(-2, "path-climb", climbs.first);
            // A value inside the value: `filename="../x"`.
            if text[..climbs.first].ends_with(b"=\"") {
                signs.add(3, "path-climb", climbs.first);
            }
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
        let still = if climbs.count == 0 { memchr_iter(b'.', text).filter(is_still).take(4).count() } else { 0 };
        let long = climbs.count == 0 && made.has(has::DOTS) && text.windows(6).any(|dots| dots == b"......");
        if still >= 2 || long && files::is_rooted(text) {
            // A root, and dots in place of a name.
            let at_once = matches!(text, [b'/' | b'\\', b'.', b'.', b'.', b'.', b'.', b'.', ..]);
            signs.add(if still == 4 || at_once { 8 } else { 5 }, "path-dots", 0);
        }
    }
    // No file system takes a name this long: it is there to cut off what is appended.
    if (climbs.count > 0 || signs.sum() > 0) && is_path && is_padded(text) {
        signs.add(4, "path-padding", 0);
    }
    if is_path
        && matches!(location, Location::Path | Location::Query)
        && text.starts_with(b"/")
        && files::is_private(text)
    {
        signs.add(4, "path-file", 0);
    }
    let wrapped = schemes::points(text);
    if is_path && wrapped > 0 {
        signs.add(wrapped, "path-scheme", 0);
    }
    if is_path {
        schemes::places(text, &mut signs);
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
    // Whoever reads up to the NUL never sees the name's end: `x.php\0.jpg`.
    if signals.nul && is_path && text.windows(2).any(|pair| pair == [0x0B, b'.']) {
        signs.add(5, "path-nul", text.len());
    }
    if signals.nul && climbs.count == 0 && is_path && text.iter().any(|byte| matches!(byte, b'/' | b'\\' | b'.')) {
        signs.add(4, "path-nul", text.len());
    }
    signs.less(0)
}

/// More of one byte than the name of a file may have.
fn is_padded(text: &[u8]) -> bool {
    const LONGEST_NAME: usize = 250;
    text.len() > LONGEST_NAME
        && text
            .split(|byte| matches!(byte, b'/' | b'\\'))
            .any(|name| name.get(..LONGEST_NAME).is_some_and(|start| start.iter().all(|byte| *byte == start[0])))
}

fn has_hidden(text: &[u8]) -> bool {
    text.windows(3).enumerate().any(|(at, three)| {
        matches!(three, [b'/', b'.', letter] if letter.is_ascii_alphabetic())
            && !text[at..].starts_with(b"/.well-known")
    })
}

/// One character of a path, with both slashes as one and the spelled-out forms read.
fn step(text: &[u8], at: usize, dots: i32, spelled: bool) -> (u8, usize) {
    match text[at..] {
        // A percent sign that somebody took away.
        [b'2', b'f' | b'F', ..] | [b'5', b'c' | b'C', ..] if dots >= 2 => (b'/', 2),
        [b'0', b'x' | b'X', b'2', b'e' | b'E', ..] => (b'.', 4),
        [b'0', b'x' | b'X', b'2', b'f' | b'F', ..] | [b'0', b'x' | b'X', b'5', b'c' | b'C', ..] => (b'/', 4),
        // A percent sign or a nought is missing.
        [b'x' | b'X', b'2', b'e' | b'E', ..] if spelled => (b'.', 3),
        [b'x' | b'X', b'2', b'f' | b'F', ..] | [b'x' | b'X', b'5', b'c' | b'C', ..] if spelled && dots >= 2 => {
            (b'/', 3)
        }
        // An ellipsis is three dots to who folds what is alike.
        [0xE2, 0x80, 0xA6, ..] => (ELLIPSIS, 3),
        [b'\\', ..] => (b'/', 1),
        [byte, ..] => (byte, 1),
        [] => (0, 1),
    }
}

/// No byte of any text.
const ELLIPSIS: u8 = 0xFF;

fn climbs(text: &[u8]) -> Climbs {
    let (mut climbs, mut most) = (Climbs::default(), Climbs::default());
    let mut at = 0;
    // Of the segment that is being read.
    let (mut dots, mut others, mut start, mut spelled, mut separated) = (0, 0, 0, false, false);
    let close =
        |dots: i32, others: i32, start: usize, spelled: bool, separated: bool, ended: bool, climbs: &mut Climbs| {
            // `and so on/...`
            let climbs_here = dots >= 2 && others == 0 && (ended || separated && dots == 2);
            if climbs_here {
                if climbs.count == 0 {
                    climbs.first = start;
                }
                climbs.count += 1;
                // `src/.../main.rs` leaves something out.
                climbs.odd += i32::from(dots > 3) + i32::from(spelled);
                climbs.depth -= 1;
                climbs.leaves |= climbs.depth < 0;
            } else if others > 0 {
                climbs.depth += 1;
            }
        };
    while at < text.len() {
        let (byte, length) =
            step(text, at, if others == 0 { dots } else { 0 }, spelled || others == 0 && at == start && start <= 1);
        match byte {
            b'/' => {
                climbs.forward |= text[at] == b'/';
                climbs.backward |= text[at] == b'\\';
                spelled |= length > 1;
                close(dots, others, start, spelled, separated, true, &mut climbs);
                (dots, others, start, spelled, separated) = (0, 0, at + length, length > 1, true);
            }
            b'.' => {
                dots += 1;
                spelled |= length > 1;
            }
            ELLIPSIS => (dots, spelled) = (dots + 3, true),
            // What a server drops: `..;/`, and a NUL among the dots.
            b';' if dots == 2 && others == 0 => spelled = true,
            0x0B if dots > 0 && others == 0 => spelled = true,
            _ if is_boundary(byte) => {
                if byte.is_ascii_whitespace() {
                    climbs.end(&mut most);
                }
                (dots, others, start, spelled, separated) = (0, 0, at + length, false, false);
            }
            _ => others += 1,
        }
        at += length;
    }
    close(dots, others, start, spelled, separated, false, &mut climbs);
    climbs.end(&mut most);
    most
}

/// A path begins after it.
fn is_boundary(byte: u8) -> bool {
    byte.is_ascii_whitespace()
        || matches!(byte, b'=' | b'"' | b'\'' | b'`' | b'(' | b'[' | b'<' | b'>' | b',' | b'?' | b'&' | b'|' | b':')
}
