//! Numbers: the text of one to the bytes of a `numeric`.
//!
//! A numeric is sign × digit₀.digit₁digit₂… × 10000^weight with digits below 10000, none of them
//! zero at either end, and the number of decimals that the text had.

use crate::write::length_word;
use crate::{MAX_EXPONENT, MAX_NUMBER_BYTES};

const BASE: u64 = 10_000;
/// How many decimal digits make one digit.
const DECIMALS: i32 = 4;
/// Powers of ten below the base.
const POWERS: [u64; 4] = [1, 10, 100, 1_000];
/// An integer up to it can be multiplied by 1000 and still fits.
const MANTISSA_LIMIT: u128 = u128::MAX / 1_000;
/// The digits of the largest u128.
const MAX_DIGITS: usize = 10;

/// A number as the text has it: `mantissa` × 10^`exponent`.
struct Decimal {
    negative: bool,
    mantissa: Mantissa,
    exponent: i32,
    /// How many decimals are shown.
    scale: i32,
    length: usize,
}

/// Appends the number at the beginning of `text`, and returns how long its text is.
pub(crate) fn append(text: &[u8], bytes: &mut Vec<u8>) -> Option<usize> {
    let number = parse(text)?;
    if number.length > MAX_NUMBER_BYTES {
        return None;
    }
    // The digits are those of an integer that ends at a boundary between digits.
    let fraction = (-number.exponent + DECIMALS - 1).div_euclid(DECIMALS);
    let shift = number.exponent + fraction * DECIMALS;
    let mut digits = Digits::default();
    number.mantissa.split(POWERS[shift as usize], &mut digits)?;
    let weight = if digits.kept == 0 {
        0
    } else {
        digits.count - 1 - fraction
    };
    let negative = number.negative && digits.kept > 0;
    write(negative, weight, number.scale, digits.kept(), bytes)?;
    Some(number.length)
}

/// Reads a number by the grammar of JSON.
fn parse(text: &[u8]) -> Option<Decimal> {
    let negative = text.first() == Some(&b'-');
    let integer_start = usize::from(negative);
    let mut mantissa = Mantissa::default();
    let mut at = mantissa.push_digits(text, integer_start)?;
    if text[integer_start] == b'0' && at > integer_start + 1 {
        return None;
    }
    let mut decimals = 0;
    if text.get(at) == Some(&b'.') {
        let end = mantissa.push_digits(text, at + 1)?;
        decimals = i32::try_from(end - at - 1).ok()?;
        at = end;
    }
    let mut power = 0;
    if matches!(text.get(at), Some(b'e' | b'E')) {
        (power, at) = parse_exponent(text, at + 1)?;
    }
    Some(Decimal {
        negative,
        mantissa,
        exponent: power - decimals,
        scale: (decimals - power).max(0),
        length: at,
    })
}

/// The digits of a number as an integer.
#[derive(Default)]
struct Mantissa {
    /// Most numbers fit in a word, and a word is faster. Once it is too large for one more digit, it
    /// stays as it is.
    word: u64,
    wide: Option<u128>,
}

impl Mantissa {
    /// Adds digits, at least one, and returns where they end.
    fn push_digits(&mut self, text: &[u8], start: usize) -> Option<usize> {
        const WORD_LIMIT: u64 = u64::MAX / 10;
        let mut at = start;
        while let Some(digit @ b'0'..=b'9') = text.get(at) {
            let digit = digit - b'0';
            if self.word < WORD_LIMIT {
                self.word = self.word * 10 + u64::from(digit);
            } else {
                self.push_wide(digit)?;
            }
            at += 1;
        }
        (at > start).then_some(at)
    }

    fn push_wide(&mut self, digit: u8) -> Option<()> {
        let wide = self.wide.unwrap_or_else(|| self.word.into());
        self.wide = Some(wide.checked_mul(10)?.checked_add(digit.into())?);
        Some(())
    }

    /// The digits of the integer, multiplied by `factor`; `None` if it is too large.
    fn split(&self, factor: u64, digits: &mut Digits) -> Option<()> {
        let mut word = match (self.wide, self.word.checked_mul(factor)) {
            (None, Some(word)) => word,
            (wide, _) => {
                let wide = wide.unwrap_or_else(|| self.word.into());
                if wide > MANTISSA_LIMIT {
                    return None;
                }
                split_to_word(wide * u128::from(factor), digits)
            }
        };
        while word > 0 {
            digits.push_higher(word % BASE);
            word /= BASE;
        }
        Some(())
    }
}

/// Splits digits off until the rest fits in a word.
fn split_to_word(mut wide: u128, digits: &mut Digits) -> u64 {
    loop {
        if let Ok(word) = u64::try_from(wide) {
            return word;
        }
        digits.push_higher((wide % u128::from(BASE)) as u64);
        wide /= u128::from(BASE);
    }
}

/// The digits of an integer, collected from the lowest on.
#[derive(Default)]
struct Digits {
    /// The last `kept` of these; the lowest digits are left out as long as they are zero.
    digits: [u16; MAX_DIGITS],
    kept: usize,
    /// All, with those left out.
    count: i32,
}

impl Digits {
    /// A digit is below the base, so it fits.
    fn push_higher(&mut self, digit: u64) {
        self.count += 1;
        if digit != 0 || self.kept > 0 {
            self.kept += 1;
            self.digits[MAX_DIGITS - self.kept] = digit as u16;
        }
    }

    fn kept(&self) -> &[u16] {
        &self.digits[MAX_DIGITS - self.kept..]
    }
}

fn parse_exponent(text: &[u8], start: usize) -> Option<(i32, usize)> {
    let negative = text.get(start) == Some(&b'-');
    let digits = start + usize::from(matches!(text.get(start), Some(b'-' | b'+')));
    let mut exponent = 0;
    let mut at = digits;
    while let Some(digit @ b'0'..=b'9') = text.get(at) {
        exponent = exponent * 10 + i32::from(digit - b'0');
        if exponent > MAX_EXPONENT {
            return None;
        }
        at += 1;
    }
    (at > digits).then_some((if negative { -exponent } else { exponent }, at))
}

/// Appends a numeric: its length word, its header of two or four bytes, its digits.
fn write(
    negative: bool,
    weight: i32,
    scale: i32,
    digits: &[u16],
    bytes: &mut Vec<u8>,
) -> Option<()> {
    const SHORT: u16 = 0x8000;
    const SHORT_NEGATIVE: u16 = 0x2000;
    const SHORT_SCALE_SHIFT: u32 = 7;
    const SHORT_MAX_SCALE: u16 = 63;
    const SHORT_WEIGHT_BITS: u16 = 0x7F;
    const LONG_NEGATIVE: u16 = 0x4000;

    let scale = u16::try_from(scale).ok()?;
    let weight = i16::try_from(weight).ok()?;
    let sign = |flag: u16| if negative { flag } else { 0 };
    let mut numeric = [0; 4 + 4 + 2 * MAX_DIGITS];
    let mut length = 4;
    let mut push = |half: u16| {
        numeric[length..length + 2].copy_from_slice(&half.to_ne_bytes());
        length += 2;
    };
    if scale <= SHORT_MAX_SCALE && (-64..=63).contains(&weight) {
        // A negative weight keeps its sign in the seventh bit.
        let weight = weight.cast_unsigned() & SHORT_WEIGHT_BITS;
        push(SHORT | sign(SHORT_NEGATIVE) | scale << SHORT_SCALE_SHIFT | weight);
    } else {
        push(sign(LONG_NEGATIVE) | scale);
        push(weight.cast_unsigned());
    }
    digits.iter().for_each(|digit| push(*digit));
    numeric[..4].copy_from_slice(&length_word(length));
    bytes.extend_from_slice(&numeric[..length]);
    Some(())
}
