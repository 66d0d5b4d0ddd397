//! The file of transfers: one line each, `from,to,cents`, after a first line with these names.
//!
//! Fields are what stands between the commas, without spaces around them; there are no quotes. So
//! every line of the file is one transfer, whatever is wrong with it.

use std::fmt;

use crate::account_id::AccountId;
use crate::money::Money;
use crate::transfer_money::TransferMoney;

/// The first line.
pub(crate) const HEADER: &str = "from,to,cents";

/// A line: a transfer, or what is wrong with it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    /// Its number in the file, as an editor counts; the first transfer is in line 2.
    pub(crate) number: u32,
    pub(crate) content: Result<TransferMoney, Malformed>,
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Malformed {
    MissingColumn,
    ExtraColumn,
    InvalidAccount,
    NotANumber,
    Negative,
    Zero,
    SameAccount,
}

/// The file does not start with its header. Otherwise a transfer in the first line could be lost
/// unnoticed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the first line of the file is not `{HEADER}`")]
pub(crate) struct NoHeader;

/// The transfers in the text of a file.
pub(crate) fn parse(text: &str) -> Result<Vec<Line>, NoHeader> {
    let mut lines = (1..).zip(text.lines());
    match lines.next() {
        Some((_, header)) if header.trim_end() == HEADER => {}
        _ => return Err(NoHeader),
    }
    let content = |(number, line)| Line {
        number,
        content: transfer(number, line),
    };
    Ok(lines.map(content).collect())
}

fn transfer(number: u32, line: &str) -> Result<TransferMoney, Malformed> {
    let fields: Vec<&str> = line.split(',').map(str::trim).collect();
    let (from, to, cents) = match fields[..] {
        [from, to, cents] if ![from, to, cents].contains(&"") => (from, to, cents),
        [_, _, _, ..] if !fields[..3].contains(&"") => return Err(Malformed::ExtraColumn),
        _ => return Err(Malformed::MissingColumn),
    };
    let account = |name| AccountId::new(name).map_err(|_| Malformed::InvalidAccount);
    let transfer = TransferMoney {
        from: account(from)?,
        to: account(to)?,
        cents: amount(cents)?,
        transfer: number,
    };
    if transfer.from == transfer.to {
        return Err(Malformed::SameAccount);
    }
    Ok(transfer)
}

fn amount(cents: &str) -> Result<Money, Malformed> {
    match cents.parse() {
        Err(_) => Err(Malformed::NotANumber),
        Ok(0) => Err(Malformed::Zero),
        Ok(cents) if cents < 0 => Err(Malformed::Negative),
        Ok(cents) => Ok(Money::cents(cents)),
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::MissingColumn => "a column is missing",
            Self::ExtraColumn => "a column too many",
            Self::InvalidAccount => "not the name of an account",
            Self::NotANumber => "not a whole number of cents",
            Self::Negative => "a negative amount",
            Self::Zero => "an amount of zero",
            Self::SameAccount => "from an account to itself",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_transfer_or_says_what_is_wrong_with_it() {
        use Malformed::*;
        for (line, wrong) in [
            ("", MissingColumn),
            ("001", MissingColumn),
            ("001,002", MissingColumn),
            ("001,,5", MissingColumn),
            ("001,002,", MissingColumn),
            ("001,002,5,6", ExtraColumn),
            ("001,0\u{1}02,5", InvalidAccount),
            ("001,002,five", NotANumber),
            ("001,002,5.00", NotANumber),
            ("001,002,9223372036854775808", NotANumber),
            ("001,002,-5", Negative),
            ("001,002,0", Zero),
            ("001,001,5", SameAccount),
        ] {
            assert_eq!(transfer(2, line), Err(wrong), "{line:?}");
        }
        let good = transfer(7, " 001, 002, 5\r").unwrap();
        assert_eq!(
            (good.from.to_string(), good.to.to_string()),
            ("account-001".into(), "account-002".into())
        );
        assert_eq!((good.cents, good.transfer), (Money::cents(5), 7));
    }

    #[test]
    fn lines_count_from_one_and_the_first_holds_the_names() {
        let lines = parse("from,to,cents\n001,002,5\n\n002,001,6\n").unwrap();
        let numbers: Vec<u32> = lines.iter().map(|line| line.number).collect();
        assert_eq!(numbers, [2, 3, 4]);
        assert_eq!(lines[1].content, Err(Malformed::MissingColumn));
        assert_eq!(parse("from,to,cents\r\n"), Ok(vec![]));
        assert_eq!(parse(""), Err(NoHeader));
        assert_eq!(parse("001,002,5"), Err(NoHeader));
    }
}
