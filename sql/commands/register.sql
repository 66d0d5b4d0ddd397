-- Registering a command.

CREATE FUNCTION eventcore.check_pointers(argument text, pointers text[]) RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    place integer;
BEGIN
    IF array_ndims(pointers) <> 1 THEN
        PERFORM eventcore.fail_malformed(argument, 'has more than one dimension');
    END IF;
    FOR place IN 1 .. coalesce(cardinality(pointers), 0) LOOP
        IF pointers[array_lower(pointers, 1) + place - 1] IS NULL
           OR pointers[array_lower(pointers, 1) + place - 1] COLLATE "C" !~ '^(/([^~/]|~0|~1)*)*$' THEN
            PERFORM eventcore.fail_malformed(argument, 'is not a JSON pointer, such as /from', place - 1);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION eventcore.check_pointers(text, text[]) IS 'SE003 unless all are JSON pointers (RFC 6901).';

CREATE FUNCTION eventcore.check_required_fields(required_fields jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    pointer text;
    type jsonb;
BEGIN
    IF jsonb_typeof(required_fields) <> 'object' THEN
        PERFORM eventcore.fail_malformed('required_fields', 'is not a JSON object');
    END IF;
    FOR pointer, type IN SELECT key, value FROM jsonb_each(required_fields) LOOP
        IF pointer !~ '^(/([^~/]|~0|~1)*)*$' THEN
            PERFORM eventcore.fail_malformed('required_fields', format('has the key "%s", which is not a JSON pointer', pointer));
        ELSIF type NOT IN ('"string"', '"number"', '"boolean"', '"object"', '"array"', '"any"') THEN
            PERFORM eventcore.fail_malformed('required_fields',
                format('has %s for "%s", not string, number, boolean, object, array or any', type, pointer));
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION eventcore.check_required_fields(jsonb) IS 'SE003 unless it is an object of pointers and types, or NULL.';

CREATE FUNCTION eventcore.delete_command_states(command text) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    -- Skips states that a running execution has saved: they will not be used either.
    DELETE FROM eventcore.command_states s
     USING (SELECT k.stream_id, k.role FROM eventcore.command_states k WHERE k.command = $1 COLLATE "C" FOR UPDATE SKIP LOCKED) found
     WHERE s.command = $1 COLLATE "C" AND s.stream_id = found.stream_id AND s.role = found.role
$$;
COMMENT ON FUNCTION eventcore.delete_command_states(text) IS
    'Deletes the saved states of a command, after a new registration has made them useless.';

CREATE FUNCTION eventcore.register_command(
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
COMMENT ON FUNCTION eventcore.register_command(text, regproc, regproc, text[], text[], regproc, regproc, jsonb, jsonb, bigint, regproc, bigint, boolean, text[]) IS
    'The body of eventcore_register_command: it takes functions where that takes their names.';

-- Names of functions are text, because drivers send text. Casts to regproc look them up on the search_path of the caller. So
-- this function does not set search_path, and its own names are bound when it is created.
CREATE FUNCTION @extschema@.eventcore_register_command(
    name             text,
    apply            text,
    handle           text,
    streams          text[]  DEFAULT NULL,
    checked_streams  text[]  DEFAULT NULL,
    streams_function text    DEFAULT NULL,
    related_streams  text    DEFAULT NULL,
    initial_state    jsonb   DEFAULT '{}',
    required_fields  jsonb   DEFAULT NULL,
    max_attempts     bigint  DEFAULT 10,
    combine          text    DEFAULT NULL,
    snapshot_every   bigint  DEFAULT 100,
    replace          boolean DEFAULT false,
    settings         text[]  DEFAULT eventcore.session_settings()
) RETURNS boolean
LANGUAGE sql
BEGIN ATOMIC
    SELECT eventcore.register_command(name, apply::regproc, handle::regproc, streams, checked_streams,
        streams_function::regproc, related_streams::regproc, initial_state, required_fields, max_attempts,
        combine::regproc, snapshot_every, replace, settings);
END;
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
