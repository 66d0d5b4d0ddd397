//! The generator of `transfers.csv`.

use std::fmt::Write;

use crate::openings::ACCOUNTS;
use crate::split_mix::SplitMix64;
use crate::transfer_file::HEADER;

/// The seed of the committed file. A test compares the two.
#[cfg(test)]
pub(crate) const COMMITTED_SEED: u64 = 2026;

/// How many transfers there are in a file.
const TRANSFERS: usize = 10_000;

/// The text of a file of transfers. The same seed always gives the same text.
///
/// Of 1,000 lines about 20 are malformed and 15 name an account that does not exist. Every
/// twentieth of the others is large, so that many of these are overdrafts.
pub(crate) fn transfers(seed: u64) -> String {
    let mut random = SplitMix64::new(seed);
    let mut file = format!("{HEADER}\n");
    for _ in 0..TRANSFERS {
        let line = match random.between(0, 999) {
            0..20 => malformed(&mut random),
            20..35 => unknown(&mut random),
            _ => ordinary(&mut random),
        };
        file.push_str(&line);
        file.push('\n');
    }
    file
}

fn ordinary(random: &mut SplitMix64) -> String {
    let (from, to) = two_accounts(random);
    let cents = match random.between(1, 20) {
        20 => random.between(50_000, 500_000),
        _ => random.between(100, 20_000),
    };
    format!("{from:03},{to:03},{cents}")
}

fn unknown(random: &mut SplitMix64) -> String {
    let (known, _) = two_accounts(random);
    let unknown = random.between(ACCOUNTS + 1, 999);
    let cents = random.between(100, 20_000);
    match random.between(1, 2) {
        1 => format!("{unknown:03},{known:03},{cents}"),
        _ => format!("{known:03},{unknown:03},{cents}"),
    }
}

fn malformed(random: &mut SplitMix64) -> String {
    let (from, to) = two_accounts(random);
    let cents = random.between(100, 20_000);
    let mut line = String::new();
    // Writing to a string does not fail.
    let _ = match random.between(1, 7) {
        1 => write!(line, "{from:03},{cents}"),
        2 => write!(line, "{from:03},,{cents}"),
        3 => write!(line, "{from:03},{to:03},{cents},EUR"),
        4 => write!(line, "{from:03},{to:03},{}.{:02}", cents / 100, cents % 100),
        5 => write!(line, "{from:03},{to:03},-{cents}"),
        6 => write!(line, "{from:03},{to:03},0"),
        _ => write!(line, "{from:03},{from:03},{cents}"),
    };
    line
}

/// Two different accounts.
fn two_accounts(random: &mut SplitMix64) -> (u32, u32) {
    let from = random.between(1, ACCOUNTS);
    let to = random.between(1, ACCOUNTS - 1);
    (from, if to < from { to } else { to + 1 })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::arguments::COMMITTED_FILE;
    use crate::transfer_file::{Malformed, parse};

    #[test]
    fn the_committed_file_is_what_the_generator_makes_of_the_documented_seed() {
        assert!(transfers(COMMITTED_SEED) == COMMITTED_FILE);
        assert!(transfers(COMMITTED_SEED + 1) != COMMITTED_FILE);
    }

    /// The numbers were counted with awk, not with the example's parser.
    #[test]
    fn the_committed_file_holds_what_the_readme_says() {
        let lines = parse(COMMITTED_FILE).unwrap();
        assert_eq!(lines.len(), TRANSFERS);
        let mut malformed = BTreeMap::new();
        for wrong in lines.iter().filter_map(|line| line.content.as_ref().err()) {
            *malformed.entry(*wrong).or_insert(0) += 1;
        }
        let expected = BTreeMap::from([
            (Malformed::MissingColumn, 46),
            (Malformed::ExtraColumn, 26),
            (Malformed::NotANumber, 22),
            (Malformed::Negative, 32),
            (Malformed::Zero, 23),
            (Malformed::SameAccount, 27),
        ]);
        assert_eq!(malformed, expected);
    }
}
