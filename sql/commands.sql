-- Commands that run inside the database: what is registered, and the function that executes one.

CREATE TABLE eventcore.commands (
    max_attempts      integer     NOT NULL,
    snapshot_every    integer     NOT NULL,
    changed_at        timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    name              text        COLLATE "C" NOT NULL,
    apply             text        NOT NULL,
    handle            text        NOT NULL,
    related_streams   text,
    streams_function  text,
    combine           text,
    streams           text[],
    checked_streams   text[],
    required_fields   jsonb,
    initial_state     jsonb       NOT NULL,
    settings          text[]      NOT NULL DEFAULT '{"search_path=pg_catalog, pg_temp"}',
    function_owners   text[]      COLLATE "C" NOT NULL DEFAULT '{}',
    CONSTRAINT commands_pkey PRIMARY KEY (name),
    CONSTRAINT commands_name_check CHECK (octet_length(name) BETWEEN 1 AND 255 AND name !~ E'[\\u0001-\\u001f\\u007f]')
);
COMMENT ON TABLE eventcore.commands IS 'The registered commands. Written by eventcore_register_command.';
COMMENT ON COLUMN eventcore.commands.max_attempts IS
    'How often an execution may start over because of a stream that it found on the way.';
COMMENT ON COLUMN eventcore.commands.snapshot_every IS
    'An execution that reads this many events of a stream keeps the state that they led to; 0: never.';
COMMENT ON COLUMN eventcore.commands.changed_at IS
    'When it was registered, or replaced, or its kept states were discarded: older ones are not used.';
COMMENT ON COLUMN eventcore.commands.name IS 'Its name: 1 to 255 bytes, no ASCII control characters.';
COMMENT ON COLUMN eventcore.commands.apply IS 'The function (state jsonb, event eventcore.events) that returns the next state.';
COMMENT ON COLUMN eventcore.commands.handle IS 'The function (state jsonb, input jsonb) that returns the events to write.';
COMMENT ON COLUMN eventcore.commands.related_streams IS
    'The function (state jsonb, input jsonb) that returns further streams to read; NULL: none.';
COMMENT ON COLUMN eventcore.commands.streams_function IS
    'The function (input jsonb) that returns the streams; NULL: the input names them.';
COMMENT ON COLUMN eventcore.commands.combine IS
    'The function (state jsonb, state jsonb) that makes one state of those of different streams; NULL: there is none.';
COMMENT ON COLUMN eventcore.commands.streams IS 'JSON pointers to streams in the input.';
COMMENT ON COLUMN eventcore.commands.checked_streams IS
    'JSON pointers to streams in the input that are read and checked, and not written.';
COMMENT ON COLUMN eventcore.commands.required_fields IS
    'An object: JSON pointers into the input, each with the type of what has to be there.';
COMMENT ON COLUMN eventcore.commands.initial_state IS 'The state before the first event.';
COMMENT ON COLUMN eventcore.commands.settings IS
    'The settings, each as name=value, that its functions run with, whatever the session has that executes it.';
COMMENT ON COLUMN eventcore.commands.function_owners IS
    'The roles that owned its functions when it was registered. A function of the same name that is another role''s, and no superuser''s, is not called.';
SELECT pg_catalog.pg_extension_config_dump('eventcore.commands', '');

CREATE TABLE eventcore.executions (
    recorded_at       timestamptz NOT NULL,
    first_position    bigint,
    last_position     bigint,
    command           text        COLLATE "C" NOT NULL,
    idempotency_key   text        COLLATE "C" NOT NULL,
    streams           text[]      NOT NULL,
    versions          bigint[]    NOT NULL,
    CONSTRAINT executions_pkey PRIMARY KEY (command, idempotency_key)
);
COMMENT ON TABLE eventcore.executions IS
    'What executions with an idempotency key did. Once a row is deleted, its key can be used again.';
COMMENT ON COLUMN eventcore.executions.recorded_at IS 'When it was executed.';
COMMENT ON COLUMN eventcore.executions.first_position IS 'The position of its first event; NULL if it wrote none.';
COMMENT ON COLUMN eventcore.executions.last_position IS 'The position of its last event; NULL if it wrote none.';
COMMENT ON COLUMN eventcore.executions.command IS 'The command.';
COMMENT ON COLUMN eventcore.executions.idempotency_key IS
    'What the caller knows it by: 1 to 255 bytes, no ASCII control characters.';
COMMENT ON COLUMN eventcore.executions.streams IS 'The streams that it read.';
COMMENT ON COLUMN eventcore.executions.versions IS 'The version of each after it.';
SELECT pg_catalog.pg_extension_config_dump('eventcore.executions', '');

-- A cache, and not dumped. Nobody is granted anything on it: eventcore_execute reads and writes it beneath SQL, and a
-- state is used only for the role that made it, whose settings may have had a say in what the functions did.
CREATE TABLE eventcore.command_states (
    first_version     bigint      NOT NULL,
    last_version      bigint      NOT NULL,
    kept_at           timestamptz NOT NULL,
    made_by           bigint      NOT NULL,
    last_event_id     uuid        NOT NULL,
    role              oid         NOT NULL,
    command           text        COLLATE "C" NOT NULL,
    stream_id         text        COLLATE "C" NOT NULL,
    state             jsonb       NOT NULL,
    CONSTRAINT command_states_pkey PRIMARY KEY (command, stream_id, role)
) USING heap;
COMMENT ON TABLE eventcore.command_states IS
    'States of long streams that eventcore_execute has kept, to go on from. Any row may be deleted at any time.';
COMMENT ON COLUMN eventcore.command_states.first_version IS 'The first event of the stream that is in the state.';
COMMENT ON COLUMN eventcore.command_states.last_version IS 'The last one; all between are in it too.';
COMMENT ON COLUMN eventcore.command_states.kept_at IS 'When the statement began that kept it.';
COMMENT ON COLUMN eventcore.command_states.made_by IS
    'Which registration and which definition of `apply` made it: under any other it is not used.';
COMMENT ON COLUMN eventcore.command_states.last_event_id IS 'The id of the last event.';
COMMENT ON COLUMN eventcore.command_states.role IS 'The role whose execution kept it, and in whose executions it is used.';
COMMENT ON COLUMN eventcore.command_states.command IS 'The command.';
COMMENT ON COLUMN eventcore.command_states.stream_id IS 'The stream.';
COMMENT ON COLUMN eventcore.command_states.state IS 'The state of this stream alone, from the initial state of the command.';

CREATE TYPE eventcore.executed AS (
    first_position bigint,
    last_position  bigint,
    streams        text[],
    versions       bigint[],
    recorded_at    timestamptz,
    repeated       boolean,
    attempts       integer
);
COMMENT ON TYPE eventcore.executed IS
$$What eventcore_execute did: the positions of its events, NULL if there are none; every stream that it read,
and their versions afterwards; when; whether an earlier execution had done it; how often it was tried.$$;

CREATE FUNCTION @extschema@.eventcore_execute(
    command         text,
    input           jsonb,
    correlation_id  uuid  DEFAULT NULL,
    causation_id    uuid  DEFAULT NULL,
    idempotency_key text  DEFAULT NULL,
    metadata        jsonb DEFAULT NULL
) RETURNS eventcore.executed
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'eventcore_execute';
COMMENT ON FUNCTION @extschema@.eventcore_execute(text, jsonb, uuid, uuid, text, jsonb) IS
$$Executes a registered command in one round trip: locks and reads the streams that the input names, folds their
events into a state by the command's `apply`, reads what `related_streams` finds in it, and writes the events that
`handle` returns. Its functions run with the caller's rights.

idempotency_key: the same command with the same key is executed once; again, it returns what it did then, whatever
the input is. metadata: an object that is kept with each event; what `handle` gives an event goes before it.
SE002 an event for a stream that was not read. SE003 malformed argument, input, or result of a function.
SE005 stream closed. SE006 `handle` raised an error: that error is in the DETAIL. SE007 unknown command.
SE009 not available in this context, for example in a function of a command.$$;

-- What names mean, which checks are made, how text becomes a value and a value becomes text: settings that a session may
-- change and that change what a function decides. Not what limits a session (statement_timeout, work_mem), what chooses a
-- plan, nor settings of the application. The list in extension/src/pg/environment.rs is the same.
CREATE FUNCTION eventcore.session_settings() RETURNS text[]
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT ARRAY['search_path=' || array_to_string(
                     -- Without temporary tables before all others, and without "$user", who is another one at each call.
                     ARRAY(SELECT quote_ident(p) FROM unnest(current_schemas(false)) p WHERE p !~ '^pg_temp_') || 'pg_temp'::text, ', ')]
        || ARRAY(SELECT n || '=' || current_setting(n, true)
                   FROM unnest('{plpgsql.check_asserts,row_security,quote_all_identifiers,transform_null_equals,
                                 gin_fuzzy_search_limit,default_text_search_config,array_nulls,standard_conforming_strings,
                                 xmloption,xmlbinary,TimeZone,timezone_abbreviations,DateStyle,IntervalStyle,lc_monetary,
                                 lc_numeric,lc_time,extra_float_digits,bytea_output}'::text[]) n
                  WHERE current_setting(n, true) IS NOT NULL);
END;
COMMENT ON FUNCTION eventcore.session_settings() IS
    'The settings of this session that change what a function decides, each as name=value; search_path without temporary tables first.';

CREATE FUNCTION eventcore.check_settings(settings text[]) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    settings CONSTANT text[] COLLATE "C" := settings;
    allowed  CONSTANT text[] COLLATE "C" := ARRAY(SELECT split_part(s, '=', 1) FROM unnest(eventcore.session_settings()) s);
    wrong    text COLLATE "C";
    reason   text;
BEGIN
    IF settings IS NULL OR array_ndims(settings) > 1 THEN
        PERFORM eventcore.fail_malformed('settings', 'is not a list of settings, each as name=value');
    END IF;
    SELECT s INTO wrong FROM unnest(settings) s
     WHERE s IS NULL OR strpos(s, '=') = 0 OR split_part(s, '=', 1) <> ALL (allowed) LIMIT 1;
    IF FOUND THEN
        PERFORM eventcore.fail_malformed('settings', format('has "%s", which is not one of the settings that can be kept', wrong));
    ELSIF NOT EXISTS (SELECT FROM unnest(settings) s WHERE split_part(s, '=', 1) = 'search_path') THEN
        PERFORM eventcore.fail_malformed('settings', 'has no search_path');
    END IF;
    -- Each value must be one that this server accepts. The exception takes all of them back.
    BEGIN
        FOREACH wrong IN ARRAY settings LOOP
            PERFORM set_config(split_part(wrong, '=', 1), substr(wrong, strpos(wrong, '=') + 1), true);
        END LOOP;
        wrong := NULL;
        RAISE no_data_found;
    EXCEPTION
        WHEN no_data_found THEN NULL;
        WHEN data_exception OR syntax_error_or_access_rule_violation THEN reason := SQLERRM;
    END;
    IF wrong IS NOT NULL THEN
        PERFORM eventcore.fail_malformed('settings', format('has "%s", which this server does not accept: %s', wrong, reason));
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.check_settings(text[]) IS 'SE003 unless these are settings such as eventcore.session_settings() returns.';

-- The function of a command under its full name, if it takes and returns what it should.
CREATE FUNCTION eventcore.check_function(argument text, function regproc, arguments regtype[], result regtype)
RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found pg_proc;
BEGIN
    IF function IS NULL OR function = 0 THEN
        RETURN NULL;
    END IF;
    SELECT * INTO found FROM pg_proc p WHERE p.oid = function;
    IF found.prokind <> 'f' OR found.proretset
       OR ARRAY(SELECT unnest(found.proargtypes)) IS DISTINCT FROM arguments::oid[]
       OR found.prorettype <> result THEN
        PERFORM eventcore.fail_malformed(argument, format('is %s, not a function (%s) that returns %s',
            function::regprocedure, array_to_string(arguments, ', '), result));
    ELSIF NOT has_function_privilege(found.oid, 'EXECUTE') THEN
        PERFORM eventcore.fail_malformed(argument, format('is %s, which %s may not execute',
            function::regprocedure, current_user));
    END IF;
    RETURN (pg_identify_object('pg_proc'::regclass, found.oid, 0)).identity;
END
$$;
COMMENT ON FUNCTION eventcore.check_function(text, regproc, regtype[], regtype) IS
    'The full name of a function of a command; SE003 if it does not fit.';

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
    -- What an execution that is not over yet has kept is passed over: it is no longer used either.
    DELETE FROM eventcore.command_states s
     USING (SELECT k.stream_id, k.role FROM eventcore.command_states k WHERE k.command = $1 COLLATE "C" FOR UPDATE SKIP LOCKED) found
     WHERE s.command = $1 COLLATE "C" AND s.stream_id = found.stream_id AND s.role = found.role
$$;
COMMENT ON FUNCTION eventcore.delete_command_states(text) IS
    'Deletes the kept states of a command, once another registration of it has made them useless.';

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
    row_of_events CONSTANT regtype := 'eventcore.events';
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
        eventcore.check_function('apply', apply, ARRAY['jsonb'::regtype, row_of_events], 'jsonb'),
        eventcore.check_function('handle', handle, '{jsonb,jsonb}', 'jsonb'),
        eventcore.check_function('related_streams', related_streams, '{jsonb,jsonb}', 'text[]'),
        eventcore.check_function('streams_function', streams_function, '{jsonb}', 'text[]'),
        eventcore.check_function('combine', combine, '{jsonb,jsonb}', 'jsonb'),
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
    'eventcore_register_command, once the names of functions have been looked up.';

-- Names of functions are text, since drivers send text. They are looked up as a cast to regproc looks them up, on the
-- search_path of the caller: so this function sets none, and its body is bound when it is created.
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
$$Registers a command under a name, for eventcore_execute. Its functions are in any procedural language:
apply(state jsonb, event eventcore.events) returns jsonb, handle(state jsonb, input jsonb) returns jsonb, an array of
{"stream", "type", "payload", "metadata"?, "id"?}.

streams: JSON pointers to the streams in the input, each a string or an array of strings; checked_streams: the
same for streams that are read and checked and not written. Or streams_function(input jsonb) returns text[].
related_streams(state jsonb, input jsonb) returns text[]: further streams, found in the state.
required_fields: what the input has to have, {"/cents": "number"}; types: string, number, boolean, object, array, any.
combine(state jsonb, state jsonb) returns jsonb: each stream is then folded on its own, from the initial state, and
this makes one state of theirs, one after the other. snapshot_every: an execution that reads this many events of a
stream keeps its state, and later ones go on from there; 0: never. Without `combine` that is for the first stream
only, since the others are folded into its state. `apply` has to depend on its arguments alone.
settings: the settings that the functions run with, for every executor: by default search_path, without temporary tables first,
and the other settings of this session that change what a function decides. What a function sets for itself goes before them.
SE003 malformed argument; a function that is not as it has to be, or that the caller may not execute.$$;

CREATE FUNCTION @extschema@.eventcore_drop_command(name text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
    PERFORM eventcore.check_name('name', name);
    DELETE FROM eventcore.commands c WHERE c.name = name COLLATE "C";
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM eventcore.delete_command_states(name);
    RETURN true;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_drop_command(text) IS
$$Drops a command; false if there is none of this name. Its functions stay. SE003 malformed argument.$$;

CREATE FUNCTION @extschema@.eventcore_discard_command_states(name text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
    PERFORM eventcore.check_name('name', name);
    UPDATE eventcore.commands c SET changed_at = clock_timestamp() WHERE c.name = name COLLATE "C";
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM eventcore.delete_command_states(name);
    RETURN true;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_discard_command_states(text) IS
$$Lets a command fold its streams from their start again: after a change that `apply` depends on and that is not a
change of `apply` itself, such as that of a function that it calls. Executions that are under way keep nothing that
is used later. False if there is no command of this name. SE003 malformed argument.$$;
