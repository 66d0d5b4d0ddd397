-- Commands that run inside the database: what is registered, and the function that executes one.

CREATE TABLE eventcore.commands (
    max_attempts      integer     NOT NULL,
    changed_at        timestamptz NOT NULL DEFAULT pg_catalog.now(),
    name              text        COLLATE "C" NOT NULL,
    apply             text        NOT NULL,
    handle            text        NOT NULL,
    related_streams   text,
    streams_function  text,
    streams           text[],
    checked_streams   text[],
    required_fields   jsonb,
    initial_state     jsonb       NOT NULL,
    CONSTRAINT commands_pkey PRIMARY KEY (name)
);
COMMENT ON TABLE eventcore.commands IS 'The registered commands. Written by eventcore_register_command.';
COMMENT ON COLUMN eventcore.commands.max_attempts IS
    'How often an execution may start over because of a stream that it found on the way.';
COMMENT ON COLUMN eventcore.commands.changed_at IS 'When it was registered, or replaced.';
COMMENT ON COLUMN eventcore.commands.name IS 'Its name: 1 to 255 bytes, no ASCII control characters.';
COMMENT ON COLUMN eventcore.commands.apply IS 'The function (state jsonb, event eventcore.events) that returns the next state.';
COMMENT ON COLUMN eventcore.commands.handle IS 'The function (state jsonb, input jsonb) that returns the events to write.';
COMMENT ON COLUMN eventcore.commands.related_streams IS
    'The function (state jsonb, input jsonb) that returns further streams to read; NULL: none.';
COMMENT ON COLUMN eventcore.commands.streams_function IS
    'The function (input jsonb) that returns the streams; NULL: the input names them.';
COMMENT ON COLUMN eventcore.commands.streams IS 'JSON pointers to streams in the input.';
COMMENT ON COLUMN eventcore.commands.checked_streams IS
    'JSON pointers to streams in the input that are read and checked, and not written.';
COMMENT ON COLUMN eventcore.commands.required_fields IS
    'An object: JSON pointers into the input, each with the type of what has to be there.';
COMMENT ON COLUMN eventcore.commands.initial_state IS 'The state before the first event.';
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
    'What executions with an idempotency key did. A row that is deleted lets its key be used anew.';
COMMENT ON COLUMN eventcore.executions.recorded_at IS 'When it was executed.';
COMMENT ON COLUMN eventcore.executions.first_position IS 'The position of its first event; NULL if it wrote none.';
COMMENT ON COLUMN eventcore.executions.last_position IS 'The position of its last event; NULL if it wrote none.';
COMMENT ON COLUMN eventcore.executions.command IS 'The command.';
COMMENT ON COLUMN eventcore.executions.idempotency_key IS
    'What the caller knows it by: 1 to 255 bytes, no ASCII control characters.';
COMMENT ON COLUMN eventcore.executions.streams IS 'The streams that it read.';
COMMENT ON COLUMN eventcore.executions.versions IS 'The version of each after it.';
SELECT pg_catalog.pg_extension_config_dump('eventcore.executions', '');

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

CREATE FUNCTION eventcore_execute(
    command         text,
    input           jsonb,
    correlation_id  uuid  DEFAULT NULL,
    causation_id    uuid  DEFAULT NULL,
    idempotency_key text  DEFAULT NULL,
    metadata        jsonb DEFAULT NULL
) RETURNS eventcore.executed
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'eventcore_execute';
COMMENT ON FUNCTION eventcore_execute(text, jsonb, uuid, uuid, text, jsonb) IS
$$Executes a registered command in one round trip: locks and reads the streams that the input names, folds their
events into a state by the command's `apply`, reads what `related_streams` finds in it, and writes the events that
`handle` returns. Its functions run with the caller's rights.

idempotency_key: the same command with the same key is executed once; again, it returns what it did then, whatever
the input is. metadata: an object that is kept with each event; what `handle` gives an event goes before it.
SE002 an event for a stream that was not read. SE003 malformed argument, input, or result of a function.
SE005 stream closed. SE006 `handle` raised an error: that error is in the DETAIL. SE007 unknown command.
SE009 cannot be done here, as in a function of a command.$$;

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
           OR pointers[array_lower(pointers, 1) + place - 1] !~ '^(/([^~/]|~0|~1)*)*$' THEN
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

CREATE FUNCTION eventcore_register_command(
    name             text,
    apply            regproc,
    handle           regproc,
    streams          text[]  DEFAULT NULL,
    checked_streams  text[]  DEFAULT NULL,
    streams_function regproc DEFAULT NULL,
    related_streams  regproc DEFAULT NULL,
    initial_state    jsonb   DEFAULT '{}',
    required_fields  jsonb   DEFAULT NULL,
    max_attempts     integer DEFAULT 10,
    replace          boolean DEFAULT false
) RETURNS void
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
    ELSIF max_attempts IS NULL OR max_attempts < 1 THEN
        PERFORM eventcore.fail_malformed('max_attempts', 'is not at least 1');
    ELSIF streams_function IS NOT NULL AND (streams IS NOT NULL OR checked_streams IS NOT NULL) THEN
        PERFORM eventcore.fail_malformed('streams_function', 'is given beside streams: one or the other');
    ELSIF streams_function IS NULL AND coalesce(cardinality(streams), 0) + coalesce(cardinality(checked_streams), 0) = 0 THEN
        PERFORM eventcore.fail_malformed('streams', 'is empty: where does the input name a stream?');
    END IF;
    PERFORM eventcore.check_pointers('streams', streams);
    PERFORM eventcore.check_pointers('checked_streams', checked_streams);
    PERFORM eventcore.check_required_fields(required_fields);
    command := ROW(
        max_attempts, now(), name,
        eventcore.check_function('apply', apply, ARRAY['jsonb'::regtype, row_of_events], 'jsonb'),
        eventcore.check_function('handle', handle, '{jsonb,jsonb}', 'jsonb'),
        eventcore.check_function('related_streams', related_streams, '{jsonb,jsonb}', 'text[]'),
        eventcore.check_function('streams_function', streams_function, '{jsonb}', 'text[]'),
        streams, checked_streams, required_fields, initial_state);
    IF replace THEN
        DELETE FROM eventcore.commands c WHERE c.name = name;
    END IF;
    INSERT INTO eventcore.commands VALUES (command.*) ON CONFLICT ON CONSTRAINT commands_pkey DO NOTHING;
    IF NOT FOUND THEN
        PERFORM eventcore.fail_malformed('name', 'is that of another command: register with replace => true');
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore_register_command(text, regproc, regproc, text[], text[], regproc, regproc, jsonb, jsonb, integer, boolean) IS
$$Registers a command under a name, for eventcore_execute. Its functions are in any procedural language:
apply(state jsonb, event eventcore.events) returns jsonb, handle(state jsonb, input jsonb) returns jsonb, an array of
{"stream", "type", "payload", "metadata"?, "id"?}.

streams: JSON pointers to the streams in the input, each a string or an array of strings; checked_streams: the
same for streams that are read and checked and not written. Or streams_function(input jsonb) returns text[].
related_streams(state jsonb, input jsonb) returns text[]: further streams, found in the state.
required_fields: what the input has to have, {"/cents": "number"}; types: string, number, boolean, object, array, any.
SE003 malformed argument; a function that is not as it has to be, or that the caller may not execute.$$;

CREATE FUNCTION eventcore_drop_command(name text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
    PERFORM eventcore.check_name('name', name);
    DELETE FROM eventcore.commands c WHERE c.name = name;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION eventcore_drop_command(text) IS
$$Drops a command; false if there is none of this name. Its functions stay. SE003 malformed argument.$$;

REVOKE ALL ON FUNCTION eventcore_execute(text, jsonb, uuid, uuid, text, jsonb) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore_register_command(text, regproc, regproc, text[], text[], regproc, regproc, jsonb, jsonb, integer, boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore_drop_command(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore.check_function(text, regproc, regtype[], regtype) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore.check_pointers(text, text[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore.check_required_fields(jsonb) FROM PUBLIC;
