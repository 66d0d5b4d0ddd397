//! With and without saved states, the same commands decide the same, whatever `apply` and `combine`
//! do. So they do with the forms that take several events or states.

use serde_json::{Value, json};

use super::{calls, chain, kept, register_with};
use crate::commands::execute;
use crate::support::{Client, value};

/// The discovered streams depend on the state, and further streams depend on those.
const RELATED: &str = "
    CREATE FUNCTION related(state jsonb, input jsonb) RETURNS text[] LANGUAGE sql AS $$
        SELECT CASE WHEN state #>> '{}' < 'a' THEN ARRAY['found-' || left(state #>> '{}', 1)] END $$";

#[tokio::test]
async fn random_commands_decide_the_same_with_kept_states_and_without() {
    for (name, combine) in [
        ("same", None),
        ("same_combine", Some(["mix", "mix_states"])),
    ] {
        let (_, with) = chain(&format!("{name}_with"), "").await;
        let (_, without) = chain(&format!("{name}_without"), "").await;
        let (_, arrays) = chain(&format!("{name}_arrays"), "").await;
        for (client, apply, form, every) in [
            (&with, "chain", 0, 4),
            (&without, "chain", 0, 0),
            (&arrays, "chain_events", 1, 4),
        ] {
            client.batch_execute(RELATED).await.unwrap();
            let combine = combine.map(|forms| format!(", combine => '{}'", forms[form]));
            let combine = combine.unwrap_or_default();
            let more =
                format!("{combine}, related_streams => 'related', snapshot_every => {every}");
            register_with(client, apply, &more).await;
        }
        let seed: u64 = value::<i64>(&with, "SELECT (random() * 1e15)::bigint")
            .await
            .unsigned_abs();
        println!("seed {seed}");
        let mut random = Random(seed);
        for step in 0..150 {
            let step_seed = random.next();
            let one = run(&with, step_seed).await;
            let other = run(&without, step_seed).await;
            assert_eq!(one, other, "{name}: seed {seed}, step {step}");
            let other = run(&arrays, step_seed).await;
            assert_eq!(one, other, "{name}: seed {seed}, step {step}, arrays");
        }
        assert_eq!(history(&with).await, history(&without).await, "seed {seed}");
        assert_eq!(history(&with).await, history(&arrays).await, "seed {seed}");
        assert_eq!(kept(&without).await, []);
        assert_eq!(kept(&with).await, kept(&arrays).await, "seed {seed}");
        let (with, without) = (calls(&with).await, calls(&without).await);
        assert_eq!(with, calls(&arrays).await, "seed {seed}: events folded");
        assert!(
            with * 10 < without * 9,
            "{with} calls of apply, not {without}"
        );
    }
}

/// One transaction with one or several commands, which may be rolled back entirely or in part.
async fn run(client: &Client, seed: u64) -> Vec<Result<Vec<i64>, String>> {
    let mut random = Random(seed);
    let level = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"][random.below(3)];
    client
        .batch_execute(&format!("BEGIN ISOLATION LEVEL {level}"))
        .await
        .unwrap();
    let mut results = Vec::new();
    for _ in 0..=random.below(3) {
        client.batch_execute("SAVEPOINT before").await.unwrap();
        let done = execute(client, "chain", input(&mut random)).await;
        let failed = done.is_err();
        results.push(
            done.map(|done| done.versions)
                .map_err(|failure| failure.code),
        );
        if failed || random.below(5) == 0 {
            client.batch_execute("ROLLBACK TO before").await.unwrap();
        }
    }
    let end = if random.below(6) == 0 {
        "ROLLBACK"
    } else {
        "COMMIT"
    };
    client.batch_execute(end).await.unwrap();
    if random.below(20) == 0 {
        let discard = "SELECT eventcore_discard_command_states('chain')";
        client.batch_execute(discard).await.unwrap();
    }
    results
}

fn input(random: &mut Random) -> Value {
    let mut some = |most: usize| {
        let streams = (0..random.below(most + 1)).map(|_| format!("s{}", random.below(4)));
        streams.collect::<Vec<_>>()
    };
    let (mut streams, checked) = (some(3), some(2));
    if streams.is_empty() {
        streams.push("s0".to_owned());
    }
    let to: Vec<_> = streams.iter().take(1 + random.below(3)).collect();
    match random.below(12) {
        0 => json!({"streams": streams, "checked": checked, "reject": true}),
        _ => json!({"streams": streams, "checked": checked, "to": to}),
    }
}

/// Everything that was written: the payloads are the states that the commands decided on.
async fn history(client: &Client) -> Vec<(String, i64, Value)> {
    let sql =
        "SELECT stream_id, version, payload FROM eventcore.events ORDER BY stream_id, version";
    let rows = client.query(sql, &[]).await.unwrap();
    assert!(rows.len() > 100);
    let row = |row: &tokio_postgres::Row| (row.get(0), row.get(1), row.get(2));
    rows.iter().map(row).collect()
}

/// SplitMix64.
pub(in crate::commands) struct Random(pub(in crate::commands) u64);

impl Random {
    pub(in crate::commands) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(in crate::commands) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap_or(0)
    }
}
