//! Characters that are not seen, or not for what they are.

/// General category Cf and `Default_Ignorable_Code_Point` (Unicode 16), line ends of Unicode, and letters that show as blanks. Not a
/// blank itself: people's file names have those of every width.
const INVISIBLE: [(char, char); 27] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d159}', '\u{1d159}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// Whether a character, control characters among them, is not seen.
pub(super) fn is_invisible(character: char) -> bool {
    character.is_control() || INVISIBLE.iter().any(|(first, last)| (*first..=*last).contains(&character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_is_told_from_what_is_not() {
        for character in
            "\0\n\u{7f}\u{9f}\u{ad}\u{61c}\u{180e}\u{200b}\u{202e}\u{2064}\u{3164}\u{fe0f}\u{feff}\u{1d173}\u{e0041}"
                .chars()
        {
            assert!(is_invisible(character), "{character:?}");
        }
        for character in
            "a -_.~\u{a0}\u{e9}\u{301}\u{5d0}\u{627}\u{e01}\u{202f}\u{20ac}\u{3042}\u{5199}\u{ac00}\u{1f600}".chars()
        {
            assert!(!is_invisible(character), "{character:?}");
        }
        assert!(INVISIBLE.is_sorted_by(|one, other| one.0 <= one.1 && one.1 < other.0));
    }
}
