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
DECLARE
    page record;
BEGIN
    SELECT count(e.stream_id) > 0 AS is_anything, max(e.position) AS read_to,
           array_agg(e.stream_id) FILTER (WHERE e.is_free) AS streams,
           array_agg(e.version) FILTER (WHERE e.is_free) AS versions,
           array_agg(e.position) FILTER (WHERE e.is_free) AS positions,
           array_agg(e.stream_id) FILTER (WHERE e.falls_behind) AS behind_streams,
           array_agg(e.version) FILTER (WHERE e.falls_behind) AS behind_versions,
           array_agg(e.position) FILTER (WHERE e.falls_behind) AS behind_positions
      INTO page
      FROM (SELECT v.*, v.stream_id IS NOT NULL AND NOT v.is_out AND v.is_behind IS NULL AS is_free,
                   (v.is_out OR NOT v.is_behind) AND v.is_behind IS NOT TRUE AS falls_behind
              FROM (SELECT r.position, r.stream_id, r.version,
                           r.stream_id IN (SELECT unnest(blocked) COLLATE "C") AS is_out,
                           -- NULL: the stream does not wait; false: only events that came back wait, or the stream is stopped.
                           -- Written so that only backlogs_stream_idx can serve it, whatever the statistics say.
                           (SELECT b.after_version IS NOT NULL FROM eventcore.backlogs b
                             WHERE hashtextextended(b.stream_id, uuid_hash(b.subscription_id))
                                   = hashtextextended(r.stream_id, uuid_hash(s.id))
                               AND b.stream_id IS NOT DISTINCT FROM r.stream_id
                               AND b.subscription_id IS NOT DISTINCT FROM s.id) AS is_behind
                      FROM eventcore.read_all(read_from, page_size, false, s.stream_prefixes, s.event_types, true) r
                     ORDER BY r.position OFFSET 0) v) e;
    leased := least(max_count, coalesce(cardinality(page.positions), 0));
    is_anything := page.is_anything;
    -- If the lease is full, the events after its last one are left for another poll.
    read_to := CASE WHEN leased = max_count THEN page.positions[max_count] ELSE page.read_to END;
    IF leased > 0 THEN
        INSERT INTO eventcore.deliveries (subscription_id, position, version, stream_id, lease_id, positions, versions, stream_ids)
        VALUES (s.id, page.positions[1], page.versions[1], page.streams[1], lease_id,
                CASE WHEN leased > 1 THEN page.positions[:leased] END,
                CASE WHEN leased > 1 THEN page.versions[:leased] END,
                CASE WHEN leased > 1 THEN page.streams[:leased] END);
    END IF;
    IF page.behind_streams IS NOT NULL THEN
        INSERT INTO eventcore.backlogs AS b (subscription_id, stream_id, after_version, next_position)
        SELECT DISTINCT ON (e.stream_id) s.id, e.stream_id, e.version - 1, e.position
          FROM unnest(page.behind_streams, page.behind_versions, page.behind_positions) e (stream_id, version, position)
         WHERE e.position <= read_to
         ORDER BY e.stream_id, e.version
            ON CONFLICT ON CONSTRAINT backlogs_pkey
            DO UPDATE SET after_version = excluded.after_version, next_position = excluded.next_position
             WHERE b.after_version IS NULL;
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.lease_new(eventcore.subscriptions, uuid, text[], integer, bigint, integer) IS
    'Reads the next events and leases those of streams that are neither leased nor waiting. The events of a leased stream wait from then on.';
