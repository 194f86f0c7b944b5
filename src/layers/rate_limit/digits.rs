//! Numbers as header values, the small ones without an allocation.

use bytes::Bytes;
use http::HeaderValue;
use smallvec::SmallVec;

use crate::text::written;

/// `000` to `999`, one after the other.
#[expect(clippy::cast_possible_truncation, reason = "a digit is small")]
static DIGITS: [u8; 3000] = {
    let mut digits = [b'0'; 3000];
    let mut number = 0;
    while number < 1000 {
        digits[3 * number] += (number / 100) as u8;
        digits[3 * number + 1] += (number / 10 % 10) as u8;
        digits[3 * number + 2] += (number % 10) as u8;
        number += 1;
    }
    digits
};

/// What a quota counts is mostly below 1000, and then costs no allocation.
pub(super) fn header_value(number: u64) -> HeaderValue {
    let text = match usize::try_from(number) {
        Ok(small @ ..1000) => Bytes::from_static(digits(small)),
        _ => written(number, Bytes::copy_from_slice),
    };
    HeaderValue::from_maybe_shared(text).unwrap_or_else(|_| HeaderValue::from(number))
}

/// Appends a number to a text that becomes a header.
pub(super) fn push(text: &mut SmallVec<[u8; 128]>, number: u64) {
    written(number, |digits| text.extend_from_slice(digits));
}

fn digits(small: usize) -> &'static [u8] {
    let leading_zeros = usize::from(small < 100) + usize::from(small < 10);
    &DIGITS[3 * small + leading_zeros..3 * small + 3]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_as_ever() {
        for number in (0..1002).chain([9_999, 10_010, 100_000, 1_000_000, 1_002_003, 12_034_056, u64::MAX]) {
            assert_eq!(header_value(number), HeaderValue::from(number));
            let mut text = SmallVec::new();
            push(&mut text, number);
            assert_eq!(text.as_slice(), number.to_string().as_bytes());
        }
    }
}
