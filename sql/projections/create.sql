-- Creating a projection that runs inside the server.

CREATE FUNCTION eventcore.create_projection(
    name            text,
    handler         regproc,
    mode            text,
    stream_prefixes text[],
    event_types     text[],
    start_from      text,
    batch_size      bigint,
    on_error        text,
    retry_limit     bigint,
    reset           regproc,
    tables          regclass[],
    settings        text[]
) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
SET quote_all_identifiers = off
AS $$
#variable_conflict use_variable
DECLARE
    name       CONSTANT text COLLATE "C" := name;
    mode       CONSTANT text COLLATE "C" := mode;
    start_from CONSTANT text COLLATE "C" := start_from;
    on_error   CONSTANT text COLLATE "C" := on_error;
    one_event   CONSTANT regtype := 'eventcore.events';
    many_events CONSTANT regtype := 'eventcore.events[]';
    takes_array boolean;
    found_handler text;
    after_position bigint;
    wrong regclass;
    me pg_roles;
BEGIN
    PERFORM eventcore.check_name('name', name);
    IF name ~ '/rebuild$' THEN
        PERFORM eventcore.fail_malformed('name', 'ends in /rebuild, which is reserved for rebuilds');
    END IF;
    PERFORM eventcore.check_names('stream_prefixes', stream_prefixes);
    PERFORM eventcore.check_names('event_types', event_types);
    PERFORM eventcore.check_settings(settings);
    SELECT * INTO me FROM pg_roles r WHERE r.rolname = current_user;
    IF handler IS NULL THEN
        PERFORM eventcore.fail_malformed('handler', 'is NULL');
    ELSIF mode IS NULL OR mode NOT IN ('async', 'inline') THEN
        PERFORM eventcore.fail_malformed('mode', 'is neither ''async'' nor ''inline''');
    ELSIF batch_size IS NULL OR batch_size NOT BETWEEN 1 AND 100000 THEN
        PERFORM eventcore.fail_malformed('batch_size', 'is not a number of events from 1 to 100000');
    ELSIF on_error IS NULL OR on_error NOT IN ('stop', 'skip', 'park') THEN
        PERFORM eventcore.fail_malformed('on_error', 'is none of ''stop'', ''skip'' and ''park''');
    ELSIF retry_limit IS NULL OR retry_limit NOT BETWEEN 0 AND 2147483647 THEN
        PERFORM eventcore.fail_malformed('retry_limit', 'is not a number of retries from 0 to 2147483647');
    ELSIF mode = 'async' AND NOT me.rolcanlogin THEN
        PERFORM eventcore.fail_malformed('mode', format('is async, but the role %I may not log in', current_user));
    ELSIF mode = 'inline' AND start_from IS DISTINCT FROM 'now' THEN
        PERFORM eventcore.fail_malformed('start_from', 'is not ''now'': an inline projection gets only events that are appended after it is created');
    END IF;

    takes_array := EXISTS (SELECT FROM pg_proc p WHERE p.oid = handler 
                           AND p.pronargs = 1 AND p.proargtypes[0] = many_events);
    found_handler := eventcore.check_function('handler', handler,
        ARRAY[CASE WHEN takes_array THEN many_events ELSE one_event END], 'void');
    IF found_handler IS NULL THEN
        PERFORM eventcore.fail_malformed('handler', 'is not a function');
    END IF;
    SELECT t INTO wrong FROM unnest(tables) t LEFT JOIN pg_class c ON c.oid = t
     WHERE c.oid IS NULL OR c.relkind NOT IN ('r', 'p') OR c.relpersistence = 't'
        OR c.relnamespace = 'eventcore'::regnamespace
     LIMIT 1;
    IF FOUND OR array_position(tables, NULL) IS NOT NULL THEN
        PERFORM eventcore.fail_malformed('tables', format('has %s, which is not a table of the application', coalesce(wrong::text, 'a NULL')));
    END IF;

    PERFORM eventcore.see_newest('projection');
    PERFORM eventcore.lock_projection(name);
    IF mode = 'inline' THEN
        PERFORM eventcore.lock_events();
    END IF;
    after_position := CASE WHEN mode = 'inline'
        -- Not the safe position: an append that has released its locks may still wait for its flush.
        THEN (SELECT coalesce(max(e.position), 0) FROM eventcore.events e)
        ELSE eventcore.start_position(start_from) END;
    INSERT INTO eventcore.projections
           (name, handler, mode, owner, checkpoint, batch_size, on_error, retry_limit, takes_array, reset,
            stream_prefixes, event_types, settings, home_id, owner_name, function_owners, tables)
    VALUES (name, found_handler, mode, me.oid, after_position, batch_size, on_error, retry_limit, takes_array,
            eventcore.check_function('reset', reset, '{}', 'void'), stream_prefixes, event_types, settings, eventcore.home_id(), me.rolname,
            ARRAY(SELECT DISTINCT r.rolname::text FROM pg_proc f JOIN pg_roles r ON r.oid = f.proowner WHERE f.oid IN (handler, reset)),
            (SELECT array_agg((pg_identify_object('pg_class'::regclass, t, 0)).identity) FROM unnest(tables) t))
    ON CONFLICT ON CONSTRAINT projections_pkey DO NOTHING;
    IF NOT FOUND THEN
        PERFORM eventcore.fail_malformed('name', 'is already in use by another projection; drop that one first');
    END IF;
    UPDATE eventcore.projections p SET status = 'running', table_ids = eventcore.table_ids(p.tables) WHERE p.name = name;
    RETURN true;
END
$$;
COMMENT ON FUNCTION eventcore.create_projection(text, regproc, text, text[], text[], text, bigint, text, bigint, regproc, regclass[], text[]) IS
    'The body of eventcore_create_projection: it takes functions and tables where that takes their names.';

-- Names of functions and tables are text, because drivers send text. Casts to regproc and regclass look them up on the
-- search_path of the caller. So this function does not set search_path, and its own names are bound when it is created.
CREATE FUNCTION @extschema@.eventcore_create_projection(
    name            text,
    handler         text,
    mode            text    DEFAULT 'async',
    stream_prefixes text[]  DEFAULT NULL,
    event_types     text[]  DEFAULT NULL,
    start_from      text    DEFAULT 'start',
    batch_size      bigint  DEFAULT 1000,
    on_error        text    DEFAULT 'stop',
    retry_limit     bigint  DEFAULT 5,
    reset           text    DEFAULT NULL,
    tables          text[]  DEFAULT NULL,
    settings        text[]  DEFAULT eventcore.session_settings()
) RETURNS boolean
LANGUAGE sql
BEGIN ATOMIC
    SELECT eventcore.create_projection(name, handler::regproc, mode, stream_prefixes, event_types, start_from, batch_size,
        on_error, retry_limit, reset::regproc, tables::regclass[], settings);
END;
COMMENT ON FUNCTION @extschema@.eventcore_create_projection(text, text, text, text[], text[], text, bigint, text, bigint, text, text[], text[]) IS
$$Creates a projection that runs inside the server. Its handler is a function in any language that returns void and takes
(event eventcore.events) or, which is faster, (events eventcore.events[]).

mode: 'async': a background worker that has logged in as the role that created it calls the handler, in the
transaction that writes the checkpoint: each event takes effect exactly once. 'inline': the handler runs in the
transaction of the append with the rights of the appender, as a trigger does, and an error refuses the append; needs
the privilege TRIGGER on eventcore.events and start_from => 'now'.
stream_prefixes, event_types: only matching events; NULL: all.
start_from: 'start'; 'now', after the events that can be read already; or a position, after that one.
batch_size: how many events one transaction takes, 1 to 100000.
on_error: what to do with an event that has failed more often than retry_limit: 'stop', 'skip' or 'park'.
reset: a function () that returns void and empties what the handler writes. tables: the tables that the handler writes. A
rebuild calls the function and truncates the tables, or fills shadow tables with the same names.
settings: the settings that an inline handler runs with, for every appender. By default search_path, without temporary tables
first, and the other settings of this session that change what a function does. An async handler has the settings of its owner.
SE003 malformed argument; a function that does not fit or that the caller may not execute; a name that is already in use.$$;
