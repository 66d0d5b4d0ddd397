-- A step of a poll: events that the subscription has not read yet.

CREATE FUNCTION eventcore.lease_new(
    s         eventcore.subscriptions,
    lease_id  uuid,
    blocked   text[],
    max_count integer,
    read_from bigint,
    page_size integer,
    OUT leased      integer,
    OUT is_anything boolean,
    OUT read_to     bigint
)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
    WITH page AS MATERIALIZED (
        SELECT r.position, r.stream_id, r.version
          FROM eventcore.read_all(read_from, page_size, false, s.stream_prefixes, s.event_types, true) r
    ), event AS MATERIALIZED (
        SELECT p.position, p.stream_id, p.version,
               p.stream_id IN (SELECT unnest(blocked) COLLATE "C") AS is_out,
               -- NULL: the stream does not wait; false: only events that came back wait, or the stream is stopped.
               (SELECT b.after_version IS NOT NULL FROM eventcore.backlogs b
                 WHERE b.subscription_id = s.id AND b.stream_id = p.stream_id) AS is_behind
          FROM page p WHERE p.stream_id IS NOT NULL
    ), free AS MATERIALIZED (
        SELECT e.position, e.stream_id, e.version FROM event e
         WHERE NOT e.is_out AND e.is_behind IS NULL ORDER BY e.position LIMIT max_count
    ), reached AS (
        -- If the lease is full, the events after its last one are left for another poll.
        SELECT CASE WHEN (SELECT count(*) FROM free f) = max_count THEN (SELECT max(f.position) FROM free f)
                    ELSE (SELECT max(p.position) FROM page p) END AS read_to
    ), listed AS (
        INSERT INTO eventcore.deliveries (subscription_id, position, version, stream_id, lease_id)
        SELECT s.id, f.position, f.version, f.stream_id, lease_id FROM free f
    ), fallen_behind AS (
        INSERT INTO eventcore.backlogs AS b (subscription_id, stream_id, after_version, next_position)
        SELECT DISTINCT ON (e.stream_id) s.id, e.stream_id, e.version - 1, e.position
          FROM event e, reached r
         WHERE (e.is_out OR NOT e.is_behind) AND e.is_behind IS NOT TRUE AND e.position <= r.read_to
         ORDER BY e.stream_id, e.version
            ON CONFLICT ON CONSTRAINT backlogs_pkey
            DO UPDATE SET after_version = excluded.after_version, next_position = excluded.next_position
             WHERE b.after_version IS NULL
    )
    SELECT (SELECT count(*) FROM free f), EXISTS (SELECT FROM event e), r.read_to
      INTO leased, is_anything, read_to
      FROM reached r;
END
$$;
COMMENT ON FUNCTION eventcore.lease_new(eventcore.subscriptions, uuid, text[], integer, bigint, integer) IS
    'Reads the next events and leases those of streams that are neither leased nor waiting. The events of a leased stream wait from then on.';
