//! Searching events by what no index knows: window by window of positions.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::error::Error;
use crate::event::{Event, event_columns};
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
enum Direction {
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

/// What to search for. What is `None` matches every event.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Only streams whose name begins with one of these, byte by byte.
    pub prefixes: Option<Vec<String>>,
    /// Only these types.
    pub types: Option<Vec<String>>,
    /// Only this operation.
    pub correlation: Option<Uuid>,
    /// Only events that this event caused directly.
    pub causation: Option<Uuid>,
    /// Only events whose payload fulfils this.
    pub condition: Option<Condition>,
}

/// A condition on a part of the payload.
#[derive(Debug, Clone)]
pub struct Condition {
    path: Vec<String>,
    /// A jsonpath over the part and `$value`; `None`: the part exists.
    test: Option<&'static str>,
    value: Option<Box<RawValue>>,
}

/// The comparisons, the longer ones first.
const TESTS: [(&str, &str); 8] = [
    ("!=", "$ != $value"),
    ("<=", "$ <= $value"),
    (">=", "$ >= $value"),
    ("==", "$ == $value"),
    ("^=", "$ starts with $value"),
    ("=", "$ == $value"),
    ("<", "$ < $value"),
    (">", "$ > $value"),
];

impl std::str::FromStr for Condition {
    type Err = Error;

    /// A JSON pointer, or a JSON pointer, a comparison and a JSON value: `/cents > 100`,
    /// `/owner = "Ada"`, `/owner ^= "A"` (begins with), `/tags/0`. A value that is no JSON is a
    /// text.
    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if !text.starts_with('/') {
            return Err(Error::malformed(format!(
                "{text:?} does not begin with a JSON pointer, such as /cents"
            )));
        }
        let split = TESTS.iter().filter_map(|(sign, test)| {
            let at = text.find(sign)?;
            Some((at, std::cmp::Reverse(sign.len()), *sign, *test))
        });
        let Some((at, _, sign, test)) = split.min() else {
            return Ok(Self {
                path: path(text),
                test: None,
                value: None,
            });
        };
        let (pointer, value) = (text[..at].trim_end(), text[at + sign.len()..].trim());
        let value = match serde_json::from_str(value) {
            Ok(value) => value,
            Err(_) => serde_json::value::to_raw_value(value)
                .map_err(|error| Error::malformed(error.to_string()))?,
        };
        Ok(Self {
            path: path(pointer),
            test: Some(test),
            value: Some(value),
        })
    }
}

/// The parts of a JSON pointer.
fn path(pointer: &str) -> Vec<String> {
    let parts = pointer.split('/').skip(1);
    parts
        .map(|part| part.replace("~1", "/").replace("~0", "~"))
        .collect()
}

macro_rules! search {
    ($order:literal) => {
        concat!(
            "SELECT ",
            event_columns!(),
            "
  FROM eventcore.events e
 WHERE e.position > $1 AND e.position <= $2
   AND ($3::text[] IS NULL OR EXISTS (SELECT FROM unnest($3::text[]) p WHERE starts_with(e.stream_id, p)))
   AND ($4::text[] IS NULL OR e.event_type = ANY ($4::text[] COLLATE \"C\"))
   AND ($5::uuid IS NULL OR e.correlation_id = $5)
   AND ($10::uuid IS NULL OR e.causation_id = $10)
   AND ($6::text[] IS NULL OR e.payload #> $6::text[] IS NOT NULL)
   AND ($7::text IS NULL OR jsonb_path_match(e.payload #> $6::text[], $7::text::jsonpath, jsonb_build_object('value', $8::jsonb), true))
 ORDER BY e.position ",
            $order,
            " LIMIT $9"
        )
    };
}

const OLDEST_FIRST: &str = search!("");
const NEWEST_FIRST: &str = search!("DESC");

/// The events of one window that match, oldest or newest first.
///
/// # Errors
///
/// The role may not read events, or the connection is lost.
pub async fn within(
    session: &Session,
    window: Window,
    query: &Query,
    newest_first: bool,
    limit: i64,
) -> Result<Vec<Event>, Error> {
    let condition = query.condition.as_ref();
    let path = condition.map(|condition| &condition.path);
    let test = condition.and_then(|condition| condition.test);
    let value = condition.and_then(|condition| condition.value.as_ref().map(Json));
    let statement = match newest_first {
        true => NEWEST_FIRST,
        false => OLDEST_FIRST,
    };
    let rows = session
        .query(
            statement,
            &[
                &window.after,
                &window.up_to,
                &query.prefixes,
                &query.types,
                &query.correlation,
                &path,
                &test,
                &value,
                &limit,
                &query.causation,
            ],
        )
        .await?;
    Event::read_all(&rows)
}

/// What a search has found.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Found {
    /// The events.
    pub events: Vec<Event>,
    /// Where they were looked for. If it was not complete, go on from there.
    pub searched: Searched,
}

/// Searches at most `windows` windows for at most `limit` events, newest or oldest first.
///
/// # Errors
///
/// The role may not read events, or the connection is lost.
pub async fn search(
    session: &Session,
    query: &Query,
    mut windows: Windows,
    limit: usize,
    most_windows: usize,
) -> Result<Found, Error> {
    let newest_first = windows.direction == Direction::Down;
    let mut events: Vec<Event> = Vec::new();
    for _ in 0..most_windows {
        if events.len() >= limit {
            break;
        }
        let Some(window) = windows.next(session).await? else {
            break;
        };
        let left = i64::try_from(limit - events.len()).unwrap_or(i64::MAX);
        events.extend(within(session, window, query, newest_first, left).await?);
    }
    let mut searched = windows.searched();
    if let Some(last) = events.last()
        && events.len() >= limit
    {
        // The last window was not searched to its end.
        searched.is_complete = false;
        match newest_first {
            true => searched.after = last.position - 1,
            false => searched.up_to = last.position,
        }
    }
    Ok(Found { events, searched })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_has_a_pointer_a_comparison_and_a_value() {
        let condition: Condition = "/a~1b/0 >= 9007199254740993".parse().unwrap();
        assert_eq!(condition.path, ["a/b", "0"]);
        assert_eq!(condition.test, Some("$ >= $value"));
        assert_eq!(condition.value.unwrap().get(), "9007199254740993");
        let text: Condition = "/owner = Ada Lovelace".parse().unwrap();
        assert_eq!(text.value.unwrap().get(), "\"Ada Lovelace\"");
        let exists: Condition = "/owner".parse().unwrap();
        assert!(exists.test.is_none() && exists.value.is_none());
    }

    #[test]
    fn a_condition_without_a_pointer_is_refused() {
        for text in ["", "cents > 1", "> 1", "$.cents"] {
            let error = text.parse::<Condition>().unwrap_err();
            assert!(error.to_string().contains("JSON pointer"), "{error}");
        }
    }
}
