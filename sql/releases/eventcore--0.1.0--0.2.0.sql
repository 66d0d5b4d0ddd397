SET LOCAL search_path = pg_catalog, pg_temp;
SELECT eventcore.require_library();

CREATE FUNCTION @extschema@.eventcore_append_compact(
    streams           text[],
    expected_versions bigint[],
    event_streams     text[],
    event_types       text[],
    payloads          text[],
    metadata          text[]  DEFAULT NULL,
    event_ids         uuid[]  DEFAULT NULL,
    correlation_id    uuid    DEFAULT NULL,
    causation_id      uuid    DEFAULT NULL,
    known_position    bigint  DEFAULT NULL,
    correlation_ids   uuid[]  DEFAULT NULL,
    causation_ids     uuid[]  DEFAULT NULL
)
RETURNS bigint[]
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'eventcore_append_compact';
COMMENT ON FUNCTION @extschema@.eventcore_append_compact(text[], bigint[], text[], text[], text[], text[], uuid[], uuid, uuid, bigint, uuid[], uuid[]) IS
$$The same as eventcore_append with arrays, for programs, at less cost to the server: payloads and metadata are JSON
texts, and the result is one value: SELECT eventcore_append_compact(…).

Returns {first_position, last_position, recorded_at, repeated, version, …}: the positions, NULL if there were no events; the
time in microseconds since 1970-01-01 00:00 UTC; 1 for a repeat, else 0; then the version of every declared stream in the
order given.

known_position: the position of an append on which the expected versions rest, if nothing was read since. After a fail-over
that lost events, the same versions may stand for other events; then SE011, and the caller has to read again.

correlation_ids, causation_ids: one per event, for events that keep the ids that they have, as in an import. NULL, or an
element that is NULL: correlation_id, causation_id.

The same errors. A text that is not JSON, or that jsonb cannot hold, is SE003; it names the element.$$;
REVOKE ALL ON FUNCTION @extschema@.eventcore_append_compact(text[], bigint[], text[], text[], text[], text[], uuid[], uuid, uuid, bigint, uuid[], uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.eventcore_append_compact(text[], bigint[], text[], text[], text[], text[], uuid[], uuid, uuid, bigint, uuid[], uuid[])
    TO eventcore_writer;

CREATE FUNCTION @extschema@.eventcore_execute_compact(
    command         text,
    input           text,
    correlation_id  uuid DEFAULT NULL,
    causation_id    uuid DEFAULT NULL,
    idempotency_key text DEFAULT NULL,
    metadata        text DEFAULT NULL
) RETURNS text[]
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'eventcore_execute_compact';
COMMENT ON FUNCTION @extschema@.eventcore_execute_compact(text, text, uuid, uuid, text, text) IS
$$The same as eventcore_execute, for programs, at less cost to the server: input and metadata are JSON texts, and the result
is one value: SELECT eventcore_execute_compact(…).

Returns {first_position, last_position, recorded_at, repeated, attempts, stream, version, …}: the positions, NULL if there are
no events; the time in microseconds since 1970-01-01 00:00 UTC; 1 if an earlier execution had already done it, else 0; the
number of attempts; then every stream that it read, each followed by its version afterwards.

The same errors. A text that is not JSON, or that jsonb cannot hold, is SE003.$$;
REVOKE ALL ON FUNCTION @extschema@.eventcore_execute_compact(text, text, uuid, uuid, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.eventcore_execute_compact(text, text, uuid, uuid, text, text)
    TO eventcore_executor, eventcore_writer;

-- A version that is not ours is no error.
CREATE OR REPLACE FUNCTION eventcore.check_library() RETURNS TABLE (finding text, object text, detail text, statement text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    installed CONSTANT text := (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'eventcore');
    loaded text;
    is_older boolean := false;
BEGIN
    -- A role that monitors may not read this setting. For it the functions of the library say the same.
    IF (CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE')
             THEN 'eventcore' <> ALL (string_to_array(replace(replace(current_setting('shared_preload_libraries'), ' ', ''), '"', ''), ',')) END) THEN
        RETURN QUERY SELECT 'not_preloaded', 'shared_preload_libraries', 'the server did not load eventcore when it started: nothing works',
            format('ALTER SYSTEM SET shared_preload_libraries = %s', array_to_string(ARRAY(
                SELECT quote_literal(trim(l)) FROM regexp_split_to_table(current_setting('shared_preload_libraries'), ',') l
                 WHERE trim(l) <> '' UNION ALL SELECT '''eventcore'''), ', '));
        RETURN;
    END IF;
    loaded := eventcore.library_version();
    IF loaded <> installed THEN
        BEGIN
            PERFORM eventcore.require_library();
        EXCEPTION WHEN SQLSTATE 'SE009' THEN
            is_older := true;
        END;
        RETURN QUERY SELECT 'version', 'eventcore',
            format('the library is %s and the objects in this database are %s%s', loaded, installed,
                   CASE WHEN is_older THEN ': install the files of that version, and restart the server' END),
            CASE WHEN NOT is_older THEN 'ALTER EXTENSION eventcore UPDATE' END;
    END IF;
END
$$;

-- Commands: apply for several events in a call, and combine for several states.

CREATE OR REPLACE FUNCTION eventcore.register_command(
    name             text,
    apply            regproc,
    handle           regproc,
    streams          text[],
    checked_streams  text[],
    streams_function regproc,
    related_streams  regproc,
    initial_state    jsonb,
    required_fields  jsonb,
    max_attempts     bigint,
    combine          regproc,
    snapshot_every   bigint,
    replace          boolean,
    settings         text[]
) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    row_of_events  CONSTANT regtype := 'eventcore.events';
    rows_of_events CONSTANT regtype := 'eventcore.events[]';
    -- What a function takes decides in which form it is called.
    takes_events CONSTANT boolean := EXISTS (SELECT FROM pg_proc p WHERE p.oid = apply
                                             AND p.pronargs = 2 AND p.proargtypes[1] = rows_of_events);
    takes_states CONSTANT boolean := EXISTS (SELECT FROM pg_proc p WHERE p.oid = combine
                                             AND p.pronargs = 1 AND p.proargtypes[0] = 'jsonb[]'::regtype);
    command eventcore.commands;
BEGIN
    PERFORM eventcore.check_name('name', name);
    IF apply IS NULL THEN
        PERFORM eventcore.fail_malformed('apply', 'is NULL');
    ELSIF handle IS NULL THEN
        PERFORM eventcore.fail_malformed('handle', 'is NULL');
    ELSIF initial_state IS NULL THEN
        PERFORM eventcore.fail_malformed('initial_state', 'is NULL');
    ELSIF max_attempts IS NULL OR max_attempts NOT BETWEEN 1 AND 2147483647 THEN
        PERFORM eventcore.fail_malformed('max_attempts', 'is not a number from 1 to 2147483647');
    ELSIF snapshot_every IS NULL OR snapshot_every NOT BETWEEN 0 AND 2147483647 THEN
        PERFORM eventcore.fail_malformed('snapshot_every', 'is not a number of events from 0 to 2147483647');
    ELSIF streams_function IS NOT NULL AND (streams IS NOT NULL OR checked_streams IS NOT NULL) THEN
        PERFORM eventcore.fail_malformed('streams_function', 'was given together with streams; give only one of them');
    ELSIF streams_function IS NULL AND coalesce(cardinality(streams), 0) + coalesce(cardinality(checked_streams), 0) = 0 THEN
        PERFORM eventcore.fail_malformed('streams', 'is empty; name at least one JSON pointer to a stream in the input');
    END IF;
    PERFORM eventcore.check_pointers('streams', streams);
    PERFORM eventcore.check_pointers('checked_streams', checked_streams);
    PERFORM eventcore.check_required_fields(required_fields);
    PERFORM eventcore.check_settings(settings);
    command := ROW(
        max_attempts, snapshot_every, clock_timestamp(), name,
        eventcore.check_function('apply', apply,
            ARRAY['jsonb'::regtype, CASE WHEN takes_events THEN rows_of_events ELSE row_of_events END], 'jsonb'),
        eventcore.check_function('handle', handle, '{jsonb,jsonb}', 'jsonb'),
        eventcore.check_function('related_streams', related_streams, '{jsonb,jsonb}', 'text[]'),
        eventcore.check_function('streams_function', streams_function, '{jsonb}', 'text[]'),
        eventcore.check_function('combine', combine,
            CASE WHEN takes_states THEN '{jsonb[]}'::regtype[] ELSE '{jsonb,jsonb}' END, 'jsonb'),
        streams, checked_streams, required_fields, initial_state, settings,
        ARRAY(SELECT DISTINCT r.rolname::text FROM pg_proc f JOIN pg_roles r ON r.oid = f.proowner
               WHERE f.oid IN (apply, handle, related_streams, streams_function, combine)));
    IF replace THEN
        DELETE FROM eventcore.commands c WHERE c.name = name COLLATE "C";
        PERFORM eventcore.delete_command_states(name);
    END IF;
    INSERT INTO eventcore.commands VALUES (command.*) ON CONFLICT ON CONSTRAINT commands_pkey DO NOTHING;
    IF NOT FOUND THEN
        PERFORM eventcore.fail_malformed('name', 'is already in use by another command; to replace it, register with replace => true');
    END IF;
    RETURN true;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_register_command(text, text, text, text[], text[], text, text, jsonb, jsonb, bigint, text, bigint, boolean, text[]) IS
$$Registers a command under a name, for eventcore_execute. Its functions may be in any procedural language:
apply(state jsonb, event eventcore.events) returns jsonb, the next state; handle(state jsonb, input jsonb) returns jsonb, an
array of {"stream", "type", "payload", "metadata"?, "id"?}.

Or apply(state jsonb, events eventcore.events[]): the state after one or more consecutive events of one stream, in the order of
their versions. How many it gets is not fixed, so its result must not depend on that.

streams: JSON pointers to the streams in the input, each a string or an array of strings; checked_streams: the
same for streams that are read and checked and not written. Or streams_function(input jsonb) returns text[].
related_streams(state jsonb, input jsonb) returns text[]: further streams, found in the state.
required_fields: what the input must have, such as {"/cents": "number"}; types: string, number, boolean, object, array, any.
combine(state jsonb, state jsonb) returns jsonb: if given, each stream is folded separately from the initial state, and this
function combines their states one after the other. Or combine(states jsonb[]): the first is the state of the first stream or what
it has returned so far, the others are the states of further streams in their order. How many it gets is not fixed either.
snapshot_every: an execution that reads this many events of a stream saves its state, and later executions start from there;
0: never. Without `combine` this holds only for the first stream, because the others are folded into its state. The result of
`apply` must depend only on its arguments.
settings: the settings that the functions run with, for every executor. By default search_path, without temporary tables first,
and the other settings of this session that change what a function decides. Settings of a function itself take precedence.
SE003 malformed argument; a function with other arguments or another result, or that the caller may not execute.$$;
COMMENT ON COLUMN eventcore.commands.apply IS
    'The function (state jsonb, event eventcore.events), or (state jsonb, events eventcore.events[]), that returns the next state.';
COMMENT ON COLUMN eventcore.commands.combine IS
    'The function (state jsonb, state jsonb), or (states jsonb[]), that combines the states of streams into one; NULL: there is no such function.';
CREATE FUNCTION eventcore.before_close() RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_before_close';
COMMENT ON FUNCTION eventcore.before_close() IS
    'Trigger that announces rows of eventcore.streams, so that appends look for closed streams.';
REVOKE ALL ON FUNCTION eventcore.before_close() FROM PUBLIC;

-- For each row and always, because logical replication fires no other triggers.
CREATE TRIGGER streams_before_insert BEFORE INSERT ON eventcore.streams
    FOR EACH ROW EXECUTE FUNCTION eventcore.before_close();
ALTER TABLE eventcore.streams ENABLE ALWAYS TRIGGER streams_before_insert;
COMMENT ON TRIGGER streams_before_insert ON eventcore.streams IS
    'Appends do not look at this table until a row was inserted.';

CREATE OR REPLACE VIEW eventcore.expected_triggers AS
SELECT t.table_name, t.trigger_name, t.enabled::"char" AS enabled, t.definition
  FROM (VALUES
    ('events', 'events_are_immutable', 'A',
     'BEFORE UPDATE OR DELETE OR TRUNCATE ON eventcore.events FOR EACH STATEMENT EXECUTE FUNCTION eventcore.refuse_change()'),
    ('events', 'every_event_is_immutable', 'A',
     'BEFORE UPDATE OR DELETE ON eventcore.events FOR EACH ROW EXECUTE FUNCTION eventcore.refuse_change()'),
    ('events', 'events_before_insert', 'A',
     'BEFORE INSERT ON eventcore.events FOR EACH ROW EXECUTE FUNCTION eventcore.before_insert()'),
    ('streams', 'streams_before_insert', 'A',
     'BEFORE INSERT ON eventcore.streams FOR EACH ROW EXECUTE FUNCTION eventcore.before_close()'),
    ('subscriptions', 'subscriptions_settle', 'O',
     'BEFORE INSERT ON eventcore.subscriptions FOR EACH ROW EXECUTE FUNCTION eventcore.settle()'),
    ('checkpoints', 'checkpoints_settle', 'O',
     'BEFORE INSERT ON eventcore.checkpoints FOR EACH ROW EXECUTE FUNCTION eventcore.settle()'),
    ('projections', 'projections_are_settled', 'O',
     'BEFORE INSERT ON eventcore.projections FOR EACH ROW EXECUTE FUNCTION eventcore.settle_projection()'),
    ('projections', 'projections_have_owners', 'A',
     'BEFORE INSERT OR UPDATE OR DELETE ON eventcore.projections FOR EACH ROW EXECUTE FUNCTION eventcore.guard_projection()'),
    ('projections', 'projections_are_announced', 'A',
     'AFTER INSERT OR DELETE OR UPDATE OF name, owner, mode, status, handler, takes_array, stream_prefixes, event_types'
     || ' ON eventcore.projections FOR EACH STATEMENT EXECUTE FUNCTION eventcore.announce_projections()'),
    ('projection_parked', 'projection_parked_has_owners', 'A',
     'BEFORE INSERT OR UPDATE OR DELETE ON eventcore.projection_parked FOR EACH ROW EXECUTE FUNCTION eventcore.guard_projection_parked()')
  ) AS t (table_name, trigger_name, enabled, definition);

-- The new events of a poll are one row. Leases from before keep a row for each event.
ALTER TABLE eventcore.deliveries
    ADD COLUMN positions bigint[],
    ADD COLUMN versions bigint[],
    ADD COLUMN stream_ids text[] COLLATE "C",
    SET (toast_tuple_target = 8160);
COMMENT ON TABLE eventcore.deliveries IS
    'Events that were delivered and are neither acknowledged nor parked: in a lease, or waiting to be delivered again. A row is one event, or all new events of a poll.';
COMMENT ON COLUMN eventcore.deliveries.position IS 'The event, or the first of several.';
COMMENT ON COLUMN eventcore.deliveries.positions IS
    'All events of the row, in order, those included that are listed in acknowledged; NULL: it is a single event.';
COMMENT ON COLUMN eventcore.deliveries.versions IS 'The version of each of them.';
COMMENT ON COLUMN eventcore.deliveries.stream_ids IS 'The stream of each of them.';

-- Rows instead of changes of the arrays: so consumers that handle events of one lease in transactions of their own do not
-- wait for one another.
CREATE TABLE eventcore.acknowledged (
    subscription_id uuid        NOT NULL,
    lease_id        uuid        NOT NULL,
    position        bigint      NOT NULL,
    CONSTRAINT acknowledged_pkey PRIMARY KEY (subscription_id, lease_id, position)
) USING heap WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
COMMENT ON TABLE eventcore.acknowledged IS
    'Events that were acknowledged while other events of the same row of deliveries were not. Removed with that row.';
COMMENT ON COLUMN eventcore.acknowledged.subscription_id IS 'The subscription.';
COMMENT ON COLUMN eventcore.acknowledged.lease_id IS 'The lease that held it.';
COMMENT ON COLUMN eventcore.acknowledged.position IS 'The event.';
SELECT pg_catalog.pg_extension_config_dump('eventcore.acknowledged', '');
REVOKE ALL ON eventcore.acknowledged FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON eventcore.acknowledged TO eventcore_subscriber;

CREATE FUNCTION eventcore.unpack_lease(s eventcore.subscriptions, lease_id uuid) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
    WITH packed AS (
        DELETE FROM eventcore.deliveries d
         WHERE d.lease_id = lease_id AND d.positions IS NOT NULL
        RETURNING d.positions, d.versions, d.stream_ids
    )
    INSERT INTO eventcore.deliveries (subscription_id, position, version, stream_id, lease_id)
    SELECT s.id, e.position, e.version, e.stream_id, lease_id
      FROM packed p CROSS JOIN LATERAL unnest(p.positions, p.versions, p.stream_ids) e (position, version, stream_id)
     WHERE NOT EXISTS (SELECT FROM eventcore.acknowledged a
                        WHERE a.subscription_id = s.id AND a.lease_id = lease_id AND a.position = e.position OFFSET 0);
    DELETE FROM eventcore.acknowledged a WHERE a.subscription_id = s.id AND a.lease_id = lease_id;
END
$$;
COMMENT ON FUNCTION eventcore.unpack_lease(eventcore.subscriptions, uuid) IS
    'Makes a row of each event that the lease still holds. For a transaction that has locked the lease, or its rows, FOR UPDATE and whose snapshot is newer.';
REVOKE ALL ON FUNCTION eventcore.unpack_lease(eventcore.subscriptions, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION eventcore.unpack_lease(eventcore.subscriptions, uuid) TO eventcore_subscriber;

CREATE FUNCTION eventcore.ack_packed(s eventcore.subscriptions, lease_id uuid, positions bigint[], keeps_snapshot boolean)
RETURNS bigint[]
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    wanted    bigint[];
    remaining bigint;
    taken     bigint[];
BEGIN
    SELECT array_agg(e.position) FILTER (WHERE positions IS NULL OR (e.position IN (SELECT unnest(positions))) IS TRUE),
           -- Not read in vain: in SERIALIZABLE transactions it would conflict with what others acknowledge.
           CASE WHEN NOT keeps_snapshot THEN
                count(*) - (SELECT count(*) FROM eventcore.acknowledged a WHERE a.subscription_id = s.id AND a.lease_id = lease_id) END
      INTO wanted, remaining
      FROM eventcore.deliveries d CROSS JOIN LATERAL unnest(d.positions) e (position)
     WHERE d.lease_id = lease_id AND d.positions IS NOT NULL;
    IF wanted IS NULL THEN
        RETURN '{}';
    END IF;
    IF NOT keeps_snapshot AND remaining > 0 AND cardinality(wanted) >= remaining
       AND remaining = (SELECT count(*) FROM unnest(wanted) w
                         WHERE NOT EXISTS (SELECT FROM eventcore.acknowledged a
                                            WHERE a.subscription_id = s.id AND a.lease_id = lease_id AND a.position = w OFFSET 0)) THEN
        -- All that is left: the row goes. This waits for those that acknowledge some of it.
        DELETE FROM eventcore.deliveries d WHERE d.lease_id = lease_id AND d.positions IS NOT NULL;
        IF NOT FOUND THEN
            RETURN '{}';
        END IF;
        WITH before AS (
            DELETE FROM eventcore.acknowledged a WHERE a.subscription_id = s.id AND a.lease_id = lease_id
            RETURNING a.position
        )
        SELECT coalesce(array_agg(w), '{}') INTO taken FROM unnest(wanted) w
         WHERE (w IN (SELECT b.position FROM before b)) IS NOT TRUE;
        RETURN taken;
    END IF;
    -- A statement that gives the lease back, or acknowledges all of it, waits for this transaction.
    PERFORM FROM eventcore.deliveries d
      WHERE d.lease_id = lease_id AND d.positions IS NOT NULL
      ORDER BY d.position FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN '{}';
    END IF;
    WITH new AS (
        INSERT INTO eventcore.acknowledged (subscription_id, lease_id, position)
        SELECT s.id, lease_id, w FROM unnest(wanted) w
            ON CONFLICT ON CONSTRAINT acknowledged_pkey DO NOTHING
        RETURNING position
    )
    SELECT coalesce(array_agg(n.position), '{}') INTO taken FROM new n;
    RETURN taken;
END
$$;
COMMENT ON FUNCTION eventcore.ack_packed(eventcore.subscriptions, uuid, bigint[], boolean) IS
    'Acknowledges those of the positions (NULL: all) that the lease holds in rows of several events, and returns them. keeps_snapshot: a snapshot of the transaction may be older than acknowledgements of others, which only an entry at the same place reveals.';
REVOKE ALL ON FUNCTION eventcore.ack_packed(eventcore.subscriptions, uuid, bigint[], boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION eventcore.ack_packed(eventcore.subscriptions, uuid, bigint[], boolean) TO eventcore_subscriber;

CREATE OR REPLACE FUNCTION eventcore.take_back_expired(s eventcore.subscriptions, now timestamptz) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    packed uuid;
    back eventcore.deliveries;
    has_changed boolean := false;
BEGIN
    FOR packed IN
        -- As below. Its events become rows in statements whose snapshot is newer than the lock.
        SELECT l.lease_id FROM eventcore.leases l
         WHERE l.subscription_id = s.id
           AND (l.leased_until <= now OR l.leased_until > now + 2 * s.lease)
           AND EXISTS (SELECT FROM eventcore.deliveries d WHERE d.lease_id = l.lease_id AND d.positions IS NOT NULL OFFSET 0)
           FOR UPDATE SKIP LOCKED
    LOOP
        PERFORM eventcore.unpack_lease(s, packed);
    END LOOP;
    FOR back IN
        WITH expired AS MATERIALIZED (
            -- A consumer that is acknowledging has locked its lease: such a lease is skipped.
            SELECT l.lease_id, l.consumer FROM eventcore.leases l
             WHERE l.subscription_id = s.id
               -- Later than any lease can expire: the clock was set back.
               AND (l.leased_until <= now OR l.leased_until > now + 2 * s.lease)
               AND EXISTS (SELECT FROM eventcore.deliveries d WHERE d.lease_id = l.lease_id OFFSET 0)
               -- Such a lease was locked a moment ago.
               AND NOT EXISTS (SELECT FROM eventcore.deliveries d WHERE d.lease_id = l.lease_id AND d.positions IS NOT NULL OFFSET 0)
               FOR UPDATE SKIP LOCKED
        ), gone AS (
            DELETE FROM eventcore.leases l USING expired e
             WHERE l.subscription_id = s.id AND l.lease_id = e.lease_id
        ), held AS MATERIALIZED (
            SELECT d.ctid AS place, e.consumer, count(*) OVER (PARTITION BY d.lease_id) = 1 AS is_alone
              FROM expired e CROSS JOIN LATERAL (
                   SELECT v.ctid, v.lease_id FROM eventcore.deliveries v WHERE v.lease_id = e.lease_id OFFSET 0) d
        ), taken AS (
            UPDATE eventcore.deliveries d
               SET lease_id = NULL, expiries = d.expiries + 1, failures = d.failures + h.is_alone::integer,
                   failed_at = now, consumer = h.consumer, reason = format('the lease of consumer "%s" ran out', h.consumer)
              FROM held h
             WHERE d.ctid = h.place
            RETURNING d.*
        ), returned AS (
            INSERT INTO eventcore.backlogs AS b (subscription_id, stream_id, returned_position)
            SELECT s.id, t.stream_id, min(t.position) FROM taken t GROUP BY t.stream_id
            ON CONFLICT ON CONSTRAINT backlogs_pkey
            DO UPDATE SET returned_position = least(b.returned_position, excluded.returned_position)
        )
        SELECT t.* FROM taken t
         UNION ALL
        SELECT (NULL::eventcore.deliveries).* FROM expired e
    LOOP
        has_changed := true;
        IF back.failures > s.retry_limit THEN
            PERFORM eventcore.park(s, ARRAY[back.position], back.failures, back.consumer, back.reason);
        END IF;
    END LOOP;
    RETURN has_changed;
END
$$;

-- By hash, and with no other column: a poll looks up the stream of each new event, which takes half as long as in the primary
-- key.
CREATE INDEX backlogs_stream_idx ON eventcore.backlogs USING hash (hashtextextended(stream_id, uuid_hash(subscription_id)));
COMMENT ON INDEX eventcore.backlogs_stream_idx IS 'Whether a stream waits.';

-- A poll runs the statements for what came back, for delays and for expired leases only if there is such a thing, and all
-- statements of consumers go by indexes.
CREATE OR REPLACE FUNCTION eventcore.lease_new(
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

CREATE OR REPLACE FUNCTION eventcore.lease_events(
    s         eventcore.subscriptions,
    lease_id  uuid,
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
    now       timestamptz := clock_timestamp();
    began     bigint := eventcore.monotonic();
    safe      bigint := eventcore.safe_position();
    -- Streams that are behind and new events have a quarter of the lease each, and what the other kinds leave free.
    share     integer := max_count / 4;
    room      integer := max_count - 2 * share;
    given     integer;
    are_more_returned boolean := false;
    are_more_behind   boolean := false;
    blocked   text[];
    has_expired boolean;
    waiting   record;
    is_alone  boolean;
    new       record;
    page_size integer := max_count;
BEGIN
    read_to := read_from;
    LOOP
        SELECT coalesce(array_agg(d.stream_id), '{}'), min(l.leased_until) FILTER (WHERE l.leased_until > now),
               -- Later than any lease can expire: the clock was set back.
               coalesce(bool_or(l.leased_until <= now OR l.leased_until > now + 2 * s.lease), false)
          INTO blocked, next_due, has_expired
          FROM eventcore.leases l
         CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM eventcore.acknowledged a
                                             WHERE a.subscription_id = s.id AND a.lease_id = l.lease_id) AS in_part OFFSET 0) k
         CROSS JOIN LATERAL (
               SELECT v.stream_id FROM eventcore.deliveries v WHERE v.lease_id = l.lease_id AND v.positions IS NULL
                UNION ALL
               SELECT e.stream_id FROM eventcore.deliveries v
                CROSS JOIN LATERAL unnest(v.stream_ids, v.positions) e (stream_id, position)
                WHERE v.lease_id = l.lease_id AND v.positions IS NOT NULL
                  AND CASE WHEN k.in_part THEN NOT EXISTS (
                               SELECT FROM eventcore.acknowledged a
                                WHERE a.subscription_id = s.id AND a.lease_id = l.lease_id AND a.position = e.position)
                           ELSE true END) d
         WHERE l.subscription_id = s.id;
        -- Not twice: expired leases that consumers are acknowledging stay.
        EXIT WHEN NOT has_expired OR has_changed IS NOT NULL;
        has_changed := eventcore.take_back_expired(s, now);
    END LOOP;
    has_changed := coalesce(has_changed, false);
    is_blocked := cardinality(blocked) > 0;
    -- Most often nothing waits. Then this statement takes the place of several.
    SELECT EXISTS (SELECT FROM eventcore.backlogs b
                    WHERE b.subscription_id = s.id AND b.returned_position IS NOT NULL AND b.due <= now) AS are_returned,
           EXISTS (SELECT FROM eventcore.backlogs b
                    WHERE b.subscription_id = s.id AND b.returned_position IS NULL AND b.due <= now) AS are_behind,
           EXISTS (SELECT FROM eventcore.backlogs b
                    WHERE b.subscription_id = s.id AND b.delayed_at > now + interval '1 s' AND isfinite(b.due)) AS are_in_future
      INTO waiting;
    IF waiting.are_in_future THEN
        -- A delay that began in the future begins now: the clock was set back. Steps of up to a second are tolerated.
        UPDATE eventcore.backlogs b SET due = now + (b.due - b.delayed_at), delayed_at = now
         WHERE b.subscription_id = s.id AND b.delayed_at > now + interval '1 s' AND isfinite(b.due);
    END IF;
    IF share = 0 AND random() < 0.25 AND eventcore.has_many_waiting(s, now) THEN
        -- The lease is too small to be shared: in one of four polls new events come first.
        share := max_count;
        room := 0;
    END IF;

    leased := 0;
    IF waiting.are_returned OR waiting.are_in_future THEN
        SELECT l.leased, l.is_alone INTO leased, is_alone
          FROM eventcore.lease_returned(s, now, lease_id, blocked, room, true) l;
        IF is_alone THEN
            has_changed := true;
            is_caught_up := true;
            RETURN;
        END IF;
        are_more_returned := leased >= room;
    END IF;
    room := max_count - share - leased;
    -- A stream whose returned events have just been leased may still be behind.
    IF waiting.are_behind OR waiting.are_in_future OR leased > 0 THEN
        given := eventcore.lease_backlog(s, now, lease_id, blocked, room, read_from);
        are_more_behind := given >= room;
        leased := leased + given;
    END IF;
    has_changed := has_changed OR leased > 0;
    is_caught_up := read_to >= safe;
    WHILE NOT is_caught_up AND leased < max_count LOOP
        SELECT * INTO new
          FROM eventcore.lease_new(s, lease_id, blocked, max_count - leased, read_to, page_size);
        leased := leased + new.leased;
        has_changed := has_changed OR new.is_anything;
        read_to := new.read_to;
        is_caught_up := read_to >= safe;
        -- Far behind, with a filter that few events match, or most streams leased: other sessions get their turn, and the
        -- next attempt continues from here.
        EXIT WHEN NOT new.is_anything OR eventcore.monotonic() > began + 500000;
        page_size := least(1000, 2 * page_size);
    END LOOP;
    IF are_more_behind AND leased < max_count THEN
        leased := leased + eventcore.lease_backlog(s, now, lease_id, blocked, max_count - leased, read_to);
    END IF;
    IF are_more_returned AND leased < max_count THEN
        leased := leased + (SELECT l.leased FROM eventcore.lease_returned(
                                s, now, lease_id, blocked, max_count - leased, leased = 0) l);
    END IF;
    has_changed := has_changed OR leased > 0;
    IF has_changed THEN
        RETURN;
    END IF;
    -- The poll may wait until then.
    next_due := least(next_due,
        (SELECT b.due FROM eventcore.backlogs b
          WHERE b.subscription_id = s.id AND b.returned_position IS NOT NULL AND b.due > now AND b.due < 'infinity'
          ORDER BY b.due LIMIT 1),
        (SELECT b.due FROM eventcore.backlogs b
          WHERE b.subscription_id = s.id AND b.returned_position IS NULL AND b.due > now AND b.due < 'infinity'
          ORDER BY b.due LIMIT 1));
END
$$;

CREATE OR REPLACE FUNCTION eventcore.remove_empty_leases(s eventcore.subscriptions) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    removed uuid[];
    gone    uuid;
BEGIN
    WITH empty AS (
        DELETE FROM eventcore.leases l
         WHERE l.ctid = ANY (ARRAY(
                   SELECT o.ctid FROM eventcore.leases o
                    WHERE o.subscription_id = s.id
                      AND NOT EXISTS (
                          SELECT FROM eventcore.deliveries d
                           WHERE d.lease_id = o.lease_id AND (d.positions IS NULL OR cardinality(d.positions) > (
                                 SELECT count(*) FROM eventcore.acknowledged a
                                  WHERE a.subscription_id = s.id AND a.lease_id = d.lease_id
                                    AND a.position BETWEEN d.position AND d.positions[cardinality(d.positions)])) OFFSET 0)
                      FOR UPDATE SKIP LOCKED))
        RETURNING l.lease_id
    )
    SELECT array_agg(e.lease_id) FILTER (WHERE EXISTS (SELECT FROM eventcore.deliveries d WHERE d.lease_id = e.lease_id OFFSET 0))
      INTO removed FROM empty e;
    IF removed IS NOT NULL THEN
        -- Their events have been acknowledged one by one.
        FOREACH gone IN ARRAY removed LOOP
            PERFORM eventcore.unpack_lease(s, gone);
        END LOOP;
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION @extschema@.eventcore_poll(
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

CREATE OR REPLACE FUNCTION eventcore.hold_lease(s eventcore.subscriptions, lease_id uuid, positions bigint[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    place integer;
    safe  bigint;
BEGIN
    IF lease_id IS NULL THEN
        PERFORM eventcore.fail_malformed('lease_id', 'is NULL');
    END IF;
    IF positions IS NOT NULL THEN
        PERFORM eventcore.check_positions(positions);
        safe := eventcore.safe_position();
        FOR place IN 1 .. cardinality(positions) LOOP
            IF positions[array_lower(positions, 1) + place - 1] NOT BETWEEN 1 AND safe THEN
                PERFORM eventcore.fail_malformed('positions', 'has not been delivered', place - 1);
            END IF;
        END LOOP;
    END IF;
    PERFORM FROM eventcore.leases l
      WHERE l.subscription_id = s.id AND l.lease_id = lease_id
        FOR KEY SHARE;
    IF NOT FOUND THEN
        PERFORM eventcore.fail_lost(s.name, lease_id, positions);
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION @extschema@.eventcore_ack(subscription text, lease_id uuid, positions bigint[] DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
-- By their indexes, one row at a time: the statistics may come from a moment when the tables were nearly empty.
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
    s       eventcore.subscriptions := eventcore.find_subscription(subscription);
    keeps_snapshot CONSTANT boolean := current_setting('transaction_isolation') IN ('repeatable read', 'serializable');
    was_packed boolean;
    taken   bigint[];
    missing bigint[];
    done    bigint;
    acknowledged bigint := 0;
BEGIN
    PERFORM eventcore.hold_lease(s, lease_id, positions);
    IF positions IS NULL AND NOT keeps_snapshot THEN
        WITH gone AS (
            DELETE FROM eventcore.deliveries d WHERE d.lease_id = lease_id RETURNING d.positions
        )
        SELECT coalesce(sum(coalesce(cardinality(g.positions), 1)), 0), bool_or(g.positions IS NOT NULL)
          INTO acknowledged, was_packed FROM gone g;
        IF was_packed THEN
            -- In a statement of its own: the one before may have waited for those that acknowledged these.
            DELETE FROM eventcore.acknowledged a WHERE a.subscription_id = s.id AND a.lease_id = lease_id;
            GET DIAGNOSTICS done = ROW_COUNT;
            acknowledged := acknowledged - done;
        ELSE
            -- Its new events may have become rows while the statement before waited.
            DELETE FROM eventcore.deliveries d WHERE d.lease_id = lease_id;
            GET DIAGNOSTICS done = ROW_COUNT;
            acknowledged := acknowledged + done;
        END IF;
        IF acknowledged = 0 THEN
            PERFORM eventcore.fail_lost(s.name, lease_id, NULL);
        END IF;
    ELSIF positions IS NULL THEN
        DELETE FROM eventcore.deliveries d WHERE d.lease_id = lease_id AND d.positions IS NULL;
        GET DIAGNOSTICS done = ROW_COUNT;
        acknowledged := done + cardinality(eventcore.ack_packed(s, lease_id, NULL, keeps_snapshot));
        IF acknowledged = 0 THEN
            PERFORM eventcore.fail_lost(s.name, lease_id, NULL);
        END IF;
    ELSE
        missing := positions;
        FOR attempt IN 1 .. 2 LOOP
            -- Events that came back before new ones: in the order in which statements lock all rows of a lease.
            WITH gone AS (
                DELETE FROM eventcore.deliveries d USING unnest(missing) p
                 WHERE d.lease_id = lease_id AND d.position = p AND d.positions IS NULL
                RETURNING d.position
            )
            SELECT array_agg(DISTINCT p ORDER BY p) FILTER (WHERE (p IN (SELECT a.position FROM gone a)) IS NOT TRUE),
                   (SELECT count(*) FROM gone)
              INTO missing, done FROM unnest(missing) p;
            acknowledged := acknowledged + done;
            EXIT WHEN missing IS NULL OR attempt = 2;
            taken := eventcore.ack_packed(s, lease_id, missing, keeps_snapshot);
            acknowledged := acknowledged + cardinality(taken);
            IF cardinality(taken) = cardinality(missing) THEN
                missing := NULL;
                EXIT;
            END IF;
            -- New events may have become rows while the call waited.
            missing := ARRAY(SELECT p FROM unnest(missing) p WHERE (p IN (SELECT unnest(taken))) IS NOT TRUE);
        END LOOP;
        IF missing IS NOT NULL THEN
            PERFORM eventcore.fail_lost(s.name, lease_id, missing);
        END IF;
    END IF;
    PERFORM eventcore.announce_work(false);
    RETURN acknowledged;
END
$$;

CREATE OR REPLACE FUNCTION @extschema@.eventcore_extend_lease(subscription text, lease_id uuid) RETURNS timestamptz
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
    s     eventcore.subscriptions := eventcore.find_subscription(subscription);
    until timestamptz := clock_timestamp() + s.lease;
BEGIN
    IF lease_id IS NULL THEN
        PERFORM eventcore.fail_malformed('lease_id', 'is NULL');
    END IF;
    UPDATE eventcore.leases l SET leased_until = until
     WHERE l.subscription_id = s.id AND l.lease_id = lease_id
       AND EXISTS (SELECT FROM eventcore.deliveries d
                    WHERE d.lease_id = lease_id AND (d.positions IS NULL OR cardinality(d.positions) > (
                          SELECT count(*) FROM eventcore.acknowledged a
                           WHERE a.subscription_id = s.id AND a.lease_id = lease_id
                             AND a.position BETWEEN d.position AND d.positions[cardinality(d.positions)])));
    IF NOT FOUND THEN
        PERFORM eventcore.fail_lost(s.name, lease_id, NULL);
    END IF;
    -- If this rolls back, polls may have skipped a lease that expired in the meantime.
    PERFORM eventcore.announce_work(false);
    RETURN until;
END
$$;

CREATE OR REPLACE FUNCTION @extschema@.eventcore_nack(
    subscription text,
    lease_id     uuid,
    positions    bigint[] DEFAULT NULL,
    action       text     DEFAULT 'retry',
    reason       text     DEFAULT NULL,
    delay        interval DEFAULT '0'
)
RETURNS TABLE ("position" bigint, outcome text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 10
SET search_path = pg_catalog, pg_temp
-- The statistics may come from a moment when the tables were nearly empty. Without jit, because eventcore.subscriptions is
-- still scanned, at a cost for which the server would compile.
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    action  CONSTANT text COLLATE "C" := action;
    s       eventcore.subscriptions := eventcore.find_subscription(subscription);
    now     timestamptz := clock_timestamp();
    lease   uuid := lease_id;
    wanted  bigint[] := positions;
    missing bigint[];
    parks   bigint[] := '{}';
    failed  record;
BEGIN
    IF action IS NULL OR action NOT IN ('retry', 'park', 'skip', 'release') THEN
        PERFORM eventcore.fail_malformed('action', 'is not one of ''retry'', ''park'', ''skip'', ''release''');
    END IF;
    delay := eventcore.check_time('delay', delay, '0');
    IF delay > '0' AND action <> 'retry' THEN
        PERFORM eventcore.fail_malformed('delay', 'is only for the action ''retry''');
    END IF;
    PERFORM eventcore.hold_lease(s, lease, wanted);
    IF wanted IS NULL THEN
        wanted := ARRAY(SELECT e.position FROM eventcore.deliveries d
                         CROSS JOIN LATERAL unnest(coalesce(d.positions, ARRAY[d.position])) e (position)
                         WHERE d.lease_id = lease
                           AND NOT EXISTS (SELECT FROM eventcore.acknowledged a
                                            WHERE a.subscription_id = s.id AND a.lease_id = lease AND a.position = e.position OFFSET 0)
                         ORDER BY e.position);
    END IF;
    PERFORM FROM eventcore.deliveries d WHERE d.lease_id = lease ORDER BY d.position FOR UPDATE;
    PERFORM eventcore.lock_to_change(s.name, 'subscription');
    IF NOT EXISTS (SELECT FROM eventcore.subscriptions t WHERE t.id = s.id) THEN
        -- It was reset or dropped in the meantime.
        PERFORM eventcore.fail_lost(s.name, lease, wanted);
    END IF;
    -- Now the snapshot is newer than the locks, also in a single statement of another isolation level.
    PERFORM eventcore.unpack_lease(s, lease);
    missing := ARRAY(SELECT DISTINCT p FROM unnest(wanted) p
                      WHERE NOT EXISTS (SELECT FROM eventcore.deliveries d
                                         WHERE d.lease_id = lease AND d.position = p) ORDER BY p);
    IF cardinality(missing) > 0 OR positions IS NULL AND cardinality(wanted) = 0 THEN
        PERFORM eventcore.fail_lost(s.name, lease, missing);
    END IF;

    IF action = 'skip' THEN
        RETURN QUERY DELETE FROM eventcore.deliveries d USING unnest(wanted) p
                      WHERE d.lease_id = lease AND d.position = p
                  RETURNING d.position, 'skipped';
        PERFORM eventcore.announce_work(true);
        RETURN;
    END IF;
    IF action IN ('park', 'retry') THEN
        FOR failed IN
            SELECT d.failures, array_agg(d.position) AS positions
              FROM eventcore.deliveries d JOIN unnest(wanted) p ON p = d.position
             WHERE d.lease_id = lease AND (action = 'park' OR d.failures >= s.retry_limit)
             GROUP BY d.failures
        LOOP
            parks := parks || failed.positions;
            PERFORM eventcore.park(s, failed.positions, failed.failures + 1,
                                   (SELECT l.consumer FROM eventcore.leases l
                                     WHERE l.subscription_id = s.id AND l.lease_id = lease), reason);
        END LOOP;
        RETURN QUERY SELECT p, 'parked' FROM unnest(parks) p ORDER BY p;
    END IF;
    -- The events to deliver again, and the later events of their streams.
    RETURN QUERY
        WITH held AS MATERIALIZED (
            SELECT d.position, d.stream_id, d.position IN (SELECT unnest(wanted)) AS is_named
              FROM eventcore.deliveries d WHERE d.lease_id = lease
             UNION ALL
            SELECT k.position, k.stream_id, true FROM eventcore.parked k
             WHERE k.subscription_id = s.id AND k.position IN (SELECT unnest(parks)) AND s.on_parked = 'stop'
        ), marked AS MATERIALIZED (
            SELECT h.position, h.is_named,
                   min(h.position) FILTER (WHERE h.is_named) OVER (PARTITION BY h.stream_id) AS first_position
              FROM held h
        ), given AS (
            UPDATE eventcore.deliveries d
               SET lease_id = NULL,
                   failures = d.failures + (action = 'retry' AND d.position IN (SELECT unnest(wanted)))::integer,
                   not_before = CASE WHEN action = 'retry' AND d.position IN (SELECT unnest(wanted)) THEN now + delay ELSE d.not_before END,
                   failed_at = CASE WHEN action = 'retry' AND d.position IN (SELECT unnest(wanted)) THEN now ELSE d.failed_at END,
                   reason = CASE WHEN action = 'retry' AND d.position IN (SELECT unnest(wanted)) THEN eventcore_nack.reason ELSE d.reason END
             -- IS TRUE makes the planner use a hashed subplan instead of a join.
             WHERE d.lease_id = lease
               AND (d.position IN (SELECT m.position FROM marked m WHERE m.position >= m.first_position)) IS TRUE
            RETURNING d.position, d.stream_id, d.not_before, CASE WHEN action = 'retry' AND d.position IN (SELECT unnest(wanted)) THEN 'retry' ELSE 'released' END AS outcome
        ), returned AS (
            INSERT INTO eventcore.backlogs AS b (subscription_id, stream_id, returned_position, due, delayed_at)
            SELECT s.id, g.stream_id, min(g.position), max(g.not_before), CASE WHEN max(g.not_before) > now THEN now END
              FROM given g GROUP BY g.stream_id
                ON CONFLICT ON CONSTRAINT backlogs_pkey
                DO UPDATE SET returned_position = least(b.returned_position, excluded.returned_position),
                              due = greatest(b.due, excluded.due),
                              delayed_at = greatest(b.delayed_at, excluded.delayed_at)
        )
        SELECT g.position, g.outcome FROM given g ORDER BY g.position;
    PERFORM eventcore.announce_work(true);
END
$$;

-- Discarding and replaying parked events, and the views, do not look at all that is parked.
CREATE INDEX deliveries_failed_idx ON eventcore.deliveries (subscription_id, failed_at, failures) WHERE failed_at IS NOT NULL;
COMMENT ON INDEX eventcore.deliveries_failed_idx IS 'The events that have failed, for eventcore.stat_subscriptions.';
CREATE INDEX parked_stream_idx ON eventcore.parked (stream_id, subscription_id);
CREATE INDEX parked_time_idx ON eventcore.parked (subscription_id, parked_at) WHERE parked_at > '-infinity';
COMMENT ON INDEX eventcore.parked_stream_idx IS 'Whether an event of a stream is parked.';
COMMENT ON INDEX eventcore.parked_time_idx IS 'The event that has been parked longest, and the one that was parked last.';
CREATE INDEX projection_parked_time_idx ON eventcore.projection_parked (projection, parked_at) WHERE parked_at > '-infinity';
COMMENT ON INDEX eventcore.projection_parked_time_idx IS 'The event that has been parked longest.';

CREATE OR REPLACE VIEW eventcore.expected_indexes AS
SELECT i.table_name, i.index_name, i.is_constraint, i.definition
  FROM (VALUES
    ('events', 'events_pkey', true, 'PRIMARY KEY (position)'),
    ('events', 'events_stream_id_version_key', true, 'UNIQUE (stream_id, version)'),
    ('streams', 'streams_pkey', true, 'PRIMARY KEY (stream_id)'),
    ('subscriptions', 'subscriptions_pkey', true, 'PRIMARY KEY (name)'),
    ('leases', 'leases_pkey', true, 'PRIMARY KEY (subscription_id, lease_id)'),
    ('deliveries', 'deliveries_pkey', true, 'PRIMARY KEY (subscription_id, position)'),
    ('deliveries', 'deliveries_lease_idx', false, '(lease_id, position) WHERE lease_id IS NOT NULL'),
    ('deliveries', 'deliveries_waiting_idx', false, '(subscription_id, stream_id, position) WHERE lease_id IS NULL'),
    ('deliveries', 'deliveries_failed_idx', false, '(subscription_id, failed_at, failures) WHERE failed_at IS NOT NULL'),
    ('acknowledged', 'acknowledged_pkey', true, 'PRIMARY KEY (subscription_id, lease_id, position)'),
    ('backlogs', 'backlogs_pkey', true, 'PRIMARY KEY (subscription_id, stream_id)'),
    ('backlogs', 'backlogs_returned_idx', false, '(subscription_id, due, returned_position) WHERE returned_position IS NOT NULL'),
    ('backlogs', 'backlogs_behind_idx', false, '(subscription_id, due, next_position) WHERE returned_position IS NULL'),
    ('backlogs', 'backlogs_delayed_idx', false, '(subscription_id, delayed_at) WHERE delayed_at IS NOT NULL'),
    ('backlogs', 'backlogs_stream_idx', false, 'USING hash (hashtextextended(stream_id, (uuid_hash(subscription_id))::bigint))'),
    ('parked', 'parked_pkey', true, 'PRIMARY KEY (subscription_id, position)'),
    ('parked', 'parked_stream_idx', false, '(stream_id, subscription_id)'),
    ('parked', 'parked_time_idx', false, '(subscription_id, parked_at) WHERE parked_at > ''-infinity'''),
    ('checkpoints', 'checkpoints_pkey', true, 'PRIMARY KEY (projection)'),
    ('snapshots', 'snapshots_pkey', true, 'PRIMARY KEY (name, streams_digest)'),
    ('commands', 'commands_pkey', true, 'PRIMARY KEY (name)'),
    ('executions', 'executions_pkey', true, 'PRIMARY KEY (command, idempotency_key)'),
    ('command_states', 'command_states_pkey', true, 'PRIMARY KEY (command, stream_id, role)'),
    ('projections', 'projections_pkey', true, 'PRIMARY KEY (name)'),
    ('projection_parked', 'projection_parked_pkey', true, 'PRIMARY KEY (projection, position)'),
    ('projection_parked', 'projection_parked_replay_idx', false, '(projection, position) WHERE replay'),
    ('projection_parked', 'projection_parked_time_idx', false, '(projection, parked_at) WHERE parked_at > ''-infinity''')
  ) AS i (table_name, index_name, is_constraint, definition);

CREATE OR REPLACE FUNCTION eventcore.refresh_backlogs(s eventcore.subscriptions, streams text[], parked_changed boolean) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
-- By their indexes, one row at a time: the statistics may come from a moment when the tables were nearly empty.
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
    done text[] COLLATE "C";
BEGIN
    WITH place AS MATERIALIZED (
        SELECT v.ctid FROM (SELECT DISTINCT t COLLATE "C" FROM unnest(streams) t) w (stream_id)
         CROSS JOIN LATERAL (
               SELECT b.ctid FROM eventcore.backlogs b
                WHERE b.subscription_id = s.id AND b.stream_id = w.stream_id OFFSET 0) v
    ), refreshed AS (
        UPDATE eventcore.backlogs b
           SET returned_position = (
                   SELECT d.position FROM eventcore.deliveries d
                    WHERE d.subscription_id = s.id AND d.stream_id = b.stream_id AND d.lease_id IS NULL
                    ORDER BY d.position LIMIT 1),
               due = CASE WHEN NOT parked_changed THEN b.due
                          WHEN s.on_parked = 'stop' AND EXISTS (
                               -- Equality in a form for which only the index of the streams can be used.
                               SELECT FROM eventcore.parked k
                                WHERE (k.stream_id, k.subscription_id) >= (b.stream_id, s.id)
                                  AND (k.stream_id, k.subscription_id) <= (b.stream_id, s.id) OFFSET 0) THEN 'infinity'
                          WHEN b.due < 'infinity' THEN b.due
                          -- The stream was stopped.
                          ELSE coalesce((
                               SELECT max(d.not_before) FILTER (WHERE d.failed_at <= clock_timestamp())
                                 FROM eventcore.deliveries d
                                WHERE d.subscription_id = s.id AND d.stream_id = b.stream_id
                                  AND d.lease_id IS NULL), '-infinity') END
          FROM place p
         WHERE b.ctid = p.ctid
        RETURNING b.stream_id, b.returned_position, b.after_version, b.due
    )
    SELECT array_agg(f.stream_id) INTO done FROM refreshed f
     WHERE f.returned_position IS NULL AND f.after_version IS NULL AND f.due < 'infinity';
    IF done IS NOT NULL THEN
        WITH place AS MATERIALIZED (
            SELECT v.ctid FROM unnest(done) w (stream_id)
             CROSS JOIN LATERAL (
                   SELECT b.ctid FROM eventcore.backlogs b
                    WHERE b.subscription_id = s.id AND b.stream_id = w.stream_id OFFSET 0) v
        )
        DELETE FROM eventcore.backlogs b USING place p WHERE b.ctid = p.ctid;
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION eventcore.unpark(wanted_subscription text, positions bigint[], deliver_them boolean) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
-- By their indexes, one row at a time: the statistics may come from a moment when the tables were nearly empty.
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
    s       eventcore.subscriptions := eventcore.change_subscription(wanted_subscription);
    missing bigint;
    count   bigint;
    streams text[];
BEGIN
    PERFORM eventcore.check_positions(positions);
    IF positions IS NULL THEN
        positions := ARRAY(SELECT k.position FROM eventcore.parked k WHERE k.subscription_id = s.id);
    END IF;
    SELECT min(p) INTO missing FROM unnest(positions) p
     WHERE NOT EXISTS (SELECT FROM eventcore.parked k WHERE k.subscription_id = s.id AND k.position = p OFFSET 0);
    IF missing IS NOT NULL THEN
        PERFORM eventcore.fail_malformed('positions', format('has %s, which is not parked', missing));
    END IF;
    WITH place AS MATERIALIZED (
        SELECT v.ctid FROM unnest(positions) p
         CROSS JOIN LATERAL (
               SELECT k.ctid FROM eventcore.parked k
                WHERE k.subscription_id = s.id AND k.position = p OFFSET 0) v
    ), taken AS (
        DELETE FROM eventcore.parked k USING place p WHERE k.ctid = p.ctid
        RETURNING k.position, k.version, k.stream_id
    ), delivered AS (
        INSERT INTO eventcore.deliveries (subscription_id, position, version, stream_id)
        SELECT s.id, t.position, t.version, t.stream_id FROM taken t WHERE deliver_them
    ), returned AS (
        INSERT INTO eventcore.backlogs AS b (subscription_id, stream_id, returned_position)
        SELECT s.id, t.stream_id, min(t.position) FROM taken t WHERE deliver_them GROUP BY t.stream_id
            ON CONFLICT ON CONSTRAINT backlogs_pkey
            DO UPDATE SET returned_position = least(b.returned_position, excluded.returned_position)
    )
    SELECT count(*), array_agg(t.stream_id) INTO count, streams FROM taken t;
    IF s.on_parked = 'stop' THEN
        PERFORM eventcore.refresh_backlogs(s, streams, true);
    END IF;
    PERFORM eventcore.announce_work(true);
    RETURN count;
END
$$;

CREATE FUNCTION @extschema@.eventcore_park(subscription text, positions bigint[], reason text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
-- By their indexes, one row at a time: the statistics may come from a moment when the tables were nearly empty.
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
    s       eventcore.subscriptions := eventcore.change_subscription(subscription);
    other   bigint;
    held    record;
    given   record;
    count   bigint := 0;
    streams text[];
BEGIN
    IF positions IS NULL THEN
        PERFORM eventcore.fail_malformed('positions', 'is NULL');
    END IF;
    PERFORM eventcore.check_positions(positions);
    -- The events of a consumer that has died are its own until a poll takes them back, and none may come.
    PERFORM eventcore.take_back_expired(s, clock_timestamp());
    -- Only an event that waits to be delivered again: one that was never delivered would come with the next poll, and one that a
    -- consumer has may take effect at this moment.
    SELECT min(w.position) INTO other
      FROM unnest(positions) w (position)
     WHERE NOT EXISTS (SELECT FROM eventcore.deliveries d
                        WHERE d.subscription_id = s.id AND d.position = w.position AND d.lease_id IS NULL OFFSET 0)
       AND NOT EXISTS (SELECT FROM eventcore.parked k WHERE k.subscription_id = s.id AND k.position = w.position OFFSET 0);
    IF other IS NOT NULL THEN
        SELECT l.consumer, l.leased_until INTO held
          FROM eventcore.leases l
         CROSS JOIN LATERAL (SELECT unnest(coalesce(d.positions, ARRAY[d.position])) AS position
                               FROM eventcore.deliveries d WHERE d.lease_id = l.lease_id OFFSET 0) e
         WHERE l.subscription_id = s.id AND e.position = other
           AND NOT EXISTS (SELECT FROM eventcore.acknowledged a
                            WHERE a.subscription_id = s.id AND a.lease_id = l.lease_id AND a.position = other OFFSET 0);
        PERFORM eventcore.fail_malformed('positions',
            CASE WHEN held.consumer IS NULL THEN format('has %s, which does not wait to be delivered again', other)
                 ELSE format('has %s, which consumer "%s" has leased until %s', other, held.consumer, held.leased_until) END);
    END IF;
    streams := ARRAY(SELECT DISTINCT d.stream_id FROM unnest(positions) w (position)
                       JOIN eventcore.deliveries d ON d.subscription_id = s.id AND d.position = w.position);
    FOR given IN
        SELECT greatest(d.failures, d.expiries, 1) AS attempts, d.consumer, array_agg(d.position) AS positions
          FROM (SELECT DISTINCT unnest(positions)) w (position)
          JOIN eventcore.deliveries d ON d.subscription_id = s.id AND d.position = w.position
         GROUP BY 1, 2
    LOOP
        PERFORM eventcore.park(s, given.positions, given.attempts, given.consumer,
                               coalesce(reason, format('set aside by %s', session_user)));
        count := count + cardinality(given.positions);
    END LOOP;
    -- A delay was that of an event that is parked now. The later events of a stream that goes on do not wait for its end.
    UPDATE eventcore.backlogs b
       SET (due, delayed_at) = (
               SELECT coalesce(max(d.not_before), '-infinity'), max(d.failed_at) FILTER (WHERE d.not_before > d.failed_at)
                 FROM eventcore.deliveries d
                WHERE d.subscription_id = s.id AND d.stream_id = b.stream_id AND d.lease_id IS NULL
                  AND d.failed_at <= clock_timestamp())
      FROM unnest(streams) t (stream_id)
     WHERE b.subscription_id = s.id AND b.stream_id = t.stream_id COLLATE "C" AND b.due < 'infinity';
    PERFORM eventcore.announce_work(true);
    RETURN count;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_park(text, bigint[], text) IS
$$Sets aside events that wait to be delivered again, without a lease: for a person, while the consumer that fails on them is
dead or the subscription is paused. Returns how many; events that are parked already stay so. eventcore_replay_parked delivers
them again. What is due of expired leases is taken back first, as a poll does.

positions: which. reason: why, for operators; NULL: who did it.
SE003 one of them was never delivered, is done, or is leased: pause the subscription and wait for the end of the lease.
SE007 no such subscription.$$;
REVOKE ALL ON FUNCTION @extschema@.eventcore_park(text, bigint[], text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.eventcore_park(text, bigint[], text) TO eventcore_subscriber;

CREATE OR REPLACE FUNCTION eventcore.sweep() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
-- By their indexes: the statistics may come from a moment when the tables were nearly empty.
SET enable_seqscan = off
SET enable_bitmapscan = off
SET jit = off
AS $$
DECLARE
    orphans uuid[];
BEGIN
    -- Logical replication may bring rows before the subscription that they belong to.
    IF EXISTS (SELECT FROM pg_subscription s JOIN pg_subscription_rel r ON r.srsubid = s.oid
                WHERE s.subenabled AND r.srrelid = ANY (ARRAY['eventcore.subscriptions'::regclass, 'eventcore.deliveries',
                                                              'eventcore.backlogs', 'eventcore.leases', 'eventcore.acknowledged'])) THEN
        RETURN;
    END IF;
    -- From one subscription to the next in the indexes, however many rows each of them has.
    orphans := ARRAY(
        WITH RECURSIVE present (id) AS (
            SELECT uuid '00000000-0000-0000-0000-000000000000'
             UNION ALL
            SELECT least(
                   (SELECT b.subscription_id FROM eventcore.backlogs b
                     WHERE b.subscription_id > p.id ORDER BY b.subscription_id LIMIT 1),
                   (SELECT d.subscription_id FROM eventcore.deliveries d
                     WHERE d.subscription_id > p.id ORDER BY d.subscription_id LIMIT 1),
                   (SELECT l.subscription_id FROM eventcore.leases l
                     WHERE l.subscription_id > p.id ORDER BY l.subscription_id LIMIT 1),
                   (SELECT a.subscription_id FROM eventcore.acknowledged a
                     WHERE a.subscription_id > p.id ORDER BY a.subscription_id LIMIT 1))
              FROM present p WHERE p.id IS NOT NULL
        )
        SELECT p.id FROM present p
         WHERE p.id IS NOT NULL AND NOT EXISTS (SELECT FROM eventcore.subscriptions s WHERE s.id = p.id));
    DELETE FROM eventcore.backlogs b WHERE b.subscription_id = ANY (orphans);
    DELETE FROM eventcore.deliveries d
     WHERE d.ctid = ANY (ARRAY(
               SELECT o.ctid FROM eventcore.deliveries o WHERE o.subscription_id = ANY (orphans) FOR UPDATE SKIP LOCKED));
    DELETE FROM eventcore.acknowledged a
     WHERE a.subscription_id = ANY (orphans)
       AND NOT EXISTS (SELECT FROM eventcore.deliveries d WHERE d.lease_id = a.lease_id OFFSET 0);
    DELETE FROM eventcore.leases l
     WHERE l.ctid = ANY (ARRAY(
               SELECT o.ctid FROM eventcore.leases o WHERE o.subscription_id = ANY (orphans) FOR UPDATE SKIP LOCKED));
END
$$;

CREATE OR REPLACE FUNCTION @extschema@.eventcore_create_subscription(
    name            text,
    stream_prefixes text[]   DEFAULT NULL,
    event_types     text[]   DEFAULT NULL,
    start_from      text     DEFAULT 'start',
    lease           interval DEFAULT '30 seconds',
    retry_limit     bigint   DEFAULT 10,
    on_parked       text     DEFAULT 'continue'
)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    on_parked CONSTANT text COLLATE "C" := on_parked;
    existing eventcore.subscriptions;
    after_position bigint;
BEGIN
    PERFORM eventcore.check_name('name', name);
    PERFORM eventcore.check_names('stream_prefixes', stream_prefixes);
    PERFORM eventcore.check_names('event_types', event_types);
    lease := eventcore.check_time('lease', lease, '1 ms');
    IF retry_limit IS NULL OR retry_limit NOT BETWEEN 0 AND 2147483647 THEN
        PERFORM eventcore.fail_malformed('retry_limit', 'is not a number of retries from 0 to 2147483647');
    ELSIF on_parked IS NULL OR on_parked NOT IN ('continue', 'stop') THEN
        PERFORM eventcore.fail_malformed('on_parked', 'is neither ''continue'' nor ''stop''');
    END IF;
    after_position := eventcore.start_position(start_from);

    PERFORM eventcore.lock_to_change(name, 'name');
    SELECT * INTO existing FROM eventcore.subscriptions s WHERE s.name = name COLLATE "C";
    IF NOT FOUND THEN
        PERFORM eventcore.sweep();
        INSERT INTO eventcore.subscriptions
               (name, stream_prefixes, event_types, read_position, lease, retry_limit, on_parked, home_id)
        VALUES (name, stream_prefixes, event_types, after_position, lease, retry_limit, on_parked, eventcore.home_id());
        RETURN true;
    ELSIF existing.home_id <> eventcore.home_id() THEN
        PERFORM eventcore.fail_copied('subscription', name);
    ELSIF (existing.stream_prefixes, existing.event_types, existing.lease, existing.retry_limit, existing.on_parked)
            IS DISTINCT FROM (stream_prefixes, event_types, lease, retry_limit, on_parked) THEN
        PERFORM eventcore.fail_malformed('name',
            format('is "%s", which names an existing subscription with a different definition', name));
    END IF;
    RETURN false;
END
$$;

CREATE OR REPLACE FUNCTION eventcore.change_projection_parked(projection text, positions bigint[]) RETURNS eventcore.projections
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
-- By the indexes: the statistics may come from a moment when the table was nearly empty.
SET enable_seqscan = off
SET enable_bitmapscan = off
SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
    p       eventcore.projections := eventcore.change_projection(projection, 'projection');
    missing bigint;
BEGIN
    PERFORM eventcore.check_projection_owner(p.name, p.owner);
    PERFORM eventcore.check_positions(positions);
    SELECT n INTO missing FROM unnest(positions) n
     WHERE NOT EXISTS (SELECT FROM eventcore.projection_parked k WHERE k.projection = p.name AND k.position = n OFFSET 0)
     LIMIT 1;
    IF FOUND THEN
        PERFORM eventcore.fail_malformed('positions', format('has %s, which is not parked', missing));
    END IF;
    RETURN p;
END
$$;

CREATE OR REPLACE FUNCTION @extschema@.eventcore_replay_projection_parked(projection text, positions bigint[] DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
-- By the indexes, one row at a time: the statistics may come from a moment when the table was nearly empty.
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
    p     eventcore.projections := eventcore.change_projection_parked(projection, positions);
    count bigint;
BEGIN
    IF positions IS NULL THEN
        positions := ARRAY(SELECT k.position FROM eventcore.projection_parked k WHERE k.projection = p.name);
    END IF;
    WITH place AS MATERIALIZED (
        SELECT v.ctid FROM unnest(positions) n
         CROSS JOIN LATERAL (
               SELECT k.ctid FROM eventcore.projection_parked k
                WHERE k.projection = p.name AND k.position = n OFFSET 0) v
    )
    UPDATE eventcore.projection_parked k SET replay = true FROM place t WHERE k.ctid = t.ctid;
    GET DIAGNOSTICS count = ROW_COUNT;
    RETURN count;
END
$$;

ALTER FUNCTION @extschema@.eventcore_parked(text, bigint, bigint) SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off;
ALTER FUNCTION @extschema@.eventcore_projection_parked(text, bigint, bigint)
    SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off;

CREATE OR REPLACE VIEW eventcore.stat_subscriptions AS
SELECT s.name, s.paused,
       c.checkpoint,
       h.safe_position,
       (SELECT greatest(h.safe_position - c.checkpoint - coalesce(sum(greatest(
                   least(h.safe_position, y.first_position) - greatest(c.checkpoint, y.reserved_position), 0)), 0), 0)::bigint
             FROM eventcore.history y WHERE y.cause <> 'new') AS lag_events,
       coalesce(extract(epoch FROM pg_catalog.clock_timestamp() - n.recorded_at), 0)::double precision AS lag_seconds,
       coalesce(o.leased, 0)::bigint AS leased,
       o.leases,
       o.consumers,
       (SELECT count(*) FROM eventcore.deliveries v WHERE v.subscription_id = s.id AND v.lease_id IS NULL) AS waiting,
       (SELECT count(*) FROM eventcore.deliveries v
         WHERE v.subscription_id = s.id AND v.failed_at IS NOT NULL AND v.failures > 0) AS retrying,
       b.streams_behind,
       (SELECT count(*) FROM eventcore.parked k WHERE k.subscription_id = s.id) AS parked,
       CASE WHEN s.on_parked = 'stop' THEN b.streams_stopped ELSE 0 END AS streams_stopped,
       f.reason AS last_error,
       f.failed_at AS last_error_at,
       s.read_position, s.stream_prefixes, s.event_types,
       extract(epoch FROM s.lease)::double precision AS lease_seconds, s.retry_limit, s.on_parked, s.created_at,
       s.home_id <> eventcore.home_id() AS is_copy,
       (SELECT min(k.parked_at) FROM eventcore.parked k
         WHERE k.subscription_id = s.id AND k.parked_at > '-infinity') AS oldest_parked_at,
       o.expired_leases,
       o.oldest_expired_at
  FROM eventcore.subscriptions s
 CROSS JOIN (SELECT eventcore.safe_position() AS safe_position) h
 CROSS JOIN LATERAL (
       SELECT sum(d.events) AS leased, count(*) AS leases, count(DISTINCT l.consumer) AS consumers,
              count(*) FILTER (WHERE l.leased_until <= pg_catalog.clock_timestamp()) AS expired_leases,
              min(l.leased_until) FILTER (WHERE l.leased_until <= pg_catalog.clock_timestamp()) AS oldest_expired_at
         FROM eventcore.leases l
        CROSS JOIN LATERAL (
              SELECT coalesce(sum(coalesce(cardinality(v.positions), 1)), 0)
                     - (SELECT count(*) FROM eventcore.acknowledged a
                         WHERE a.subscription_id = l.subscription_id AND a.lease_id = l.lease_id) AS events
                FROM eventcore.deliveries v WHERE v.lease_id = l.lease_id) d
        WHERE l.subscription_id = s.id AND d.events > 0) o
 CROSS JOIN LATERAL (
       SELECT count(v.after_version) AS streams_behind, count(*) FILTER (WHERE v.due = 'infinity') AS streams_stopped,
              min(v.next_position) AS first_position
         FROM eventcore.backlogs v WHERE v.subscription_id = s.id) b
  LEFT JOIN LATERAL (
       SELECT e.failed_at, e.reason
         FROM ((SELECT v.failed_at, v.reason FROM eventcore.deliveries v
                 WHERE v.subscription_id = s.id AND v.failed_at IS NOT NULL ORDER BY v.failed_at DESC LIMIT 1)
                UNION ALL
               (SELECT k.parked_at, k.reason FROM eventcore.parked k
                 WHERE k.subscription_id = s.id AND k.parked_at > '-infinity' ORDER BY k.parked_at DESC LIMIT 1)) e
        ORDER BY e.failed_at DESC LIMIT 1) f ON true
 CROSS JOIN LATERAL (
       SELECT coalesce(least((SELECT v.position FROM eventcore.deliveries v WHERE v.subscription_id = s.id AND v.positions IS NULL
                               ORDER BY v.position LIMIT 1),
                             (SELECT min(e.position) FROM eventcore.leases l
                               CROSS JOIN LATERAL (SELECT v.positions FROM eventcore.deliveries v
                                                    WHERE v.lease_id = l.lease_id AND v.positions IS NOT NULL OFFSET 0) w
                               CROSS JOIN LATERAL (SELECT p AS position FROM unnest(w.positions) WITH ORDINALITY u (p, place)
                                                    WHERE NOT EXISTS (SELECT FROM eventcore.acknowledged a
                                                                       WHERE a.subscription_id = s.id AND a.lease_id = l.lease_id AND a.position = p)
                                                    ORDER BY place LIMIT 1) e
                               WHERE l.subscription_id = s.id),
                             b.first_position) - 1, s.read_position) AS checkpoint OFFSET 0) c
  LEFT JOIN LATERAL (
       SELECT v.recorded_at FROM eventcore.events v
        WHERE v.position > c.checkpoint AND v.position <= h.safe_position
        ORDER BY v.position LIMIT 1) n ON true;
COMMENT ON COLUMN eventcore.stat_subscriptions.oldest_parked_at IS
    'When the event was parked that has been parked longest; NULL: none is parked.';
COMMENT ON COLUMN eventcore.stat_subscriptions.expired_leases IS
    'Leases with events that have expired: no poll has taken their events back yet.';
COMMENT ON COLUMN eventcore.stat_subscriptions.oldest_expired_at IS 'When the first of these leases expired; NULL: there is none.';

-- Which rebuild took the place of a projection.

ALTER TABLE eventcore.projections
    ADD COLUMN last_rebuild text,
    ADD COLUMN rebuilt_at timestamptz;
COMMENT ON COLUMN eventcore.projections.last_rebuild IS
    'The shadow_schema of the rebuild that took its place last, by which that rebuild is told from one that was dropped; NULL: none did.';
COMMENT ON COLUMN eventcore.projections.rebuilt_at IS 'When a rebuild with a shadow took its place last; NULL: none did.';
GRANT UPDATE (last_rebuild, rebuilt_at) ON eventcore.projections TO eventcore_projector;

CREATE OR REPLACE FUNCTION eventcore.take_place(wanted text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
DECLARE
    p       eventcore.projections := eventcore.find_projection(wanted);
    one     regclass;
    deletes text;
    inserts text;
    old_sequence text;
    new_sequence text;
    patience CONSTANT text := current_setting('lock_timeout');
    is_left  boolean;
BEGIN
    -- Readers need not wait. Writers must, and so must sessions that lock rows, because these rows are deleted. The wait is
    -- short, because others queue up behind it: after 55P03 the worker tries again.
    PERFORM set_config('lock_timeout', '200 ms', true);
    FOR one IN SELECT DISTINCT t::regclass FROM unnest(p.tables) t ORDER BY 1 LOOP
        EXECUTE format('LOCK TABLE %s IN EXCLUSIVE MODE', one);
    END LOOP;
    PERFORM set_config('lock_timeout', patience, true);
    -- The tables cannot change from here on, but they may have changed since eventcore_rebuild_projection was called.
    PERFORM eventcore.check_shadow_possible(eventcore.find_projection(p.rebuilds));
    -- One statement for all tables: foreign keys between them are checked at its end.
    SELECT string_agg(format('%I AS (DELETE FROM %s)', 'd' || t.number, t.original), ', '),
           string_agg(format('%I AS (INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %I.%I)',
                             't' || t.number, t.original, t.columns, t.columns, p.shadow_schema, t.relname), ', ')
      INTO deletes, inserts
      FROM (SELECT row_number() OVER (ORDER BY c.oid) AS number, c.oid::regclass AS original, c.relname,
                   (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
                     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns
              FROM pg_class c WHERE c.oid IN (SELECT t::regclass FROM unnest(p.tables) t)) t;
    deletes := format('WITH %s SELECT', deletes);
    inserts := format('WITH %s SELECT', inserts);
    -- A policy must not hide rows that are replaced: PostgreSQL raises an error then. The tables of eventcore have policies
    -- of their own, so this holds only for these statements.
    PERFORM set_config('row_security', 'off', true);
    -- With the search_path that triggers and functions in constraints have when the handler writes.
    PERFORM set_config('search_path', s.reset_val, true) FROM pg_settings s WHERE s.name = 'search_path';
    EXECUTE deletes;
    FOR one IN SELECT DISTINCT t::regclass FROM unnest(p.tables) t LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', one) INTO is_left;
        IF is_left THEN
            PERFORM eventcore.fail_unavailable('rows_left', ARRAY[one::pg_catalog.text, wanted, p.rebuilds]);
        END IF;
    END LOOP;
    EXECUTE inserts;
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    PERFORM set_config('row_security', 'on', true);

    -- The sequence of an identity column continues after the highest value drawn for either table. It never goes back, because
    -- a rollback does not undo setval. Other sequences were shared.
    FOR old_sequence, new_sequence IN
        SELECT pg_get_serial_sequence(c.oid::regclass::text, a.attname),
               pg_get_serial_sequence(format('%I.%I', p.shadow_schema, c.relname), a.attname)
          FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
         WHERE c.oid IN (SELECT t::regclass FROM unnest(p.tables) t) AND a.attidentity <> '' AND NOT a.attisdropped
    LOOP
        EXECUTE format('SELECT setval(%L, CASE WHEN NOT o.is_called THEN n.last_value
                                               WHEN s.seqincrement > 0 THEN greatest(o.last_value, n.last_value)
                                               ELSE least(o.last_value, n.last_value) END)
                          FROM %s o, %s n, pg_sequence s WHERE n.is_called AND s.seqrelid = %L::regclass
                           AND (o.is_called OR CASE WHEN s.seqincrement > 0 THEN n.last_value >= o.last_value
                                                    ELSE n.last_value <= o.last_value END)',
                       old_sequence, old_sequence, new_sequence, old_sequence);
    END LOOP;

    PERFORM eventcore.delete_projection_parked(p.rebuilds, NULL);
    UPDATE eventcore.projection_parked k SET projection = p.rebuilds WHERE k.projection = p.name;
    UPDATE eventcore.projections t
       SET checkpoint = p.checkpoint, singly_until = p.singly_until, skipped = p.skipped, attempts = 0, retry_at = '-infinity',
           reset_pending = false, table_ids = eventcore.table_ids(p.tables), last_error = p.last_error, last_sqlstate = p.last_sqlstate,
           last_error_position = p.last_error_position, last_error_at = p.last_error_at,
           last_rebuild = p.shadow_schema, rebuilt_at = clock_timestamp(),
           status = CASE t.status WHEN 'failed' THEN 'running' ELSE t.status END
     WHERE t.name = p.rebuilds;
    PERFORM eventcore.delete_projection(p.name);
    PERFORM eventcore.drop_shadow(p);
END
$$;

CREATE OR REPLACE VIEW eventcore.stat_projections AS
SELECT p.name, p.mode,
       CASE WHEN p.home_id = eventcore.home_id() THEN p.status ELSE 'copy' END AS status,
       coalesce((SELECT r.rolname::text FROM pg_catalog.pg_roles r
                  WHERE r.oid = p.owner AND p.home_id = eventcore.home_id()), p.owner_name) AS owner,
       p.checkpoint, h.safe_position,
       CASE p.mode WHEN 'async' THEN (SELECT greatest(h.safe_position - p.checkpoint - coalesce(sum(greatest(
                   least(h.safe_position, y.first_position) - greatest(p.checkpoint, y.reserved_position), 0)), 0), 0)::bigint
             FROM eventcore.history y WHERE y.cause <> 'new') ELSE 0 END AS lag_events,
       CASE p.mode WHEN 'async'
            THEN coalesce(extract(epoch FROM pg_catalog.clock_timestamp() - n.recorded_at), 0)::double precision
            ELSE 0 END AS lag_seconds,
       l.pid AS worker_pid,
       CASE WHEN p.mode = 'async' AND p.status = 'running' AND p.home_id = eventcore.home_id() AND l.pid IS NULL
            THEN coalesce(eventcore.owner_waits_for(p.owner),
                          CASE WHEN NOT (pg_catalog.has_schema_privilege(p.owner, 'eventcore', 'USAGE')
                                    AND pg_catalog.has_column_privilege(p.owner, 'eventcore.projections', 'checkpoint', 'UPDATE'))
                               THEN 'owner lacks privileges' END,
                          CASE WHEN p.retry_at > pg_catalog.clock_timestamp() THEN 'retry' END) END AS waits_for,
       p.attempts, p.retry_at, p.skipped,
       (SELECT count(*) FROM eventcore.projection_parked k WHERE k.projection = p.name) AS parked,
       p.last_error, p.last_sqlstate, p.last_error_position, p.last_error_at,
       p.handler, p.stream_prefixes, p.event_types, p.batch_size, p.on_error, p.retry_limit, p.created_at,
       p.rebuilds, p.shadow_schema,
       (SELECT min(k.parked_at) FROM eventcore.projection_parked k
         WHERE k.projection = p.name AND k.parked_at > '-infinity') AS oldest_parked_at,
       p.rebuilt_at
  FROM eventcore.projections p
 CROSS JOIN (SELECT eventcore.safe_position() AS safe_position) h
 CROSS JOIN LATERAL (SELECT eventcore.projection_key(p.name) AS key OFFSET 0) k
  LEFT JOIN pg_catalog.pg_locks l
         ON l.locktype = 'advisory' AND l.objsubid = 21320 AND l.granted
        AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
        AND l.classid::bigint = (k.key >> 32) & 4294967295 AND l.objid::bigint = k.key & 4294967295
  LEFT JOIN LATERAL (
       SELECT v.recorded_at FROM eventcore.events v
        WHERE v.position > p.checkpoint AND v.position <= h.safe_position
        ORDER BY v.position LIMIT 1) n ON true;
COMMENT ON COLUMN eventcore.stat_projections.oldest_parked_at IS
    'When the event was parked that has been parked longest; NULL: none is parked.';
COMMENT ON COLUMN eventcore.stat_projections.rebuilt_at IS 'When a rebuild with a shadow took its place last; NULL: none did.';

-- Reading: lists of streams, the position of a time, and checkpoints backward.

CREATE FUNCTION @extschema@.eventcore_streams(
    prefix    text   DEFAULT '',
    after     text   DEFAULT '',
    max_count bigint DEFAULT 100
)
RETURNS TABLE (
    stream_id        text,
    version          bigint,
    state            text,
    last_position    bigint,
    last_event_type  text,
    last_recorded_at timestamptz
)
LANGUAGE plpgsql STABLE ROWS 100
SET search_path = pg_catalog, pg_temp
-- From stream to stream by the index, whatever the statistics say.
SET enable_seqscan = off
SET enable_bitmapscan = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    prefix CONSTANT text COLLATE "C" := coalesce(prefix, '');
    after  CONSTANT text COLLATE "C" := coalesce(after, '');
    most   CONSTANT bigint := coalesce(max_count, 9223372036854775807);
    -- More than any name with this prefix: the last character that there is, more often than a name has room for.
    beyond CONSTANT text COLLATE "C" := prefix || repeat(chr(1114111), 64);
BEGIN
    IF prefix <> '' THEN
        PERFORM eventcore.check_name('prefix', prefix);
    END IF;
    IF after <> '' THEN
        PERFORM eventcore.check_name('after', after);
    END IF;
    IF most < 0 THEN
        PERFORM eventcore.fail_malformed('max_count', 'is negative');
    END IF;
    RETURN QUERY
    WITH RECURSIVE skip (stream_id, number) AS (
        (SELECT e.stream_id, 1::bigint FROM eventcore.events e
          WHERE e.stream_id >= prefix AND e.stream_id > after AND e.stream_id < beyond
          ORDER BY e.stream_id LIMIT 1)
         UNION ALL
        SELECT n.stream_id, s.number + 1
          FROM skip s
         CROSS JOIN LATERAL (
               SELECT e.stream_id FROM eventcore.events e
                WHERE e.stream_id > s.stream_id AND e.stream_id < beyond
                ORDER BY e.stream_id LIMIT 1) n
         WHERE s.number < most
    ), named AS (
        SELECT s.stream_id FROM skip s
         UNION
        (SELECT t.stream_id FROM eventcore.streams t
          WHERE t.stream_id >= prefix AND t.stream_id > after AND t.stream_id < beyond
          ORDER BY t.stream_id LIMIT most)
         ORDER BY 1 LIMIT most
    )
    SELECT n.stream_id, coalesce(l.version, 0), coalesce(t.state, 'open'), l.position, l.event_type, l.recorded_at
      FROM named n
      LEFT JOIN eventcore.streams t ON t.stream_id = n.stream_id
      LEFT JOIN LATERAL (
           SELECT e.version, e.position, e.event_type, e.recorded_at FROM eventcore.events e
            WHERE e.stream_id = n.stream_id ORDER BY e.version DESC LIMIT 1) l ON true
     ORDER BY n.stream_id;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_streams(text, text, bigint) IS
$$The streams whose name begins with a prefix, in the order of the bytes of their names, each with its last event. It skips
from stream to stream, so it takes as long in a large store as in a small one.

prefix: byte by byte; empty: all streams. after: only streams after this name, for the next page; empty: from the first.
max_count: the most streams to return; NULL: all.
state: open, closed or deleted. A stream that was closed without an event has version 0.
SE003 malformed argument.$$;
REVOKE ALL ON FUNCTION @extschema@.eventcore_streams(text, text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.eventcore_streams(text, text, bigint) TO eventcore_reader;

CREATE FUNCTION @extschema@.eventcore_position_at(at timestamptz) RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET jit = off
AS $$
DECLARE
    low   bigint := 0;
    high  bigint := eventcore.safe_position();
    half  bigint;
    event record;
BEGIN
    IF at IS NULL THEN
        PERFORM eventcore.fail_malformed('at', 'is NULL');
    END IF;
    high := coalesce((SELECT e.position FROM eventcore.events e
                       WHERE e.position <= high ORDER BY e.position DESC LIMIT 1), 0);
    WHILE low < high LOOP
        half := low + (high - low) / 2;
        SELECT e.position, e.recorded_at INTO event
          FROM eventcore.events e
         WHERE e.position > half AND e.position <= high
         ORDER BY e.position LIMIT 1;
        IF event.recorded_at < at THEN
            low := event.position;
        ELSE
            -- Or there is no event between.
            high := half;
        END IF;
    END LOOP;
    RETURN low;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_position_at(timestamptz) IS
$$A position for eventcore_read_all: reading after it begins with the events of this time. 0 if they are all later. It halves
the positions, so it reads a few events.

recorded_at rises with the position only approximately: appends that run at the same time overlap, and a clock may be set
back. So events near the position may be off by as much; look at recorded_at where that matters.
SE003 the time is NULL.$$;
REVOKE ALL ON FUNCTION @extschema@.eventcore_position_at(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.eventcore_position_at(timestamptz) TO eventcore_reader;

COMMENT ON FUNCTION @extschema@.eventcore_read_all(bigint, bigint, boolean, text[], text[], boolean, uuid) IS
$$The events of all streams after a position, in order of position, up to the safe position.

A reader that passes the last position it saw gets every event exactly once, in order, even if transactions commit late or
roll back. It always reads the newest committed state, in every isolation level: an older snapshot could miss events below
the safe position.
max_count: the most events to return; NULL: all.
backward: newest first, the events before after_position; 0: from the safe position.
stream_prefixes: only streams whose name begins with one of these, byte by byte; NULL: all.
event_types: only these types; NULL: all.
with_checkpoint: one more row at the end, in which only position is set: every matching event up to that position has been
returned; backward, every one from that position on. Continue after it, even if it is the only row, so that no event is read
twice. Backward, position 1 is the end: nothing is before it. Such a read skips at most 100,000 events that do not match.
after_event: the id of the last event up to after_position that such a read, with the same filter, returned. After a
fail-over or a restore it shows whether that event still exists.
SE003 malformed argument. SE011 this store has never returned after_position, or after_event is not the last event up to it:
the reader comes from another history. DETAIL says up to which position both histories are the same (agreed). A read backward
does not check this.$$;

-- Counts of executions.

CREATE FUNCTION eventcore.stat_get_executions(
    OUT executions bigint,
    OUT repeats    bigint,
    OUT rejections bigint,
    OUT conflicts  bigint,
    OUT failures   bigint,
    OUT since      timestamptz
)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'eventcore_stat_get_executions';
COMMENT ON FUNCTION eventcore.stat_get_executions() IS 'The row of eventcore.stat_executions.';

REVOKE ALL ON FUNCTION eventcore.stat_get_executions() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION eventcore.stat_get_executions() TO eventcore_reader;

CREATE VIEW eventcore.stat_executions AS
    SELECT x.executions, x.repeats, x.rejections, x.conflicts, x.failures, x.since
      FROM eventcore.stat_get_executions() AS x;
COMMENT ON VIEW eventcore.stat_executions IS
    'How many executions of commands in this database ended in which way: one row. They count at once, even if the transaction is rolled back later. An execution whose arguments are malformed is not counted.';
COMMENT ON COLUMN eventcore.stat_executions.executions IS
    'Executions that decided, with or without events.';
COMMENT ON COLUMN eventcore.stat_executions.repeats IS
    'Executions that returned the result of an earlier one with the same idempotency key or the same event ids.';
COMMENT ON COLUMN eventcore.stat_executions.rejections IS
    'Executions that the function handle rejected (SE006).';
COMMENT ON COLUMN eventcore.stat_executions.conflicts IS
    'Executions refused with SE001: all attempts found a stream locked, or the transaction has an older snapshot.';
COMMENT ON COLUMN eventcore.stat_executions.failures IS
    'Executions that ended with another error, such as an unknown command, a deadlock or a cancelled statement.';
COMMENT ON COLUMN eventcore.stat_executions.since IS
    'When counting began, as in eventcore.stat_appends.';

GRANT SELECT ON eventcore.stat_executions TO eventcore_reader;

-- The role that monitors.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'eventcore_monitor') THEN
        BEGIN
            CREATE ROLE eventcore_monitor NOLOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            -- Another database is creating it now.
            NULL;
        END;
    END IF;
END
$$;

CREATE OR REPLACE VIEW eventcore.granted_privileges AS
WITH member AS (
    SELECT d.classid, d.objid
      FROM pg_catalog.pg_extension e
      JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.refobjid = e.oid
     WHERE e.extname = 'eventcore' AND d.deptype = 'e'
), object AS (
    SELECT m.classid, m.objid, 0 AS part, c.relowner AS owner, CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind,
           coalesce(c.relacl, pg_catalog.acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner)) AS acl
      FROM member m JOIN pg_catalog.pg_class c ON c.oid = m.objid WHERE m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
    UNION ALL
    SELECT m.classid, m.objid, a.attnum, c.relowner, 'COLUMN', a.attacl
      FROM member m JOIN pg_catalog.pg_class c ON c.oid = m.objid JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
     WHERE m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND a.attacl IS NOT NULL AND NOT a.attisdropped
    UNION ALL
    SELECT m.classid, m.objid, 0, p.proowner, CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END,
           coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))
      FROM member m JOIN pg_catalog.pg_proc p ON p.oid = m.objid WHERE m.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
    UNION ALL
    SELECT m.classid, m.objid, 0, n.nspowner, 'SCHEMA', coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))
      FROM member m JOIN pg_catalog.pg_namespace n ON n.oid = m.objid WHERE m.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
    UNION ALL
    SELECT m.classid, m.objid, 0, t.typowner, 'TYPE', coalesce(t.typacl, pg_catalog.acldefault('T', t.typowner))
      FROM member m JOIN pg_catalog.pg_type t ON t.oid = m.objid WHERE m.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
       -- From PostgreSQL 17 on, the types of tables and of arrays are members too. Handlers take rows of tables; an array has the
       -- privileges of its elements.
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.typarray = t.oid)
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind <> 'c')
)
SELECT o.kind,
       (pg_catalog.pg_identify_object(o.classid, o.objid, o.part)).identity AS object,
       a.grantee,
       n.name AS role,
       a.privilege_type AS privilege,
       a.is_grantable,
       CASE WHEN o.part > 0
            THEN pg_catalog.format('REVOKE %s (%I) ON TABLE %s FROM %s', a.privilege_type,
                                   (SELECT c.attname FROM pg_catalog.pg_attribute c WHERE c.attrelid = o.objid AND c.attnum = o.part),
                                   (pg_catalog.pg_identify_object(o.classid, o.objid, 0)).identity, n.name)
            ELSE pg_catalog.format('REVOKE %s ON %s %s FROM %s', a.privilege_type, o.kind,
                                   (pg_catalog.pg_identify_object(o.classid, o.objid, 0)).identity, n.name)
       END || CASE WHEN a.is_grantable THEN ' CASCADE' ELSE '' END AS revoke,
       -- What CREATE EXTENSION has granted to the roles of the extension. pg_dump uses the same catalog.
       coalesce(r.rolname IN ('eventcore_reader', 'eventcore_writer', 'eventcore_subscriber', 'eventcore_executor', 'eventcore_projector',
                               'eventcore_monitor')
                AND EXISTS (SELECT FROM pg_catalog.pg_init_privs i CROSS JOIN pg_catalog.aclexplode(i.initprivs) b
                             WHERE i.classoid = o.classid AND i.objoid = o.objid AND i.objsubid = o.part AND b.grantee = a.grantee
                               AND b.privilege_type = a.privilege_type AND (b.is_grantable OR NOT a.is_grantable)), false) AS as_created
  FROM object o
 CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) a
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
 CROSS JOIN LATERAL (SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC'
                                 ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END AS name) n
 WHERE a.grantee <> o.owner;
COMMENT ON FUNCTION @extschema@.eventcore_check(boolean) IS
$$Checks the extension after a restore, a fail-over or an upgrade. One row for each finding, with the statement that repairs it,
or NULL; no row if everything is well. It reads the catalog and the small tables, in milliseconds.
thorough: also reads every event, so the caller has to be a reader, too.$$;
CREATE FUNCTION eventcore.projections_passed(wanted text[], from_positions bigint[], to_positions bigint[]) RETURNS text[]
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
DECLARE
    written text[];
BEGIN
    WITH passed AS MATERIALIZED (
        SELECT p.name, n.to_position
          FROM unnest(wanted, from_positions, to_positions) n (name, from_position, to_position)
          JOIN eventcore.projections p ON p.name = n.name COLLATE "C"
         WHERE p.checkpoint = n.from_position AND p.status = 'running' AND NOT p.reset_pending
           FOR NO KEY UPDATE OF p SKIP LOCKED
    ), changed AS (
        UPDATE eventcore.projections p
           SET checkpoint = n.to_position, attempts = 0, interruptions = 0
          FROM passed n WHERE p.name = n.name
        RETURNING p.name
    )
    SELECT array_agg(c.name) INTO written FROM changed c;
    RETURN written;
END
$$;
COMMENT ON FUNCTION eventcore.projections_passed(text[], bigint[], bigint[]) IS
    'Records that none of the events up to these positions matches these projections, whose checkpoints are the first positions. Returns those that it has recorded: not those whose rows another transaction has locked.';
REVOKE ALL ON FUNCTION eventcore.projections_passed(text[], bigint[], bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION eventcore.projections_passed(text[], bigint[], bigint[]) TO eventcore_projector;
GRANT USAGE ON SCHEMA eventcore TO eventcore_monitor;
GRANT SELECT ON eventcore.stat_appends, eventcore.stat_executions, eventcore.stat_inflight, eventcore.stat_notifier, eventcore.stat_workers,
    eventcore.stat_subscriptions, eventcore.stat_projections,
    eventcore.granted_privileges, eventcore.expected_triggers, eventcore.expected_indexes,
    eventcore.subscriptions, eventcore.checkpoints, eventcore.projections, eventcore.commands, eventcore.history,
    eventcore.home_id, eventcore.position_blocks
    TO eventcore_monitor;
GRANT SELECT (position, recorded_at) ON eventcore.events TO eventcore_monitor;
GRANT SELECT (subscription_id, lease_id, leased_until, consumer) ON eventcore.leases TO eventcore_monitor;
GRANT SELECT (subscription_id, lease_id, position, positions) ON eventcore.deliveries TO eventcore_monitor;
GRANT SELECT ON eventcore.acknowledged TO eventcore_monitor;
GRANT SELECT (recorded_at) ON eventcore.executions TO eventcore_monitor;
GRANT SELECT (command) ON eventcore.command_states TO eventcore_monitor;
GRANT EXECUTE ON FUNCTION
    eventcore.stat_get_appends(),
    eventcore.stat_get_executions(),
    eventcore.stat_get_inflight(),
    eventcore.stat_get_notifier(),
    eventcore.stat_get_workers(),
    @extschema@.eventcore_safe_position(),
    eventcore.safe_position(),
    eventcore.home_id(),
    eventcore.projection_key(text),
    eventcore.owner_waits_for(regrole),
    @extschema@.eventcore_version(),
    eventcore.library_version(),
    eventcore.require_library(),
    @extschema@.eventcore_check(boolean),
    eventcore.check_library(),
    eventcore.check_tables(),
    eventcore.check_definitions(),
    eventcore.check_rows(),
    eventcore.public_name(text),
    eventcore.find_function(text),
    eventcore.find_table(text)
    TO eventcore_monitor;
