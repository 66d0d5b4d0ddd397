//! Random texts: most of them JSON, some of them almost.

use fastrand::Rng;

/// Lengths around the boundaries of words, entries and headers.
const LENGTHS: [usize; 22] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 23, 31, 32, 33, 64, 127, 255, 256,
];
/// Numbers of elements around the entries that say where they end.
const COUNTS: [usize; 12] = [15, 16, 17, 31, 32, 33, 47, 48, 63, 64, 65, 97];
const MAX_DEPTH: usize = 6;
const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];
/// What a mutation puts in.
const SUSPECTS: &[char] = &[
    '"', '\\', '{', '}', '[', ']', ',', ':', '-', '+', '.', '0', '1', '9', 'e', 'E', 'u', 't', 'f',
    'n', ' ', '\n', '\u{1}', '\u{1f}', '\u{7f}', '\u{b}', 'é', '\u{feff}', '\u{2028}', '/', '_',
    '\'',
];

/// A text. One in three is damaged.
pub(super) fn any(random: &mut Rng) -> String {
    let space = match random.u8(..4) {
        0 => Space::Everywhere,
        1 => Space::AsPrinted,
        _ => Space::Nowhere,
    };
    let mut writer = Writer {
        random,
        space,
        text: String::new(),
    };
    writer.space();
    writer.value(0);
    writer.space();
    let text = writer.text;
    if random.u8(..3) == 0 {
        damaged(&text, random)
    } else {
        text
    }
}

/// The text with one to three characters deleted, doubled, swapped or replaced.
fn damaged(text: &str, random: &mut Rng) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for _ in 0..random.usize(1..=3) {
        if characters.is_empty() {
            break;
        }
        let at = random.usize(..characters.len());
        match random.u8(..6) {
            0 => drop(characters.remove(at)),
            1 => characters.insert(at, characters[at]),
            2 if at > 0 => characters.swap(at - 1, at),
            3 => characters.insert(at, random.choice(SUSPECTS).copied().unwrap()),
            4 => characters.truncate(at),
            _ => characters[at] = random.choice(SUSPECTS).copied().unwrap(),
        }
    }
    characters.into_iter().collect()
}

#[derive(Clone, Copy)]
enum Space {
    Nowhere,
    /// Behind commas and colons.
    AsPrinted,
    Everywhere,
}

struct Writer<'a> {
    random: &'a mut Rng,
    space: Space,
    text: String,
}

impl Writer<'_> {
    fn space(&mut self) {
        if matches!(self.space, Space::Everywhere) {
            for _ in 0..self.random.usize(..3) {
                self.text.extend(self.random.choice(SPACE));
            }
        }
    }

    fn punctuation(&mut self, character: char) {
        self.space();
        self.text.push(character);
        if matches!(self.space, Space::AsPrinted) && matches!(character, ',' | ':') {
            self.text.push(' ');
        }
        self.space();
    }

    fn value(&mut self, depth: usize) {
        let kinds = if depth == MAX_DEPTH { 7 } else { 12 };
        match self.random.u8(..kinds) {
            0 => self.text.push_str("null"),
            1 => self
                .text
                .push_str(["true", "false"][self.random.usize(..2)]),
            2..=3 => self.number(),
            4..=6 => self.string(),
            7..=8 => self.array(depth),
            _ => self.object(depth),
        }
    }

    /// Few in most containers, and many only in those whose contents are small.
    fn count(&mut self, depth: usize) -> usize {
        match self.random.u16(..400) {
            0 if depth < 2 => 1_000,
            1..=30 if depth < 3 => self.random.choice(COUNTS).unwrap(),
            _ => self.random.usize(..6),
        }
    }

    fn array(&mut self, depth: usize) {
        let count = self.count(depth);
        let depth = if count > 10 { MAX_DEPTH } else { depth + 1 };
        self.punctuation('[');
        for number in 0..count {
            if number > 0 {
                self.punctuation(',');
            }
            self.value(depth);
        }
        self.punctuation(']');
    }

    fn object(&mut self, depth: usize) {
        let count = self.count(depth);
        let depth = if count > 10 { MAX_DEPTH } else { depth + 1 };
        let few_keys = self.random.u8(..4) == 0;
        self.punctuation('{');
        for number in 0..count {
            if number > 0 {
                self.punctuation(',');
            }
            self.key(few_keys);
            self.punctuation(':');
            self.value(depth);
        }
        self.punctuation('}');
    }

    /// Keys that have much in common, so that some are the same; or any strings.
    fn key(&mut self, few_keys: bool) {
        if few_keys {
            let keys = [
                "a", "b", "aa", "ab", "\\u0061", "a\\u0062", "", "abcd", "abce", "abcdX", "abcdY",
            ];
            let key = self.random.choice(keys).unwrap();
            self.text.extend(['"']);
            self.text.push_str(key);
            self.text.push('"');
        } else if self.random.bool() {
            let number = self.random.u16(..300);
            self.text.push_str(&format!("\"key{number}\""));
        } else {
            self.string();
        }
    }

    fn string(&mut self) {
        let length = match self.random.u16(..1_000) {
            0 => 65_535 + self.random.usize(..3),
            1..=20 => self.random.usize(..2_000),
            21..=500 => self.random.choice(LENGTHS).unwrap(),
            _ => self.random.usize(..20),
        };
        let style = self.random.u8(..8);
        self.text.push('"');
        for _ in 0..length {
            match style {
                0 => self.any_character(),
                1 => self.unicode(),
                2 if self.random.u8(..10) == 0 => self.any_character(),
                3 if self.random.u8(..30) == 0 => self.escape(),
                _ => self.ascii(),
            }
        }
        self.text.push('"');
    }

    fn any_character(&mut self) {
        match self.random.u16(..600) {
            // Control characters are not allowed.
            0 => self.text.push(self.random.char('\u{1}'..'\u{20}')),
            1..=200 => self.escape(),
            201..=400 => self.unicode(),
            _ => self.ascii(),
        }
    }

    fn ascii(&mut self) {
        let character = self.random.char(' '..='\u{7f}');
        if !matches!(character, '"' | '\\') {
            self.text.push(character);
        }
    }

    fn unicode(&mut self) {
        let character = match self.random.u8(..4) {
            0 => self.random.char('\u{80}'..'\u{800}'),
            1 => self.random.char('\u{800}'..='\u{ffff}'),
            2 => self.random.char('\u{10000}'..='\u{10ffff}'),
            _ => self.random.char(' '..'\u{80}'),
        };
        if !matches!(character, '"' | '\\') {
            self.text.push(character);
        }
    }

    fn escape(&mut self) {
        self.text.push('\\');
        if self.random.bool() {
            let escapes = ['"', '\\', '/', 'b', 'f', 'n', 'r', 't'];
            self.text.extend(self.random.choice(escapes));
            return;
        }
        let unit = match self.random.u16(..300) {
            0 => 0,
            1 => self.random.u32(0xD800..=0xDFFF),
            2..=100 => self.random.u32(1..0x80),
            101..=150 => return self.surrogates(),
            _ => self.random.u32(1..0xD800),
        };
        self.unit(unit);
    }

    /// A pair, behind the first backslash.
    fn surrogates(&mut self) {
        let first = self.random.u32(0xD800..0xDC00);
        self.unit(first);
        self.text.push('\\');
        let second = self.random.u32(0xDC00..0xE000);
        self.unit(second);
    }

    fn unit(&mut self, unit: u32) {
        let digits = if self.random.bool() {
            format!("u{unit:04x}")
        } else {
            format!("u{unit:04X}")
        };
        self.text.push_str(&digits);
    }

    fn number(&mut self) {
        if self.random.u8(..4) == 0 {
            self.text.push('-');
        }
        match self.random.u8(..8) {
            0 => self.boundary(),
            1..=3 => self.integer(),
            4 => self.text.push('0'),
            _ => self.digits(20),
        }
        if self.random.u8(..3) == 0 {
            self.text.push('.');
            self.fraction();
        }
        if self.random.u8(..8) == 0 {
            self.exponent();
        }
    }

    fn integer(&mut self) {
        let bits = self.random.u32(1..=64);
        let integer = self.random.u64(..) >> (64 - bits);
        self.text.push_str(&integer.to_string());
    }

    /// Integers near a change of the number of digits, or of words.
    fn boundary(&mut self) {
        let power = self.random.u32(1..38);
        let near = match self.random.u8(..4) {
            0 => 10_u128.pow(power),
            1 => u128::from(u64::MAX),
            2 => 1 << 63,
            _ => u128::from(10_000_u64).pow(power.min(9)),
        };
        let distance = self.random.u128(..3);
        let integer = if self.random.bool() {
            near + distance
        } else {
            near - distance
        };
        self.text.push_str(&integer.to_string());
    }

    /// At most this many digits, or sometimes very many. The first one may be a zero, which JSON
    /// does not allow.
    fn digits(&mut self, most: usize) {
        let count = match self.random.u16(..1_000) {
            0 => self.random.usize(250..300),
            1..=10 => self.random.usize(30..70),
            _ => self.random.usize(1..=most),
        };
        let all_zero = self.random.u8(..10) == 0;
        for number in 0..count {
            let first = if number == 0 && self.random.u8(..20) > 0 {
                '1'
            } else {
                '0'
            };
            let last = if all_zero { first } else { '9' };
            self.text.push(self.random.char(first..=last));
        }
    }

    fn fraction(&mut self) {
        let zeros = match self.random.u16(..200) {
            0 => self.random.usize(..250),
            1..=20 => self.random.usize(..70),
            _ => self.random.usize(..5),
        };
        self.text.push_str(&"0".repeat(zeros));
        if zeros == 0 || self.random.u8(..5) > 0 {
            self.digits(10);
        }
        let zeros = self.random.usize(..3);
        self.text.push_str(&"0".repeat(zeros));
    }

    fn exponent(&mut self) {
        let sign = self.random.choice(["", "+", "-", "0", "-00"]).unwrap();
        let exponent = match self.random.u8(..20) {
            0 => self.random.u32(..1_100),
            1 => self.random.u32(..200_000),
            2 => self.random.u32(..),
            _ => self.random.u32(..30),
        };
        let letter = self.random.choice(["e", "E"]).unwrap();
        self.text.push_str(&format!("{letter}{sign}{exponent}"));
    }
}
