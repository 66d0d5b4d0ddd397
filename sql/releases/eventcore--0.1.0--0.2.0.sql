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
    known_position    bigint  DEFAULT NULL
)
RETURNS bigint[]
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'eventcore_append_compact';
COMMENT ON FUNCTION @extschema@.eventcore_append_compact(text[], bigint[], text[], text[], text[], text[], uuid[], uuid, uuid, bigint) IS
$$The same as eventcore_append with arrays, for programs, at less cost to the server: payloads and metadata are JSON
texts, and the result is one value: SELECT eventcore_append_compact(…).

Returns {first_position, last_position, recorded_at, repeated, version, …}: the positions, NULL if there were no events; the
time in microseconds since 1970-01-01 00:00 UTC; 1 for a repeat, else 0; then the version of every declared stream in the
order given.

known_position: the position of an append on which the expected versions rest, if nothing was read since. After a fail-over
that lost events, the same versions may stand for other events; then SE011, and the caller has to read again.

The same errors. A text that is not JSON, or that jsonb cannot hold, is SE003; it names the element.$$;
REVOKE ALL ON FUNCTION @extschema@.eventcore_append_compact(text[], bigint[], text[], text[], text[], text[], uuid[], uuid, uuid, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.eventcore_append_compact(text[], bigint[], text[], text[], text[], text[], uuid[], uuid, uuid, bigint)
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
    IF 'eventcore' <> ALL (string_to_array(replace(replace(current_setting('shared_preload_libraries'), ' ', ''), '"', ''), ',')) THEN
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
