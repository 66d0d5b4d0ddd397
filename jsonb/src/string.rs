//! Strings: where one ends, and what its escapes stand for.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// The number of bytes before the first quote, backslash or control character, or all. `seen`
/// collects the bytes, to find out whether any of them is not ASCII.
pub(crate) fn plain_bytes(bytes: &[u8], seen: &mut u64) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        *seen |= word;
        let special = special_bytes(word);
        if special != 0 {
            return number * 8 + special.trailing_zeros() as usize / 8;
        }
    }
    let plain = rest
        .iter()
        .take_while(|byte| !matches!(byte, b'"' | b'\\' | ..0x20));
    let plain = plain.inspect(|byte| *seen |= u64::from(**byte)).count();
    words.len() * 8 + plain
}

/// The high bit of the first special byte of a word; above it, other bits may be set.
///
/// Subtracting a number from each byte borrows only where a byte is smaller. So the lowest high bit
/// that the subtraction sets is that of the first byte that is smaller. A byte is zero, that is below
/// one, where it was the same as that of the other operand of an exclusive or, which changes no high
/// bit here.
/// Source: Bit Twiddling Hacks, "Determine if a word has a byte less than n".
fn special_bytes(word: u64) -> u64 {
    let control = word.wrapping_sub(ONES * 0x20);
    let quote = (word ^ (ONES * u64::from(b'"'))).wrapping_sub(ONES);
    let backslash = (word ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES);
    (control | quote | backslash) & !word & HIGH_BITS
}

/// Whether one of the bytes that were seen is not ASCII. There may have been one behind them.
pub(crate) fn may_be_beyond_ascii(seen: u64) -> bool {
    seen & HIGH_BITS != 0
}

/// Appends what an escape stands for. The text begins behind the backslash. Returns the length of
/// the escape.
pub(crate) fn unescape(text: &[u8], decoded: &mut Vec<u8>) -> Option<usize> {
    let byte = match text.first()? {
        byte @ (b'"' | b'\\' | b'/') => *byte,
        b'b' => 0x08,
        b'f' => 0x0C,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'u' => return unescape_code_point(text, decoded),
        _ => return None,
    };
    decoded.push(byte);
    Some(1)
}

fn unescape_code_point(text: &[u8], decoded: &mut Vec<u8>) -> Option<usize> {
    let first = code_unit(text)?;
    let (code_point, length) = match first {
        0 => return None,
        0xD800..=0xDBFF => {
            let [b'\\', second @ ..] = text.get(5..)? else {
                return None;
            };
            let second = code_unit(second).filter(|second| (0xDC00..=0xDFFF).contains(second))?;
            (0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00), 11)
        }
        _ => (first, 5),
    };
    let character = char::from_u32(code_point)?;
    decoded.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Some(length)
}

/// The number in `uXXXX`.
fn code_unit(text: &[u8]) -> Option<u32> {
    let [b'u', digits @ ..] = text.get(..5)? else {
        return None;
    };
    digits.iter().try_fold(0, |unit, digit| {
        Some(unit << 4 | char::from(*digit).to_digit(16)?)
    })
}
