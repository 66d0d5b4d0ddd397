-- Projections that run inside the server: creating, pausing, dropping and waiting for them.

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
        PERFORM eventcore.fail_malformed('name', 'ends in /rebuild, as only those of rebuilds do');
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
        PERFORM eventcore.fail_malformed('mode', format('is async, for which the role %I would have to be one that may log in', current_user));
    ELSIF mode = 'inline' AND start_from IS DISTINCT FROM 'now' THEN
        PERFORM eventcore.fail_malformed('start_from', 'is not ''now'': an inline projection gets what is appended from now on');
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
        -- Not the safe position: an append that has released its locks may be waiting for its flush.
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
    'eventcore_create_projection, once the names of functions and tables have been looked up.';

-- Names of functions and tables are text, since drivers send text. They are looked up as casts to regproc and regclass look
-- them up, on the search_path of the caller: so this function sets none, and its body is bound when it is created.
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
$$Creates a projection that runs inside the server. Its handler is a function in any language, (event eventcore.events)
or, faster, (events eventcore.events[]), that returns void.

mode: 'async': a background worker that has logged in as the role that created it calls the handler, in the
transaction that writes the checkpoint: each event takes effect exactly once. 'inline': the handler runs in the
transaction of the append with the rights of the appender, as a trigger does, and an error refuses the append; needs
the privilege TRIGGER on eventcore.events and start_from => 'now'.
stream_prefixes, event_types: only such events; NULL: all.
start_from: 'start'; 'now', after what can be read already; or a position, after that.
batch_size: how many events one transaction takes, 1 to 100000.
on_error: what becomes of an event that has failed more often than retry_limit: 'stop', 'skip' or 'park'.
reset: a function () that returns void and empties what the handler writes; tables: the tables that it writes. A
rebuild calls the one and truncates the others, or makes others of the same names.
settings: the settings that an inline handler runs with, for every appender: by default search_path, without temporary tables first, and the
other settings of this session that change what a function does. An async handler has the settings of its owner.
SE003 malformed argument, a function that does not fit or that the caller may not execute, a name that is taken.$$;

CREATE FUNCTION @extschema@.eventcore_pause_projection(name text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
#variable_conflict use_variable
DECLARE
    p eventcore.projections := eventcore.change_projection(name);
BEGIN
    IF p.mode = 'inline' THEN
        PERFORM eventcore.fail_malformed('name', format('is "%s", an inline projection: drop it instead', p.name));
    END IF;
    UPDATE eventcore.projections t SET status = 'paused' WHERE t.name = p.name;
    RETURN true;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_pause_projection(text) IS
$$Waits for the batch that is under way; after that the handler is not called. SE003 an inline projection. SE007 if there is none.$$;

CREATE FUNCTION @extschema@.eventcore_resume_projection(name text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
#variable_conflict use_variable
DECLARE
    p eventcore.projections := eventcore.change_projection(name);
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = p.owner) THEN
        p.owner := (SELECT r.oid FROM pg_roles r WHERE r.rolname = p.owner_name);
        IF p.owner IS NULL THEN
            RAISE EXCEPTION 'projection "%" belongs to the role "%", which does not exist', p.name, p.owner_name
                USING ERRCODE = 'SE009',
                      DETAIL = json_build_object('reason', 'owner_missing', 'projection', p.name, 'owner', p.owner_name),
                      HINT = 'Create the role, or give the projection to another one with eventcore_set_projection_owner(name, owner).';
        END IF;
        UPDATE eventcore.projections t SET owner = p.owner WHERE t.name = p.name;
    END IF;
    UPDATE eventcore.projections t
       SET status = 'running', attempts = 0, retry_at = '-infinity' WHERE t.name = p.name;
    RETURN true;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_resume_projection(text) IS
$$Lets a projection that is paused, has failed or waits to retry go on at once. SE007 if there is none. SE009 its owner does
not exist: as after a restore where that role is missing.$$;

CREATE FUNCTION @extschema@.eventcore_set_projection_owner(name text, owner text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
#variable_conflict use_variable
DECLARE
    p   eventcore.projections := eventcore.change_projection(name);
    new pg_roles;
BEGIN
    SELECT * INTO new FROM pg_roles r WHERE r.rolname = owner COLLATE "C";
    IF NOT FOUND THEN
        PERFORM eventcore.fail_malformed('owner', format('is "%s", and there is no role of this name', owner));
    ELSIF p.mode = 'async' AND NOT new.rolcanlogin THEN
        PERFORM eventcore.fail_malformed('owner', format('is "%s", a role that may not log in', owner));
    END IF;
    -- Whoever gives a projection away says explicitly that its handler may run with the rights of the new owner.
    UPDATE eventcore.projections t
       SET owner = new.oid, status = CASE p.mode WHEN 'async' THEN 'paused' ELSE t.status END WHERE t.name = p.name;
    RETURN true;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_set_projection_owner(text, text) IS
$$Gives a projection to another role: its worker logs in as that role from now on. An async projection is paused until
eventcore_resume_projection. For superusers. SE003 there is no such role,
or one that may not log in. SE007 there is no such projection.$$;

CREATE FUNCTION eventcore.remove_projection(p eventcore.projections) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- In this order: the projection says whose they are.
    PERFORM eventcore.delete_projection_parked(p.name, NULL);
    PERFORM eventcore.delete_projection(p.name);
    PERFORM eventcore.drop_shadow(p);
END
$$;
COMMENT ON FUNCTION eventcore.remove_projection(eventcore.projections) IS
    'Removes a projection, what is parked of it, and the tables of a rebuild.';

CREATE FUNCTION @extschema@.eventcore_drop_projection(name text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
#variable_conflict use_variable
DECLARE
    p       eventcore.projections := eventcore.change_projection(name);
    rebuild eventcore.projections;
BEGIN
    SELECT * INTO rebuild FROM eventcore.projections t
     WHERE p.rebuilds IS NULL AND t.rebuilds = p.name AND t.owner = p.owner;
    IF FOUND THEN
        PERFORM eventcore.remove_projection(eventcore.change_projection(rebuild.name));
    END IF;
    PERFORM eventcore.remove_projection(p);
    RETURN true;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_drop_projection(text) IS
$$Waits for the batch that is under way and removes the projection. Its handler and what that wrote stay. A rebuild of
it that is under way is given up, with its tables. Of a projection "p", "p/rebuild" is the rebuild alone. SE007 if there is none.$$;

CREATE PROCEDURE @extschema@.eventcore_wait_for_projection(
    name             text,
    to_position      bigint   DEFAULT NULL,
    timeout          interval DEFAULT '30 seconds',
    INOUT checkpoint bigint   DEFAULT NULL
)
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_wait_for_projection';
COMMENT ON PROCEDURE @extschema@.eventcore_wait_for_projection(text, bigint, interval, bigint) IS
$$Returns as soon as an async projection has done everything up to a position, such as the last_position of an append,
or when the timeout is over: with how far it is. to_position: NULL: the last one that is committed. It does not hold
back VACUUM while it waits, and cannot be called inside a transaction block (SE009).
SE003 malformed argument. SE007 no such projection. SE009 the projection has failed: it comes no further.$$;

CREATE VIEW eventcore.stat_projections AS
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
       p.rebuilds, p.shadow_schema
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
COMMENT ON VIEW eventcore.stat_projections IS 'How far each projection inside the server is, and what keeps it.';
COMMENT ON COLUMN eventcore.stat_projections.name IS 'The projection.';
COMMENT ON COLUMN eventcore.stat_projections.mode IS 'async or inline.';
COMMENT ON COLUMN eventcore.stat_projections.status IS
    'running, paused or failed; copy: it belongs to another database, which runs it.';
COMMENT ON COLUMN eventcore.stat_projections.owner IS 'The role whose rights its worker has.';
COMMENT ON COLUMN eventcore.stat_projections.checkpoint IS 'All matching events up to here are done.';
COMMENT ON COLUMN eventcore.stat_projections.safe_position IS 'The position that it could have reached.';
COMMENT ON COLUMN eventcore.stat_projections.lag_events IS
    'The number of positions between the two: no more events than this are left to do.';
COMMENT ON COLUMN eventcore.stat_projections.lag_seconds IS
    'The age of the first event after the checkpoint, matching or not; 0 if there is none.';
COMMENT ON COLUMN eventcore.stat_projections.worker_pid IS
    'The process that has it right now; NULL between two batches.';
COMMENT ON COLUMN eventcore.stat_projections.waits_for IS
    'What a running projection waits for where it is not events: retry (at retry_at), read-only (default_transaction_read_only is on for its owner here), owner may not log in, owner may not connect, owner lacks privileges (it is not in eventcore_projector), no free worker, no notifier, and others; NULL: nothing.';
COMMENT ON COLUMN eventcore.stat_projections.attempts IS 'How often the next event has failed.';
COMMENT ON COLUMN eventcore.stat_projections.retry_at IS 'When it is tried again.';
COMMENT ON COLUMN eventcore.stat_projections.skipped IS 'How many events were skipped because they failed.';
COMMENT ON COLUMN eventcore.stat_projections.parked IS 'How many events are parked because they failed.';
COMMENT ON COLUMN eventcore.stat_projections.last_error IS 'What the last failure said.';
COMMENT ON COLUMN eventcore.stat_projections.last_sqlstate IS 'Its SQLSTATE.';
COMMENT ON COLUMN eventcore.stat_projections.last_error_position IS 'The event that failed, where it is known.';
COMMENT ON COLUMN eventcore.stat_projections.last_error_at IS 'When that was.';
COMMENT ON COLUMN eventcore.stat_projections.handler IS 'The function that gets the events.';
COMMENT ON COLUMN eventcore.stat_projections.stream_prefixes IS 'Its filter by streams; NULL: all.';
COMMENT ON COLUMN eventcore.stat_projections.event_types IS 'Its filter by types; NULL: all.';
COMMENT ON COLUMN eventcore.stat_projections.batch_size IS 'The most events in one transaction.';
COMMENT ON COLUMN eventcore.stat_projections.on_error IS 'What becomes of an event that failed too often.';
COMMENT ON COLUMN eventcore.stat_projections.retry_limit IS 'How often an event is retried before that.';
COMMENT ON COLUMN eventcore.stat_projections.created_at IS 'When it was created.';
COMMENT ON COLUMN eventcore.stat_projections.rebuilds IS
    'The projection whose place it takes when it has caught up; NULL: it is no rebuild.';
COMMENT ON COLUMN eventcore.stat_projections.shadow_schema IS 'Where a rebuild has its tables until then.';
