//! The accounts between which money moves. Their histories stay short: a command folds all events
//! of its streams, and after a second with thousands of transfers between ten accounts, only that
//! fold would be measured. So an account that took part in [`EACH`] transfers is replaced by a new
//! one.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use anyhow::Result;
use eventcore_benches::database::Database;

/// How many events an account gets before it is replaced.
const EACH: u64 = 20;

/// Deposits into an account.
const APPEND: &str = "SELECT FROM eventcore_append(ARRAY[$1], '{NULL}',
    (SELECT jsonb_agg(jsonb_build_object('stream', $1, 'type', 'MoneyDeposited',
                'payload', jsonb_build_object('from', 'nowhere', 'cents', 1)))
       FROM generate_series(1, $2::bigint)))";

/// Slots for accounts. The accounts have different ages, so that at any time there are histories of
/// all lengths up to [`EACH`].
pub(crate) struct Accounts {
    prefix: String,
    /// How many events the accounts of a slot have.
    places: Vec<AtomicU64>,
    /// How many each gets.
    each: u64,
    drawn: AtomicU64,
}

impl Accounts {
    /// This many accounts, each with the history of its age. Names begin with the prefix.
    pub(crate) async fn new(database: &Database, prefix: &str, count: u64) -> Result<Self> {
        let accounts = Self {
            prefix: prefix.to_owned(),
            places: (0..count).map(|place| (place * 7 % EACH).into()).collect(),
            each: EACH,
            drawn: AtomicU64::new(0),
        };
        let client = database.connect().await?;
        let append = client.prepare(APPEND).await?;
        for (place, age) in accounts.places.iter().enumerate() {
            let age = i64::try_from(age.load(Relaxed))?;
            if age > 0 {
                let name = accounts.name(place, 0);
                client.execute(&append, &[&name, &age]).await?;
            }
        }
        Ok(accounts)
    }

    /// This many accounts, each with this many events and never replaced.
    pub(crate) async fn long(
        database: &Database,
        prefix: &str,
        count: u64,
        events: i64,
    ) -> Result<Self> {
        const BATCH: i64 = 10_000;
        let accounts = Self {
            prefix: prefix.to_owned(),
            places: (0..count).map(|_| AtomicU64::new(0)).collect(),
            each: u64::MAX,
            drawn: AtomicU64::new(0),
        };
        let client = database.connect().await?;
        let append = client.prepare(APPEND).await?;
        for place in 0..accounts.places.len() {
            for _ in 0..events / BATCH {
                let name = accounts.name(place, 0);
                client.execute(&append, &[&name, &BATCH]).await?;
            }
        }
        Ok(accounts)
    }

    /// This many rows of the table `balances`. A row has no history, so none is replaced.
    pub(crate) async fn of_rows(database: &Database, prefix: &str, count: u64) -> Result<Self> {
        let accounts = Self {
            prefix: prefix.to_owned(),
            places: (0..count).map(|_| AtomicU64::new(0)).collect(),
            each: u64::MAX,
            drawn: AtomicU64::new(0),
        };
        let places = 0..accounts.places.len();
        let names: Vec<String> = places.map(|place| accounts.name(place, 0)).collect();
        let insert = "INSERT INTO balances SELECT unnest($1::text[]), 0";
        let client = database.connect().await?;
        client.execute(insert, &[&names]).await?;
        Ok(accounts)
    }

    /// Two different accounts, both now one transfer older.
    pub(crate) fn pair(&self) -> (String, String) {
        let random = mixed(self.drawn.fetch_add(1, Relaxed));
        let count = self.places.len() as u64;
        let from = (random >> 32) % count;
        let to = (from + 1 + (random & 0xffff_ffff) % (count - 1)) % count;
        (self.grow(from), self.grow(to))
    }

    /// The current accounts.
    pub(crate) fn all(&self) -> Vec<String> {
        let places = 0..self.places.len();
        places.map(|place| self.name(place, 0)).collect()
    }

    fn grow(&self, place: u64) -> String {
        let place = usize::try_from(place).unwrap_or(0);
        let age = self.places[place].fetch_add(1, Relaxed);
        self.name(place, age / self.each)
    }

    fn name(&self, place: usize, generation: u64) -> String {
        format!("{}-{place:04}-{generation:06}", self.prefix)
    }
}

/// A number that looks random and is the same in every run: the finalizer of SplitMix64.
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
