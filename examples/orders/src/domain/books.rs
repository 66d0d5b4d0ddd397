//! The books of a product: the streams of its stock, one after the other.
//!
//! A command reads its streams from their start, so a stream that grew with each order would make
//! the next order slower. When a book is full, a reservation closes it: it writes into the first book
//! which one comes next, and with how many pieces that begins. Everybody who writes reads the first
//! book, so nobody writes into one that was closed.

use eventcore::StreamId;

use super::ProductId;

/// What the first books start with.
const FIRST: &str = "product-";
/// What the others start with.
const LATER: &str = "stock-";

/// What all streams of products start with.
pub(crate) const PRODUCT_PREFIXES: [&str; 2] = [FIRST, LATER];

/// How many entries a book has when a reservation closes it.
pub const FULL_BOOK: u32 = 250;

impl ProductId {
    /// The first book, `product-<id>`. It also says which one is the current book.
    pub fn first_book(&self) -> StreamId {
        stream(format!("{FIRST}{self}"))
    }

    /// One of its books: number 0 is the first one, the others are `stock-<number>-<id>`.
    pub fn book(&self, number: u32) -> StreamId {
        match number {
            0 => self.first_book(),
            _ => stream(format!("{LATER}{number}-{self}")),
        }
    }

    /// The product that a stream is a book of.
    pub fn of_stream(stream: &StreamId) -> Option<Self> {
        let name = stream.as_str();
        let id = match name.strip_prefix(FIRST) {
            Some(id) => id,
            None => {
                let (number, id) = name.strip_prefix(LATER)?.split_once('-')?;
                number.parse::<u32>().ok()?;
                id
            }
        };
        Self::new(id).ok()
    }
}

#[expect(
    clippy::expect_used,
    reason = "a product id is valid and shorter than a stream id may be"
)]
fn stream(name: String) -> StreamId {
    StreamId::new(name).expect("a prefix and a product id make a valid name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_book_leads_back_to_its_product() {
        for id in ["𝕏".repeat(ProductId::MAX), "7-A".to_owned()] {
            let product = ProductId::new(id).unwrap();
            for number in [0, 1, u32::MAX] {
                let book = product.book(number);
                assert_eq!(ProductId::of_stream(&book), Some(product.clone()), "{book}");
            }
        }
        for other in ["order-A", "stock-A", "stock-x-A"] {
            assert_eq!(ProductId::of_stream(&other.parse().unwrap()), None);
        }
    }
}
