-- Polling a subscription: events are leased to a consumer.
--
-- Only one transaction at a time polls a subscription or changes it (eventcore.lock_subscription). A stream is
-- out with one lease at a time: events of a stream that is out are listed in eventcore.deliveries with no
-- lease, and wait there. The subscription itself keeps what it has read (read_position), and where its
-- deliveries begin (checkpoint), so that no scan walks over the remains of those that were deleted.

CREATE FUNCTION eventcore.give_back_expired(s eventcore.subscriptions, now timestamptz) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    expired eventcore.deliveries;
BEGIN
    FOR expired IN
        WITH overdue AS MATERIALIZED (
            -- One that is being acknowledged is locked, and is left to that.
            SELECT d.position, d.lease_id FROM eventcore.deliveries d
             WHERE d.subscription = s.name AND d.position > s.checkpoint AND d.leased_until < now
               FOR UPDATE SKIP LOCKED
        ), alone AS (
            SELECT o.lease_id FROM overdue o GROUP BY o.lease_id HAVING count(*) = 1
        )
        UPDATE eventcore.deliveries d
           SET lease_id = NULL, leased_until = NULL, expiries = d.expiries + 1, failed_at = now,
               failures = d.failures + (d.lease_id IN (SELECT a.lease_id FROM alone a))::integer,
               reason = format('the lease of consumer "%s" ran out', d.consumer)
          FROM overdue o
         WHERE d.subscription = s.name AND d.position = o.position
        RETURNING d.*
    LOOP
        IF expired.failures > s.retry_limit THEN
            expired.failures := expired.failures - 1;
            PERFORM eventcore.park(s, expired, expired.reason);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION eventcore.give_back_expired(eventcore.subscriptions, timestamptz) IS
    'Takes back what is in leases that have run out. That counts as a failure of an event that was alone in its lease: of many nobody knows which was to blame.';

CREATE FUNCTION eventcore.lease_waiting(
    s         eventcore.subscriptions,
    now       timestamptz,
    lease_id  uuid,
    consumer  text,
    max_count integer,
    OUT leased   integer,
    OUT is_alone boolean
)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    chosen bigint[] := '{}';
    candidate record;
BEGIN
    is_alone := false;
    FOR candidate IN
        WITH outstanding AS MATERIALIZED (
            SELECT d.position, d.stream_id, d.expiries, d.lease_id IS NOT NULL OR d.not_before > now AS blocks
              FROM eventcore.deliveries d
             WHERE d.subscription = s.name AND d.position > s.checkpoint
        ), blocked AS MATERIALIZED (
            SELECT DISTINCT o.stream_id FROM outstanding o WHERE o.blocks
        )
        SELECT o.position, o.expiries FROM outstanding o
         WHERE NOT EXISTS (SELECT FROM blocked b WHERE b.stream_id = o.stream_id)
         ORDER BY o.position LIMIT max_count
    LOOP
        is_alone := candidate.expiries >= 2;
        EXIT WHEN is_alone AND cardinality(chosen) > 0;
        chosen := chosen || candidate.position;
        EXIT WHEN is_alone;
    END LOOP;
    UPDATE eventcore.deliveries d
       SET lease_id = lease_id, leased_until = now + s.lease, consumer = consumer
     WHERE d.subscription = s.name AND d.position = ANY (chosen);
    leased := cardinality(chosen);
END
$$;
COMMENT ON FUNCTION eventcore.lease_waiting(eventcore.subscriptions, timestamptz, uuid, text, integer) IS
    'Leases listed events of streams that are not out, in order. is_alone: nothing may be added to the lease.';

CREATE FUNCTION eventcore.lease_new(
    s         eventcore.subscriptions,
    now       timestamptz,
    lease_id  uuid,
    consumer  text,
    max_count integer,
    read_from bigint,
    page_size integer,
    OUT leased  integer,
    OUT waiting integer,
    OUT held    integer,
    OUT read_to bigint
)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
    WITH page AS MATERIALIZED (
        SELECT r.position, r.stream_id
          FROM @extschema@.eventcore_read_all(read_from, page_size, false, s.stream_prefixes, s.event_types, true) r
    ), event AS MATERIALIZED (
        SELECT p.position, p.stream_id FROM page p WHERE p.stream_id IS NOT NULL
    ), stopped AS MATERIALIZED (
        SELECT e.position FROM event e
         WHERE s.on_parked = 'stop' AND EXISTS (
                   SELECT FROM eventcore.parked k
                    WHERE k.subscription = s.name AND k.stream_id = e.stream_id)
    ), out_elsewhere AS MATERIALIZED (
        SELECT DISTINCT d.stream_id FROM eventcore.deliveries d
         WHERE d.subscription = s.name AND d.position > s.checkpoint AND d.lease_id IS DISTINCT FROM lease_id
    ), free AS MATERIALIZED (
        SELECT e.position FROM event e
         WHERE NOT EXISTS (SELECT FROM stopped t WHERE t.position = e.position)
           AND NOT EXISTS (SELECT FROM out_elsewhere o WHERE o.stream_id = e.stream_id)
         ORDER BY e.position LIMIT max_count
    ), to_deliver AS (
        INSERT INTO eventcore.deliveries (subscription, position, stream_id, lease_id, leased_until, consumer)
        SELECT s.name, e.position, e.stream_id,
               CASE WHEN f.position IS NOT NULL THEN lease_id END,
               CASE WHEN f.position IS NOT NULL THEN now + s.lease END,
               CASE WHEN f.position IS NOT NULL THEN consumer END
          FROM event e LEFT JOIN free f ON f.position = e.position
         WHERE NOT EXISTS (SELECT FROM stopped t WHERE t.position = e.position)
    ), to_hold AS (
        INSERT INTO eventcore.parked (subscription, position, stream_id, held)
        SELECT s.name, e.position, e.stream_id, true
          FROM event e JOIN stopped t ON t.position = e.position
    )
    SELECT (SELECT count(*) FROM free f),
           (SELECT count(*) FROM event e) - (SELECT count(*) FROM free f) - (SELECT count(*) FROM stopped t),
           (SELECT count(*) FROM stopped t),
           (SELECT max(p.position) FROM page p)
      INTO leased, waiting, held, read_to;
END
$$;
COMMENT ON FUNCTION
    eventcore.lease_new(eventcore.subscriptions, timestamptz, uuid, text, integer, bigint, integer) IS
    'Reads events that are not listed yet, and leases those whose streams are not out, max_count at the most; the others wait.';

CREATE FUNCTION eventcore.lease_events(
    s         eventcore.subscriptions,
    lease_id  uuid,
    consumer  text,
    max_count integer,
    read_from bigint,
    OUT leased       integer,
    OUT has_changed  boolean,
    OUT is_blocked   boolean,
    OUT is_caught_up boolean,
    OUT next_due     timestamptz,
    OUT read_to      bigint
)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    now      timestamptz := clock_timestamp();
    safe     bigint := @extschema@.eventcore_safe_position();
    waiting  integer;
    expired  boolean;
    is_alone boolean := false;
    new      record;
    page_size integer := max_count;
    -- So many events are listed ahead for other consumers, and then the streams have to be released first.
    most_ahead CONSTANT integer := greatest(1000, 2 * max_count);
BEGIN
    leased := 0;
    read_to := read_from;
    has_changed := false;
    SELECT count(*) FILTER (WHERE d.lease_id IS NULL), coalesce(bool_or(d.leased_until < now), false),
           min(coalesce(d.leased_until, d.not_before)) FILTER (WHERE coalesce(d.leased_until, d.not_before) > now)
      INTO waiting, expired, next_due
      FROM eventcore.deliveries d
     WHERE d.subscription = s.name AND d.position > s.checkpoint;
    IF expired THEN
        PERFORM eventcore.give_back_expired(s, now);
        has_changed := true;
    END IF;
    IF waiting > 0 OR expired THEN
        SELECT l.leased, l.is_alone INTO leased, is_alone
          FROM eventcore.lease_waiting(s, now, lease_id, consumer, max_count) l;
        waiting := waiting - leased;
    END IF;
    is_caught_up := is_alone OR read_to >= safe;
    WHILE NOT is_caught_up AND leased < max_count AND waiting < most_ahead LOOP
        SELECT * INTO new
          FROM eventcore.lease_new(s, now, lease_id, consumer, max_count - leased, read_to, page_size);
        leased := leased + new.leased;
        waiting := waiting + new.waiting;
        has_changed := has_changed OR new.leased + new.waiting + new.held > 0;
        read_to := new.read_to;
        is_caught_up := read_to >= safe;
        -- Far behind, with a filter that lets little through: others shall not wait for it for long.
        EXIT WHEN new.leased + new.waiting + new.held = 0;
        -- Where most streams are out or have stopped, small steps would take many.
        page_size := least(1000, 2 * page_size);
    END LOOP;
    has_changed := has_changed OR leased > 0;
    is_blocked := waiting > 0;
    is_caught_up := is_caught_up OR waiting >= most_ahead;
END
$$;
COMMENT ON FUNCTION eventcore.lease_events(eventcore.subscriptions, uuid, text, integer, bigint) IS
    'One attempt to lease events, under the lock of the subscription: what waits first, then what is new.';

CREATE FUNCTION eventcore_poll(
    subscription text,
    consumer     text,
    max_count    integer  DEFAULT 100,
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
AS $$
#variable_conflict use_column
DECLARE
    s           eventcore.subscriptions;
    lease       uuid := gen_random_uuid();
    starts      timestamptz := clock_timestamp();
    ends        timestamptz := starts + wait;
    announced   bigint;
    resets      integer;
    read_from   bigint;
    tried       record;
BEGIN
    PERFORM eventcore.check_name('consumer', consumer);
    IF max_count IS NULL OR max_count NOT BETWEEN 1 AND 10000 THEN
        PERFORM eventcore.fail_malformed('max_count', 'is not between 1 and 10000');
    ELSIF wait IS NULL OR wait < '0' THEN
        PERFORM eventcore.fail_malformed('wait', 'is not a time, from 0');
    ELSIF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        PERFORM eventcore.fail('SE009',
            format('eventcore_poll does not work in a %s transaction', upper(current_setting('transaction_isolation'))),
            '{"reason": "isolation_level"}',
            'Poll in READ COMMITTED: a snapshot that is kept does not show what others have acknowledged.');
    END IF;
    LOOP
        announced := eventcore.announced_work();
        s := eventcore.change_subscription(subscription);
        IF s.resets IS DISTINCT FROM resets THEN
            read_from := s.read_position;
            resets := s.resets;
        END IF;
        read_from := greatest(read_from, s.read_position);
        IF s.paused THEN
            SELECT 0 AS leased, false AS has_changed, false AS is_blocked, true AS is_caught_up,
                   NULL::timestamptz AS next_due, read_from AS read_to INTO tried;
        ELSE
            SELECT * INTO tried FROM eventcore.lease_events(s, lease, consumer, max_count, read_from);
        END IF;
        read_from := tried.read_to;
        EXIT WHEN tried.has_changed;
        -- It goes on looking for something of interest for a second at least.
        EXIT WHEN clock_timestamp() >= CASE WHEN tried.is_caught_up THEN ends ELSE greatest(ends, starts + '1 s') END;
        PERFORM eventcore.unlock_subscription(s.name);
        IF s.paused THEN
            PERFORM eventcore.wait_for_work(9223372036854775807, announced, ends, false, NULL, NULL);
        ELSIF tried.is_caught_up THEN
            read_from := eventcore.wait_for_work(read_from, announced, least(ends, tried.next_due), tried.is_blocked,
                                                 s.stream_prefixes, s.event_types);
        END IF;
    END LOOP;
    IF tried.has_changed OR read_from > s.read_position THEN
        UPDATE eventcore.subscriptions t
           SET read_position = read_from,
               checkpoint = coalesce((SELECT min(d.position) FROM eventcore.deliveries d
                                       WHERE d.subscription = s.name AND d.position > s.checkpoint) - 1, read_from)
         WHERE t.name = s.name;
    END IF;
    IF tried.leased > 0 THEN
        -- From each delivery to its event, whatever the server's statistics say of a table that is empty one
        -- moment and full the next.
        RETURN QUERY
            SELECT d.lease_id, d.failures + 1, e.position, e.stream_id, e.version, e.event_id, e.event_type,
                   e.payload, e.metadata, e.correlation_id, e.causation_id, e.recorded_at
              FROM eventcore.deliveries d
             CROSS JOIN LATERAL (SELECT * FROM eventcore.events v WHERE v.position = d.position OFFSET 0) e
             WHERE d.subscription = s.name AND d.position > s.checkpoint AND d.lease_id = lease
             ORDER BY d.position;
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore_poll(text, text, integer, interval) IS
$$Leases events of a subscription to a consumer, in order of position, and returns them.

A stream is out with one lease at a time, whoever has it, so that its events are dealt with in order by one
consumer. Until the lease runs out nobody else gets them; acknowledge them with eventcore_ack, or give them
back with eventcore_nack. Commit the poll before you begin: its transaction keeps other polls waiting.
consumer: a name for the views; many processes may have one name.
max_count: at most so many events, 1 to 10,000.
wait: how long to wait for one. The statement has a snapshot as long as it waits, which VACUUM respects.
attempt: 1, and one more for each failure before. lease_id is the same in all rows.
SE003 malformed argument. SE007 no such subscription. SE009 not in READ COMMITTED. 25006 on a standby and
in a read-only transaction.$$;

REVOKE ALL ON FUNCTION eventcore.give_back_expired(eventcore.subscriptions, timestamptz) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore.lease_waiting(eventcore.subscriptions, timestamptz, uuid, text, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore.lease_new(eventcore.subscriptions, timestamptz, uuid, text, integer, bigint, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore.lease_events(eventcore.subscriptions, uuid, text, integer, bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore_poll(text, text, integer, interval) FROM PUBLIC;
