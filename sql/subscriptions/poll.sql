-- Polling a subscription: leases events to a consumer under the lock of the subscription, see lease.sql. If there are none,
-- the poll releases the lock and waits.

CREATE FUNCTION @extschema@.eventcore_poll(
    subscription text,
    consumer     text,
    max_count    bigint   DEFAULT 100,
    wait         interval DEFAULT '0'
)
RETURNS TABLE (
    lease_id       uuid,
    attempt        integer,
    "position"     bigint,
    stream_id      text,
    version        bigint,
    event_id       uuid,
    event_type     text,
    payload        jsonb,
    metadata       jsonb,
    correlation_id uuid,
    causation_id   uuid,
    recorded_at    timestamptz
)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 100
SET search_path = pg_catalog, pg_temp
-- For all steps: by their indexes, one row at a time. Statistics are of little use for tables that are empty at one moment
-- and full at the next.
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    s         eventcore.subscriptions;
    known     uuid;
    lease     uuid := gen_random_uuid();
    begins    bigint := eventcore.monotonic();
    ends      bigint := begins;
    patience  bigint;
    announced bigint;
    read_from bigint;
    began_from bigint;
    is_dense  boolean;
    leased    integer := 0;
    tried     record;
BEGIN
    IF wait IS DISTINCT FROM '0' THEN
        ends := ends + (extract(epoch FROM eventcore.check_time('wait', wait, '0')) * 1000000)::bigint;
    END IF;
    PERFORM eventcore.check_name('consumer', consumer);
    IF max_count IS NULL OR max_count NOT BETWEEN 1 AND 10000 THEN
        PERFORM eventcore.fail_malformed('max_count', 'is not between 1 and 10000');
    END IF;
    LOOP
        announced := eventcore.announced_work();
        s := eventcore.change_subscription(subscription);
        IF s.id IS DISTINCT FROM known THEN
            -- The first attempt, or the subscription has been reset, or dropped and created again.
            read_from := s.read_position;
            known := s.id;
        END IF;
        read_from := greatest(read_from, s.read_position);
        IF s.paused THEN
            patience := ends - eventcore.monotonic();
            EXIT WHEN patience <= 0;
            PERFORM eventcore.unlock_subscription(s.name);
            PERFORM eventcore.wait_for_work(9223372036854775807, announced, patience, false, NULL, NULL);
            CONTINUE;
        END IF;
        began_from := read_from;
        SELECT * INTO tried FROM eventcore.lease_events(s, lease, max_count::integer, read_from);
        leased := tried.leased;
        read_from := tried.read_to;
        EXIT WHEN tried.has_changed;
        patience := CASE WHEN tried.is_caught_up THEN ends ELSE begins + 500000 END - eventcore.monotonic();
        EXIT WHEN patience <= 0;
        PERFORM eventcore.unlock_subscription(s.name);
        CONTINUE WHEN NOT tried.is_caught_up;
        patience := least(patience, (extract(epoch FROM tried.next_due - clock_timestamp()) * 1000000)::bigint);
        read_from := eventcore.wait_for_work(read_from, announced, patience, tried.is_blocked,
                                             s.stream_prefixes, s.event_types);
    END LOOP;
    IF read_from > s.read_position THEN
        UPDATE eventcore.subscriptions t SET read_position = read_from WHERE t.name = s.name;
    END IF;
    IF leased > 0 THEN
        INSERT INTO eventcore.leases (subscription_id, lease_id, leased_until, consumer)
        VALUES (s.id, lease, clock_timestamp() + s.lease, consumer);
        PERFORM eventcore.remove_empty_leases(s);
        -- What came back or was behind, and then the new events: what was read for the first time has never failed. If most
        -- of what was read has been leased, one scan finds them all.
        is_dense := read_from - began_from <= 2 * leased;
        RETURN QUERY
            SELECT d.lease_id, d.failures + 1, e.position, e.stream_id, e.version, e.event_id, e.event_type,
                   e.payload, e.metadata, e.correlation_id, e.causation_id, e.recorded_at
              FROM (SELECT v.lease_id, v.failures, unnest(coalesce(v.positions, ARRAY[v.position])) AS position
                      FROM eventcore.deliveries v WHERE v.lease_id = lease
                       AND v.position <= CASE WHEN is_dense THEN began_from ELSE 9223372036854775807 END OFFSET 0) d
             CROSS JOIN LATERAL (SELECT * FROM eventcore.events v WHERE v.position = d.position OFFSET 0) e
             ORDER BY d.position;
        IF is_dense THEN
            RETURN QUERY
                SELECT lease, 1, e.position, e.stream_id, e.version, e.event_id, e.event_type,
                       e.payload, e.metadata, e.correlation_id, e.causation_id, e.recorded_at
                  FROM eventcore.events e
                 WHERE e.position > began_from AND e.position <= read_from
                   -- IS TRUE: looked up in a hash table, not joined.
                   AND (e.position IN (SELECT unnest(coalesce(d.positions, ARRAY[d.position]))
                                         FROM eventcore.deliveries d WHERE d.lease_id = lease)) IS TRUE
                 ORDER BY e.position;
        END IF;
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_poll(text, text, bigint, interval) IS
$$Leases events of a subscription to a consumer, in order of position, and returns them.

A stream is in one lease at a time, so that one consumer handles its events in order. Until the lease expires no other
consumer gets them; acknowledge them with eventcore_ack, or give them back with eventcore_nack. Commit the poll before you
handle the events: its transaction keeps other polls waiting.
consumer: a name for the views; many processes may have the same name.
max_count: the most events to return, 1 to 10,000.
wait: how long to wait for an event, at most 365 days. It may return no rows earlier, after it has read many events that do
not match or whose streams are leased: poll again. While it waits, the statement holds a snapshot, which holds back VACUUM.
attempt: 1, and one more for each earlier failure. lease_id is the same in all rows.
SE003 malformed argument. SE007 no such subscription. SE009 in a REPEATABLE READ transaction block. 25006 on a standby and
in a read-only transaction.$$;
