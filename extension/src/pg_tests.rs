//! Tests of the wrappers in [`crate::pg`], which only code inside the server can reach. Each test
//! runs in a transaction that is rolled back. Everything that SQL can see is tested over the wire
//! instead.

#[pgrx::pg_schema]
mod tests {
    use crate::locks::{LockMode, StreamKey, lock_stream};
    use crate::pg::jsonb::Kind;
    use crate::pg::relation::Use;
    use crate::pg::scan::{Condition, Direction, IndexScan};
    use crate::pg::snapshot::Snapshot;
    use crate::pg::value::{Jsonb, Text};
    use crate::tables::columns::{events as column, events_by_stream as by_stream};
    use crate::tables::heads;
    use crate::tables::{Catalog, Events};

    use pgrx::prelude::*;
    use pgrx::{JsonB, Spi};

    fn jsonb(json: &str) -> Jsonb<'static> {
        let value = JsonB(serde_json::from_str(json).expect("test input is JSON"));
        // SAFETY: a jsonb in the memory of the transaction.
        unsafe { Jsonb::new(value.into_datum().expect("not NULL")) }
    }

    fn append(stream: &str, count: i32) {
        let sql = "SELECT first_position FROM eventcore_append(ARRAY[$1], ARRAY[NULL::bigint], \
                   (SELECT jsonb_agg(jsonb_build_object('stream', $1, 'type', 'T', 'payload', n)) \
                    FROM generate_series(1, $2) AS n))";
        Spi::run_with_args(sql, &[stream.into(), count.into()]).expect("appends");
    }

    #[pg_test]
    fn the_kind_of_a_jsonb_is_read_from_its_header() {
        for (json, kind) in [
            ("{}", Kind::Object),
            (r#"{"a": null}"#, Kind::Object),
            ("[]", Kind::Array),
            ("[null]", Kind::Array),
            ("null", Kind::Null),
            ("true", Kind::Scalar),
            ("0", Kind::Scalar),
            (r#""""#, Kind::Scalar),
        ] {
            assert!(jsonb(json).kind() == kind, "{json}");
        }
    }

    #[pg_test]
    fn two_jsonb_are_equal_whatever_the_order_of_their_keys() {
        assert!(jsonb(r#"{"a": 1, "b": [2]}"#) == jsonb(r#"{"b": [2], "a": 1.0}"#));
        assert!(jsonb(r#"{"a": 1}"#) != jsonb(r#"{"a": 2}"#));
        assert!(jsonb("null") != jsonb("{}"));
    }

    #[pg_test]
    fn the_elements_and_keys_of_a_jsonb_are_read_in_place() {
        let events = jsonb(r#"[{"stream": "a", "n": 1}, "x", null]"#);
        let elements = events.elements().expect("an array");
        assert_eq!(elements.len(), 3);
        let first = elements.get(0).object().expect("an object");
        assert_eq!(first.len(), 2);
        assert_eq!(
            first.get("stream").and_then(|item| item.bytes()),
            Some(&b"a"[..])
        );
        assert!(first.get("strea").is_none());
        assert_eq!(first.keys(), ["n", "stream"]);
        assert!(first.get("n").expect("there").to_jsonb() == jsonb("1"));
        assert_eq!(elements.get(1).bytes(), Some(&b"x"[..]));
        assert!(elements.get(2).is_null());
        assert!(jsonb("{}").elements().is_none());
        assert!(jsonb("1").elements().is_none());
    }

    #[pg_test]
    fn a_scan_can_be_repositioned_with_fewer_and_with_more_conditions() {
        append("a", 3);
        append("b", 2);
        let events = Events::open(Use::Read).expect("installed");
        let snapshot = Snapshot::latest();
        let index = events.by_stream();
        let (a, b, none) = (Text::copy(b"a"), Text::copy(b"b"), Text::copy(b"c"));
        let mut scan = IndexScan::new(&events.table, &index, &snapshot);

        assert_eq!(heads::version(&mut scan, a), 3);
        assert_eq!(heads::version(&mut scan, none), 0);
        let after_one = [
            Condition::TextEquals(by_stream::STREAM_ID, a),
            Condition::BigintAbove(by_stream::VERSION, 1),
        ];
        scan.seek(&after_one, Direction::Forward);
        assert_eq!(scan.next().map(|row| row.bigint(column::VERSION)), Some(2));
        assert_eq!(scan.next().map(|row| row.bigint(column::VERSION)), Some(3));
        assert!(scan.next().is_none());
        assert_eq!(heads::version(&mut scan, b), 2);
    }

    #[pg_test]
    fn a_stream_lock_is_seen_in_pg_locks_until_the_transaction_ends() {
        let modes = || {
            Spi::get_one::<String>(
                "SELECT string_agg(mode, ',' ORDER BY mode) FROM pg_locks \
                 WHERE locktype = 'advisory' AND objsubid = 21317 AND pid = pg_backend_pid()",
            )
            .expect("reads pg_locks")
        };
        assert_eq!(modes(), None);
        lock_stream(StreamKey::of(b"a"), LockMode::Shared);
        assert_eq!(modes().as_deref(), Some("ShareLock"));
        lock_stream(StreamKey::of(b"b"), LockMode::Exclusive);
        assert_eq!(modes().as_deref(), Some("ExclusiveLock,ShareLock"));
    }

    #[pg_test]
    fn the_catalog_is_looked_up_again_after_the_extension_was_recreated() {
        let before = Catalog::load().expect("installed");
        Spi::run("DROP EXTENSION eventcore; CREATE EXTENSION eventcore").expect("installs again");
        let after = Catalog::load().expect("installed");
        assert!(!before.is_same(&after));
        assert!(after.objects.events != before.objects.events);
        append("a", 1);
        assert_eq!(
            heads::last_position(&Events::open(Use::Read).expect("installed")),
            1
        );
    }
}
