//! The words in a table that is built when the crate is compiled: eight letters and the length tell words apart.

use super::{GROUPS, Sql, Word, mark};

/// What is worth knowing of a word before it is looked up.
pub(in super::super) mod hint {
    /// Means something wherever it stands.
    pub(in super::super::super) const ALONE: u8 = 1;
    /// Means something beside a digit or a sign.
    pub(in super::super::super) const BESIDE: u8 = 1 << 1;
    /// Joins two conditions.
    pub(in super::super::super) const CONNECTIVE: u8 = 1 << 4;
    /// Is a word of SQL.
    pub(super) const SQL: u8 = 1 << 2;
    /// Is what holds sentences together.
    pub(super) const PROSE: u8 = 1 << 3;
}

const SLOTS: usize = 8192;
const HINTS: usize = 16384;
const LIMIT: usize = 2000;
/// Longer words mean nothing to anybody.
const LONGEST: usize = 30;

struct Table {
    /// Of [`hint`], for each place: small enough to stay in the cache, and most words of most texts go no further.
    hints: [u8; HINTS],
    /// Where the word stands in `words`, from one; nought is nobody's.
    slots: [u16; SLOTS],
    entries: [Entry; LIMIT],
}

/// A word beside its key: one look at memory tells it from others.
#[derive(Clone, Copy)]
struct Entry {
    key: Key,
    word: Word,
}

static TABLE: Table = build();

/// The first eight letters of a word, in lower case, and its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in super::super) struct Key {
    head: u64,
    length: usize,
}

const LOWER: u64 = 0x2020_2020_2020_2020;
/// As many bytes of eight as a word has.
const HEADS: [u64; 9] = {
    let mut heads = [0; 9];
    let mut length = 1;
    while length < 9 {
        heads[length] = u64::MAX >> (8 * (8 - length));
        length += 1;
    }
    heads
};

impl Key {
    pub(in super::super) const fn of(word: &[u8]) -> Self {
        let length = word.len();
        let head = match *word {
            // Two halves that overlap.
            [first, second, third, fourth, ..] => {
                let after = if length < 8 { length - 4 } else { 4 };
                let last = u32::from_le_bytes([word[after], word[after + 1], word[after + 2], word[after + 3]]);
                u32::from_le_bytes([first, second, third, fourth]) as u64 | (last as u64) << (8 * after)
            }
            [first, ..] => {
                first as u64
                    | (word[length / 2] as u64) << (8 * (length / 2))
                    | (word[length - 1] as u64) << (8 * (length - 1))
            }
            [] => 0,
        };
        Self { head: Self::lower(head, length), length }
    }

    /// The key of the word that begins there: one look at memory, where eight bytes are left.
    #[inline]
    pub(in super::super) fn within(value: &[u8], start: usize, end: usize) -> Self {
        let length = end - start;
        let head = match (value[start..].first_chunk(), value.last_chunk::<8>()) {
            (Some(eight), _) => u64::from_le_bytes(*eight),
            (None, Some(last)) => u64::from_le_bytes(*last) >> (8 * (start + 8 - value.len())),
            (None, None) => return Self::of(&value[start..end]),
        };
        Self { head: Self::lower(head, length), length }
    }

    const fn lower(head: u64, length: usize) -> u64 {
        (head | LOWER) & HEADS[if length < 8 { length } else { 8 }]
    }

    const fn place(self) -> usize {
        ((self.head ^ (self.length as u64) << 59).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 50) as usize
    }

    /// What may be worth knowing of it, of [`hint`]. Another word may share its place.
    #[inline]
    pub(in super::super) fn hints(self) -> u8 {
        TABLE.hints[self.place()]
    }

    /// Whether it begins with a digit.
    #[inline]
    pub(in super::super) fn is_number(self) -> bool {
        self.head.to_le_bytes()[0].wrapping_sub(b'0') < 10
    }

    /// Whether it begins with these letters.
    #[inline]
    pub(in super::super) fn begins(self, two: [u8; 2]) -> bool {
        let [first, second, ..] = self.head.to_le_bytes();
        u16::from_le_bytes([first, second]) == u16::from_le_bytes(two)
    }

    /// What this word is in SQL, and whether it is prose.
    #[inline]
    pub(in super::super) fn sql(self, word: &[u8]) -> (Sql, bool) {
        let found = if self.hints() & (hint::SQL | hint::PROSE) == 0 { None } else { self.find(word) };
        found.map_or((Sql::None, false), |word| (word.sql, word.marks & mark::PROSE != 0))
    }

    /// The marks of this word, where it is more than prose.
    #[inline]
    pub(in super::super) fn triggers(self, word: &[u8]) -> u16 {
        if self.hints() & (hint::ALONE | hint::BESIDE) != 0 { self.find(word).map_or(0, |word| word.marks) } else { 0 }
    }

    /// The entry of this word, if there is one.
    fn find(self, word: &[u8]) -> Option<&'static Word> {
        if self.length == 0 || self.length > LONGEST {
            return None;
        }
        let mut at = self.place() % SLOTS;
        loop {
            let known = usize::from(TABLE.slots[at]).checked_sub(1)?;
            let entry = &TABLE.entries[known];
            if entry.key == self && is_same(entry.word.text, word) {
                return Some(&entry.word);
            }
            at = (at + 1) % SLOTS;
        }
    }
}

/// Whether two words of the same key are the same. The table's are in lower case.
fn is_same(known: &[u8], word: &[u8]) -> bool {
    word.len() <= 8 || known.iter().zip(word).skip(8).all(|(known, byte)| known == byte || *known == (byte | 0x20))
}

#[expect(clippy::large_stack_arrays, reason = "on the compiler's stack")]
const fn build() -> Table {
    let empty = Entry { key: Key { head: 0, length: 0 }, word: Word { text: b"", sql: Sql::None, marks: 0 } };
    let mut table = Table { hints: [0; HINTS], slots: [0; SLOTS], entries: [empty; LIMIT] };
    let (mut count, mut group) = (0, 0);
    while group < GROUPS.len() {
        let (sql, marks, text) = GROUPS[group];
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let mut end = 0;
            while end < rest.len() && !rest[end].is_ascii_whitespace() {
                end += 1;
            }
            let (word, after) = rest.split_at(end);
            if !word.is_empty() {
                count += insert(&mut table, count, Word { text: word, sql, marks });
            }
            rest = if after.is_empty() { after } else { after.split_at(1).1 };
        }
        group += 1;
    }
    table
}

/// Adds a word or what more it is; says how many words are new.
#[expect(clippy::cast_possible_truncation, reason = "fewer words than LIMIT")]
const fn insert(table: &mut Table, count: usize, word: Word) -> usize {
    let key = Key::of(word.text);
    let place = key.place();
    table.hints[place] |= hints(word);
    let mut at = place % SLOTS;
    while table.slots[at] != 0 {
        let known = &mut table.entries[table.slots[at] as usize - 1].word;
        if known.text.eq_ignore_ascii_case(word.text) {
            known.marks |= word.marks;
            if !matches!(word.sql, Sql::None) {
                known.sql = word.sql;
            }
            return 0;
        }
        at = (at + 1) % SLOTS;
    }
    table.entries[count] = Entry { key, word };
    table.slots[at] = count as u16 + 1;
    1
}

const fn hints(word: Word) -> u8 {
    let alone = if word.marks & mark::SQL == 0 { 0 } else { hint::ALONE };
    let beside = if word.marks & !(mark::SQL | mark::PROSE) == 0 { 0 } else { hint::BESIDE };
    let sql = if matches!(word.sql, Sql::None) { 0 } else { hint::SQL };
    let prose = if word.marks & mark::PROSE == 0 { 0 } else { hint::PROSE };
    let connective = if matches!(word.sql, Sql::Logic | Sql::Having) { hint::CONNECTIVE } else { 0 };
    alone | beside | connective | sql | prose
}

/// What is known of a word, whatever its case.
pub(in super::super) fn look_up(word: &[u8]) -> Option<&'static Word> {
    Key::of(word).find(word)
}

/// What is known of a word, as marks.
pub(in super::super) fn marks(word: &[u8]) -> u16 {
    look_up(word).map_or(0, |word| word.marks)
}

/// What a word is in SQL.
#[inline]
pub(in super::super) fn sql(word: &[u8]) -> Sql {
    let key = Key::of(word);
    if key.hints() & hint::SQL != 0 { key.find(word).map_or(Sql::None, |word| word.sql) } else { Sql::None }
}

/// Its marks, where it is more than prose.
#[inline]
pub(in super::super) fn triggers(word: &[u8]) -> u16 {
    Key::of(word).triggers(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_found_in_any_case_and_by_every_way() {
        let words: Vec<&Word> =
            TABLE.entries.iter().map(|entry| &entry.word).filter(|word| !word.text.is_empty()).collect();
        assert!(words.len() > 1000);
        for word in words {
            let found = look_up(&word.text.to_ascii_uppercase()).unwrap();
            assert_eq!(found.text, word.text);
            assert!(triggers(word.text) == word.marks || word.marks & !mark::PROSE == 0);
            assert_eq!(sql(word.text), word.sql);
            assert!(word.text.len() <= LONGEST);
            let padded = [b" ", word.text, b" and more of it"].concat();
            assert_eq!(Key::within(&padded, 1, 1 + word.text.len()), Key::of(word.text));
        }
    }
}
