//! Whether durable subscriptions do what they did in 0.1.0, `P11`: several sessions, with transactions that
//! overlap, call the functions at random, in a database with the functions of 0.1.0 and in one with those of
//! today. Each call has the same outcome in both.

use std::collections::BTreeMap;

use eventcore_harness::shared;
use uuid::Uuid;

use super::{create, write};
use crate::support::{Client, Failure, connect, database};

const SESSIONS: usize = 3;
const STEPS: usize = 150;

/// One of the two databases.
struct Side {
    admin: Client,
    sessions: Vec<Client>,
    /// By the order of the polls that leased events.
    leases: Vec<Uuid>,
}

/// A call without the lease, which differs.
#[derive(Debug, Clone)]
struct Call {
    sql: String,
    lease: Option<usize>,
}

/// What a call returned, or how it failed.
type Outcome = Result<Vec<String>, Failure>;

impl Side {
    async fn new(url: &str, options: &str) -> Self {
        let mut sessions = Vec::new();
        for _ in 0..SESSIONS {
            let session = connect(url).await;
            let set = "SET lock_timeout = '40 ms'; SET deadlock_timeout = '10 s'";
            session.batch_execute(set).await.unwrap();
            sessions.push(session);
        }
        let admin = connect(url).await;
        admin
            .batch_execute("SET lock_timeout = '40 ms'")
            .await
            .unwrap();
        create(&admin, "s", options).await;
        Self {
            admin,
            sessions,
            leases: Vec::new(),
        }
    }

    async fn call(&mut self, session: usize, call: &Call) -> Outcome {
        let lease = call.lease.map_or(Uuid::nil(), |n| self.leases[n]);
        let sql = call.sql.replace("$lease", &format!("'{lease}'"));
        let rows = self.sessions[session].query(&sql, &[]).await;
        let rows = rows.map_err(|error| {
            let mut failure = Failure::from(error);
            let detail = failure.detail.unwrap_or_default();
            failure.detail = Some(detail.replace(&lease.to_string(), "its id"));
            failure
        })?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    async fn run(&self, session: usize, sql: &str) {
        self.sessions[session].batch_execute(sql).await.unwrap();
    }

    /// Makes a lease expire. Returns whether a transaction that takes it back or extends it is in the way.
    async fn expire(&self, lease: usize) -> bool {
        let sql =
            "UPDATE eventcore.leases SET leased_until = now() - interval '1 s' WHERE lease_id = $1";
        let expired = self.admin.execute(sql, &[&self.leases[lease]]).await;
        is_in_the_way(&expired.map(|_| Vec::new()).map_err(Failure::from))
    }

    /// What everybody sees.
    async fn state(&self) -> String {
        let sql = "SELECT concat_ws(' ', checkpoint, read_position, leased, leases, waiting, retrying, parked,
                                    streams_stopped)
                     FROM eventcore.stat_subscriptions";
        self.admin.query_one(sql, &[]).await.unwrap().get(0)
    }
}

/// Whether a call failed because of what another transaction does or did.
fn is_in_the_way(outcome: &Outcome) -> bool {
    let in_the_way = ["55P03", "40001", "40P01"];
    matches!(outcome, Err(failure) if in_the_way.contains(&failure.code.as_str()))
}

fn told(outcome: &Outcome) -> String {
    match outcome {
        Ok(rows) => rows.join(" "),
        Err(failure) if is_in_the_way(outcome) => failure.code.clone(),
        Err(failure) => format!("{} {:?}", failure.code, failure.detail),
    }
}

struct Play {
    before: Side,
    today: Side,
    /// The events of each lease.
    held: Vec<Vec<i64>>,
    random: fastrand::Rng,
    /// The isolation level of each session that is in a transaction.
    open: [Option<&'static str>; SESSIONS],
    log: Vec<String>,
}

impl Play {
    fn below(&mut self, end: usize) -> usize {
        self.random.usize(..end)
    }

    /// Some of the events of a lease, rarely one of another lease, or `NULL`.
    fn some(&mut self, lease: usize) -> String {
        let mut some = self.held[lease].clone();
        self.random.shuffle(&mut some);
        some.truncate(1 + self.random.usize(..some.len()));
        if self.below(3) > 0 {
            some.sort_unstable();
        }
        if self.below(10) == 0 {
            some.push(self.held[self.random.usize(..=lease)][0]);
        }
        match self.below(4) {
            0 => "NULL".into(),
            _ => format!("ARRAY{some:?}::bigint[]"),
        }
    }

    fn next_call(&mut self) -> Call {
        let known = self.held.len();
        let what = self.below(20);
        if known == 0 || what < 4 {
            let most = 1 + self.below(9);
            let sql = format!(
                "SELECT concat_ws(':', lease_id, position, attempt) FROM eventcore_poll('s', 'c', {most})"
            );
            return Call { sql, lease: None };
        }
        let lease = known - 1 - self.below(known.min(4));
        let some = self.some(lease);
        let sql = match what {
            4..=12 => format!("SELECT eventcore_ack('s', $lease, {some})::text"),
            13..=16 => {
                let action = ["retry", "release", "park", "skip"][self.below(4)];
                format!(
                    "SELECT concat_ws(':', position, outcome)
                       FROM eventcore_nack('s', $lease, {some}, '{action}') ORDER BY position, outcome"
                )
            }
            17 => "SELECT (eventcore_extend_lease('s', $lease) > now())::text".into(),
            18 => "SELECT eventcore_replay_parked('s')::text".into(),
            _ if self.below(10) == 0 => {
                format!(
                    "SELECT eventcore_reset_subscription('s', {})::text",
                    self.held[lease][0]
                )
            }
            _ => "SELECT eventcore_discard_parked('s')::text".into(),
        };
        Call {
            sql,
            lease: Some(lease),
        }
    }

    async fn both(&mut self, session: usize, sql: &str) {
        self.log.push(format!("{session}: {sql}"));
        tokio::join!(self.before.run(session, sql), self.today.run(session, sql));
    }

    /// The leases of a poll get a number.
    fn note_lease(&mut self, outcomes: [&mut Outcome; 2]) {
        let mut polled = Vec::new();
        for (outcome, side) in outcomes
            .into_iter()
            .zip([&mut self.before, &mut self.today])
        {
            let Ok(rows) = outcome else { continue };
            for row in rows {
                let (lease, rest) = row.split_once(':').unwrap();
                let lease: Uuid = lease.parse().unwrap();
                if side.leases.last() != Some(&lease) {
                    side.leases.push(lease);
                    polled.clear();
                }
                polled.push(rest.split_once(':').unwrap().0.parse().unwrap());
                *row = rest.to_owned();
            }
        }
        if !polled.is_empty() {
            self.held.push(polled);
        }
    }

    async fn step(&mut self) {
        let session = self.below(SESSIONS);
        match (self.open[session], self.below(12)) {
            (Some(_), 0..=2) => {
                self.both(session, "COMMIT").await;
                self.open[session] = None;
                return;
            }
            (Some(_), 3) => {
                self.both(session, "ROLLBACK").await;
                self.open[session] = None;
                return;
            }
            (None, 0..=3) => {
                let level = ["READ COMMITTED", "READ COMMITTED", "REPEATABLE READ"][self.below(3)];
                let begin = format!("BEGIN ISOLATION LEVEL {level}; SELECT 1");
                self.both(session, &begin).await;
                self.open[session] = Some(level);
            }
            (None, 4) => {
                let streams: Vec<_> = (0..6)
                    .map(|_| ["a", "b", "c", "d", "e", "f", "g"][self.below(7)])
                    .collect();
                let before = write(&self.before.admin, &streams).await;
                assert_eq!(write(&self.today.admin, &streams).await, before);
                return;
            }
            (None, 5) if !self.held.is_empty() => {
                let n = self.held.len() - 1 - self.below(self.held.len().min(3));
                self.log.push(format!("lease {n} expires"));
                let (before, today) = tokio::join!(self.before.expire(n), self.today.expire(n));
                assert_eq!(before, today, "{}", self.log.join("\n"));
                return;
            }
            _ => {}
        }
        self.try_call(session).await;
    }

    async fn try_call(&mut self, session: usize) {
        let mut call = self.next_call();
        if self.open[session] == Some("REPEATABLE READ") {
            // Everything else is refused there.
            while !call.sql.contains("eventcore_ack") {
                if self.held.is_empty() {
                    return;
                }
                call = self.next_call();
            }
        }
        let in_block = self.open[session].is_some();
        if in_block {
            self.both(session, "SAVEPOINT a").await;
        }
        let (mut before, mut today) = tokio::join!(
            self.before.call(session, &call),
            self.today.call(session, &call)
        );
        self.log.push(format!(
            "{session}: {call:?}: {} and {}",
            told(&before),
            told(&today)
        ));
        let differs = is_in_the_way(&before) || is_in_the_way(&today);
        if differs {
            // Giving back what is lost waits for polls since. What was done on one side and not on the other is undone.
            if in_block {
                self.both(session, "ROLLBACK").await;
                self.open[session] = None;
            }
            assert!(
                in_block || before.is_err() && today.is_err(),
                "{}",
                self.log.join("\n")
            );
            return;
        }
        if call.lease.is_none() {
            self.note_lease([&mut before, &mut today]);
        }
        assert_eq!(told(&before), told(&today), "{}", self.log.join("\n"));
        if in_block {
            let back = before.is_err() || self.below(8) == 0;
            let end = if back { "ROLLBACK TO a" } else { "RELEASE a" };
            self.both(session, end).await;
        }
        let (before, today) = tokio::join!(self.before.state(), self.today.state());
        assert_eq!(before, today, "{}", self.log.join("\n"));
    }

    async fn finish(&mut self) {
        for session in 0..SESSIONS {
            if self.open[session].take().is_some() {
                self.both(session, "COMMIT").await;
            }
        }
        let mut drained = Vec::new();
        for side in [&self.before, &self.today] {
            let free = "UPDATE eventcore.leases SET leased_until = now() - interval '1 s'";
            side.admin.batch_execute(free).await.unwrap();
            drained.push(super::drain(&side.admin, "s").await);
        }
        assert_eq!(drained[0], drained[1], "{}", self.log.join("\n"));
        let drop = "SELECT eventcore_drop_subscription('s')";
        self.today.admin.batch_execute(drop).await.unwrap();
        let left = "SELECT (SELECT count(*) FROM eventcore.deliveries) + (SELECT count(*) FROM eventcore.acknowledged)
                         + (SELECT count(*) FROM eventcore.leases) + (SELECT count(*) FROM eventcore.backlogs)";
        let left: i64 = crate::support::value(&self.today.admin, left).await;
        assert_eq!(left, 0, "{}", self.log.join("\n"));
    }
}

#[tokio::test]
async fn every_call_has_the_outcome_that_it_had_before() {
    let seed = fastrand::u64(..);
    let mut held: BTreeMap<usize, usize> = BTreeMap::new();
    for round in 0..4_u64 {
        let older = format!("as_before_{round}");
        let url = shared().create_empty_database(&older).unwrap();
        let install = "CREATE EXTENSION eventcore VERSION '0.1.0'";
        shared().psql(&older, install).unwrap();
        let (today, _) = database(&format!("as_today_{round}")).await;
        let on_parked = ["continue", "stop"][round as usize % 2];
        let options = format!(", lease => '1 hour', retry_limit => 2, on_parked => '{on_parked}'");
        let mut play = Play {
            before: Side::new(&url, &options).await,
            today: Side::new(&today, &options).await,
            held: Vec::new(),
            random: fastrand::Rng::with_seed(seed ^ round),
            open: [None; SESSIONS],
            log: vec![format!("seed {seed}, round {round}")],
        };
        for _ in 0..STEPS {
            play.step().await;
        }
        play.finish().await;
        for lease in &play.held {
            *held.entry(lease.len()).or_default() += 1;
        }
    }
    assert!(held.keys().any(|events| *events > 1), "{held:?}");
}
