//! The bytes that `eventcore-jsonb` makes of a text are those that the server makes of it, and what
//! the server refuses, it declines. What the extension stores has the server's bytes in any case.
//!
//! `EVENTCORE_LONG` is the duration in seconds: 5 by default, 600 for the long form.
//! `EVENTCORE_SEED` repeats a run, which prints its seed.

mod corner_cases;
mod texts;

use std::time::{Duration, Instant};

use eventcore_jsonb::Encoder;
use fastrand::Rng;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use crate::support::{Client, connect, database};

const SECONDS: u64 = 5;
/// How many bytes of texts are sent in one statement, about.
const BATCH_BYTES: usize = 200_000;

#[tokio::test]
async fn the_bytes_of_any_text_are_those_of_the_server() {
    let seed = variable("EVENTCORE_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000));
    let seconds = variable("EVENTCORE_LONG").unwrap_or(SECONDS);
    println!("EVENTCORE_SEED={seed} EVENTCORE_LONG={seconds}");
    let mut random = Rng::with_seed(seed);
    let mut comparison = Comparison::new("jsonb_any_text").await;
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        comparison.compare(batch(&mut random)).await;
    }
    let counts = comparison.counts;
    println!("{counts:?}");
    assert!(counts.same > 1_000 && counts.refused > 1_000, "{counts:?}");
    // Most of what the generator declines are numbers and escapes that it makes for that.
    assert!(counts.declined * 5 < counts.same, "{counts:?}");
}

#[tokio::test]
async fn the_bytes_of_corner_cases_are_those_of_the_server() {
    let mut comparison = Comparison::new("jsonb_corner_cases").await;
    for text in corner_cases::ordinary() {
        let shown: String = text.chars().take(100).collect();
        let before = comparison.counts.same;
        comparison.compare(vec![text]).await;
        assert_eq!(comparison.counts.same, before + 1, "declined: {shown}");
    }
    for text in corner_cases::declined() {
        let shown: String = text.chars().take(100).collect();
        let before = comparison.counts.same;
        comparison.compare(vec![text]).await;
        assert_eq!(comparison.counts.same, before, "not declined: {shown}");
    }
}

/// Those of texts that are encoded, and of texts that the server is asked for.
#[tokio::test]
async fn the_bytes_that_an_append_stores_are_those_of_the_server() {
    let mut comparison = Comparison::new("jsonb_stored").await;
    let mut texts = corner_cases::ordinary();
    texts.extend(corner_cases::declined());
    texts.extend(batch(&mut Rng::new()));
    let converted = comparison.convert(&texts).await;
    // A payload is not null.
    let taken = texts.into_iter().zip(converted);
    let taken = taken.filter(|(text, bytes)| bytes.is_some() && text.trim() != "null");
    let texts: Vec<String> = taken.map(|(text, _)| text).collect();
    comparison.compare(texts.clone()).await;
    let Counts { same, declined, .. } = comparison.counts;
    assert!(same > 200 && declined > 5, "{same} {declined}");

    let metadata = texts.iter().map(|text| format!("{{\"m\":{text}}}"));
    let metadata: Vec<String> = metadata.collect();
    let append = "SELECT eventcore_append_compact('{s}', '{0}', array_fill('s'::text, ARRAY[cardinality($1::text[])]),
                         array_fill('T'::text, ARRAY[cardinality($1::text[])]), $1::text[], $2)";
    let call: [&(dyn ToSql + Sync); 2] = [&texts, &metadata];
    comparison.client.execute(append, &call).await.unwrap();
    let stored = "SELECT count(*), count(*) FILTER (WHERE payload::bytea <> (text::jsonb)::bytea
                                                        OR e.metadata::bytea <> (m.metadata::jsonb)::bytea)
                    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS m (text, metadata, version)
                    JOIN eventcore.events e USING (version)";
    let row = comparison.client.query_one(stored, &call).await.unwrap();
    let (count, other): (i64, i64) = (row.get(0), row.get(1));
    assert_eq!((count, other), (texts.len() as i64, 0));
}

/// One event in a call, so that each call gets the buffers of the one before: also after a text that
/// is not JSON, and after a long one.
#[tokio::test]
async fn the_bytes_that_appends_of_a_session_store_one_after_the_other_are_those_of_the_server() {
    let client = Comparison::new("jsonb_in_turn").await.client;
    let mut texts = corner_cases::ordinary();
    texts.extend(corner_cases::declined());
    texts.extend([
        format!("[\"{}\"]", "x".repeat(100_000)),
        "{\"a\": [1, {".to_owned(),
    ]);
    let again = texts.clone();
    texts.extend(again.into_iter().rev());
    let append = "SELECT eventcore_append_compact(ARRAY['in-turn'], NULL, ARRAY['in-turn'], ARRAY['T'], ARRAY[$1])";
    let append = append.replace("NULL", "ARRAY[NULL::bigint]");
    let same = "SELECT payload::bytea = ($1::text::jsonb)::bytea FROM eventcore.events ORDER BY version DESC LIMIT 1";
    let (mut stored, mut refused) = (0, 0);
    for text in texts {
        match client.execute(&append, &[&text]).await {
            Ok(_) => {
                let row = client.query_one(same, &[&text]).await.unwrap();
                assert!(row.get::<_, bool>(0), "{}", &text[..text.len().min(100)]);
                stored += 1;
            }
            Err(error) => {
                assert_eq!(error.code().map(SqlState::code), Some("SE003"), "{error}");
                refused += 1;
            }
        }
    }
    assert!(stored > 20 && refused > 1, "{stored} {refused}");
}

fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value}")))
}

fn batch(random: &mut Rng) -> Vec<String> {
    let mut batch = Vec::new();
    let mut bytes = 0;
    while bytes < BATCH_BYTES {
        let text = texts::any(random);
        // A text of the server contains no zero.
        if !text.contains('\0') {
            bytes += text.len() + 100;
            batch.push(text);
        }
    }
    batch
}

#[derive(Debug, Default)]
struct Counts {
    /// Encoded, with the server's bytes.
    same: u64,
    /// Declined, and the server takes it.
    declined: u64,
    /// Declined, and the server refuses it.
    refused: u64,
}

struct Comparison {
    client: Client,
    encoder: Encoder,
    counts: Counts,
}

impl Comparison {
    async fn new(name: &str) -> Self {
        let (url, _) = database(name).await;
        let client = connect(&url).await;
        // Nothing is converted: the bytes are those of the jsonb behind its length word.
        let cast = "CREATE CAST (jsonb AS bytea) WITHOUT FUNCTION;
            CREATE FUNCTION pg_temp.bytes_of(given text) RETURNS bytea LANGUAGE plpgsql AS
            $$ BEGIN
                RETURN given::jsonb::bytea;
            EXCEPTION WHEN data_exception OR syntax_error OR program_limit_exceeded THEN
                RETURN NULL;
            END $$";
        client.batch_execute(cast).await.unwrap();
        Self {
            client,
            encoder: Encoder::new(),
            counts: Counts::default(),
        }
    }

    /// The server's bytes of each text; `None` where it refuses the text.
    async fn convert(&self, texts: &Vec<String>) -> Vec<Option<Vec<u8>>> {
        let convert = "SELECT pg_temp.bytes_of(given) FROM unnest($1::text[]) WITH ORDINALITY AS t (given, number)
              ORDER BY number";
        let rows = self.client.query(convert, &[texts]).await.unwrap();
        assert_eq!(rows.len(), texts.len());
        rows.iter().map(|row| row.get(0)).collect()
    }

    async fn compare(&mut self, texts: Vec<String>) {
        let converted = self.convert(&texts).await;
        for (text, theirs) in texts.iter().zip(converted) {
            let ours = self.encoder.encode(text.as_bytes());
            match (ours, theirs) {
                (Some(ours), Some(theirs)) => {
                    let (length, ours) = ours.split_first_chunk().unwrap();
                    assert!(
                        ours == theirs,
                        "{text}\nours   {ours:x?}\ntheirs {theirs:x?}"
                    );
                    assert_eq!(u32::from_le_bytes(*length) >> 2, ours.len() as u32 + 4);
                    self.counts.same += 1;
                }
                (Some(_), None) => panic!("the server refuses {text}"),
                (None, Some(_)) => self.counts.declined += 1,
                (None, None) => self.counts.refused += 1,
            }
        }
    }
}
