//! Windows of positions, in which a search looks one after the other.

use schemars::JsonSchema;
use serde::Serialize;

use crate::error::Error;
use crate::session::Session;

/// How many positions one statement looks at.
const WIDTH: i64 = 100_000;

/// What a search has looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Searched {
    /// The position after which it looked.
    pub after: i64,
    /// The last position at which it looked.
    pub up_to: i64,
    /// Whether nothing is left to look at.
    pub is_complete: bool,
    /// Whether an index found everything at once.
    pub used_index: bool,
}

impl Searched {
    pub(crate) fn by_index() -> Self {
        Self {
            after: 0,
            up_to: i64::MAX,
            is_complete: true,
            used_index: true,
        }
    }
}

/// A range of positions to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The positions after this one …
    pub after: i64,
    /// … up to this one.
    pub up_to: i64,
}

/// Windows of positions, one after the other. Where there are no events, such as between two
/// histories, they skip.
#[derive(Debug, Clone)]
pub struct Windows {
    /// The lowest and the highest position that belong to the search.
    low: i64,
    high: i64,
    /// What has been looked at: after `from`, up to `to`.
    from: i64,
    to: i64,
    direction: Direction,
    /// Whether the next window is above, when the search goes both ways.
    is_above_next: bool,
    down_is_done: bool,
    up_is_done: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Down,
    Up,
    Both,
}

const NEXT_BELOW: &str =
    "SELECT max(e.position) FROM eventcore.events e WHERE e.position > $1 AND e.position <= $2";
const NEXT_ABOVE: &str =
    "SELECT min(e.position) FROM eventcore.events e WHERE e.position > $1 AND e.position <= $2";

impl Windows {
    fn new(low: i64, high: i64, start: i64, direction: Direction) -> Self {
        let start = start.clamp(low, high);
        Self {
            low,
            high,
            from: start,
            to: start,
            direction,
            is_above_next: true,
            down_is_done: direction == Direction::Up,
            up_is_done: direction == Direction::Down,
        }
    }

    /// From the newest event up to `up_to` back to the first one after `after`.
    #[must_use]
    pub fn newest_first(after: i64, up_to: i64) -> Self {
        Self::new(after, up_to, up_to, Direction::Down)
    }

    /// From the first event after `after` to the last one up to `up_to`.
    #[must_use]
    pub fn oldest_first(after: i64, up_to: i64) -> Self {
        Self::new(after, up_to, after, Direction::Up)
    }

    /// From a position outwards, above and below in turn.
    #[must_use]
    pub fn around(position: i64) -> Self {
        Self::new(0, i64::MAX - 1, position, Direction::Both)
    }

    pub(super) fn direction(&self) -> Direction {
        self.direction
    }

    /// What has been looked at so far.
    #[must_use]
    pub fn searched(&self) -> Searched {
        Searched {
            after: self.from,
            up_to: self.to,
            is_complete: self.down_is_done && self.up_is_done,
            used_index: false,
        }
    }

    /// The next window with events in it; `None` if there is none.
    ///
    /// # Errors
    ///
    /// The role may not read events, or the connection is lost.
    pub async fn next(&mut self, session: &Session) -> Result<Option<Window>, Error> {
        loop {
            let is_above = match (self.up_is_done, self.down_is_done) {
                (true, true) => return Ok(None),
                (false, true) => true,
                (true, false) => false,
                (false, false) => self.is_above_next,
            };
            self.is_above_next = !is_above || self.direction != Direction::Both;
            let window = match is_above {
                true => self.above(session).await?,
                false => self.below(session).await?,
            };
            if window.is_some() {
                return Ok(window);
            }
        }
    }

    async fn above(&mut self, session: &Session) -> Result<Option<Window>, Error> {
        let row = session
            .query_one(NEXT_ABOVE, &[&self.to, &self.high])
            .await?;
        let Some(first) = row.try_get::<_, Option<i64>>(0)? else {
            self.up_is_done = true;
            return Ok(None);
        };
        let window = Window {
            after: first - 1,
            up_to: first.saturating_add(WIDTH - 1).min(self.high),
        };
        self.to = window.up_to;
        Ok(Some(window))
    }

    async fn below(&mut self, session: &Session) -> Result<Option<Window>, Error> {
        let row = session
            .query_one(NEXT_BELOW, &[&self.low, &self.from])
            .await?;
        let Some(last) = row.try_get::<_, Option<i64>>(0)? else {
            self.down_is_done = true;
            self.from = self.low;
            return Ok(None);
        };
        let window = Window {
            after: last.saturating_sub(WIDTH).max(self.low),
            up_to: last,
        };
        self.from = window.after;
        Ok(Some(window))
    }
}
