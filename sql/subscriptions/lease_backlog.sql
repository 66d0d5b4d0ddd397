-- A step of a poll: events of streams that are behind, because an earlier event of theirs was leased.

CREATE FUNCTION eventcore.lease_backlog(
    s         eventcore.subscriptions,
    now       timestamptz,
    lease_id  uuid,
    blocked   text[],
    room      integer,
    read_from bigint
)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    behind eventcore.backlogs;
    leased integer := 0;
    next   record;
BEGIN
    FOR behind IN
        SELECT b.* FROM eventcore.backlogs b
         WHERE b.subscription_id = s.id AND b.returned_position IS NULL AND b.due <= now
           AND b.stream_id NOT IN (SELECT unnest(blocked) COLLATE "C")
         ORDER BY b.due, b.next_position LIMIT greatest(room, 0)
    LOOP
        EXIT WHEN leased >= room;
        WITH found AS MATERIALIZED (
            SELECT v.position, v.version FROM eventcore.events v
             WHERE v.stream_id = behind.stream_id AND v.version > behind.after_version
               AND v.position <= read_from AND (s.event_types IS NULL OR v.event_type = ANY (s.event_types))
             ORDER BY v.version LIMIT room - leased + 1
        ), taken AS MATERIALIZED (
            SELECT f.position, f.version FROM found f ORDER BY f.version LIMIT room - leased
        ), listed AS (
            INSERT INTO eventcore.deliveries (subscription_id, position, version, stream_id, lease_id)
            SELECT s.id, t.position, t.version, behind.stream_id, lease_id FROM taken t
        )
        SELECT count(*) AS leased, count(*) < (SELECT count(*) FROM found) AS has_more,
               max(t.version) AS last_version, (SELECT max(f.position) FROM found f) AS next_position
          INTO next FROM taken t;
        leased := leased + next.leased;
        IF next.has_more THEN
            UPDATE eventcore.backlogs b
               SET after_version = next.last_version, next_position = next.next_position
             WHERE b.subscription_id = s.id AND b.stream_id = behind.stream_id;
        ELSE
            DELETE FROM eventcore.backlogs b
             WHERE b.subscription_id = s.id AND b.stream_id = behind.stream_id;
        END IF;
    END LOOP;
    RETURN leased;
END
$$;
COMMENT ON FUNCTION eventcore.lease_backlog(eventcore.subscriptions, timestamptz, uuid, text[], integer, bigint) IS
    'Leases events of streams that are behind, except leased streams and those with events that came back. The stream that has waited longest comes first. Returns how many.';
