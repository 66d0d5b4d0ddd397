-- The install script of eventcore 0.1.0: the files of sql/, in the order of sql/order.txt.
\echo Use "CREATE EXTENSION eventcore" to load this file. \quit

-- sql/schema.sql

-- The first file: what holds for the whole install script, and the schema eventcore.

-- The whole install script looks names up in pg_catalog only. Otherwise a role that may CREATE in the schema that CREATE
-- EXTENSION names could put a function or an operator there whose argument types fit better than those of pg_catalog. It would
-- run with the rights of the superuser that installs the extension, and views would keep it. So a name in that schema is
-- written with a placeholder, which PostgreSQL replaces by the schema. The setting ends with CREATE EXTENSION.
SET LOCAL search_path = pg_catalog, pg_temp;

DO $$
BEGIN
    IF pg_catalog.current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'eventcore needs a database with encoding UTF8, this one has %',
                pg_catalog.current_setting('server_encoding')
            USING ERRCODE = 'SE009',
                  DETAIL = '{"reason": "encoding"}',
                  HINT = 'Create the database with ENCODING ''UTF8'' TEMPLATE template0.';
    END IF;
END
$$;

CREATE SCHEMA eventcore;
COMMENT ON SCHEMA eventcore IS
    'Tables and views of the extension eventcore. Its functions are in the schema that CREATE EXTENSION named.';

-- sql/support/library.sql

-- The library that the server has loaded, and whether it knows what this script creates.

CREATE FUNCTION eventcore.library_version() RETURNS text
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'eventcore_library_version';
COMMENT ON FUNCTION eventcore.library_version() IS 'The version of the library that the server has loaded.';

CREATE FUNCTION eventcore.require_library() RETURNS void
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'eventcore_require_library';
COMMENT ON FUNCTION eventcore.require_library() IS
$$Each script of CREATE EXTENSION and ALTER EXTENSION UPDATE calls this first. SE009, restart_needed: the server has still
loaded the library of an earlier release than the one that the script makes.$$;

SELECT eventcore.require_library();

CREATE FUNCTION @extschema@.eventcore_version(OUT extension text, OUT library text, OUT server text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT (SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname = 'eventcore'),
           eventcore.library_version(),
           pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1);
END;
COMMENT ON FUNCTION @extschema@.eventcore_version() IS
$$The versions in use, one row. extension: of the objects in this database, which ALTER EXTENSION eventcore UPDATE raises.
library: of the library that the server has loaded, which new files and a restart raise. server: of PostgreSQL.$$;

-- sql/support/errors.sql

-- Errors that functions in SQL and PL/pgSQL raise. Rust has their texts, their SQLSTATEs and their DETAIL.
--
-- Two SE009s are raised in SQL itself: `encoding`, before any function exists, and `immutable`, by a trigger that fires for
-- roles with no privilege on these functions.

CREATE FUNCTION eventcore.fail_malformed(argument text, reason text, index integer DEFAULT NULL) RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_fail_malformed';
COMMENT ON FUNCTION eventcore.fail_malformed(text, text, integer) IS
    'Raises SE003; the reason completes the sentence that begins with the argument, or with its element from 0.';

CREATE FUNCTION eventcore.fail_unknown(subscription text) RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_fail_unknown';
COMMENT ON FUNCTION eventcore.fail_unknown(text) IS 'Raises SE007: there is no subscription with this name.';

CREATE FUNCTION eventcore.fail_lost(subscription text, lease_id uuid, positions bigint[]) RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_fail_lost';
COMMENT ON FUNCTION eventcore.fail_lost(text, uuid, bigint[]) IS
    'Raises SE008 for positions that a lease does not hold; without positions, for a lease that holds no events.';

CREATE FUNCTION eventcore.fail_moved(projection text, expected bigint, actual bigint) RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_fail_moved';
COMMENT ON FUNCTION eventcore.fail_moved(text, bigint, bigint) IS
    'Raises SE008 for a checkpoint that is not at the expected position.';

CREATE FUNCTION eventcore.fail_unknown_projection(projection text) RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_fail_unknown_projection';
COMMENT ON FUNCTION eventcore.fail_unknown_projection(text) IS
    'Raises SE007: there is no projection with this name.';

CREATE FUNCTION eventcore.fail_copied(kind text, name text) RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_fail_copied';
COMMENT ON FUNCTION eventcore.fail_copied(text, text) IS
    'Raises SE009: this subscription, checkpoint or projection belongs to another database.';

CREATE FUNCTION eventcore.fail_unavailable(reason text, subjects text[]) RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_fail_unavailable';
COMMENT ON FUNCTION eventcore.fail_unavailable(text, text[]) IS
    'Raises SE009 with this reason. subjects: the names in its message, in the order that extension/src/error/unavailable.rs expects. SE003 for another reason or another number of names.';

-- sql/support/checks.sql

-- Checks that functions share: of arguments, and of the transaction.
--
-- An argument has the collation of the caller's column, and is compared byte by byte. So a comparison has COLLATE "C", or
-- it uses a copy with the same name that DECLARE gives this collation.

CREATE FUNCTION eventcore.check_name(argument text, value text) RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_check_name';
COMMENT ON FUNCTION eventcore.check_name(text, text) IS
    'SE003 unless the value is a name: 1 to 255 bytes without ASCII control characters.';

CREATE FUNCTION eventcore.check_names(argument text, names text[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF names IS NULL THEN
        RETURN;
    ELSIF array_ndims(names) > 1 THEN
        PERFORM eventcore.fail_malformed(argument, 'has more than one dimension');
    ELSIF cardinality(names) NOT BETWEEN 1 AND 1000 THEN
        PERFORM eventcore.fail_malformed(argument, 'must have 1 to 1000 elements (NULL means all)');
    END IF;
    FOR place IN 1 .. cardinality(names) LOOP
        PERFORM eventcore.check_name(argument, names[array_lower(names, 1) + place - 1]);
    END LOOP;
END
$$;
COMMENT ON FUNCTION eventcore.check_names(text, text[]) IS
    'SE003 unless the value is NULL or 1 to 1000 names.';

CREATE FUNCTION eventcore.check_positions(positions bigint[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF array_ndims(positions) > 1 THEN
        PERFORM eventcore.fail_malformed('positions', 'has more than one dimension');
    ELSIF array_position(positions, NULL) IS NOT NULL THEN
        PERFORM eventcore.fail_malformed('positions', 'has a NULL');
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.check_positions(bigint[]) IS
    'SE003 unless the argument positions is NULL or a list of positions.';

CREATE FUNCTION eventcore.check_time(argument text, value interval, minimum interval) RETURNS interval
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF value IS NULL OR value < minimum THEN
        PERFORM eventcore.fail_malformed(argument, format('is not a time of at least %s s', extract(epoch FROM minimum)::double precision));
    ELSIF value > '365 days' THEN
        PERFORM eventcore.fail_malformed(argument, 'is longer than 365 days');
    END IF;
    -- A month has 30 days here, as in comparisons, whatever the date.
    RETURN make_interval(secs => extract(epoch FROM value)::double precision);
END
$$;
COMMENT ON FUNCTION eventcore.check_time(text, interval, interval) IS
    'The value in seconds; SE003 unless it is at least the minimum and at most 365 days.';

CREATE FUNCTION eventcore.start_position(start_from text) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    start_from CONSTANT text COLLATE "C" := start_from;
    safe       CONSTANT bigint := eventcore.safe_position();
BEGIN
    CASE
        WHEN start_from = 'start' THEN
            RETURN 0;
        WHEN start_from = 'now' THEN
            RETURN safe;
        WHEN start_from ~ '^[0-9]{1,18}$' THEN
            PERFORM eventcore.require_told(start_from::bigint, false);
            IF start_from::bigint <= safe THEN
                RETURN start_from::bigint;
            END IF;
            PERFORM eventcore.fail_malformed('start_from', format('is past the safe position, which is %s', safe));
        ELSE
            PERFORM eventcore.fail_malformed('start_from', 'is neither ''start'' nor ''now'' nor a position');
    END CASE;
END
$$;
COMMENT ON FUNCTION eventcore.start_position(text) IS
    'The position after which reading begins, for the argument start_from. SE003 malformed argument. SE011 a position of another history.';

-- Returns the full name of a function, if it has the right arguments and result.
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
    'The full name of a function of an application; SE003 if it has other arguments or another result, or the caller may not execute it.';

CREATE FUNCTION eventcore.see_newest(what text) RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_see_newest';
COMMENT ON FUNCTION eventcore.see_newest(text) IS
    'Lets the following statements see what others have committed by now. Raises SE009 in a transaction block that keeps its snapshot.';

-- sql/support/settings.sql

-- The settings that functions of applications run with: they are recorded at registration.

-- Settings that a session may change and that change what a function decides: how names are resolved, which checks are made,
-- how text becomes a value and a value becomes text. Not limits (statement_timeout, work_mem), planner settings, or settings
-- of the application. The list in extension/src/pg/environment.rs is the same.
CREATE FUNCTION eventcore.session_settings() RETURNS text[]
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT ARRAY['search_path=' || array_to_string(
                     -- Temporary tables come last, not first. "$user" is resolved, because each caller is another user.
                     ARRAY(SELECT quote_ident(p) FROM unnest(current_schemas(false)) p WHERE p !~ '^pg_temp_') || 'pg_temp'::text, ', ')]
        || ARRAY(SELECT n || '=' || value
                   FROM unnest('{plpgsql.check_asserts,row_security,quote_all_identifiers,transform_null_equals,
                                 gin_fuzzy_search_limit,default_text_search_config,array_nulls,standard_conforming_strings,
                                 xmloption,xmlbinary,TimeZone,timezone_abbreviations,DateStyle,IntervalStyle,lc_monetary,
                                 lc_numeric,lc_time,extra_float_digits,bytea_output}'::text[]) n
                        -- A session that has not used PL/pgSQL yet does not know its setting.
                  CROSS JOIN LATERAL (SELECT coalesce(current_setting(n, true),
                                             CASE n WHEN 'plpgsql.check_asserts' THEN 'on' END)) v(value)
                  WHERE value IS NOT NULL);
END;
COMMENT ON FUNCTION eventcore.session_settings() IS
    'The settings of this session that change what a function decides, each as name=value. In search_path, temporary tables come last.';

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
    -- This server must accept each value. The exception undoes all of these settings.
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
COMMENT ON FUNCTION eventcore.check_settings(text[]) IS 'SE003 unless these are settings like those that eventcore.session_settings() returns.';

-- sql/events/tables.sql

-- The tables of events and streams, and the sequences of positions.

-- Columns of fixed width come first and nullable ones last: this order reads fastest.
CREATE TABLE eventcore.events (
    position        bigint      NOT NULL,
    version         bigint      NOT NULL,
    recorded_at     timestamptz NOT NULL,
    event_id        uuid        NOT NULL,
    stream_id       text        COLLATE "C" NOT NULL,
    event_type      text        COLLATE "C" NOT NULL,
    payload         jsonb       NOT NULL,
    metadata        jsonb,
    correlation_id  uuid,
    causation_id    uuid,
    CONSTRAINT events_pkey PRIMARY KEY (position),
    CONSTRAINT events_stream_id_version_key UNIQUE (stream_id, version)
) USING heap;
COMMENT ON TABLE eventcore.events IS
    'Every event, forever. Only eventcore_append writes here; UPDATE, DELETE and TRUNCATE are refused.';
COMMENT ON COLUMN eventcore.events.position IS
    'Place in the global order: unique, ascending, with gaps. Only eventcore_read_all follows it safely.';
COMMENT ON COLUMN eventcore.events.version IS
    'Place in the stream: 1, 2, 3, ... without gaps.';
COMMENT ON COLUMN eventcore.events.recorded_at IS
    'When the event was written, by the server''s clock.';
COMMENT ON COLUMN eventcore.events.event_id IS
    'Id of the event, a UUIDv7 unless the caller gave another id. A repeated append is recognised by it.';
COMMENT ON COLUMN eventcore.events.stream_id IS
    'The stream: 1 to 255 bytes, no ASCII control characters. Compared byte by byte.';
COMMENT ON COLUMN eventcore.events.event_type IS
    'What happened, in the application''s words: 1 to 255 bytes, no ASCII control characters.';
COMMENT ON COLUMN eventcore.events.payload IS
    'The event''s data: any JSON value but null.';
COMMENT ON COLUMN eventcore.events.metadata IS
    'Data about the event, such as the user that caused it: a JSON object, or NULL.';
COMMENT ON COLUMN eventcore.events.correlation_id IS
    'The operation that the event belongs to; the same for all events of one append.';
COMMENT ON COLUMN eventcore.events.causation_id IS
    'What caused the event directly, such as a command; the same for all events of one append.';

-- A stream exists as soon as it has an event. Only a closed or deleted stream has a row here.
CREATE TABLE eventcore.streams (
    stream_id   text        COLLATE "C" NOT NULL,
    state       text        NOT NULL,
    changed_at  timestamptz NOT NULL DEFAULT pg_catalog.now(),
    changed_by  name        NOT NULL DEFAULT pg_catalog."current_user"(),
    reason      text,
    CONSTRAINT streams_pkey PRIMARY KEY (stream_id),
    CONSTRAINT streams_state_check CHECK (state IN ('closed', 'deleted'))
) USING heap;
COMMENT ON TABLE eventcore.streams IS
    'Streams that take no more events. A stream that is not listed here is open.';
COMMENT ON COLUMN eventcore.streams.stream_id IS 'The stream.';
COMMENT ON COLUMN eventcore.streams.state IS 'closed or deleted: in both states an append to it fails with SE005.';
COMMENT ON COLUMN eventcore.streams.changed_at IS 'When the stream entered this state.';
COMMENT ON COLUMN eventcore.streams.changed_by IS 'The role that closed or deleted it.';
COMMENT ON COLUMN eventcore.streams.reason IS 'The reason that this role gave.';

-- Appends get positions from shared memory. This sequence makes them durable, one block of 1024 at a time: a value v stands
-- for the positions v to v + 1023, and no append gets a position before its block is on disk. So no position is ever used
-- twice, even after a crash.
CREATE SEQUENCE eventcore.position_blocks AS bigint START 1 MINVALUE 1 INCREMENT BY 1024 NO CYCLE;
COMMENT ON SEQUENCE eventcore.position_blocks IS
    'Blocks of 1024 positions that the server has reserved; a value is the first position of its block.';

-- The safe position for hot standbys. The notifier writes it after the commits up to that position.
CREATE SEQUENCE eventcore.settled_position AS bigint START 1 MINVALUE 1 NO CYCLE;
COMMENT ON SEQUENCE eventcore.settled_position IS
    'A recent safe position for hot standbys, which see only what is in the log.';

SELECT pg_catalog.pg_extension_config_dump('eventcore.events', '');
SELECT pg_catalog.pg_extension_config_dump('eventcore.streams', '');
SELECT pg_catalog.pg_extension_config_dump('eventcore.position_blocks', '');
SELECT pg_catalog.pg_extension_config_dump('eventcore.settled_position', '');

-- sql/events/triggers.sql

-- Triggers that keep events immutable, and that register rows inserted by SQL.

CREATE FUNCTION eventcore.refuse_change() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'events are immutable: % of % refused', TG_OP, TG_RELID::regclass
        USING ERRCODE = 'SE009',
              DETAIL = '{"reason": "immutable"}',
              HINT = 'Record what changed as a new event.';
END
$$;
COMMENT ON FUNCTION eventcore.refuse_change() IS
    'Trigger that refuses UPDATE, DELETE and TRUNCATE of events (SE009).';

CREATE TRIGGER events_are_immutable
    BEFORE UPDATE OR DELETE OR TRUNCATE ON eventcore.events
    FOR EACH STATEMENT EXECUTE FUNCTION eventcore.refuse_change();
-- Statement triggers do not fire for a statement on a parent table.
CREATE TRIGGER every_event_is_immutable
    BEFORE UPDATE OR DELETE ON eventcore.events
    FOR EACH ROW EXECUTE FUNCTION eventcore.refuse_change();
-- Also if session_replication_role is 'replica'.
ALTER TABLE eventcore.events ENABLE ALWAYS TRIGGER events_are_immutable;
ALTER TABLE eventcore.events ENABLE ALWAYS TRIGGER every_event_is_immutable;
COMMENT ON TRIGGER events_are_immutable ON eventcore.events IS
    'No role changes an event, the owner included.';
COMMENT ON TRIGGER every_event_is_immutable ON eventcore.events IS
    'No role can change an event through a parent table.';

CREATE FUNCTION eventcore.before_insert() RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_before_insert';
COMMENT ON FUNCTION eventcore.before_insert() IS
    'Trigger that registers the positions of rows that SQL inserts, as a restore does, so that readers see them in order.';

-- eventcore_append writes beneath SQL and does not fire this trigger. For each row, because logical replication fires no
-- statement triggers.
CREATE TRIGGER events_before_insert BEFORE INSERT ON eventcore.events
    FOR EACH ROW EXECUTE FUNCTION eventcore.before_insert();
ALTER TABLE eventcore.events ENABLE ALWAYS TRIGGER events_before_insert;
COMMENT ON TRIGGER events_before_insert ON eventcore.events IS
    'Readers wait for rows that SQL inserts, and no append gets their positions.';

-- sql/copies/home.sql

-- The identity of this database, by which rows of another database are recognised. The row of a subscription, a checkpoint or
-- a projection is work for exactly one database. Logical replication, and a restore that disables triggers, bring such rows
-- into a second database. There they are copies: they are not delivered, advanced or run until they are adopted.

-- A sequence, because sequences are part of the files (a base backup, a standby, pg_upgrade), but not of a publication, and
-- without pg_extension_config_dump not of a dump.
CREATE SEQUENCE eventcore.home_id AS bigint MINVALUE 1 NO CYCLE;
COMMENT ON SEQUENCE eventcore.home_id IS
    'A random number that CREATE EXTENSION gave this database. Rows with another home_id belong to another database.';
SELECT FROM pg_catalog.setval('eventcore.home_id', 1 + (
    'x' || pg_catalog.substr(pg_catalog.replace(pg_catalog.gen_random_uuid()::text, '-', ''), 18))::bit(60)::bigint);

CREATE FUNCTION eventcore.home_id() RETURNS bigint
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'eventcore_home_id';
COMMENT ON FUNCTION eventcore.home_id() IS 'The home_id of the rows that belong to this database.';

CREATE FUNCTION eventcore.settle() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.home_id := eventcore.home_id();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION eventcore.settle() IS
    'Trigger that assigns rows that are created or restored here to this database. Not ENABLE ALWAYS: replicated rows keep belonging to the publisher.';

-- sql/events/history.sql

-- Histories. A promotion, a recovery to a point in time and a restore each begin another history: events that readers of
-- the old server have seen may be missing, and others may come instead. So that no position is used twice, another history
-- begins at a multiple of 2^32 above all known positions. It has a row here.

CREATE TABLE eventcore.history (
    first_position    bigint      NOT NULL,
    reserved_position bigint      NOT NULL,
    agreed_position   bigint      NOT NULL,
    began_at          timestamptz NOT NULL,
    system_identifier bigint      NOT NULL,
    timeline          bigint      NOT NULL,
    database          oid         NOT NULL,
    cause             text        COLLATE "C" NOT NULL
) USING heap;
COMMENT ON TABLE eventcore.history IS
    'One row for each history of this store, written when it begins. The row stays even if the transaction that began the history rolls back.';
COMMENT ON COLUMN eventcore.history.first_position IS
    'Where the history begins: no event and no checkpoint of it has a lower position. 1, or a multiple of 2^32.';
COMMENT ON COLUMN eventcore.history.reserved_position IS
    'The last position of the previous history that was known to be reserved. A reader between this and first_position comes from another history (SE011).';
COMMENT ON COLUMN eventcore.history.agreed_position IS
    'Up to here this history and the previous one are the same.';
COMMENT ON COLUMN eventcore.history.began_at IS 'When it began, by the server''s clock.';
COMMENT ON COLUMN eventcore.history.system_identifier IS
    'The cluster that writes it, as in pg_control_system().';
COMMENT ON COLUMN eventcore.history.timeline IS 'The timeline that it is written on.';
COMMENT ON COLUMN eventcore.history.database IS 'The OID of the database that it is written in.';
COMMENT ON COLUMN eventcore.history.cause IS
    'new: the store was empty; timeline: a standby was promoted, or a recovery ended at a point in time; database: the database is a copy by CREATE DATABASE; cluster: it was restored elsewhere, or upgraded; rows: events came by SQL; behind: the sequence of positions was behind the tables.';

SELECT pg_catalog.pg_extension_config_dump('eventcore.history', '');

CREATE FUNCTION eventcore.require_told("position" bigint, or_reserved boolean) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'eventcore_require_told';
COMMENT ON FUNCTION eventcore.require_told(bigint, boolean) IS
    'SE011 if this position is between two histories of this store or, with or_reserved, above every position that was ever reserved: it is of another history.';

-- sql/events/append.sql

-- Appending: the only way to write events.

-- A named type: for each call it costs the server less to describe than OUT arguments.
CREATE TYPE eventcore.appended AS (
    first_position bigint,
    last_position  bigint,
    versions       bigint[],
    recorded_at    timestamptz,
    repeated       boolean
);
COMMENT ON TYPE eventcore.appended IS 'The result of an append.';
COMMENT ON COLUMN eventcore.appended.first_position IS 'The position of its first event; NULL if it had no events.';
COMMENT ON COLUMN eventcore.appended.last_position IS 'The position of its last event; NULL if it had no events.';
COMMENT ON COLUMN eventcore.appended.versions IS
    'The version of every declared stream after the append, in the order of the declaration.';
COMMENT ON COLUMN eventcore.appended.recorded_at IS 'When the events were written, by the server''s clock.';
COMMENT ON COLUMN eventcore.appended.repeated IS
    'Whether an earlier append with the same event ids had already written the events.';

CREATE FUNCTION @extschema@.eventcore_append(
    streams           text[],
    expected_versions bigint[],
    events            jsonb,
    correlation_id    uuid DEFAULT NULL,
    causation_id      uuid DEFAULT NULL
)
RETURNS eventcore.appended
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'eventcore_append_json';
COMMENT ON FUNCTION @extschema@.eventcore_append(text[], bigint[], jsonb, uuid, uuid) IS
$$Writes events to several streams in one step, only if every declared stream has the version that the caller expects.

streams: every stream that the events depend on, each once, at most 1000; also those that are only checked.
expected_versions: one per stream. n: exactly n; 0: no event yet; -1: at least one event; NULL: not checked.
events: an array of {"stream", "type", "payload", "metadata"?, "id"?}. An empty array only checks.
Returns the first and last position, the new version of every declared stream in the order given,
the time, and whether this was a repeat of an earlier append with the same event ids.
Call it in FROM: SELECT (eventcore_append(…)).* would call it once for each column.

SE001 version conflict, SE002 undeclared stream, SE003 malformed event or argument,
SE004 event id used before with other content, SE005 stream closed or deleted.$$;

CREATE FUNCTION @extschema@.eventcore_append(
    streams           text[],
    expected_versions bigint[],
    event_streams     text[],
    event_types       text[],
    payloads          jsonb[],
    metadata          jsonb[],
    event_ids         uuid[]  DEFAULT NULL,
    correlation_id    uuid    DEFAULT NULL,
    causation_id      uuid    DEFAULT NULL
)
RETURNS eventcore.appended
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'eventcore_append_arrays';
COMMENT ON FUNCTION @extschema@.eventcore_append(text[], bigint[], text[], text[], jsonb[], jsonb[], uuid[], uuid, uuid) IS
$$The same as the JSON form of eventcore_append, for drivers with arrays: event i consists of the i-th
elements of event_streams, event_types, payloads, metadata and event_ids. All arrays have the same length;
metadata and event_ids may be NULL as a whole, and so may their elements. metadata has no default, so
that the number of arguments tells the two forms apart, even if a driver sends no types.$$;

-- sql/events/read.sql

-- Reading events of a stream, of many streams and of all streams; their versions, and the safe position.

CREATE FUNCTION @extschema@.eventcore_read_stream(
    stream        text,
    after_version bigint  DEFAULT 0,
    max_count     bigint  DEFAULT NULL,
    backward      boolean DEFAULT false,
    event_types   text[]  DEFAULT NULL
)
RETURNS TABLE (
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
LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 20
AS 'MODULE_PATHNAME', 'eventcore_read_stream';
COMMENT ON FUNCTION @extschema@.eventcore_read_stream(text, bigint, bigint, boolean, text[]) IS
$$The events of one stream after a version, in order of version; no row if the stream does not exist.

max_count: the most events to return; NULL: all.
backward: newest first, the events before after_version; 0: from the end.
event_types: only these types; NULL: all.
SE003 malformed argument.$$;

CREATE FUNCTION @extschema@.eventcore_read_streams(
    streams        text[],
    after_versions bigint[] DEFAULT NULL,
    max_count      bigint   DEFAULT NULL,
    event_types    text[]   DEFAULT NULL
)
RETURNS TABLE (
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
LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 40
AS 'MODULE_PATHNAME', 'eventcore_read_streams';
COMMENT ON FUNCTION @extschema@.eventcore_read_streams(text[], bigint[], bigint, text[]) IS
$$The events of many streams, all in one snapshot: in the order of the streams given, then by version.

after_versions: one per stream, only events after it; NULL: from the start.
max_count: the most events to return of each stream; NULL: all.
event_types: only these types; NULL: all.
SE003 malformed argument.$$;

CREATE FUNCTION @extschema@.eventcore_read_all(
    after_position  bigint  DEFAULT 0,
    max_count       bigint  DEFAULT 1000,
    backward        boolean DEFAULT false,
    stream_prefixes text[]  DEFAULT NULL,
    event_types     text[]  DEFAULT NULL,
    with_checkpoint boolean DEFAULT false,
    after_event     uuid    DEFAULT NULL
)
RETURNS TABLE (
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
LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1000
AS 'MODULE_PATHNAME', 'eventcore_read_all';
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
returned. Continue after it, even if it is the only row, so that no event is read twice. Such a read skips at most 100,000
events that do not match.
after_event: the id of the last event up to after_position that such a read, with the same filter, returned. After a
fail-over or a restore it shows whether that event still exists.
SE003 malformed argument; with_checkpoint together with backward. SE011 this store has never returned after_position, or
after_event is not the last event up to it: the reader comes from another history. DETAIL says up to which position both
histories are the same (agreed). A read backward does not check this.$$;

CREATE FUNCTION @extschema@.eventcore_stream_versions(streams text[])
RETURNS TABLE (stream_id text, version bigint)
LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 10
AS 'MODULE_PATHNAME', 'eventcore_stream_versions';
COMMENT ON FUNCTION @extschema@.eventcore_stream_versions(text[]) IS
$$The version of every stream given, in that order, in one snapshot; 0 for a stream with no event.
SE003 malformed argument.$$;

CREATE FUNCTION @extschema@.eventcore_safe_position() RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'eventcore_safe_position';
COMMENT ON FUNCTION @extschema@.eventcore_safe_position() IS
$$The position up to which nothing can change any more: every event up to it has been committed, or will never exist.
0 before the first event. Held back only by transactions that have appended and not ended.$$;

CREATE PROCEDURE @extschema@.eventcore_wait(
    after_position bigint,
    timeout        interval DEFAULT '30 seconds',
    INOUT safe_position bigint DEFAULT NULL
)
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_wait';
COMMENT ON PROCEDURE @extschema@.eventcore_wait(bigint, interval, bigint) IS
$$Returns as soon as the safe position is past after_position, or when the timeout is over; gives the
safe position either way. A long poll for drivers and poolers without LISTEN.

It holds no snapshot while it waits, so it does not hold back VACUUM; for that reason it cannot run in a
transaction block (SE009). SE003 malformed argument. SE011 this store has never returned after_position.$$;

-- The same functions for bodies of the extension. The schema of the public functions may be renamed, and then functions of
-- another role may take their names.

CREATE FUNCTION eventcore.read_all(
    after_position  bigint,
    max_count       bigint,
    backward        boolean,
    stream_prefixes text[],
    event_types     text[],
    with_checkpoint boolean,
    after_event     uuid DEFAULT NULL
)
RETURNS TABLE (
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
LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1000
AS 'MODULE_PATHNAME', 'eventcore_read_all';
COMMENT ON FUNCTION eventcore.read_all(bigint, bigint, boolean, text[], text[], boolean, uuid) IS
    'eventcore_read_all, for functions of the extension.';

CREATE FUNCTION eventcore.stream_versions(streams text[])
RETURNS TABLE (stream_id text, version bigint)
LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 10
AS 'MODULE_PATHNAME', 'eventcore_stream_versions';
COMMENT ON FUNCTION eventcore.stream_versions(text[]) IS 'eventcore_stream_versions, for functions of the extension.';

CREATE FUNCTION eventcore.safe_position() RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'eventcore_safe_position';
COMMENT ON FUNCTION eventcore.safe_position() IS 'eventcore_safe_position, for functions of the extension.';

-- sql/stat.sql

-- Monitoring of appends and of background processes. The views read shared memory and never the events, so they can be read
-- every second.

CREATE FUNCTION eventcore.stat_get_appends(
    OUT appends     bigint,
    OUT events      bigint,
    OUT conflicts   bigint,
    OUT repeats     bigint,
    OUT rolled_back bigint,
    OUT since       timestamptz
)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'eventcore_stat_get_appends';
COMMENT ON FUNCTION eventcore.stat_get_appends() IS 'The row of eventcore.stat_appends.';

CREATE FUNCTION eventcore.stat_get_inflight()
RETURNS TABLE (
    pid                 integer,
    lowest_position     bigint,
    holds_safe_position boolean,
    since               timestamptz,
    holder              text
)
LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
AS 'MODULE_PATHNAME', 'eventcore_stat_get_inflight';
COMMENT ON FUNCTION eventcore.stat_get_inflight() IS
    'The transactions that hold positions, from shared memory; see eventcore.stat_inflight.';

CREATE FUNCTION eventcore.stat_get_notifier(
    OUT pid              integer,
    OUT state            text,
    OUT started_at       timestamptz,
    OUT notifications    bigint,
    OUT last_position    bigint,
    OUT last_notified_at timestamptz,
    OUT pending          boolean
)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'eventcore_stat_get_notifier';
COMMENT ON FUNCTION eventcore.stat_get_notifier() IS 'The row of eventcore.stat_notifier.';

CREATE FUNCTION eventcore.stat_get_workers()
RETURNS TABLE (
    kind          text,
    pid           integer,
    owner         oid,
    since         timestamptz,
    projection    text,
    failures      bigint,
    last_sqlstate text,
    last_error    text,
    last_error_at timestamptz
)
LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 5
AS 'MODULE_PATHNAME', 'eventcore_stat_get_workers';
COMMENT ON FUNCTION eventcore.stat_get_workers() IS
    'The processes of eventcore, from shared memory; see eventcore.stat_workers.';

CREATE VIEW eventcore.stat_appends AS
    SELECT a.appends, a.events, a.conflicts, a.repeats, a.rolled_back, a.since
      FROM eventcore.stat_get_appends() AS a;
COMMENT ON VIEW eventcore.stat_appends IS
    'How many appends of this database ended in which way: one row. An append without events only checks and is not counted, except as a conflict.';
COMMENT ON COLUMN eventcore.stat_appends.appends IS
    'Appends that were committed.';
COMMENT ON COLUMN eventcore.stat_appends.events IS
    'Events of those appends.';
COMMENT ON COLUMN eventcore.stat_appends.conflicts IS
    'Appends refused with SE001. Counted at once, even if the application catches the error.';
COMMENT ON COLUMN eventcore.stat_appends.repeats IS
    'Appends that repeated an earlier one and returned its result. Counted at once.';
COMMENT ON COLUMN eventcore.stat_appends.rolled_back IS
    'Appends that succeeded and were then rolled back, with their transaction, a savepoint or an exception block.';
COMMENT ON COLUMN eventcore.stat_appends.since IS
    'When counting began: at the first use of this database after a start of the server, or after CREATE EXTENSION.';

CREATE VIEW eventcore.stat_inflight AS
    SELECT i.pid,
           i.lowest_position,
           i.holds_safe_position,
           extract(epoch FROM pg_catalog.clock_timestamp() - i.since)::double precision AS age_seconds,
           a.xact_start AS transaction_start,
           a.state,
           a.wait_event_type,
           a.wait_event,
           a.application_name,
           a.usename::text AS usename,
           a.query,
           i.holder
      FROM eventcore.stat_get_inflight() AS i
      LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = i.pid;
COMMENT ON VIEW eventcore.stat_inflight IS
    'The transactions of this database that hold positions: they have appended and not ended. One more row if readers wait for a synchronous standby. Like pg_stat_activity, the view shows the details of sessions of other roles only to members of pg_read_all_stats.';
COMMENT ON COLUMN eventcore.stat_inflight.pid IS
    'Process id of the backend: what pg_terminate_backend takes. NULL for standbys.';
COMMENT ON COLUMN eventcore.stat_inflight.lowest_position IS
    'The lowest position that the transaction may hold; 1 if SQL inserts rows, as a restore does.';
COMMENT ON COLUMN eventcore.stat_inflight.holds_safe_position IS
    'Whether readers wait for this transaction: the safe position is just below its lowest position.';
COMMENT ON COLUMN eventcore.stat_inflight.holder IS
    'transaction, or standby: events are committed here, but no synchronous standby has confirmed them yet, because a commit did not wait for it.';
COMMENT ON COLUMN eventcore.stat_inflight.age_seconds IS
    'Seconds since the start of the statement by which it got its first position.';
COMMENT ON COLUMN eventcore.stat_inflight.transaction_start IS
    'When the transaction began.';
COMMENT ON COLUMN eventcore.stat_inflight.state IS
    'As in pg_stat_activity. "idle in transaction": the session waits for its client.';
COMMENT ON COLUMN eventcore.stat_inflight.wait_event_type IS
    'As in pg_stat_activity: the type of event that the session waits for.';
COMMENT ON COLUMN eventcore.stat_inflight.wait_event IS
    'As in pg_stat_activity: the event that the session waits for.';
COMMENT ON COLUMN eventcore.stat_inflight.application_name IS
    'The application name that the client has set.';
COMMENT ON COLUMN eventcore.stat_inflight.usename IS
    'The role that logged in.';
COMMENT ON COLUMN eventcore.stat_inflight.query IS
    'The current statement, or the last one.';

CREATE VIEW eventcore.stat_notifier AS
    SELECT n.pid, n.state, n.started_at, n.notifications, n.last_position, n.last_notified_at, n.pending
      FROM eventcore.stat_get_notifier() AS n;
COMMENT ON VIEW eventcore.stat_notifier IS
    'The background worker that notifies listeners and waiters of new events in this database: one row, even if no notifier runs.';
COMMENT ON COLUMN eventcore.stat_notifier.pid IS
    'Its process id; NULL if no notifier runs.';
COMMENT ON COLUMN eventcore.stat_notifier.state IS
    'running; away: it has left this database for some seconds, because of a statement such as ALTER DATABASE ... RENAME; starting: a notifier is needed and does not run yet; none: no notifier is needed, as before the first append since the server started and on a standby.';
COMMENT ON COLUMN eventcore.stat_notifier.started_at IS
    'When it started; NULL if no notifier runs.';
COMMENT ON COLUMN eventcore.stat_notifier.notifications IS
    'Notifications sent since eventcore.stat_appends.since, by this process and earlier ones.';
COMMENT ON COLUMN eventcore.stat_notifier.last_position IS
    'The safe position in the last notification; NULL before the first one.';
COMMENT ON COLUMN eventcore.stat_notifier.last_notified_at IS
    'When the last notification was sent; NULL before the first one.';
COMMENT ON COLUMN eventcore.stat_notifier.pending IS
    'Whether an append has ended that the notifier has not seen yet.';

CREATE VIEW eventcore.stat_workers AS
    SELECT w.kind, w.pid, r.rolname::text AS owner, w.since, w.projection, w.failures,
           w.last_sqlstate, w.last_error, w.last_error_at
      FROM eventcore.stat_get_workers() AS w
      LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = w.owner;
COMMENT ON VIEW eventcore.stat_workers IS
    'The background workers of eventcore that serve this database, and those that failed and have ended: the launcher of the server, the notifier, the projection workers. A row stays until the server restarts, or until another process needs its place.';
COMMENT ON COLUMN eventcore.stat_workers.kind IS
    'launcher, notifier or projections.';
COMMENT ON COLUMN eventcore.stat_workers.pid IS
    'Its process id; NULL if it has ended.';
COMMENT ON COLUMN eventcore.stat_workers.owner IS
    'The role whose projections it runs.';
COMMENT ON COLUMN eventcore.stat_workers.since IS
    'When it started.';
COMMENT ON COLUMN eventcore.stat_workers.projection IS
    'The projection whose handler is running; if the process has ended, the projection that was running then.';
COMMENT ON COLUMN eventcore.stat_workers.failures IS
    'How often its own work failed. Failures of handlers are in eventcore.stat_projections.';
COMMENT ON COLUMN eventcore.stat_workers.last_sqlstate IS
    'The SQLSTATE of the last failure.';
COMMENT ON COLUMN eventcore.stat_workers.last_error IS
    'The message of the last failure.';
COMMENT ON COLUMN eventcore.stat_workers.last_error_at IS
    'When the last failure was.';

-- sql/subscriptions/tables.sql

-- The tables of durable subscriptions. A subscription is a named place in the global order, kept by the server, with a filter
-- and rules for failures. Each event that is leased or comes back is a row; of the events that wait behind it, each stream is
-- a row.

CREATE TABLE eventcore.subscriptions (
    id              uuid        NOT NULL DEFAULT pg_catalog.gen_random_uuid(),
    read_position   bigint      NOT NULL,
    home_id         bigint      NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT pg_catalog.now(),
    lease           interval    NOT NULL,
    retry_limit     integer     NOT NULL,
    paused          boolean     NOT NULL DEFAULT false,
    name            text        COLLATE "C" NOT NULL,
    on_parked       text        NOT NULL,
    stream_prefixes text[]      COLLATE "C",
    event_types     text[]      COLLATE "C",
    CONSTRAINT subscriptions_pkey PRIMARY KEY (name),
    CONSTRAINT subscriptions_name_check CHECK (octet_length(name) BETWEEN 1 AND 255 AND name !~ E'[\\u0001-\\u001f\\u007f]'),
    CONSTRAINT subscriptions_read_position_check CHECK (read_position BETWEEN 0 AND 4611686018427387904),
    CONSTRAINT subscriptions_on_parked_check CHECK (on_parked IN ('continue', 'stop'))
) USING heap WITH (fillfactor = 50);
COMMENT ON TABLE eventcore.subscriptions IS
    'Durable subscriptions. Written by the functions eventcore_…_subscription and eventcore_poll.';
COMMENT ON COLUMN eventcore.subscriptions.id IS
    'Changes with each reset: leases and reads under the old id are void.';
COMMENT ON COLUMN eventcore.subscriptions.read_position IS
    'Every matching event up to here has been delivered, or waits in deliveries, in backlogs or in parked.';
COMMENT ON COLUMN eventcore.subscriptions.home_id IS
    'The database that delivers it, as eventcore.home_id() of that database.';
COMMENT ON COLUMN eventcore.subscriptions.created_at IS 'When it was created.';
COMMENT ON COLUMN eventcore.subscriptions.lease IS
    'How long a consumer has for the events of one poll.';
COMMENT ON COLUMN eventcore.subscriptions.retry_limit IS
    'How often a failed event is delivered again before it is parked.';
COMMENT ON COLUMN eventcore.subscriptions.paused IS 'Whether polls get no events until it is resumed.';
COMMENT ON COLUMN eventcore.subscriptions.name IS
    'Its name: 1 to 255 bytes, no ASCII control characters.';
COMMENT ON COLUMN eventcore.subscriptions.on_parked IS
    'What the stream of a parked event does: continue, or stop until that event is replayed or discarded.';
COMMENT ON COLUMN eventcore.subscriptions.stream_prefixes IS
    'Only streams whose name begins with one of these, byte by byte; NULL: all.';
COMMENT ON COLUMN eventcore.subscriptions.event_types IS 'Only these types; NULL: all.';
CREATE TRIGGER subscriptions_settle BEFORE INSERT ON eventcore.subscriptions
    FOR EACH ROW EXECUTE FUNCTION eventcore.settle();
COMMENT ON TRIGGER subscriptions_settle ON eventcore.subscriptions IS
    'A subscription that is created or restored here belongs to this database; a replicated one does not.';

CREATE TABLE eventcore.leases (
    subscription_id uuid        NOT NULL,
    lease_id        uuid        NOT NULL,
    leased_until    timestamptz NOT NULL,
    consumer        text        COLLATE "C" NOT NULL,
    CONSTRAINT leases_pkey PRIMARY KEY (subscription_id, lease_id)
) USING heap WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE eventcore.leases IS
    'One row for each poll that leased events. A later poll removes leases that no longer hold any.';
COMMENT ON COLUMN eventcore.leases.subscription_id IS 'The subscription.';
COMMENT ON COLUMN eventcore.leases.lease_id IS 'The poll.';
COMMENT ON COLUMN eventcore.leases.leased_until IS
    'When the lease expires: from then on a poll may take its events back.';
COMMENT ON COLUMN eventcore.leases.consumer IS 'The consumer that holds the lease.';

-- Rows are deleted as fast as they are inserted, so VACUUM runs early. No query of a poll scans by position: while a
-- transaction holds VACUUM back, such a scan would visit every event that was ever acknowledged.
CREATE TABLE eventcore.deliveries (
    subscription_id uuid        NOT NULL,
    position        bigint      NOT NULL,
    version         bigint      NOT NULL,
    not_before      timestamptz NOT NULL DEFAULT '-infinity',
    failures        integer     NOT NULL DEFAULT 0,
    expiries        integer     NOT NULL DEFAULT 0,
    stream_id       text        COLLATE "C" NOT NULL,
    lease_id        uuid,
    failed_at       timestamptz,
    consumer        text        COLLATE "C",
    reason          text,
    CONSTRAINT deliveries_pkey PRIMARY KEY (subscription_id, position),
    CONSTRAINT deliveries_position_check CHECK (position BETWEEN 1 AND 4611686018427387904)
) USING heap WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
CREATE INDEX deliveries_lease_idx ON eventcore.deliveries (lease_id, position) WHERE lease_id IS NOT NULL;
CREATE INDEX deliveries_waiting_idx ON eventcore.deliveries (subscription_id, stream_id, position) WHERE lease_id IS NULL;
COMMENT ON INDEX eventcore.deliveries_lease_idx IS 'The events of a lease.';
COMMENT ON INDEX eventcore.deliveries_waiting_idx IS 'The events to deliver again, stream by stream.';
COMMENT ON TABLE eventcore.deliveries IS
    'Events that were delivered and are neither acknowledged nor parked: in a lease, or waiting to be delivered again.';
COMMENT ON COLUMN eventcore.deliveries.subscription_id IS 'The subscription.';
COMMENT ON COLUMN eventcore.deliveries.position IS 'The event.';
COMMENT ON COLUMN eventcore.deliveries.version IS 'Its version in its stream.';
COMMENT ON COLUMN eventcore.deliveries.not_before IS 'After a failure: when to deliver it again.';
COMMENT ON COLUMN eventcore.deliveries.failures IS
    'How often it has failed: a consumer gave it back to retry, or it was alone in a lease that expired.';
COMMENT ON COLUMN eventcore.deliveries.expiries IS
    'How many leases with it have expired. After two it is delivered alone, to find out whether it is the cause.';
COMMENT ON COLUMN eventcore.deliveries.stream_id IS 'The stream of the event.';
COMMENT ON COLUMN eventcore.deliveries.lease_id IS 'The lease that holds it; NULL while it waits for the next one.';
COMMENT ON COLUMN eventcore.deliveries.failed_at IS 'When it failed last.';
COMMENT ON COLUMN eventcore.deliveries.consumer IS 'The consumer that had it when it failed last.';
COMMENT ON COLUMN eventcore.deliveries.reason IS 'Why it failed last.';

-- One row for each stream that waits, with the time from which polls consider it. So a poll does not read the rows of streams
-- that wait for a delay or are stopped, however many there are.
CREATE TABLE eventcore.backlogs (
    subscription_id uuid        NOT NULL,
    due             timestamptz NOT NULL DEFAULT '-infinity',
    returned_position bigint,
    after_version   bigint,
    next_position   bigint,
    delayed_at      timestamptz,
    stream_id       text        COLLATE "C" NOT NULL,
    CONSTRAINT backlogs_pkey PRIMARY KEY (subscription_id, stream_id)
) USING heap WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX backlogs_returned_idx ON eventcore.backlogs (subscription_id, due, returned_position) WHERE returned_position IS NOT NULL;
CREATE INDEX backlogs_behind_idx ON eventcore.backlogs (subscription_id, due, next_position) WHERE returned_position IS NULL;
CREATE INDEX backlogs_delayed_idx ON eventcore.backlogs (subscription_id, delayed_at) WHERE delayed_at IS NOT NULL;
COMMENT ON INDEX eventcore.backlogs_returned_idx IS 'Streams with events that came back, those that have been due longest first.';
COMMENT ON INDEX eventcore.backlogs_behind_idx IS 'The other streams, those that have been due longest first.';
COMMENT ON INDEX eventcore.backlogs_delayed_idx IS 'Finds delays that began in the future, because the clock was set back.';
COMMENT ON TABLE eventcore.backlogs IS
    'Streams that wait: events came back, or events were read while earlier ones were leased, or the stream is stopped.';
COMMENT ON COLUMN eventcore.backlogs.subscription_id IS 'The subscription.';
COMMENT ON COLUMN eventcore.backlogs.due IS
    'No event of the stream is delivered before this time; infinity while one of its events is parked and on_parked is stop.';
COMMENT ON COLUMN eventcore.backlogs.returned_position IS
    'The first event of the stream that came back and waits in deliveries; NULL: there is no such event.';
COMMENT ON COLUMN eventcore.backlogs.after_version IS
    'The matching events after this version, up to the read_position of the subscription, wait; NULL: no such events wait.';
COMMENT ON COLUMN eventcore.backlogs.next_position IS 'A lower bound of the position of the first of those events.';
COMMENT ON COLUMN eventcore.backlogs.delayed_at IS 'When the delay that ends at due began; NULL: there was no delay.';
COMMENT ON COLUMN eventcore.backlogs.stream_id IS 'The stream.';

CREATE TABLE eventcore.parked (
    subscription_id uuid        NOT NULL,
    position        bigint      NOT NULL,
    version         bigint      NOT NULL,
    parked_at       timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    attempts        integer     NOT NULL,
    stream_id       text        COLLATE "C" NOT NULL,
    consumer        text        COLLATE "C",
    reason          text,
    CONSTRAINT parked_pkey PRIMARY KEY (subscription_id, position),
    CONSTRAINT parked_position_check CHECK (position BETWEEN 1 AND 4611686018427387904)
) USING heap;
COMMENT ON TABLE eventcore.parked IS 'Events that a subscription has set aside because they failed.';
COMMENT ON COLUMN eventcore.parked.subscription_id IS 'The subscription.';
COMMENT ON COLUMN eventcore.parked.position IS 'The event.';
COMMENT ON COLUMN eventcore.parked.version IS 'Its version in its stream.';
COMMENT ON COLUMN eventcore.parked.parked_at IS 'When it was set aside.';
COMMENT ON COLUMN eventcore.parked.attempts IS 'How often it had been delivered.';
COMMENT ON COLUMN eventcore.parked.stream_id IS 'The stream of the event.';
COMMENT ON COLUMN eventcore.parked.consumer IS 'The consumer that had it last.';
COMMENT ON COLUMN eventcore.parked.reason IS 'Why it was parked.';

SELECT pg_catalog.pg_extension_config_dump('eventcore.subscriptions', '');
SELECT pg_catalog.pg_extension_config_dump('eventcore.leases', '');
SELECT pg_catalog.pg_extension_config_dump('eventcore.deliveries', '');
SELECT pg_catalog.pg_extension_config_dump('eventcore.backlogs', '');
SELECT pg_catalog.pg_extension_config_dump('eventcore.parked', '');

-- sql/subscriptions/support.sql

-- What the functions of durable subscriptions share: the lock, the wait, looking up a subscription, and removing orphaned rows.

CREATE FUNCTION eventcore.lock_subscription(name text) RETURNS void
LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'eventcore_lock_subscription';
COMMENT ON FUNCTION eventcore.lock_subscription(text) IS
    'Locks a subscription until the transaction ends: no other transaction polls or changes it. 25006 on a standby and in a read-only transaction.';

CREATE FUNCTION eventcore.unlock_subscription(name text) RETURNS void
LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'eventcore_unlock_subscription';
COMMENT ON FUNCTION eventcore.unlock_subscription(text) IS
    'Undoes one eventcore.lock_subscription, if nothing has been changed under it.';

CREATE FUNCTION eventcore.delete_subscription(name text) RETURNS void
LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'eventcore_delete_subscription';
COMMENT ON FUNCTION eventcore.delete_subscription(text) IS
    'Deletes the row of a subscription, if it exists, without the privilege DELETE. 40001 another transaction has changed it in the meantime.';

CREATE FUNCTION eventcore.announce_work(to_all boolean) RETURNS void
LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'eventcore_announce_work';
COMMENT ON FUNCTION eventcore.announce_work(boolean) IS
    'When the transaction ends, wakes the polls that wait for a leased stream or, with to_all, all waiting polls.';

CREATE FUNCTION eventcore.announced_work() RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_announced_work';
COMMENT ON FUNCTION eventcore.announced_work() IS
    'How often eventcore.announce_work has taken effect in this database since the server started.';

CREATE FUNCTION eventcore.monotonic() RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_monotonic';
COMMENT ON FUNCTION eventcore.monotonic() IS
    'Microseconds since a fixed moment of this process. Changes of the system clock do not affect it.';

CREATE FUNCTION eventcore.wait_for_work(
    after_position  bigint,
    announced       bigint,
    microseconds    bigint,
    blocked         boolean,
    stream_prefixes text[],
    event_types     text[]
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_wait_for_work';
COMMENT ON FUNCTION eventcore.wait_for_work(bigint, bigint, bigint, boolean, text[], text[]) IS
    'Waits for a matching event after after_position, for work to be announced more often than announced, or for the time to pass. Returns a position up to which there is no matching event. blocked: also wakes when a stream is released.';

CREATE FUNCTION eventcore.find_subscription(wanted text, argument text DEFAULT 'subscription')
RETURNS eventcore.subscriptions
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_one eventcore.subscriptions;
BEGIN
    SELECT * INTO found_one FROM eventcore.subscriptions s WHERE s.name = wanted COLLATE "C";
    IF NOT FOUND THEN
        PERFORM eventcore.check_name(argument, wanted);
        PERFORM eventcore.fail_unknown(wanted);
    ELSIF found_one.home_id <> eventcore.home_id() THEN
        PERFORM eventcore.fail_copied('subscription', wanted);
    END IF;
    RETURN found_one;
END
$$;
COMMENT ON FUNCTION eventcore.find_subscription(text, text) IS
    'Returns the subscription with this name. SE007 no such subscription. SE009 it is a copy that belongs to another database.';

CREATE FUNCTION eventcore.lock_to_change(wanted text, argument text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM eventcore.check_name(argument, wanted);
    PERFORM eventcore.see_newest('subscription');
    PERFORM eventcore.lock_subscription(wanted);
END
$$;
COMMENT ON FUNCTION eventcore.lock_to_change(text, text) IS
    'Locks a subscription until the transaction ends, after checking its name. SE009 in a transaction block that keeps its snapshot.';

CREATE FUNCTION eventcore.change_subscription(wanted text, argument text DEFAULT 'subscription')
RETURNS eventcore.subscriptions
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM eventcore.lock_to_change(wanted, argument);
    RETURN eventcore.find_subscription(wanted, argument);
END
$$;
COMMENT ON FUNCTION eventcore.change_subscription(text, text) IS
    'Locks a subscription until the transaction ends and returns it. SE007 no such subscription.';

CREATE FUNCTION eventcore.sweep() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Logical replication may bring rows before the subscription that they belong to.
    IF EXISTS (SELECT FROM pg_subscription s JOIN pg_subscription_rel r ON r.srsubid = s.oid
                WHERE s.subenabled AND r.srrelid = ANY (ARRAY['eventcore.subscriptions'::regclass, 'eventcore.deliveries',
                                                              'eventcore.backlogs', 'eventcore.leases'])) THEN
        RETURN;
    END IF;
    DELETE FROM eventcore.backlogs b
     WHERE NOT EXISTS (SELECT FROM eventcore.subscriptions s WHERE s.id = b.subscription_id);
    DELETE FROM eventcore.deliveries d
     WHERE d.ctid = ANY (ARRAY(
               SELECT o.ctid FROM eventcore.deliveries o
                WHERE NOT EXISTS (SELECT FROM eventcore.subscriptions s WHERE s.id = o.subscription_id)
                  FOR UPDATE SKIP LOCKED));
    DELETE FROM eventcore.leases l
     WHERE l.ctid = ANY (ARRAY(
               SELECT o.ctid FROM eventcore.leases o
                WHERE NOT EXISTS (SELECT FROM eventcore.subscriptions s WHERE s.id = o.subscription_id)
                  FOR UPDATE SKIP LOCKED));
END
$$;
COMMENT ON FUNCTION eventcore.sweep() IS
    'Removes rows whose subscription no longer exists, except rows that a consumer is acknowledging. Does nothing while logical replication brings such rows.';

-- sql/subscriptions/manage.sql

-- Creating, dropping, pausing and resetting durable subscriptions.

CREATE FUNCTION @extschema@.eventcore_create_subscription(
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
    PERFORM eventcore.sweep();
    SELECT * INTO existing FROM eventcore.subscriptions s WHERE s.name = name COLLATE "C";
    IF NOT FOUND THEN
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
COMMENT ON FUNCTION @extschema@.eventcore_create_subscription(text, text[], text[], text, interval, bigint, text) IS
$$Creates a durable subscription. True: created; false: it exists already, with the same definition.

stream_prefixes: only streams whose name begins with one of these, byte by byte; NULL: all.
event_types: only these types; NULL: all.
start_from: 'start'; 'now', after the events that can be read already; or a position, after that one. Not part of the
definition that is compared.
lease: how long a consumer has for the events of one poll, 1 ms to 365 days.
retry_limit: how often a failed event is delivered again before it is parked; 0: never.
on_parked: what the stream of a parked event does: 'continue', or 'stop' until the event is replayed or discarded.
SE003 malformed argument, or a subscription with this name and another definition. SE011 a position of another history.$$;

CREATE FUNCTION @extschema@.eventcore_drop_subscription(name text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    s eventcore.subscriptions := eventcore.change_subscription(name, 'name');
BEGIN
    DELETE FROM eventcore.parked p WHERE p.subscription_id = s.id;
    PERFORM eventcore.delete_subscription(s.name);
    PERFORM eventcore.sweep();
    PERFORM eventcore.announce_work(true);
    RETURN true;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_drop_subscription(text) IS
$$Removes a subscription with its checkpoint, its leases and its parked events. SE007 no such subscription.$$;

CREATE FUNCTION @extschema@.eventcore_pause_subscription(name text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    s eventcore.subscriptions := eventcore.change_subscription(name, 'name');
BEGIN
    UPDATE eventcore.subscriptions t SET paused = true WHERE t.name = s.name;
    RETURN true;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_pause_subscription(text) IS
$$Pauses a subscription: polls get no events. Consumers may still acknowledge the events that they have. SE007 no such subscription.$$;

CREATE FUNCTION @extschema@.eventcore_resume_subscription(name text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    s eventcore.subscriptions := eventcore.change_subscription(name, 'name');
BEGIN
    UPDATE eventcore.subscriptions t SET paused = false WHERE t.name = s.name;
    PERFORM eventcore.announce_work(true);
    RETURN true;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_resume_subscription(text) IS
$$Ends a pause: waiting polls get events at once. SE007 no such subscription.$$;

CREATE FUNCTION @extschema@.eventcore_reset_subscription(name text, after_position bigint) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    s eventcore.subscriptions := eventcore.change_subscription(name, 'name');
    safe bigint := eventcore.safe_position();
    new_id uuid;
BEGIN
    IF after_position IS NULL OR after_position < 0 THEN
        PERFORM eventcore.fail_malformed('after_position', 'is not a position, from 0');
    END IF;
    PERFORM eventcore.require_told(after_position, false);
    IF after_position > safe THEN
        PERFORM eventcore.fail_malformed('after_position', format('is past the safe position, which is %s', safe));
    END IF;
    UPDATE eventcore.subscriptions t
       SET read_position = after_position, id = gen_random_uuid()
     WHERE t.name = s.name
    RETURNING t.id INTO new_id;
    DELETE FROM eventcore.parked p WHERE p.subscription_id = s.id AND p.position > after_position;
    UPDATE eventcore.parked p SET subscription_id = new_id WHERE p.subscription_id = s.id;
    IF s.on_parked = 'stop' THEN
        INSERT INTO eventcore.backlogs (subscription_id, stream_id, due)
        SELECT DISTINCT new_id, p.stream_id, timestamptz 'infinity' FROM eventcore.parked p WHERE p.subscription_id = new_id;
    END IF;
    PERFORM eventcore.sweep();
    PERFORM eventcore.announce_work(true);
    RETURN true;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_reset_subscription(text, bigint) IS
$$Continues after this position, lower or higher than now: all events after it are delivered, again or for the first time.
All leases are lost. Events parked up to the position stay parked.
SE003 a position past the safe position. SE007 no such subscription. SE011 a position of another history.$$;

-- sql/subscriptions/lease.sql

-- How a poll leases events to a consumer, step by step. The poll itself is in poll.sql, and the steps
-- are in lease_returned.sql, lease_backlog.sql and lease_new.sql.
--
-- Only one transaction at a time polls or changes a subscription (eventcore.lock_subscription). While it holds that lock it
-- does not wait: it skips rows that a consumer is acknowledging, because they are locked.
--
-- A stream is in one lease at a time. Events that come back wait in eventcore.deliveries without a lease. Events that were
-- read while an earlier one of their stream was leased are not stored. In both cases the stream has a row in
-- eventcore.backlogs. A poll leases events that came back, events of streams that are behind, and new events. Each kind has
-- a share of the lease, so that none has to wait for all of another. The cost of a poll does not grow with the events that
-- have been handled: it finds leased events through the existing leases, and reads no more of the others than it can lease.

CREATE FUNCTION eventcore.lease_events(
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
-- By their indexes, one row at a time: statistics are of little use for tables that are empty at one moment and full at the
-- next.
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
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
    are_more_returned boolean;
    are_more_behind   boolean;
    blocked   text[];
    is_alone  boolean;
    new       record;
    page_size integer := max_count;
BEGIN
    read_to := read_from;
    has_changed := eventcore.take_back_expired(s, now);
    -- A delay that began in the future begins now: the clock was set back. Steps of up to a second are tolerated.
    UPDATE eventcore.backlogs b SET due = now + (b.due - b.delayed_at), delayed_at = now
     WHERE b.subscription_id = s.id AND b.delayed_at > now + interval '1 s' AND b.due < 'infinity';
    SELECT coalesce(array_agg(DISTINCT d.stream_id), '{}'), min(l.leased_until) FILTER (WHERE l.leased_until > now)
      INTO blocked, next_due
      FROM eventcore.leases l
     CROSS JOIN LATERAL (SELECT v.stream_id FROM eventcore.deliveries v WHERE v.lease_id = l.lease_id OFFSET 0) d
     WHERE l.subscription_id = s.id;
    is_blocked := cardinality(blocked) > 0;
    next_due := least(next_due,
        (SELECT b.due FROM eventcore.backlogs b
          WHERE b.subscription_id = s.id AND b.returned_position IS NOT NULL AND b.due > now AND b.due < 'infinity'
          ORDER BY b.due LIMIT 1),
        (SELECT b.due FROM eventcore.backlogs b
          WHERE b.subscription_id = s.id AND b.returned_position IS NULL AND b.due > now AND b.due < 'infinity'
          ORDER BY b.due LIMIT 1));
    IF share = 0 AND random() < 0.25 AND eventcore.has_many_waiting(s, now) THEN
        -- The lease is too small to be shared: in one of four polls new events come first.
        share := max_count;
        room := 0;
    END IF;

    SELECT l.leased, l.is_alone INTO leased, is_alone
      FROM eventcore.lease_returned(s, now, lease_id, blocked, room, true) l;
    IF is_alone THEN
        has_changed := true;
        is_caught_up := true;
        RETURN;
    END IF;
    are_more_returned := leased >= room;
    room := max_count - share - leased;
    given := eventcore.lease_backlog(s, now, lease_id, blocked, room, read_from);
    are_more_behind := given >= room;
    leased := leased + given;
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
END
$$;
COMMENT ON FUNCTION eventcore.lease_events(eventcore.subscriptions, uuid, integer, bigint) IS
    'One attempt to lease events, under the lock of the subscription: events that came back, events of streams that are behind, new events.';

CREATE FUNCTION eventcore.has_many_waiting(s eventcore.subscriptions, now timestamptz) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
    RETURN (SELECT count(*) > 100 FROM (
                SELECT FROM eventcore.backlogs b
                 WHERE b.subscription_id = s.id AND b.returned_position IS NOT NULL AND b.due <= now LIMIT 101) v)
        OR (SELECT count(*) > 100 FROM (
                SELECT FROM eventcore.backlogs b
                 WHERE b.subscription_id = s.id AND b.returned_position IS NULL AND b.due <= now LIMIT 101) v);
END
$$;
COMMENT ON FUNCTION eventcore.has_many_waiting(eventcore.subscriptions, timestamptz) IS
    'Whether more than a hundred streams wait and are due.';

CREATE FUNCTION eventcore.remove_empty_leases(s eventcore.subscriptions) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM eventcore.leases l
     WHERE l.subscription_id = s.id
       AND l.lease_id IN (
               SELECT o.lease_id FROM eventcore.leases o
                WHERE o.subscription_id = s.id
                  AND NOT EXISTS (SELECT FROM eventcore.deliveries d WHERE d.lease_id = o.lease_id OFFSET 0)
                  FOR UPDATE SKIP LOCKED);
END
$$;
COMMENT ON FUNCTION eventcore.remove_empty_leases(eventcore.subscriptions) IS
    'Removes leases whose events have all been acknowledged or given back.';

-- sql/subscriptions/lease_returned.sql

-- A step of a poll: events that came back. Takes back expired leases, and leases events that wait to be delivered again.

CREATE FUNCTION eventcore.take_back_expired(s eventcore.subscriptions, now timestamptz) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    back eventcore.deliveries;
    has_changed boolean := false;
BEGIN
    FOR back IN
        WITH expired AS MATERIALIZED (
            -- A consumer that is acknowledging has locked its lease: such a lease is skipped.
            SELECT l.lease_id, l.consumer FROM eventcore.leases l
             WHERE l.subscription_id = s.id
               -- Later than any lease can expire: the clock was set back.
               AND (l.leased_until <= now OR l.leased_until > now + 2 * s.lease)
               AND EXISTS (SELECT FROM eventcore.deliveries d WHERE d.lease_id = l.lease_id OFFSET 0)
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
COMMENT ON FUNCTION eventcore.take_back_expired(eventcore.subscriptions, timestamptz) IS
    'Takes back expired leases, each as a whole. It counts as a failure only for an event that was alone in its lease: among several, the cause is unknown.';

CREATE FUNCTION eventcore.refresh_backlogs(s eventcore.subscriptions, streams text[], parked_changed boolean) RETURNS void
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
                          WHEN s.on_parked = 'stop' AND b.stream_id IN (
                               SELECT k.stream_id FROM eventcore.parked k WHERE k.subscription_id = s.id) THEN 'infinity'
                          WHEN b.due < 'infinity' THEN b.due
                          -- The stream was stopped.
                          ELSE coalesce((
                               SELECT max(d.not_before) FROM eventcore.deliveries d
                                WHERE d.subscription_id = s.id AND d.stream_id = b.stream_id
                                  AND d.lease_id IS NULL AND d.failed_at <= clock_timestamp()), '-infinity') END
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
COMMENT ON FUNCTION eventcore.refresh_backlogs(eventcore.subscriptions, text[], boolean) IS
    'Updates the backlogs of these streams after their returned or parked events have changed: which event waits, and when it is due.';

CREATE FUNCTION eventcore.lease_returned(
    s         eventcore.subscriptions,
    now       timestamptz,
    lease_id  uuid,
    blocked   text[],
    room      integer,
    is_first  boolean,
    OUT leased   integer,
    OUT is_alone boolean
)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    chosen    bigint[] := '{}';
    streams   text[] := '{}';
    candidate record;
BEGIN
    is_alone := false;
    leased := 0;
    IF room < 1 THEN
        RETURN;
    END IF;
    FOR candidate IN
        WITH stream AS MATERIALIZED (
            SELECT b.stream_id FROM eventcore.backlogs b
             WHERE b.subscription_id = s.id AND b.returned_position IS NOT NULL AND b.due <= now
               AND b.stream_id NOT IN (SELECT unnest(blocked) COLLATE "C")
             ORDER BY b.due, b.returned_position LIMIT room
        )
        SELECT d.position, d.stream_id, d.expiries FROM stream t
         CROSS JOIN LATERAL (
               SELECT v.position, v.stream_id, v.expiries FROM eventcore.deliveries v
                WHERE v.subscription_id = s.id AND v.stream_id = t.stream_id AND v.lease_id IS NULL
                ORDER BY v.position LIMIT room) d
         ORDER BY d.position LIMIT room
    LOOP
        EXIT WHEN candidate.expiries >= 2 AND (NOT is_first OR leased > 0);
        is_alone := candidate.expiries >= 2;
        chosen[leased + 1] := candidate.position;
        streams[leased + 1] := candidate.stream_id;
        leased := leased + 1;
        EXIT WHEN is_alone;
    END LOOP;
    IF leased > 0 THEN
        WITH place AS MATERIALIZED (
            SELECT v.ctid FROM unnest(chosen) c
             CROSS JOIN LATERAL (
                   SELECT d.ctid FROM eventcore.deliveries d
                    WHERE d.subscription_id = s.id AND d.position = c OFFSET 0) v
        )
        UPDATE eventcore.deliveries d SET lease_id = lease_id FROM place p WHERE d.ctid = p.ctid;
        PERFORM eventcore.refresh_backlogs(s, streams, false);
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.lease_returned(eventcore.subscriptions, timestamptz, uuid, text[], integer, boolean) IS
    'Leases events that came back, of streams that are due and not leased, in order. is_first: the lease is empty. is_alone: no event may be added to it.';

-- sql/subscriptions/lease_backlog.sql

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

-- sql/subscriptions/lease_new.sql

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

-- sql/subscriptions/poll.sql

-- Polling a subscription: leases events to a consumer under the lock of the subscription, see lease.sql. If there are none,
-- the poll releases the lock and waits.

CREATE FUNCTION @extschema@.eventcore_poll(
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
AS $$
#variable_conflict use_column
DECLARE
    s         eventcore.subscriptions;
    known     uuid;
    lease     uuid := gen_random_uuid();
    begins    bigint := eventcore.monotonic();
    ends      bigint := begins + (extract(epoch FROM eventcore.check_time('wait', wait, '0')) * 1000000)::bigint;
    patience  bigint;
    announced bigint;
    read_from bigint;
    leased    integer := 0;
    tried     record;
BEGIN
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
        -- From each delivery to its event, because statistics are of little use for a table that is empty at one
        -- moment and full at the next.
        RETURN QUERY
            SELECT d.lease_id, d.failures + 1, e.position, e.stream_id, e.version, e.event_id, e.event_type,
                   e.payload, e.metadata, e.correlation_id, e.causation_id, e.recorded_at
              FROM eventcore.deliveries d
             CROSS JOIN LATERAL (SELECT * FROM eventcore.events v WHERE v.position = d.position OFFSET 0) e
             WHERE d.lease_id = lease
             ORDER BY d.position;
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_poll(text, text, bigint, interval) IS
$$Leases events of a subscription to a consumer, in order of position, and returns them.

A stream is in one lease at a time, so that one consumer handles its events in order. Until the lease expires no other
consumer gets them; acknowledge them with eventcore_ack, or give them back with eventcore_nack. Commit the poll before you
handle the events: its transaction keeps other polls waiting.
consumer: a name for the views; many processes may have the same name.
max_count: the most events to return, 1 to 10,000.
wait: how long to wait for an event, at most 365 days. It may return no rows earlier, after it has read many events that do
not match or whose streams are leased: poll again. While it waits, the statement holds a snapshot, which holds back VACUUM.
attempt: 1, and one more for each earlier failure. lease_id is the same in all rows.
SE003 malformed argument. SE007 no such subscription. SE009 in a REPEATABLE READ transaction block. 25006 on a standby and
in a read-only transaction.$$;

-- sql/subscriptions/ack.sql

-- What a consumer does with its lease: acknowledge events, or take more time.
--
-- Acknowledging locks only the lease, in shared mode, and the rows that it deletes, so that it can be part of a long
-- transaction. A statement that locks rows and the subscription locks the rows first.

CREATE FUNCTION eventcore.hold_lease(s eventcore.subscriptions, lease_id uuid, positions bigint[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    place integer;
    safe  bigint := eventcore.safe_position();
BEGIN
    IF lease_id IS NULL THEN
        PERFORM eventcore.fail_malformed('lease_id', 'is NULL');
    END IF;
    PERFORM eventcore.check_positions(positions);
    FOR place IN 1 .. coalesce(cardinality(positions), 0) LOOP
        IF positions[array_lower(positions, 1) + place - 1] NOT BETWEEN 1 AND safe THEN
            PERFORM eventcore.fail_malformed('positions', 'has not been delivered', place - 1);
        END IF;
    END LOOP;
    PERFORM FROM eventcore.leases l
      WHERE l.subscription_id = s.id AND l.lease_id = lease_id
        FOR KEY SHARE;
    IF NOT FOUND THEN
        PERFORM eventcore.fail_lost(s.name, lease_id, positions);
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.hold_lease(eventcore.subscriptions, uuid, bigint[]) IS
    'Keeps polls from taking a lease back until the transaction ends. SE008 no such lease.';

CREATE FUNCTION @extschema@.eventcore_ack(subscription text, lease_id uuid, positions bigint[] DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    s       eventcore.subscriptions := eventcore.find_subscription(subscription);
    missing bigint[];
    acknowledged bigint;
BEGIN
    PERFORM eventcore.hold_lease(s, lease_id, positions);
    IF positions IS NULL THEN
        DELETE FROM eventcore.deliveries d WHERE d.lease_id = lease_id;
        GET DIAGNOSTICS acknowledged = ROW_COUNT;
        IF acknowledged = 0 THEN
            PERFORM eventcore.fail_lost(s.name, lease_id, NULL);
        END IF;
    ELSE
        WITH done AS (
            DELETE FROM eventcore.deliveries d USING unnest(positions) p
             WHERE d.lease_id = lease_id AND d.position = p
            RETURNING d.position
        )
        SELECT array_agg(DISTINCT p ORDER BY p) FILTER (WHERE NOT EXISTS (SELECT FROM done a WHERE a.position = p)),
               (SELECT count(*) FROM done)
          INTO missing, acknowledged FROM unnest(positions) p;
        IF missing IS NOT NULL THEN
            PERFORM eventcore.fail_lost(s.name, lease_id, missing);
        END IF;
    END IF;
    PERFORM eventcore.announce_work(false);
    RETURN acknowledged;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_ack(text, uuid, bigint[]) IS
$$Acknowledges events of a lease: they have been handled. Called in the transaction that writes their effects, it makes each
event take effect exactly once. Returns how many.

positions: which; NULL: all that the lease still holds.
SE003 malformed argument, or a position that was never delivered. SE007 no such subscription. SE008 the lease does not
hold them (any more): nothing is acknowledged. An expired lease is valid until a poll takes it back.$$;

CREATE FUNCTION @extschema@.eventcore_extend_lease(subscription text, lease_id uuid) RETURNS timestamptz
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
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
       AND EXISTS (SELECT FROM eventcore.deliveries d WHERE d.lease_id = lease_id);
    IF NOT FOUND THEN
        PERFORM eventcore.fail_lost(s.name, lease_id, NULL);
    END IF;
    -- If this rolls back, polls may have skipped a lease that expired in the meantime.
    PERFORM eventcore.announce_work(false);
    RETURN until;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_extend_lease(text, uuid) IS
$$Renews a lease for the events that it still holds; returns when it will expire.
SE007 no such subscription. SE008 the lease holds no events (any more).$$;

-- sql/subscriptions/nack.sql

-- Giving events of a lease back: to retry, to park, to skip or to release them.

CREATE FUNCTION @extschema@.eventcore_nack(
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
        wanted := ARRAY(SELECT d.position FROM eventcore.deliveries d WHERE d.lease_id = lease ORDER BY d.position);
    END IF;
    PERFORM FROM eventcore.deliveries d WHERE d.lease_id = lease ORDER BY d.position FOR UPDATE;
    missing := ARRAY(SELECT DISTINCT p FROM unnest(wanted) p
                      WHERE NOT EXISTS (SELECT FROM eventcore.deliveries d
                                         WHERE d.lease_id = lease AND d.position = p) ORDER BY p);
    IF cardinality(missing) > 0 OR positions IS NULL AND cardinality(wanted) = 0 THEN
        PERFORM eventcore.fail_lost(s.name, lease, missing);
    END IF;
    PERFORM eventcore.lock_to_change(s.name, 'subscription');
    IF NOT EXISTS (SELECT FROM eventcore.subscriptions t WHERE t.id = s.id) THEN
        -- It was reset or dropped in the meantime.
        PERFORM eventcore.fail_lost(s.name, lease, wanted);
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
COMMENT ON FUNCTION @extschema@.eventcore_nack(text, uuid, bigint[], text, text, interval) IS
$$Gives events of a lease back, and returns the outcome of each.

positions: which; NULL: all that the lease still holds.
action: 'retry', deliver it again after the delay, or park it if it has failed more often than retry_limit;
'park'; 'skip', as if acknowledged; 'release', deliver it again without counting a failure.
reason: why, for operators.
outcome: 'retry', 'parked', 'skipped', 'released'. If an event will be delivered again, or its stream stops, the later events
of the stream that the lease holds are released with it: do not handle them.
SE003 malformed argument. SE007 no such subscription. SE008 the lease does not hold them (any more). SE009 in a
REPEATABLE READ transaction block.$$;

-- sql/subscriptions/parked.sql

-- Parked events: set aside because they failed. With on_parked = 'stop' no event of their streams is delivered until they are
-- replayed or discarded.

CREATE FUNCTION eventcore.park(
    s         eventcore.subscriptions,
    positions bigint[],
    attempts  integer,
    consumer  text,
    reason    text
)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    streams text[];
BEGIN
    WITH failed AS (
        DELETE FROM eventcore.deliveries d USING unnest(positions) p
         WHERE d.subscription_id = s.id AND d.position = p
        RETURNING d.position, d.version, d.stream_id
    ), listed AS (
        INSERT INTO eventcore.parked (subscription_id, position, version, stream_id, attempts, consumer, reason)
        SELECT s.id, f.position, f.version, f.stream_id, attempts, consumer, reason FROM failed f
    )
    SELECT array_agg(f.stream_id) INTO streams FROM failed f;
    IF s.on_parked = 'stop' THEN
        INSERT INTO eventcore.backlogs AS b (subscription_id, stream_id, due)
        SELECT DISTINCT s.id, t COLLATE "C", timestamptz 'infinity' FROM unnest(streams) t
            ON CONFLICT ON CONSTRAINT backlogs_pkey DO UPDATE SET due = excluded.due;
    END IF;
    PERFORM eventcore.refresh_backlogs(s, streams, false);
END
$$;
COMMENT ON FUNCTION eventcore.park(eventcore.subscriptions, bigint[], integer, text, text) IS
    'Parks events of a subscription.';

CREATE FUNCTION @extschema@.eventcore_parked(
    subscription   text,
    after_position bigint  DEFAULT 0,
    max_count      bigint  DEFAULT 100
)
RETURNS TABLE (
    attempts       integer,
    reason         text,
    parked_at      timestamptz,
    consumer       text,
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
LANGUAGE plpgsql STABLE ROWS 100
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    s eventcore.subscriptions := eventcore.find_subscription(subscription);
BEGIN
    IF after_position < 0 THEN
        PERFORM eventcore.fail_malformed('after_position', 'is negative');
    ELSIF max_count < 0 THEN
        PERFORM eventcore.fail_malformed('max_count', 'is negative');
    END IF;
    RETURN QUERY
        SELECT k.attempts, k.reason, k.parked_at, k.consumer, e.position, e.stream_id, e.version, e.event_id,
               e.event_type, e.payload, e.metadata, e.correlation_id, e.causation_id, e.recorded_at
          FROM eventcore.parked k
         CROSS JOIN LATERAL (SELECT * FROM eventcore.events v WHERE v.position = k.position OFFSET 0) e
         WHERE k.subscription_id = s.id AND k.position > coalesce(after_position, 0)
         ORDER BY k.position LIMIT max_count;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_parked(text, bigint, bigint) IS
$$The parked events of a subscription after a position, in order, with the reason. max_count: the most events to return; NULL: all.
SE003 malformed argument. SE007 no such subscription.$$;

CREATE FUNCTION eventcore.unpark(wanted_subscription text, positions bigint[], deliver_them boolean) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    s       eventcore.subscriptions := eventcore.change_subscription(wanted_subscription);
    missing bigint;
    count   bigint;
    streams text[];
BEGIN
    PERFORM eventcore.check_positions(positions);
    SELECT min(p) INTO missing FROM unnest(positions) p
     WHERE NOT EXISTS (SELECT FROM eventcore.parked k WHERE k.subscription_id = s.id AND k.position = p);
    IF missing IS NOT NULL THEN
        PERFORM eventcore.fail_malformed('positions', format('has %s, which is not parked', missing));
    END IF;
    WITH taken AS (
        DELETE FROM eventcore.parked k
         WHERE k.subscription_id = s.id AND (positions IS NULL OR k.position = ANY (positions))
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
COMMENT ON FUNCTION eventcore.unpark(text, bigint[], boolean) IS
    'Ends the parking of events, and with deliver_them delivers them again. A stopped stream continues once none of its events is parked.';

CREATE FUNCTION @extschema@.eventcore_replay_parked(subscription text, positions bigint[] DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN eventcore.unpark(subscription, positions, true);
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_replay_parked(text, bigint[]) IS
$$Delivers parked events again, as if for the first time; returns how many. If their streams continued without them, they come
late. A stopped stream continues once none of its events is parked. positions: which; NULL: all.
SE003 one of them is not parked. SE007 no such subscription.$$;

CREATE FUNCTION @extschema@.eventcore_discard_parked(subscription text, positions bigint[] DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN eventcore.unpark(subscription, positions, false);
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_discard_parked(text, bigint[]) IS
$$Discards parked events: this subscription will not deliver them again. Returns how many. A stream that stopped for them
continues. positions: which; NULL: all.
SE003 one of them is not parked. SE007 no such subscription.$$;

-- sql/subscriptions/stat.sql

-- Monitoring of durable subscriptions. Reading the view scans the outstanding deliveries, not the events.

CREATE VIEW eventcore.stat_subscriptions AS
SELECT s.name, s.paused,
       c.checkpoint,
       h.safe_position,
       (SELECT greatest(h.safe_position - c.checkpoint - coalesce(sum(greatest(
                   least(h.safe_position, y.first_position) - greatest(c.checkpoint, y.reserved_position), 0)), 0), 0)::bigint
             FROM eventcore.history y WHERE y.cause <> 'new') AS lag_events,
       coalesce(extract(epoch FROM pg_catalog.clock_timestamp() - n.recorded_at), 0)::double precision AS lag_seconds,
       coalesce(d.leased, 0) AS leased,
       coalesce(d.leases, 0) AS leases,
       (SELECT count(DISTINCT l.consumer) FROM eventcore.leases l
         WHERE l.subscription_id = s.id
           AND EXISTS (SELECT FROM eventcore.deliveries v WHERE v.lease_id = l.lease_id)) AS consumers,
       coalesce(d.waiting, 0) AS waiting,
       coalesce(d.retrying, 0) AS retrying,
       coalesce(b.streams, 0) AS streams_behind,
       coalesce(k.parked, 0) AS parked,
       CASE WHEN s.on_parked = 'stop' THEN coalesce(k.streams, 0) ELSE 0 END AS streams_stopped,
       CASE WHEN k.parked_at > d.failed_at OR d.failed_at IS NULL THEN k.reason ELSE d.reason END AS last_error,
       greatest(k.parked_at, d.failed_at) AS last_error_at,
       s.read_position, s.stream_prefixes, s.event_types,
       extract(epoch FROM s.lease)::double precision AS lease_seconds, s.retry_limit, s.on_parked, s.created_at,
       s.home_id <> eventcore.home_id() AS is_copy
  FROM eventcore.subscriptions s
 CROSS JOIN (SELECT eventcore.safe_position() AS safe_position) h
  LEFT JOIN LATERAL (
       SELECT min(v.position) AS first_position,
              count(v.lease_id) AS leased,
              count(DISTINCT v.lease_id) AS leases,
              count(*) FILTER (WHERE v.lease_id IS NULL) AS waiting,
              count(*) FILTER (WHERE v.failures > 0) AS retrying,
              max(v.failed_at) AS failed_at,
              (array_agg(v.reason ORDER BY v.failed_at DESC) FILTER (WHERE v.failed_at IS NOT NULL))[1] AS reason
         FROM eventcore.deliveries v WHERE v.subscription_id = s.id) d ON true
  LEFT JOIN LATERAL (
       SELECT count(v.after_version) AS streams, min(v.next_position) AS first_position
         FROM eventcore.backlogs v WHERE v.subscription_id = s.id) b ON true
  LEFT JOIN LATERAL (
       SELECT count(*) AS parked, count(DISTINCT v.stream_id) AS streams, max(v.parked_at) AS parked_at,
              (array_agg(v.reason ORDER BY v.parked_at DESC))[1] AS reason
         FROM eventcore.parked v WHERE v.subscription_id = s.id) k ON true
 CROSS JOIN LATERAL (
       SELECT coalesce(least(d.first_position, b.first_position) - 1, s.read_position) AS checkpoint) c
  LEFT JOIN LATERAL (
       SELECT v.recorded_at FROM eventcore.events v
        WHERE v.position > c.checkpoint AND v.position <= h.safe_position
        ORDER BY v.position LIMIT 1) n ON true;
COMMENT ON VIEW eventcore.stat_subscriptions IS
    'The progress of each subscription, and what holds it back.';
COMMENT ON COLUMN eventcore.stat_subscriptions.name IS 'The subscription.';
COMMENT ON COLUMN eventcore.stat_subscriptions.paused IS 'Whether it is paused: polls get no events.';
COMMENT ON COLUMN eventcore.stat_subscriptions.checkpoint IS
    'All matching events up to this position are acknowledged, skipped or parked.';
COMMENT ON COLUMN eventcore.stat_subscriptions.safe_position IS 'The position up to which events can be read.';
COMMENT ON COLUMN eventcore.stat_subscriptions.lag_events IS
    'The number of positions between the two, without those between two histories: an upper bound of the events that are left.';
COMMENT ON COLUMN eventcore.stat_subscriptions.lag_seconds IS
    'The age of the first event after the checkpoint, matching or not yet read; 0 if there is no such event.';
COMMENT ON COLUMN eventcore.stat_subscriptions.leased IS 'Leased events, including those in expired leases.';
COMMENT ON COLUMN eventcore.stat_subscriptions.leases IS 'Leases with such events.';
COMMENT ON COLUMN eventcore.stat_subscriptions.consumers IS 'Consumers with such events, by name.';
COMMENT ON COLUMN eventcore.stat_subscriptions.waiting IS
    'Events that came back and wait to be delivered again.';
COMMENT ON COLUMN eventcore.stat_subscriptions.streams_behind IS
    'Streams with events that were read and wait, because earlier events of the stream are leased.';
COMMENT ON COLUMN eventcore.stat_subscriptions.streams_stopped IS
    'Streams that are stopped because one of their events is parked.';
COMMENT ON COLUMN eventcore.stat_subscriptions.read_position IS 'The position up to which it has read.';
COMMENT ON COLUMN eventcore.stat_subscriptions.retrying IS 'Events that have failed and will be retried.';
COMMENT ON COLUMN eventcore.stat_subscriptions.parked IS 'Events that have been parked.';
COMMENT ON COLUMN eventcore.stat_subscriptions.last_error IS
    'The reason of the newest failure among events that will be retried or are parked.';
COMMENT ON COLUMN eventcore.stat_subscriptions.last_error_at IS 'When the newest failure was.';
COMMENT ON COLUMN eventcore.stat_subscriptions.stream_prefixes IS 'Its filter by streams; NULL: all.';
COMMENT ON COLUMN eventcore.stat_subscriptions.event_types IS 'Its filter by types; NULL: all.';
COMMENT ON COLUMN eventcore.stat_subscriptions.lease_seconds IS 'How long a consumer has for the events of one poll, in seconds.';
COMMENT ON COLUMN eventcore.stat_subscriptions.retry_limit IS 'How often an event is retried before it is parked.';
COMMENT ON COLUMN eventcore.stat_subscriptions.on_parked IS 'Whether the stream of a parked event continues or stops.';
COMMENT ON COLUMN eventcore.stat_subscriptions.created_at IS 'When it was created.';
COMMENT ON COLUMN eventcore.stat_subscriptions.is_copy IS
    'Whether it is a copy that belongs to another database: it cannot be polled here until it is adopted.';

-- sql/client_state/checkpoints.sql

-- Checkpoints of projections that run in a client. The transaction that writes the read model also writes the checkpoint.

CREATE TABLE eventcore.checkpoints (
    position        bigint      NOT NULL,
    home_id         bigint      NOT NULL,
    changed_at      timestamptz NOT NULL DEFAULT pg_catalog.now(),
    projection      text        COLLATE "C" NOT NULL,
    CONSTRAINT checkpoints_pkey PRIMARY KEY (projection),
    CONSTRAINT checkpoints_projection_check CHECK (octet_length(projection) BETWEEN 1 AND 255 AND projection !~ E'[\\u0001-\\u001f\\u007f]'),
    CONSTRAINT checkpoints_position_check CHECK (position BETWEEN 0 AND 4611686018427387904)
) USING heap WITH (fillfactor = 50);
COMMENT ON TABLE eventcore.checkpoints IS
    'How far each projection of a client has come. Written by eventcore_advance_checkpoint.';
COMMENT ON COLUMN eventcore.checkpoints.position IS 'Every event up to here has taken effect.';
COMMENT ON COLUMN eventcore.checkpoints.home_id IS
    'The database that the projection follows: eventcore.home_id() of that one.';
COMMENT ON COLUMN eventcore.checkpoints.changed_at IS 'When the transaction that wrote this position began.';
COMMENT ON COLUMN eventcore.checkpoints.projection IS
    'Its name: 1 to 255 bytes, no ASCII control characters.';
SELECT pg_catalog.pg_extension_config_dump('eventcore.checkpoints', '');
CREATE TRIGGER checkpoints_settle BEFORE INSERT ON eventcore.checkpoints
    FOR EACH ROW EXECUTE FUNCTION eventcore.settle();
COMMENT ON TRIGGER checkpoints_settle ON eventcore.checkpoints IS
    'A checkpoint that is advanced or restored here belongs to this database; a replicated one does not.';

CREATE FUNCTION @extschema@.eventcore_checkpoint(projection text) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    found_one eventcore.checkpoints;
BEGIN
    PERFORM eventcore.check_name('projection', projection);
    SELECT * INTO found_one FROM eventcore.checkpoints c WHERE c.projection = projection COLLATE "C";
    IF found_one.home_id <> eventcore.home_id() THEN
        PERFORM eventcore.fail_copied('checkpoint', projection);
    END IF;
    RETURN coalesce(found_one.position, 0);
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_checkpoint(text) IS
$$The checkpoint of a projection; 0 if it has not been advanced yet. SE003 malformed argument. SE009 the checkpoint is a copy
that belongs to another database.$$;

CREATE FUNCTION @extschema@.eventcore_advance_checkpoint(projection text, from_position bigint, to_position bigint) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    projection CONSTANT text COLLATE "C" := projection;
    found_one eventcore.checkpoints;
BEGIN
    PERFORM eventcore.check_name('projection', projection);
    IF from_position IS NULL OR from_position < 0 THEN
        PERFORM eventcore.fail_malformed('from_position', 'is not a position, from 0');
    ELSIF to_position IS NULL OR to_position < 0 THEN
        PERFORM eventcore.fail_malformed('to_position', 'is not a position, from 0');
    END IF;
    PERFORM eventcore.require_told(to_position, true);
    IF from_position = 0 THEN
        INSERT INTO eventcore.checkpoints (projection, position, home_id) VALUES (projection, to_position, eventcore.home_id())
        ON CONFLICT ON CONSTRAINT checkpoints_pkey DO UPDATE
           SET position = to_position, changed_at = now()
         WHERE checkpoints.position = 0 AND checkpoints.home_id = eventcore.home_id();
    ELSE
        UPDATE eventcore.checkpoints c SET position = to_position, changed_at = now()
         WHERE c.projection = projection AND c.position = from_position AND c.home_id = eventcore.home_id();
    END IF;
    IF NOT FOUND THEN
        SELECT * INTO found_one FROM eventcore.checkpoints c WHERE c.projection = projection;
        IF found_one.home_id <> eventcore.home_id() THEN
            PERFORM eventcore.fail_copied('checkpoint', projection);
        END IF;
        PERFORM eventcore.fail_moved(projection, from_position, coalesce(found_one.position, 0));
    END IF;
    RETURN true;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_advance_checkpoint(text, bigint, bigint) IS
$$Advances a projection from one position to another, in the transaction that writes the effects of the events between
them: so each event takes effect exactly once. Call it first in that transaction: another process that runs the same
projection then waits, and fails. to_position may be lower than from_position, to rebuild the projection.
SE003 malformed argument. SE008 the projection is not at from_position. SE009 the checkpoint is a copy that belongs to
another database. SE011 to_position is of another history.$$;

-- sql/client_state/snapshots.sql

-- Snapshots of states that commands of clients have folded from streams. They save reads, no result depends on them, and
-- they are not dumped.

CREATE TABLE eventcore.snapshots (
    taken_at        timestamptz NOT NULL DEFAULT pg_catalog.now(),
    name            text        COLLATE "C" NOT NULL,
    streams_digest  bytea       NOT NULL,
    streams         text[]      COLLATE "C" NOT NULL,
    versions        bigint[]    NOT NULL,
    state           jsonb       NOT NULL,
    CONSTRAINT snapshots_pkey PRIMARY KEY (name, streams_digest)
);
COMMENT ON TABLE eventcore.snapshots IS
    'States of streams up to a version, saved by clients. Any row may be deleted at any time.';
COMMENT ON COLUMN eventcore.snapshots.taken_at IS 'When it was saved.';
COMMENT ON COLUMN eventcore.snapshots.name IS
    'The name that the client gives this kind of state: 1 to 255 bytes, no ASCII control characters.';
COMMENT ON COLUMN eventcore.snapshots.streams_digest IS
    'SHA-256 of the list of streams, which may be too long for an index.';
COMMENT ON COLUMN eventcore.snapshots.streams IS 'The streams, in the order in which the client gave them.';
COMMENT ON COLUMN eventcore.snapshots.versions IS 'For each stream, the version up to which the state includes it.';
COMMENT ON COLUMN eventcore.snapshots.state IS 'The state, as the client serialized it.';

CREATE FUNCTION eventcore.streams_digest(streams text[]) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.array_to_json(streams)::text, 'UTF8'));
END;
COMMENT ON FUNCTION eventcore.streams_digest(text[]) IS 'The key by which a list of streams is looked up.';

CREATE FUNCTION @extschema@.eventcore_load_snapshot(name text, streams text[])
RETURNS TABLE (versions bigint[], state jsonb, taken_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    SELECT s.versions, s.state, s.taken_at
      FROM eventcore.snapshots s
     WHERE s.name = eventcore_load_snapshot.name COLLATE "C"
       AND s.streams_digest = eventcore.streams_digest(eventcore_load_snapshot.streams)
       AND s.streams = eventcore_load_snapshot.streams COLLATE "C";
END;
COMMENT ON FUNCTION @extschema@.eventcore_load_snapshot(text, text[]) IS
$$The snapshot with this name of these streams, in this order: for each stream the version up to which the state includes
it, and the state. No row if there is no such snapshot. Read the later events with
eventcore_read_streams(streams, after_versions => versions).$$;

CREATE FUNCTION @extschema@.eventcore_save_snapshot(name text, streams text[], versions bigint[], state jsonb) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
-- Another session may be saving the same snapshot in a long transaction: a snapshot is not worth the wait.
SET lock_timeout = '200 ms'
AS $$
#variable_conflict use_variable
DECLARE
    name    CONSTANT text   COLLATE "C" := name;
    streams CONSTANT text[] COLLATE "C" := streams;
    digest  CONSTANT bytea := eventcore.streams_digest(streams);
    heads bigint[];
    kept_streams text[];
    kept_versions bigint[];
    place integer;
BEGIN
    PERFORM eventcore.check_name('name', name);
    -- Refuses an argument that is not a list of streams.
    heads := ARRAY(SELECT v.version FROM eventcore.stream_versions(streams) v);
    IF cardinality(heads) = 0 THEN
        PERFORM eventcore.fail_malformed('streams', 'is empty');
    ELSIF versions IS NULL OR array_ndims(versions) <> 1 OR cardinality(versions) <> cardinality(heads) THEN
        PERFORM eventcore.fail_malformed('versions', 'has not one element for each stream');
    ELSIF state IS NULL THEN
        PERFORM eventcore.fail_malformed('state', 'is NULL');
    END IF;
    versions := ARRAY(SELECT unnest(versions));
    FOR place IN 1 .. cardinality(versions) LOOP
        IF versions[place] IS NULL OR versions[place] < 0 THEN
            PERFORM eventcore.fail_malformed('versions', 'is not a version, from 0', place - 1);
        ELSIF versions[place] > heads[place] THEN
            PERFORM eventcore.fail_malformed('versions', 'is above the version of its stream', place - 1);
        END IF;
    END LOOP;

    BEGIN
        INSERT INTO eventcore.snapshots (name, streams_digest, streams, versions, state)
        VALUES (name, digest, streams, versions, state)
        ON CONFLICT ON CONSTRAINT snapshots_pkey DO NOTHING;
        IF FOUND THEN
            RETURN true;
        END IF;
        SELECT s.streams, s.versions INTO kept_streams, kept_versions FROM eventcore.snapshots s
         WHERE s.name = name AND s.streams_digest = digest
           FOR UPDATE;
    EXCEPTION WHEN lock_not_available THEN
        RETURN false;
    END;
    -- Read again, now that the row is locked: the previous lock holder may have written to the streams.
    heads := ARRAY(SELECT v.version FROM eventcore.stream_versions(streams) v);
    UPDATE eventcore.snapshots s
       SET taken_at = now(), streams = streams, versions = versions, state = state
     WHERE s.name = name AND s.streams_digest = digest
       AND (kept_streams <> streams
            OR NOT EXISTS (SELECT FROM unnest(kept_versions, versions) AS v (kept, given) WHERE v.kept > v.given)
            -- It is ahead of its streams, so no client can use it.
            OR EXISTS (SELECT FROM unnest(kept_versions, heads) AS v (kept, head) WHERE v.kept > v.head));
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_save_snapshot(text, text[], bigint[], jsonb) IS
$$Saves a state of these streams, each up to the version given, in place of an older one. Returns whether it did: false if
the saved one includes more of a stream, or if another session is saving one. SE003 malformed argument.$$;

-- sql/commands/tables.sql

-- The tables of commands that run inside the database.

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
    'How often an execution may start again because it found that it needs another stream.';
COMMENT ON COLUMN eventcore.commands.snapshot_every IS
    'An execution that reads this many events of a stream saves its state; 0: never.';
COMMENT ON COLUMN eventcore.commands.changed_at IS
    'When it was registered or replaced, or its saved states were discarded: older states are not used.';
COMMENT ON COLUMN eventcore.commands.name IS 'Its name: 1 to 255 bytes, no ASCII control characters.';
COMMENT ON COLUMN eventcore.commands.apply IS 'The function (state jsonb, event eventcore.events) that returns the next state.';
COMMENT ON COLUMN eventcore.commands.handle IS 'The function (state jsonb, input jsonb) that returns the events to write.';
COMMENT ON COLUMN eventcore.commands.related_streams IS
    'The function (state jsonb, input jsonb) that returns further streams to read; NULL: none.';
COMMENT ON COLUMN eventcore.commands.streams_function IS
    'The function (input jsonb) that returns the streams; NULL: the input names them.';
COMMENT ON COLUMN eventcore.commands.combine IS
    'The function (state jsonb, state jsonb) that combines the states of two streams into one; NULL: there is no such function.';
COMMENT ON COLUMN eventcore.commands.streams IS 'JSON pointers to streams in the input.';
COMMENT ON COLUMN eventcore.commands.checked_streams IS
    'JSON pointers to streams in the input that are read and checked, and not written.';
COMMENT ON COLUMN eventcore.commands.required_fields IS
    'An object: JSON pointers into the input, each with the required type of the value.';
COMMENT ON COLUMN eventcore.commands.initial_state IS 'The state before the first event.';
COMMENT ON COLUMN eventcore.commands.settings IS
    'The settings, each as name=value, that its functions run with, whatever the settings of the executing session.';
COMMENT ON COLUMN eventcore.commands.function_owners IS
    'The roles that owned its functions when it was registered. A function with the same name is not called if it belongs to another role, except a superuser.';
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
    'The results of executions with an idempotency key. Once a row is deleted, its key can be used again.';
COMMENT ON COLUMN eventcore.executions.recorded_at IS 'When it was executed.';
COMMENT ON COLUMN eventcore.executions.first_position IS 'The position of its first event; NULL if it wrote none.';
COMMENT ON COLUMN eventcore.executions.last_position IS 'The position of its last event; NULL if it wrote none.';
COMMENT ON COLUMN eventcore.executions.command IS 'The command.';
COMMENT ON COLUMN eventcore.executions.idempotency_key IS
    'The key that the caller gave: 1 to 255 bytes, no ASCII control characters.';
COMMENT ON COLUMN eventcore.executions.streams IS 'The streams that it read.';
COMMENT ON COLUMN eventcore.executions.versions IS 'The version of each after it.';
SELECT pg_catalog.pg_extension_config_dump('eventcore.executions', '');

-- A cache, which is not dumped. No role has a privilege on it: eventcore_execute reads and writes it beneath SQL. A state is
-- used only for the role that made it, because the settings of that role may have influenced the functions.
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
    'States of long streams that eventcore_execute has saved, to read fewer events later. Any row may be deleted at any time.';
COMMENT ON COLUMN eventcore.command_states.first_version IS 'The first version that the state includes.';
COMMENT ON COLUMN eventcore.command_states.last_version IS 'The last version that the state includes, with all between.';
COMMENT ON COLUMN eventcore.command_states.kept_at IS 'When the statement that saved it began.';
COMMENT ON COLUMN eventcore.command_states.made_by IS
    'Identifies the registration and the definition of `apply` that made it: under any other it is not used.';
COMMENT ON COLUMN eventcore.command_states.last_event_id IS 'The id of the last event.';
COMMENT ON COLUMN eventcore.command_states.role IS 'The role whose execution saved it, and in whose executions it is used.';
COMMENT ON COLUMN eventcore.command_states.command IS 'The command.';
COMMENT ON COLUMN eventcore.command_states.stream_id IS 'The stream.';
COMMENT ON COLUMN eventcore.command_states.state IS 'The state of this stream alone, from the initial state of the command.';

-- sql/commands/register.sql

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

streams: JSON pointers to the streams in the input, each a string or an array of strings; checked_streams: the
same for streams that are read and checked and not written. Or streams_function(input jsonb) returns text[].
related_streams(state jsonb, input jsonb) returns text[]: further streams, found in the state.
required_fields: what the input must have, such as {"/cents": "number"}; types: string, number, boolean, object, array, any.
combine(state jsonb, state jsonb) returns jsonb: if given, each stream is folded separately from the initial state, and this
function combines their states one after the other. snapshot_every: an execution that reads this many events of a stream saves
its state, and later executions start from there; 0: never. Without `combine` this holds only for the first stream, because the
others are folded into its state. The result of `apply` must depend only on its arguments.
settings: the settings that the functions run with, for every executor. By default search_path, without temporary tables first,
and the other settings of this session that change what a function decides. Settings of a function itself take precedence.
SE003 malformed argument; a function with other arguments or another result, or that the caller may not execute.$$;

-- sql/commands/manage.sql

-- Dropping a command, and discarding its saved states.

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
$$Drops a command; false if there is no command with this name. Its functions stay. SE003 malformed argument.$$;

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
$$Discards the saved states of a command, so that it folds its streams from the start again. Needed after a change that affects
`apply` without changing it, such as a change of a function that it calls. States that running executions save are not used
later. False if there is no command with this name. SE003 malformed argument.$$;

-- sql/commands/execute.sql

-- Executing a registered command.

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
$$The result of eventcore_execute: the positions of its events, NULL if there are none; every stream that it read, and their
versions afterwards; the time; whether an earlier execution had already done it; the number of attempts.$$;

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

idempotency_key: the same command with the same key is executed once. A repetition returns the first result, whatever its
input. metadata: an object that is added to the metadata of each event; keys that `handle` sets take precedence.
SE002 an event for a stream that was not read. SE003 malformed argument, input, or result of a function.
SE005 stream closed. SE006 `handle` raised an error: that error is in the DETAIL. SE007 unknown command.
SE009 not available in this context, for example in a function of a command.$$;

-- sql/projections/tables.sql

-- The tables of projections that run inside the server.

CREATE TABLE eventcore.projections (
    checkpoint      bigint      NOT NULL,
    singly_until    bigint      NOT NULL DEFAULT 0,
    retry_at        timestamptz NOT NULL DEFAULT '-infinity',
    created_at      timestamptz NOT NULL DEFAULT pg_catalog.now(),
    owner           oid         NOT NULL,
    batch_size      integer     NOT NULL,
    retry_limit     integer     NOT NULL,
    attempts        integer     NOT NULL DEFAULT 0,
    takes_array     boolean     NOT NULL,
    reset_pending   boolean     NOT NULL DEFAULT false,
    name            text        COLLATE "C" NOT NULL,
    mode            text        NOT NULL,
    status          text        NOT NULL DEFAULT 'running',
    on_error        text        NOT NULL,
    handler         text        NOT NULL,
    reset           text,
    stream_prefixes text[]      COLLATE "C",
    event_types     text[]      COLLATE "C",
    tables          text[],
    skipped         bigint      NOT NULL DEFAULT 0,
    last_error      text,
    last_sqlstate   text,
    last_error_position bigint,
    last_error_at   timestamptz,
    rebuilds        text        COLLATE "C",
    shadow_schema   text,
    interruptions   integer     NOT NULL DEFAULT 0,
    home_id         bigint      NOT NULL,
    owner_name      text        COLLATE "C" NOT NULL,
    settings        text[]      NOT NULL DEFAULT '{"search_path=pg_catalog, pg_temp"}',
    table_ids       oid[],
    function_owners text[]      COLLATE "C" NOT NULL DEFAULT '{}',
    CONSTRAINT projections_pkey PRIMARY KEY (name),
    CONSTRAINT projections_mode_check CHECK (mode IN ('async', 'inline')),
    CONSTRAINT projections_batch_size_check CHECK (batch_size BETWEEN 1 AND 100000),
    CONSTRAINT projections_positions_check CHECK (checkpoint BETWEEN 0 AND 4611686018427387904
        AND singly_until BETWEEN 0 AND 4611686018427387904),
    CONSTRAINT projections_name_check CHECK (octet_length(name) BETWEEN 1 AND 255 AND name !~ E'[\\u0001-\\u001f\\u007f]'
        AND (rebuilds IS NOT NULL OR name NOT LIKE '%/rebuild')),
    CONSTRAINT projections_retry_limit_check CHECK (retry_limit >= 0),
    CONSTRAINT projections_attempts_check CHECK (attempts BETWEEN 0 AND 1000000000 AND interruptions BETWEEN 0 AND 1000000000),
    CONSTRAINT projections_length_check CHECK (length(handler) <= 10000 AND length(reset) <= 10000
        AND cardinality(stream_prefixes) <= 1000 AND cardinality(event_types) <= 1000),
    CONSTRAINT projections_status_check CHECK (status IN ('running', 'paused', 'failed')),
    CONSTRAINT projections_on_error_check CHECK (on_error IN ('stop', 'skip', 'park')),
    CONSTRAINT projections_rebuilds_check CHECK ((rebuilds IS NULL) = (shadow_schema IS NULL)
                                                 AND (rebuilds IS NULL OR mode = 'async')
                                                 AND rebuilds <> name)
) USING heap WITH (fillfactor = 50);
COMMENT ON TABLE eventcore.projections IS
    'Projections that run inside the server. Written by eventcore_…_projection and by the workers; a trigger lets each role change only its own.';
COMMENT ON COLUMN eventcore.projections.checkpoint IS
    'Every matching event up to here has taken effect, was skipped or is parked. For an inline projection: where it began.';
COMMENT ON COLUMN eventcore.projections.singly_until IS
    'Up to here the handler gets one event per transaction, because a batch failed: to find the event that fails.';
COMMENT ON COLUMN eventcore.projections.retry_at IS 'The handler is not called before this time.';
COMMENT ON COLUMN eventcore.projections.created_at IS 'When it was created.';
COMMENT ON COLUMN eventcore.projections.owner IS
    'The role that created it: its worker logs in as that role. 0: it was restored where no role had the name of its owner.';
COMMENT ON COLUMN eventcore.projections.home_id IS
    'The database that runs it, as eventcore.home_id() of that database. In another one the OID of the owner means nothing.';
COMMENT ON COLUMN eventcore.projections.table_ids IS
    'The OIDs of the tables when the projection was created, restored or rebuilt: eventcore_check finds tables that were replaced since.';
COMMENT ON COLUMN eventcore.projections.owner_name IS
    'The name of the owner, by which a restore finds the role.';
COMMENT ON COLUMN eventcore.projections.batch_size IS 'The most events in one transaction.';
COMMENT ON COLUMN eventcore.projections.retry_limit IS
    'How often a failed event is retried before on_error decides.';
COMMENT ON COLUMN eventcore.projections.attempts IS 'How often the next event has failed.';
COMMENT ON COLUMN eventcore.projections.takes_array IS 'Whether the handler takes an array of events.';
COMMENT ON COLUMN eventcore.projections.reset_pending IS
    'Whether the next transaction of its worker first empties its tables or, for a rebuild, creates the shadow tables: eventcore_rebuild_projection was called.';
COMMENT ON COLUMN eventcore.projections.name IS 'Its name: 1 to 255 bytes, no ASCII control characters.';
COMMENT ON COLUMN eventcore.projections.mode IS 'async: by a worker; inline: in the transaction of the append.';
COMMENT ON COLUMN eventcore.projections.status IS
    'running; paused; failed: an event failed too often, or the handler does not exist. eventcore_resume_projection lets it continue.';
COMMENT ON COLUMN eventcore.projections.on_error IS
    'What to do with an event that has failed too often: stop, so that the projection has failed; skip it; park it.';
COMMENT ON COLUMN eventcore.projections.handler IS 'The full name of the function that gets the events.';
COMMENT ON COLUMN eventcore.projections.reset IS 'The function that empties what the handler writes; NULL: there is no such function.';
COMMENT ON COLUMN eventcore.projections.stream_prefixes IS
    'Only streams whose name begins with one of these, byte by byte; NULL: all.';
COMMENT ON COLUMN eventcore.projections.event_types IS 'Only events of these types; NULL: all.';
COMMENT ON COLUMN eventcore.projections.tables IS
    'The full names of the tables that the handler writes: a rebuild empties them. NULL: not declared.';
COMMENT ON COLUMN eventcore.projections.skipped IS 'How many events were skipped because they failed.';
COMMENT ON COLUMN eventcore.projections.last_error IS 'The message of the last failure; NULL if it has never failed.';
COMMENT ON COLUMN eventcore.projections.last_sqlstate IS 'Its SQLSTATE.';
COMMENT ON COLUMN eventcore.projections.last_error_position IS
    'The event that failed; NULL if the cause was not an event, or one of a batch.';
COMMENT ON COLUMN eventcore.projections.last_error_at IS 'When the last failure was.';
COMMENT ON COLUMN eventcore.projections.settings IS
    'The settings, each as name=value, that an inline handler runs with, for every appender. An async handler has the settings of its owner.';
COMMENT ON COLUMN eventcore.projections.function_owners IS
    'The roles that owned its functions when it was created. A function with the same name is not called if it belongs to another role, except a superuser.';
COMMENT ON COLUMN eventcore.projections.interruptions IS
    'How many consecutive failures had a cause other than an event: a deadlock, a full disk, too little memory.';
COMMENT ON COLUMN eventcore.projections.rebuilds IS
    'The projection that this one rebuilds, and whose tables it replaces when it has caught up; NULL: it is not a rebuild.';
COMMENT ON COLUMN eventcore.projections.shadow_schema IS
    'The schema of the shadow tables of a rebuild until then.';

CREATE TABLE eventcore.projection_parked (
    position        bigint      NOT NULL,
    parked_at       timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    attempts        integer     NOT NULL,
    projection      text        COLLATE "C" NOT NULL,
    sqlstate        text        NOT NULL,
    reason          text        NOT NULL,
    replay          boolean     NOT NULL DEFAULT false,
    CONSTRAINT projection_parked_pkey PRIMARY KEY (projection, position),
    CONSTRAINT projection_parked_position_check CHECK (position BETWEEN 1 AND 4611686018427387904)
) USING heap;
CREATE INDEX projection_parked_replay_idx ON eventcore.projection_parked (projection, position) WHERE replay;
COMMENT ON TABLE eventcore.projection_parked IS
    'Events that a projection has set aside because its handler failed on them.';
COMMENT ON COLUMN eventcore.projection_parked.position IS 'The event.';
COMMENT ON COLUMN eventcore.projection_parked.parked_at IS 'When it was parked.';
COMMENT ON COLUMN eventcore.projection_parked.attempts IS 'How often it had failed.';
COMMENT ON COLUMN eventcore.projection_parked.projection IS 'The projection.';
COMMENT ON COLUMN eventcore.projection_parked.sqlstate IS 'The SQLSTATE of the last failure.';
COMMENT ON COLUMN eventcore.projection_parked.reason IS 'The message of the last failure.';
COMMENT ON COLUMN eventcore.projection_parked.replay IS
    'Whether the worker will pass it to the handler again: eventcore_replay_projection_parked was called.';
COMMENT ON INDEX eventcore.projection_parked_replay_idx IS 'The events to pass to the handler again.';

SELECT pg_catalog.pg_extension_config_dump('eventcore.projections', '');
SELECT pg_catalog.pg_extension_config_dump('eventcore.projection_parked', '');

-- sql/projections/support.sql

-- What the functions of projections share: locks, looking up a projection, deleting rows without the privilege DELETE.

CREATE FUNCTION eventcore.lock_events() RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_lock_events';
COMMENT ON FUNCTION eventcore.lock_events() IS
    'Waits until all running appends have ended, and keeps new ones waiting until the transaction ends, as CREATE TRIGGER does. 42501 without the privilege TRIGGER on eventcore.events.';

CREATE FUNCTION eventcore.lock_projection(name text) RETURNS void
LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'eventcore_lock_projection';
COMMENT ON FUNCTION eventcore.lock_projection(text) IS
    'Waits until no worker runs this projection, and keeps workers from it until the transaction ends. 42501 it belongs to another role. 25006 on a standby and in a read-only transaction.';

CREATE FUNCTION eventcore.projection_key(name text) RETURNS bigint
LANGUAGE c IMMUTABLE STRICT
AS 'MODULE_PATHNAME', 'eventcore_projection_key';
COMMENT ON FUNCTION eventcore.projection_key(text) IS
    'The key of its lock in pg_locks: classid in the upper half, objid in the lower half.';

CREATE FUNCTION eventcore.owner_waits_for(owner regrole) RETURNS text
LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'eventcore_owner_waits_for';
COMMENT ON FUNCTION eventcore.owner_waits_for(regrole) IS
    'What keeps the projections of this role from running now; NULL: nothing. See eventcore.stat_projections.waits_for.';

CREATE FUNCTION eventcore.projections_changed() RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_projections_changed';
COMMENT ON FUNCTION eventcore.projections_changed() IS
    'Makes every process read the list of projections again when the transaction commits.';

CREATE FUNCTION eventcore.delete_projection(name text) RETURNS void
LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'eventcore_delete_projection';
COMMENT ON FUNCTION eventcore.delete_projection(text) IS
    'Deletes the row of a projection, if it exists, without the privilege DELETE. 42501 it belongs to another role. 40001 another transaction has changed it in the meantime.';

CREATE FUNCTION eventcore.delete_projection_parked(projection text, positions bigint[]) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_delete_projection_parked';
COMMENT ON FUNCTION eventcore.delete_projection_parked(text, bigint[]) IS
    'Deletes the parked events of a projection at these positions, or all if they are NULL, without the privilege DELETE. Returns how many. 42501 the projection belongs to another role.';

CREATE FUNCTION eventcore.find_projection(wanted text, argument text DEFAULT 'name')
RETURNS eventcore.projections
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
DECLARE
    found_one eventcore.projections;
BEGIN
    SELECT * INTO found_one FROM eventcore.projections p WHERE p.name = wanted COLLATE "C";
    IF NOT FOUND THEN
        PERFORM eventcore.check_name(argument, wanted);
        PERFORM eventcore.fail_unknown_projection(wanted);
    END IF;
    RETURN found_one;
END
$$;
COMMENT ON FUNCTION eventcore.find_projection(text, text) IS 'Returns the projection with this name. SE007 no such projection.';

CREATE FUNCTION eventcore.change_projection(wanted text, argument text DEFAULT 'name')
RETURNS eventcore.projections
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_one eventcore.projections;
BEGIN
    PERFORM eventcore.check_name(argument, wanted);
    PERFORM eventcore.see_newest('projection');
    PERFORM eventcore.lock_projection(wanted);
    PERFORM eventcore.projections_changed();
    found_one := eventcore.find_projection(wanted, argument);
    IF found_one.home_id <> eventcore.home_id() THEN
        PERFORM eventcore.fail_copied('projection', wanted);
    END IF;
    RETURN found_one;
END
$$;
COMMENT ON FUNCTION eventcore.change_projection(text, text) IS
    'Returns the projection with this name and keeps workers from it until the transaction ends. SE007 no such projection. SE009 it is a copy that belongs to another database.';

-- sql/projections/owners.sql

-- A projection is changed and locked by members of its owner only: triggers and policies.

CREATE FUNCTION eventcore.check_projection_owner(projection text, owner regrole) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- If the owner does not exist, only superusers pass. A worker logs in as the owner. So from PostgreSQL 16 on, where the two
    -- differ, a role needs not only the rights of the owner, but also the right to SET ROLE to it.
    IF NOT (CASE WHEN EXISTS (SELECT FROM pg_roles r WHERE r.oid = owner) THEN pg_has_role(owner, 'USAGE')
                  AND CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN pg_has_role(owner, 'SET') ELSE true END
                 ELSE (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) END) THEN
        RAISE EXCEPTION 'permission denied for projection "%"', projection
            USING ERRCODE = '42501', DETAIL = format('It belongs to %s.', owner);
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.check_projection_owner(text, regrole) IS
    '42501 unless the caller is a member of the role that owns the projection.';

-- Roles may write these tables, because the functions and the workers run with their rights. But a handler runs with the
-- rights of the projection's owner, so no role may create or change a projection of another role, or its parked events.
CREATE FUNCTION eventcore.guard_projection() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM eventcore.check_projection_owner(OLD.name, OLD.owner);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM eventcore.check_projection_owner(NEW.name, NEW.owner);
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.mode = 'inline' AND NOT has_table_privilege('eventcore.events', 'TRIGGER') THEN
        RAISE EXCEPTION 'permission denied for inline projection "%"', NEW.name
            USING ERRCODE = '42501', DETAIL = 'It runs in the appends of all roles, as a trigger would.',
                  HINT = 'GRANT TRIGGER ON eventcore.events, or create it with mode => ''async''.';
    END IF;
    IF TG_OP = 'INSERT' AND NEW.rebuilds IS NOT NULL
       AND NOT EXISTS (SELECT FROM eventcore.projections p WHERE p.name = NEW.rebuilds AND p.owner = NEW.owner AND p.rebuilds IS NULL)
       -- In a restore the rebuild may come first.
       AND NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
        RAISE EXCEPTION 'permission denied for projection "%"', NEW.name
            USING ERRCODE = '42501', DETAIL = format('There is no projection "%s" of %s.', NEW.rebuilds, NEW.owner::regrole);
    END IF;
    -- The owner may have been renamed.
    IF TG_OP = 'UPDATE' AND NEW.home_id = eventcore.home_id() THEN
        NEW.owner_name := coalesce((SELECT r.rolname FROM pg_roles r WHERE r.oid = NEW.owner), NEW.owner_name);
    END IF;
    -- A restored projection: its worker must not run before the tables that it writes are restored.
    IF TG_OP = 'INSERT' AND NEW.mode = 'async' AND NEW.status = 'running' THEN
        NEW.status := 'paused';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
COMMENT ON FUNCTION eventcore.guard_projection() IS
    'Trigger that lets a role write only its own projections (42501). An async projection begins paused.';
CREATE TRIGGER projections_have_owners BEFORE INSERT OR UPDATE OR DELETE ON eventcore.projections
    FOR EACH ROW EXECUTE FUNCTION eventcore.guard_projection();
ALTER TABLE eventcore.projections ENABLE ALWAYS TRIGGER projections_have_owners;
COMMENT ON TRIGGER projections_have_owners ON eventcore.projections IS
    'Only members of its owner create, change and drop a projection.';

CREATE FUNCTION eventcore.guard_projection_parked() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
DECLARE
    names CONSTANT text[] := CASE TG_OP WHEN 'INSERT' THEN ARRAY[NEW.projection]
        WHEN 'DELETE' THEN ARRAY[OLD.projection] ELSE ARRAY[OLD.projection, NEW.projection] END;
    one text;
BEGIN
    FOREACH one IN ARRAY names LOOP
        -- In a restore the parked events come before the projection.
        PERFORM eventcore.check_projection_owner(one, coalesce((SELECT p.owner FROM eventcore.projections p WHERE p.name = one), 0::oid));
    END LOOP;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
COMMENT ON FUNCTION eventcore.guard_projection_parked() IS
    'Trigger that lets a role write only the parked events of its own projections (42501).';
CREATE TRIGGER projection_parked_has_owners BEFORE INSERT OR UPDATE OR DELETE ON eventcore.projection_parked
    FOR EACH ROW EXECUTE FUNCTION eventcore.guard_projection_parked();
ALTER TABLE eventcore.projection_parked ENABLE ALWAYS TRIGGER projection_parked_has_owners;
COMMENT ON TRIGGER projection_parked_has_owners ON eventcore.projection_parked IS
    'Only members of the owner of a projection change its parked events.';

-- A role that may UPDATE a row may also lock it with SELECT ... FOR UPDATE, and so keep the worker from it. These policies
-- prevent that for projections of other roles. The triggers decide everything else, because they raise an error.
ALTER TABLE eventcore.projections ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON eventcore.projections FOR SELECT USING (true);
CREATE POLICY creators ON eventcore.projections FOR INSERT WITH CHECK (true);
CREATE POLICY owners ON eventcore.projections FOR UPDATE
    USING (pg_catalog.pg_has_role(owner, 'USAGE')) WITH CHECK (true);
ALTER TABLE eventcore.projection_parked ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON eventcore.projection_parked FOR SELECT USING (true);
CREATE POLICY creators ON eventcore.projection_parked FOR INSERT WITH CHECK (true);
CREATE POLICY owners ON eventcore.projection_parked FOR UPDATE
    USING (EXISTS (SELECT FROM eventcore.projections p WHERE p.name = projection AND pg_catalog.pg_has_role(p.owner, 'USAGE')))
    WITH CHECK (true);
COMMENT ON POLICY owners ON eventcore.projections IS 'Only members of its owner lock or change a projection.';
COMMENT ON POLICY owners ON eventcore.projection_parked IS 'Only members of the owner of a projection lock or change its parked events.';

-- sql/projections/triggers.sql

-- Triggers that complete the row of a projection, and that tell every process of a change.

CREATE FUNCTION eventcore.table_ids(tables text[]) RETURNS oid[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $$
    -- Not to_regclass, which asks for the privilege USAGE on the schema.
    SELECT array_agg(c.oid ORDER BY t.place)
      FROM unnest(table_ids.tables) WITH ORDINALITY t (name, place)
      LEFT JOIN (pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace)
        ON format('%I.%I', n.nspname, c.relname) = t.name COLLATE "C"
$$;
COMMENT ON FUNCTION eventcore.table_ids(text[]) IS 'The OIDs of the tables with these full names; NULL for those that do not exist.';

CREATE FUNCTION eventcore.settle_projection() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.owner_name IS NULL THEN
        NEW.owner_name := (SELECT r.rolname FROM pg_roles r WHERE r.oid = NEW.owner);
    ELSE
        -- Restored: the OID is that of a role of another cluster, or of a role that was dropped.
        NEW.owner := coalesce((SELECT r.oid FROM pg_roles r WHERE r.rolname = NEW.owner_name), 0);
        IF NEW.owner = 0 THEN
            NEW.last_error := format('the role "%s" does not exist', NEW.owner_name);
            NEW.last_sqlstate := '42704';
            NEW.last_error_position := NULL;
            NEW.last_error_at := clock_timestamp();
        END IF;
    END IF;
    NEW.home_id := eventcore.home_id();
    NEW.table_ids := eventcore.table_ids(NEW.tables);
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION eventcore.settle_projection() IS
    'Trigger that assigns a projection that is created or restored here to this database, and to the role with the name of its owner. Not ENABLE ALWAYS: replicated rows keep belonging to the publisher.';
-- Before projections_have_owners, in the order of their names.
CREATE TRIGGER projections_are_settled BEFORE INSERT ON eventcore.projections
    FOR EACH ROW EXECUTE FUNCTION eventcore.settle_projection();
COMMENT ON TRIGGER projections_are_settled ON eventcore.projections IS
    'A projection that is created or restored here belongs to this database; a replicated one does not.';

CREATE FUNCTION eventcore.announce_projections() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM eventcore.projections_changed();
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION eventcore.announce_projections() IS
    'Trigger that makes every process read the list of projections again, except after a batch.';
CREATE TRIGGER projections_are_announced AFTER INSERT OR DELETE OR UPDATE OF name, owner, mode, status, handler, takes_array,
        stream_prefixes, event_types ON eventcore.projections
    FOR EACH STATEMENT EXECUTE FUNCTION eventcore.announce_projections();
ALTER TABLE eventcore.projections ENABLE ALWAYS TRIGGER projections_are_announced;
COMMENT ON TRIGGER projections_are_announced ON eventcore.projections IS
    'Every process that caches the list of projections receives each change.';

-- sql/projections/create.sql

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

-- sql/projections/manage.sql

-- Pausing, resuming and dropping projections, changing their owner, and waiting for them.

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
$$Waits for the current batch; after that the handler is not called. SE003 an inline projection. SE007 no such projection.$$;

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
            PERFORM eventcore.fail_unavailable('owner_missing', ARRAY[p.name, p.owner_name]);
        END IF;
        UPDATE eventcore.projections t SET owner = p.owner WHERE t.name = p.name;
    END IF;
    UPDATE eventcore.projections t
       SET status = 'running', attempts = 0, retry_at = '-infinity' WHERE t.name = p.name;
    RETURN true;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_resume_projection(text) IS
$$Lets a projection that is paused, has failed or waits to retry continue at once. SE007 no such projection. SE009 its owner does
not exist, for example after a restore into a cluster that lacks this role.$$;

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
    -- The caller says explicitly that the handler may run with the rights of the new owner.
    UPDATE eventcore.projections t
       SET owner = new.oid, status = CASE p.mode WHEN 'async' THEN 'paused' ELSE t.status END WHERE t.name = p.name;
    RETURN true;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_set_projection_owner(text, text) IS
$$Gives a projection to another role: its worker logs in as that role from now on. An async projection is paused until
eventcore_resume_projection. For superusers. SE003 the role does not exist or may not log in. SE007 no such projection.$$;

CREATE FUNCTION eventcore.remove_projection(p eventcore.projections) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- In this order: the row of the projection says whose parked events these are.
    PERFORM eventcore.delete_projection_parked(p.name, NULL);
    PERFORM eventcore.delete_projection(p.name);
    PERFORM eventcore.drop_shadow(p);
END
$$;
COMMENT ON FUNCTION eventcore.remove_projection(eventcore.projections) IS
    'Removes a projection, its parked events, and the tables of a rebuild.';

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
$$Waits for the current batch and removes the projection. Its handler and the rows that it wrote stay. A rebuild in progress
is cancelled, and its shadow tables are dropped. To cancel only the rebuild of "p", drop "p/rebuild". SE007 no such projection.$$;

CREATE PROCEDURE @extschema@.eventcore_wait_for_projection(
    name             text,
    to_position      bigint   DEFAULT NULL,
    timeout          interval DEFAULT '30 seconds',
    INOUT checkpoint bigint   DEFAULT NULL
)
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_wait_for_projection';
COMMENT ON PROCEDURE @extschema@.eventcore_wait_for_projection(text, bigint, interval, bigint) IS
$$Returns as soon as an async projection has handled all events up to a position, such as the last_position of an append, or
when the timeout is over; gives the checkpoint either way. to_position: NULL means the last committed position. It does not
hold back VACUUM while it waits, and cannot be called inside a transaction block (SE009).
SE003 malformed argument. SE007 no such projection. SE009 the projection has failed and does not advance.$$;

-- sql/projections/worker.sql

-- What a worker records: progress, failures, and the results of replayed events.

CREATE FUNCTION eventcore.projection_advanced(wanted text, to_position bigint) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
BEGIN
    UPDATE eventcore.projections p
       SET checkpoint = to_position, attempts = 0, interruptions = 0, reset_pending = false
     WHERE p.name = wanted COLLATE "C";
END
$$;
COMMENT ON FUNCTION eventcore.projection_advanced(text, bigint) IS
    'Records that the worker has handled all events up to this position, in this transaction.';

CREATE FUNCTION eventcore.is_blameless(error_code text) RETURNS boolean
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    -- Not 40002, a constraint, and not 53400, a configured limit: the same event would fail on them again.
    SELECT ("left"(error_code, 2) COLLATE "C" IN ('08', '40', '53', '58') AND error_code COLLATE "C" NOT IN ('40002', '53400'))
        OR error_code COLLATE "C" IN ('25006', '55P03');
END;
COMMENT ON FUNCTION eventcore.is_blameless(text) IS
    'Whether an error has a cause other than the event: a conflict with other transactions, or a lack of resources.';

CREATE FUNCTION eventcore.lock_projection_soon(name text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '200 ms'
AS $$
BEGIN
    PERFORM eventcore.lock_projection(name);
    RETURN true;
EXCEPTION WHEN lock_not_available THEN
    RETURN false;
END
$$;
COMMENT ON FUNCTION eventcore.lock_projection_soon(text) IS
    'The same as eventcore.lock_projection, for at most 200 ms; false if another session still holds it.';

CREATE FUNCTION eventcore.retry_time(failures integer) RETURNS timestamptz
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    SELECT pg_catalog.clock_timestamp()
         + least(interval '60 s', interval '100 ms' * pg_catalog.power(2, least(failures, 20) - 1));
END;
COMMENT ON FUNCTION eventcore.retry_time(integer) IS 'When to try again after this many consecutive failures.';

CREATE FUNCTION eventcore.projection_failed(
    wanted        text,
    at_checkpoint bigint,
    first_position bigint,
    last_position bigint,
    error_code    text,
    reason        text,
    no_blame      boolean DEFAULT NULL,
    process_ended boolean DEFAULT false
) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
DECLARE
    wanted     CONSTANT text COLLATE "C" := wanted;
    error_code CONSTANT text COLLATE "C" := error_code;
    p          eventcore.projections;
    blameless  CONSTANT boolean := coalesce(no_blame, eventcore.is_blameless(error_code));
    one_event  CONSTANT boolean := first_position IS NOT NULL AND first_position = last_position;
    failures    integer;
    interrupted integer;
BEGIN
    IF NOT eventcore.lock_projection_soon(wanted) THEN
        -- The lock holder is changing the projection. The worker tries again after that.
        RETURN;
    END IF;
    SELECT * INTO p FROM eventcore.projections v WHERE v.name = wanted;
    -- In the meantime it was dropped, paused or reset.
    IF NOT FOUND OR p.status <> 'running' OR p.checkpoint <> at_checkpoint THEN
        RETURN;
    END IF;
    failures := p.attempts + CASE WHEN blameless THEN 0 ELSE 1 END;
    interrupted := p.interruptions + CASE WHEN blameless THEN 1 ELSE 0 END;
    UPDATE eventcore.projections v
       SET last_error = reason, last_sqlstate = error_code, last_error_at = clock_timestamp(),
           last_error_position = CASE WHEN one_event THEN first_position END
     WHERE v.name = wanted;
    IF error_code = 'SE011' AND first_position IS NULL THEN
        -- Its checkpoint is of another history. Trying again does not change this.
        UPDATE eventcore.projections v SET status = 'failed', attempts = failures WHERE v.name = wanted;
    ELSIF p.rebuilds IS NOT NULL AND (error_code IN ('SE003', 'SE009') OR error_code LIKE '42%') THEN
        -- The handler does not work with a shadow, or an object does not exist, or the owner may not use it. No event is the
        -- cause, and trying again does not help. If every event were skipped, an empty table would replace a full one.
        UPDATE eventcore.projections v SET status = 'failed', attempts = failures WHERE v.name = wanted;
    ELSIF blameless THEN
        UPDATE eventcore.projections v
           SET interruptions = least(interrupted, 1000000000), retry_at = eventcore.retry_time(interrupted)
         WHERE v.name = wanted;
    ELSIF first_position < last_position THEN
        UPDATE eventcore.projections v SET singly_until = last_position WHERE v.name = wanted;
    ELSIF failures <= p.retry_limit THEN
        UPDATE eventcore.projections v
           SET attempts = failures, retry_at = eventcore.retry_time(failures)
         WHERE v.name = wanted;
    ELSIF p.on_error = 'stop' OR NOT one_event
       -- A table that lacks rows of the original must not replace it.
       OR p.rebuilds IS NOT NULL AND NOT EXISTS (
            SELECT FROM eventcore.projection_parked k WHERE k.projection = p.rebuilds AND k.position = first_position) THEN
        UPDATE eventcore.projections v SET status = 'failed', attempts = failures WHERE v.name = wanted;
    ELSE
        IF p.on_error = 'park' THEN
            INSERT INTO eventcore.projection_parked (projection, position, attempts, sqlstate, reason)
            VALUES (wanted, first_position, failures, error_code, projection_failed.reason)
            ON CONFLICT ON CONSTRAINT projection_parked_pkey DO NOTHING;
        END IF;
        UPDATE eventcore.projections v
           SET checkpoint = first_position, attempts = 0,
               skipped = skipped + CASE p.on_error WHEN 'skip' THEN 1 ELSE 0 END
         WHERE v.name = wanted;
    END IF;
    IF process_ended THEN
        -- Whatever the cause, the next events come one by one, and after a pause in which other workers can run.
        UPDATE eventcore.projections v
           SET singly_until = greatest(v.singly_until, last_position),
               retry_at = greatest(v.retry_at, clock_timestamp() + interval '1 s')
         WHERE v.name = wanted AND v.status = 'running';
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.projection_failed(text, bigint, bigint, bigint, text, text, boolean, boolean) IS
    'Records that the worker failed on these events, or before the first one if they are NULL. The next transactions handle single events, wait, or do what on_error says. no_blame: whether the cause is not an event; NULL: decided by the SQLSTATE. process_ended: the worker process ended because of it.';

CREATE FUNCTION eventcore.projection_replayed(wanted text, replayed_position bigint) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT eventcore.delete_projection_parked(projection_replayed.wanted, ARRAY[projection_replayed.replayed_position]);
$$;
COMMENT ON FUNCTION eventcore.projection_replayed(text, bigint) IS
    'Records that the worker has passed this parked event to the handler, in this transaction.';

CREATE FUNCTION eventcore.projection_replay_failed(
    wanted          text,
    failed_position bigint,
    error_code      text,
    reason          text,
    no_blame        boolean DEFAULT NULL,
    process_ended   boolean DEFAULT false
) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
BEGIN
    IF NOT eventcore.lock_projection_soon(wanted) THEN
        RETURN;
    ELSIF coalesce(no_blame, eventcore.is_blameless(error_code)) THEN
        UPDATE eventcore.projections p
           SET interruptions = least(p.interruptions + 1, 1000000000), retry_at = eventcore.retry_time(p.interruptions + 1)
         WHERE p.name = wanted COLLATE "C";
        RETURN;
    END IF;
    UPDATE eventcore.projection_parked k
       SET replay = false, attempts = k.attempts + 1, sqlstate = error_code, reason = projection_replay_failed.reason
     WHERE k.projection = wanted COLLATE "C" AND k.position = failed_position AND k.replay;
    IF process_ended THEN
        UPDATE eventcore.projections p SET retry_at = clock_timestamp() + interval '1 s' WHERE p.name = wanted COLLATE "C";
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.projection_replay_failed(text, bigint, text, text, boolean, boolean) IS
    'Records that this parked event has failed again: it stays parked.';

-- sql/projections/parked.sql

-- Parked events of projections: set aside because the handler failed, and passed to the handler again on request.

CREATE FUNCTION @extschema@.eventcore_projection_parked(
    projection     text,
    after_position bigint  DEFAULT 0,
    max_count      bigint  DEFAULT 100
)
RETURNS TABLE (
    attempts       integer,
    sqlstate       text,
    reason         text,
    parked_at      timestamptz,
    replay         boolean,
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
LANGUAGE plpgsql STABLE ROWS 100
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
#variable_conflict use_column
DECLARE
    p eventcore.projections := eventcore.find_projection(projection, 'projection');
BEGIN
    IF after_position < 0 THEN
        PERFORM eventcore.fail_malformed('after_position', 'is negative');
    ELSIF max_count < 0 THEN
        PERFORM eventcore.fail_malformed('max_count', 'is negative');
    END IF;
    RETURN QUERY
        SELECT k.attempts, k.sqlstate, k.reason, k.parked_at, k.replay, e.position, e.stream_id, e.version, e.event_id,
               e.event_type, e.payload, e.metadata, e.correlation_id, e.causation_id, e.recorded_at
          FROM eventcore.projection_parked k
         CROSS JOIN LATERAL (SELECT * FROM eventcore.events v WHERE v.position = k.position OFFSET 0) e
         WHERE k.projection = p.name AND k.position > coalesce(after_position, 0)
         ORDER BY k.position LIMIT max_count;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_projection_parked(text, bigint, bigint) IS
$$The parked events of a projection after a position, in order, with the reason, and whether the worker will pass them to the
handler again. max_count: the most events to return; NULL: all.
SE003 malformed argument. SE007 no such projection.$$;

CREATE FUNCTION eventcore.change_projection_parked(projection text, positions bigint[]) RETURNS eventcore.projections
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
#variable_conflict use_variable
DECLARE
    p       eventcore.projections := eventcore.change_projection(projection, 'projection');
    missing bigint;
BEGIN
    PERFORM eventcore.check_projection_owner(p.name, p.owner);
    PERFORM eventcore.check_positions(positions);
    SELECT n INTO missing FROM unnest(positions) n
     WHERE NOT EXISTS (SELECT FROM eventcore.projection_parked k WHERE k.projection = p.name AND k.position = n)
     LIMIT 1;
    IF FOUND THEN
        PERFORM eventcore.fail_malformed('positions', format('has %s, which is not parked', missing));
    END IF;
    RETURN p;
END
$$;
COMMENT ON FUNCTION eventcore.change_projection_parked(text, bigint[]) IS
    'Returns a projection and keeps workers from it until the transaction ends. SE003 unless these events are parked. SE007 no such projection. 42501 it belongs to another role.';

CREATE FUNCTION @extschema@.eventcore_replay_projection_parked(projection text, positions bigint[] DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
#variable_conflict use_variable
DECLARE
    p     eventcore.projections := eventcore.change_projection_parked(projection, positions);
    count bigint;
BEGIN
    UPDATE eventcore.projection_parked k SET replay = true
     WHERE k.projection = p.name AND (positions IS NULL OR k.position = ANY (positions));
    GET DIAGNOSTICS count = ROW_COUNT;
    RETURN count;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_replay_projection_parked(text, bigint[]) IS
$$Lets the worker pass parked events to the handler again, each in a transaction of its own, which also removes it from the
parked events. Returns how many. They come late: later events have been projected already. An event that fails again stays
parked, with its new error. Nothing is replayed while the projection is paused or has failed. positions: which; NULL: all.
SE003 one of them is not parked. SE007 no such projection. 42501 it belongs to another role.$$;

CREATE FUNCTION @extschema@.eventcore_discard_projection_parked(projection text, positions bigint[] DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    p eventcore.projections := eventcore.change_projection_parked(projection, positions);
BEGIN
    RETURN eventcore.delete_projection_parked(p.name, positions);
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_discard_projection_parked(text, bigint[]) IS
$$Discards parked events: this projection will not see them again. Returns how many. positions: which; NULL: all.
SE003 one of them is not parked. SE007 no such projection. 42501 it belongs to another role.$$;

-- sql/projections/rebuild.sql

-- Rebuilding a projection, in its own tables or in shadow tables.

CREATE FUNCTION @extschema@.eventcore_rebuild_projection(name text, shadow boolean DEFAULT false) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
#variable_conflict use_variable
DECLARE
    p       eventcore.projections := eventcore.change_projection(name);
    rebuild text := p.name || '/rebuild';
BEGIN
    PERFORM eventcore.check_projection_owner(p.name, p.owner);
    IF shadow IS NULL THEN
        PERFORM eventcore.fail_malformed('shadow', 'is NULL');
    ELSIF p.mode = 'inline' THEN
        PERFORM eventcore.fail_malformed('name', format('is "%s", an inline projection, which is not rebuilt', p.name));
    ELSIF p.rebuilds IS NOT NULL THEN
        PERFORM eventcore.fail_malformed('name', format('is "%s", a rebuild itself: drop it and start another', p.name));
    ELSIF EXISTS (SELECT FROM eventcore.projections t WHERE t.rebuilds = p.name AND t.owner = p.owner) THEN
        PERFORM eventcore.fail_malformed('name', format('is "%s", which is being rebuilt: drop "%s" to cancel that', p.name, rebuild));
    ELSIF NOT shadow AND p.reset IS NULL AND p.tables IS NULL THEN
        PERFORM eventcore.fail_malformed('name', format('is "%s", which was created with neither reset nor tables, so that a rebuild cannot empty anything', p.name));
    END IF;
    -- The worker empties the tables or creates the shadow tables, because the owner's rights may differ from the caller's.
    IF NOT shadow THEN
        UPDATE eventcore.projections t
           SET checkpoint = 0, reset_pending = true, table_ids = eventcore.table_ids(p.tables), singly_until = 0, attempts = 0, retry_at = '-infinity',
               status = CASE status WHEN 'failed' THEN 'running' ELSE status END
         WHERE t.name = p.name;
        PERFORM eventcore.delete_projection_parked(p.name, NULL);
        RETURN true;
    END IF;
    PERFORM eventcore.check_shadow_possible(p);
    INSERT INTO eventcore.projections
           (name, rebuilds, shadow_schema, handler, mode, owner, checkpoint, reset_pending, batch_size, on_error,
            retry_limit, takes_array, stream_prefixes, event_types, tables, function_owners, home_id, owner_name, table_ids)
    VALUES (rebuild, p.name, 'eventcore_rebuild_' || substr(gen_random_uuid()::text, 1, 8), p.handler, p.mode, p.owner, 0, true,
            p.batch_size, p.on_error, p.retry_limit, p.takes_array, p.stream_prefixes, p.event_types, p.tables, p.function_owners,
            eventcore.home_id(), p.owner_name, eventcore.table_ids(p.tables))
    ON CONFLICT ON CONSTRAINT projections_pkey DO NOTHING;
    IF NOT FOUND THEN
        PERFORM eventcore.fail_malformed('name', format('is "%s", and there is another projection "%s"', p.name, rebuild));
    END IF;
    UPDATE eventcore.projections t SET status = 'running' WHERE t.name = rebuild;
    RETURN true;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_rebuild_projection(text, boolean) IS
$$Rebuilds an async projection from the first event.

shadow => false: its worker empties its tables and calls its reset function, in the transaction of the first batch. Readers
see the old rows until then, and the growing new ones after that. Needs reset or tables.
shadow => true: a projection "<name>/rebuild" passes the events to the same handler, with copies of the tables first on
search_path, while the projection continues. When it has caught up, its rows replace those of the tables in one transaction:
readers see either the old or the new state. eventcore.stat_projections shows the rebuild until then; it is paused, resumed and
dropped like any projection. Needs tables, a handler that names them without their schema, and an owner that may CREATE in the
database.
SE003 an inline projection; nothing to empty; a projection that is being rebuilt; a shadow that is not possible. SE007 no such
projection. 42501 it belongs to another role.$$;

CREATE FUNCTION eventcore.reset_projection(wanted text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
DECLARE
    listed text;
BEGIN
    SELECT array_to_string(p.tables, ', ') INTO listed FROM eventcore.projections p WHERE p.name = wanted COLLATE "C";
    IF listed IS NOT NULL THEN
        EXECUTE 'TRUNCATE ' || listed;
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.reset_projection(text) IS 'Empties the tables of a projection. Its worker calls it, as its owner.';

CREATE FUNCTION eventcore.projection_relations(tables text[]) RETURNS SETOF regclass
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    -- Not pg_partition_tree, which locks them.
    WITH RECURSIVE part (relation) AS (
        SELECT t::regclass::oid FROM unnest(projection_relations.tables) t
        UNION
        SELECT i.inhrelid FROM pg_inherits i JOIN part ON i.inhparent = part.relation
    )
    SELECT part.relation::regclass FROM part;
$$;
COMMENT ON FUNCTION eventcore.projection_relations(text[]) IS
    'The tables of a projection, each once, and their partitions.';

CREATE FUNCTION eventcore.check_shadow_possible(p eventcore.projections) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    handler    CONSTANT oid := to_regprocedure(p.handler);
    wrong      text;
    referenced text;
BEGIN
    IF octet_length(p.name || '/rebuild') > 255 THEN
        PERFORM eventcore.fail_malformed('name', 'is longer than 247 bytes, too long for one more "/rebuild"');
    ELSIF p.tables IS NULL THEN
        PERFORM eventcore.fail_malformed('shadow', format('is true, but "%s" was created without tables', p.name));
    ELSIF handler IS NULL THEN
        PERFORM eventcore.fail_malformed('shadow', format('is true, but %s is missing', p.handler));
    ELSIF EXISTS (SELECT FROM pg_proc f, unnest(f.proconfig) c WHERE f.oid = handler AND starts_with(c, 'search_path=')) THEN
        PERFORM eventcore.fail_malformed('shadow',
            format('is true, but %s sets search_path itself and would not find the shadow tables', p.handler));
    ELSIF EXISTS (SELECT FROM pg_proc f WHERE f.oid = handler AND f.prosqlbody IS NOT NULL) THEN
        PERFORM eventcore.fail_malformed('shadow',
            format('is true, but the body of %s was parsed when it was created, and would not find the shadow tables', p.handler));
    ELSIF NOT has_database_privilege(p.owner, current_database(), 'CREATE') THEN
        PERFORM eventcore.fail_malformed('shadow',
            format('is true, but the role %s lacks the privilege CREATE on database %I', p.owner_name, current_database()));
    END IF;

    SELECT t INTO wrong FROM unnest(p.tables) t WHERE to_regclass(t) IS NULL LIMIT 1;
    IF FOUND THEN
        PERFORM eventcore.fail_malformed('shadow', format('is true, but the table %s does not exist', wrong));
    END IF;
    SELECT min(c.relname) INTO wrong FROM pg_class c
     WHERE c.oid IN (SELECT t::regclass FROM unnest(p.tables) t)
     GROUP BY c.relname HAVING count(*) > 1 LIMIT 1;
    IF FOUND THEN
        PERFORM eventcore.fail_malformed('shadow', format('is true, but two of the tables have the name %I', wrong));
    END IF;
    SELECT c.oid::regclass INTO wrong FROM pg_class c
     WHERE c.oid IN (SELECT t::regclass FROM unnest(p.tables) t) AND c.relkind <> 'p'
       AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid)
     LIMIT 1;
    IF FOUND THEN
        PERFORM eventcore.fail_malformed('shadow', format('is true, but other tables inherit from %s', wrong));
    END IF;
    SELECT k.conrelid::regclass, k.confrelid::regclass INTO wrong, referenced FROM pg_constraint k
     WHERE k.contype = 'f' AND k.conparentid = 0
       AND k.confrelid IN (SELECT r FROM eventcore.projection_relations(p.tables) r)
       AND k.conrelid NOT IN (SELECT r FROM eventcore.projection_relations(p.tables) r)
     LIMIT 1;
    IF FOUND THEN
        PERFORM eventcore.fail_malformed('shadow',
            format('is true, but %s has a foreign key to %s and is not one of the tables', wrong, referenced));
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.check_shadow_possible(eventcore.projections) IS
    'SE003 if it is already known that a projection cannot be rebuilt in shadow tables.';

-- sql/projections/shadow.sql

-- Shadow tables of a rebuild. Its worker calls these functions, with its owner's rights.

CREATE FUNCTION eventcore.make_shadow(wanted text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
DECLARE
    p        eventcore.projections := eventcore.find_projection(wanted);
    original  regclass;
    copy      regclass;
    copy_name text;
    identity  text;
    old_names text[];
    new_names text[];
BEGIN
    EXECUTE format('CREATE SCHEMA %I', p.shadow_schema);
    FOR original IN SELECT DISTINCT t::regclass FROM unnest(p.tables) t LOOP
        SELECT format('%I.%I', p.shadow_schema, c.relname) INTO copy_name FROM pg_class c WHERE c.oid = original;
        EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING ALL)', copy_name, original);
        copy := copy_name;
        SELECT CASE c.relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING' END INTO identity FROM pg_class c WHERE c.oid = original;
        IF identity IS NOT NULL THEN
            EXECUTE format('ALTER TABLE %s REPLICA IDENTITY %s', copy, identity);
        END IF;
        -- ON CONFLICT ON CONSTRAINT in the handler uses the names that the constraints have in the original.
        SELECT array_agg(c.conname), array_agg(o.conname) INTO old_names, new_names
          FROM (SELECT k.conname, pg_get_constraintdef(k.oid) AS definition,
                       row_number() OVER (PARTITION BY pg_get_constraintdef(k.oid) ORDER BY k.oid) AS nth
                  FROM pg_constraint k WHERE k.conrelid = original AND k.contype IN ('p', 'u', 'x')) o
          JOIN (SELECT k.conname, pg_get_constraintdef(k.oid) AS definition,
                       row_number() OVER (PARTITION BY pg_get_constraintdef(k.oid) ORDER BY k.oid) AS nth
                  FROM pg_constraint k WHERE k.conrelid = copy AND k.contype IN ('p', 'u', 'x')) c USING (definition, nth)
         WHERE c.conname <> o.conname;
        -- In two steps, because the old and the new names may overlap.
        FOR n IN 1 .. coalesce(cardinality(old_names), 0) LOOP
            EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', copy, old_names[n], 'eventcore ' || n);
        END LOOP;
        FOR n IN 1 .. coalesce(cardinality(old_names), 0) LOOP
            EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', copy, 'eventcore ' || n, new_names[n]);
        END LOOP;
    END LOOP;
    UPDATE eventcore.projections t SET reset_pending = false, attempts = 0 WHERE t.name = wanted COLLATE "C";
END
$$;
COMMENT ON FUNCTION eventcore.make_shadow(text) IS
    'Creates the shadow tables of a rebuild: empty copies of the tables that they will replace, in a schema of their own.';

CREATE FUNCTION eventcore.has_used(relation regclass) RETURNS boolean
LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'eventcore_has_used';
COMMENT ON FUNCTION eventcore.has_used(regclass) IS
    'Whether this transaction holds a lock on the table, as it does after having read or written it.';

CREATE FUNCTION eventcore.check_shadow(wanted text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p eventcore.projections := eventcore.find_projection(wanted);
BEGIN
    -- The owner of the projection must own it: functions that another role put there would run with the owner's rights.
    IF NOT EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = p.shadow_schema AND n.nspowner = p.owner) THEN
        PERFORM eventcore.fail_unavailable('shadow_missing', ARRAY[p.shadow_schema, wanted]);
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.check_shadow(text) IS
    'SE009 unless the schema of a rebuild exists and belongs to the owner of the projection.';

CREATE FUNCTION eventcore.check_original_unused(wanted text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p    eventcore.projections := eventcore.find_projection(wanted);
    used regclass;
BEGIN
    -- Deferred triggers would write after this check.
    SET CONSTRAINTS ALL IMMEDIATE;
    SELECT r INTO used FROM eventcore.projection_relations(p.tables) r WHERE eventcore.has_used(r) LIMIT 1;
    IF FOUND THEN
        PERFORM eventcore.fail_unavailable('original_used', ARRAY[p.handler, wanted, used::text]);
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.check_original_unused(text) IS
    'SE009 if this transaction has read or written one of the tables that the rebuild will replace.';

CREATE FUNCTION eventcore.take_place(wanted text) RETURNS void
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
           status = CASE t.status WHEN 'failed' THEN 'running' ELSE t.status END
     WHERE t.name = p.rebuilds;
    PERFORM eventcore.delete_projection(p.name);
    PERFORM eventcore.drop_shadow(p);
END
$$;
COMMENT ON FUNCTION eventcore.take_place(text) IS
    'Replaces the rows, the checkpoint and the parked events of a projection by those of its rebuild, and ends the rebuild. The caller holds the locks of both.';

CREATE FUNCTION eventcore.drop_shadow(p eventcore.projections) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $$
BEGIN
    -- The name may have been written by any member of the owner: only a schema that the owner could drop is dropped.
    IF p.shadow_schema ~ '^eventcore_rebuild_' AND EXISTS (
        SELECT FROM pg_namespace n WHERE n.nspname = p.shadow_schema AND n.nspowner = p.owner) THEN
        EXECUTE format('DROP SCHEMA %I CASCADE', p.shadow_schema);
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.drop_shadow(eventcore.projections) IS
    'Drops the shadow tables of a rebuild, if they exist.';

-- sql/projections/stat.sql

-- Monitoring of projections inside the server.

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
COMMENT ON VIEW eventcore.stat_projections IS 'The progress of each projection inside the server, and what holds it back.';
COMMENT ON COLUMN eventcore.stat_projections.name IS 'The projection.';
COMMENT ON COLUMN eventcore.stat_projections.mode IS 'async or inline.';
COMMENT ON COLUMN eventcore.stat_projections.status IS
    'running, paused or failed; copy: it belongs to another database, which runs it.';
COMMENT ON COLUMN eventcore.stat_projections.owner IS 'The role whose rights its worker has.';
COMMENT ON COLUMN eventcore.stat_projections.checkpoint IS 'All matching events up to here have been handled.';
COMMENT ON COLUMN eventcore.stat_projections.safe_position IS 'The position up to which events can be read.';
COMMENT ON COLUMN eventcore.stat_projections.lag_events IS
    'The number of positions between the two: an upper bound of the events that are left.';
COMMENT ON COLUMN eventcore.stat_projections.lag_seconds IS
    'The age of the first event after the checkpoint, matching or not; 0 if there is no such event.';
COMMENT ON COLUMN eventcore.stat_projections.worker_pid IS
    'The process that is running it; NULL between two batches.';
COMMENT ON COLUMN eventcore.stat_projections.waits_for IS
    'What a running projection waits for, other than events: retry (at retry_at), read-only (default_transaction_read_only is on for its owner here), owner may not log in, owner may not connect, owner lacks privileges (it is not in eventcore_projector), no free worker, no notifier, and others; NULL: nothing.';
COMMENT ON COLUMN eventcore.stat_projections.attempts IS 'How often the next event has failed.';
COMMENT ON COLUMN eventcore.stat_projections.retry_at IS 'When its worker tries again.';
COMMENT ON COLUMN eventcore.stat_projections.skipped IS 'How many events were skipped because they failed.';
COMMENT ON COLUMN eventcore.stat_projections.parked IS 'How many events are parked because they failed.';
COMMENT ON COLUMN eventcore.stat_projections.last_error IS 'The message of the last failure.';
COMMENT ON COLUMN eventcore.stat_projections.last_sqlstate IS 'Its SQLSTATE.';
COMMENT ON COLUMN eventcore.stat_projections.last_error_position IS 'The event that failed, if it is known.';
COMMENT ON COLUMN eventcore.stat_projections.last_error_at IS 'When the last failure was.';
COMMENT ON COLUMN eventcore.stat_projections.handler IS 'The function that gets the events.';
COMMENT ON COLUMN eventcore.stat_projections.stream_prefixes IS 'Its filter by streams; NULL: all.';
COMMENT ON COLUMN eventcore.stat_projections.event_types IS 'Its filter by types; NULL: all.';
COMMENT ON COLUMN eventcore.stat_projections.batch_size IS 'The most events in one transaction.';
COMMENT ON COLUMN eventcore.stat_projections.on_error IS 'What to do with an event that has failed too often.';
COMMENT ON COLUMN eventcore.stat_projections.retry_limit IS 'How often a failed event is retried before that.';
COMMENT ON COLUMN eventcore.stat_projections.created_at IS 'When it was created.';
COMMENT ON COLUMN eventcore.stat_projections.rebuilds IS
    'The projection that it replaces when it has caught up; NULL: it is not a rebuild.';
COMMENT ON COLUMN eventcore.stat_projections.shadow_schema IS 'The schema of the shadow tables of a rebuild until then.';

-- sql/copies/adopt.sql

-- Adopting copies: rows of another database become work of this one.

CREATE FUNCTION eventcore.pass_position(up_to bigint) RETURNS void
LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'eventcore_pass_position';
COMMENT ON FUNCTION eventcore.pass_position(bigint) IS
    'From now on no append gets a position up to this one.';

CREATE FUNCTION @extschema@.eventcore_adopt_copies() RETURNS TABLE (kind text, name text, detail text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    home    CONSTANT bigint := eventcore.home_id();
    bringer text;
BEGIN
    SELECT s.subname INTO bringer FROM pg_subscription s JOIN pg_subscription_rel r ON r.srsubid = s.oid
     WHERE s.subenabled AND r.srrelid IN (SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'eventcore'::regnamespace)
     LIMIT 1;
    IF FOUND THEN
        PERFORM eventcore.fail_unavailable('replicating', ARRAY[bringer, quote_ident(bringer)]);
    END IF;
    -- From now on no append gets a position that an adopted reader has already passed.
    PERFORM eventcore.pass_position(greatest(
        (SELECT max(s.read_position) FROM eventcore.subscriptions s WHERE s.home_id <> home),
        (SELECT max(c.position) FROM eventcore.checkpoints c WHERE c.home_id <> home),
        (SELECT max(p.checkpoint) FROM eventcore.projections p WHERE p.home_id <> home)));
    RETURN QUERY
        UPDATE eventcore.subscriptions s SET home_id = home WHERE s.home_id <> home
        RETURNING 'subscription', s.name::text, format('it continues after position %s', s.read_position);
    RETURN QUERY
        UPDATE eventcore.checkpoints c SET home_id = home WHERE c.home_id <> home
        RETURNING 'checkpoint', c.projection::text, format('it is at position %s', c.position);
    RETURN QUERY
        UPDATE eventcore.projections p
           SET home_id = home, owner = coalesce(r.oid, 0), table_ids = eventcore.table_ids(p.tables),
               status = CASE p.mode WHEN 'async' THEN 'paused' ELSE p.status END
          FROM eventcore.projections v LEFT JOIN pg_roles r ON r.rolname = v.owner_name
         WHERE v.name = p.name AND p.home_id <> home
        RETURNING 'projection', p.name::text, CASE
            WHEN p.mode = 'inline' THEN 'it takes part in appends'
            WHEN p.owner = 0 THEN format('it is paused: its owner, the role "%s", does not exist', p.owner_name)
            ELSE format('it is paused: SELECT eventcore_resume_projection(%L)', p.name) END;
    PERFORM eventcore.announce_work(true);
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_adopt_copies() IS
$$Adopts the subscriptions, checkpoints and projections that came from another database by logical replication, or by a restore
with --disable-triggers: from now on this database delivers, advances and runs them. Returns what it has adopted. Projections
are paused until they are resumed. For superusers. SE009 a logical subscription still brings changes.$$;

-- sql/check/support.sql

-- What the parts of eventcore_check share: looking up names without errors.

CREATE FUNCTION eventcore.public_name(function text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('%I.%I', n.nspname, p.proname)
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
      JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
      JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
     WHERE e.extname = 'eventcore' AND p.proname = public_name.function COLLATE "C"
$$;
COMMENT ON FUNCTION eventcore.public_name(text) IS 'The full name of a public function of the extension, with the current name of its schema.';

CREATE FUNCTION eventcore.find_function(signature text) RETURNS regprocedure
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN to_regprocedure(signature);
EXCEPTION WHEN syntax_error_or_access_rule_violation OR data_exception OR program_limit_exceeded THEN
    -- The text is not the name of a function.
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION eventcore.find_function(text) IS
    'The function with this full name and these types of arguments; NULL if it does not exist or the text is malformed.';

CREATE FUNCTION eventcore.find_table(name text) RETURNS regclass
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN to_regclass(name);
EXCEPTION WHEN syntax_error_or_access_rule_violation OR data_exception OR program_limit_exceeded THEN
    -- The text is not the name of a table.
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION eventcore.find_table(text) IS
    'The table with this full name; NULL if it does not exist or the text is malformed.';

-- sql/check/expected.sql

-- The triggers and indexes that CREATE EXTENSION made.

CREATE VIEW eventcore.expected_triggers AS
SELECT t.table_name, t.trigger_name, t.enabled::"char" AS enabled, t.definition
  FROM (VALUES
    ('events', 'events_are_immutable', 'A',
     'BEFORE UPDATE OR DELETE OR TRUNCATE ON eventcore.events FOR EACH STATEMENT EXECUTE FUNCTION eventcore.refuse_change()'),
    ('events', 'every_event_is_immutable', 'A',
     'BEFORE UPDATE OR DELETE ON eventcore.events FOR EACH ROW EXECUTE FUNCTION eventcore.refuse_change()'),
    ('events', 'events_before_insert', 'A',
     'BEFORE INSERT ON eventcore.events FOR EACH ROW EXECUTE FUNCTION eventcore.before_insert()'),
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
COMMENT ON VIEW eventcore.expected_triggers IS 'The triggers that the tables must have, for eventcore_check.';
COMMENT ON COLUMN eventcore.expected_triggers.table_name IS 'The table.';
COMMENT ON COLUMN eventcore.expected_triggers.trigger_name IS 'The trigger.';
COMMENT ON COLUMN eventcore.expected_triggers.enabled IS 'How it is enabled, as in pg_trigger.tgenabled.';
COMMENT ON COLUMN eventcore.expected_triggers.definition IS 'The part of CREATE TRIGGER after its name.';

CREATE VIEW eventcore.expected_indexes AS
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
    ('backlogs', 'backlogs_pkey', true, 'PRIMARY KEY (subscription_id, stream_id)'),
    ('backlogs', 'backlogs_returned_idx', false, '(subscription_id, due, returned_position) WHERE returned_position IS NOT NULL'),
    ('backlogs', 'backlogs_behind_idx', false, '(subscription_id, due, next_position) WHERE returned_position IS NULL'),
    ('backlogs', 'backlogs_delayed_idx', false, '(subscription_id, delayed_at) WHERE delayed_at IS NOT NULL'),
    ('parked', 'parked_pkey', true, 'PRIMARY KEY (subscription_id, position)'),
    ('checkpoints', 'checkpoints_pkey', true, 'PRIMARY KEY (projection)'),
    ('snapshots', 'snapshots_pkey', true, 'PRIMARY KEY (name, streams_digest)'),
    ('commands', 'commands_pkey', true, 'PRIMARY KEY (name)'),
    ('executions', 'executions_pkey', true, 'PRIMARY KEY (command, idempotency_key)'),
    ('command_states', 'command_states_pkey', true, 'PRIMARY KEY (command, stream_id, role)'),
    ('projections', 'projections_pkey', true, 'PRIMARY KEY (name)'),
    ('projection_parked', 'projection_parked_pkey', true, 'PRIMARY KEY (projection, position)'),
    ('projection_parked', 'projection_parked_replay_idx', false, '(projection, position) WHERE replay')
  ) AS i (table_name, index_name, is_constraint, definition);
COMMENT ON VIEW eventcore.expected_indexes IS 'The indexes that the tables must have, for eventcore_check.';
COMMENT ON COLUMN eventcore.expected_indexes.table_name IS 'The table.';
COMMENT ON COLUMN eventcore.expected_indexes.index_name IS 'The index.';
COMMENT ON COLUMN eventcore.expected_indexes.is_constraint IS 'Whether it belongs to a constraint of its name.';
COMMENT ON COLUMN eventcore.expected_indexes.definition IS 'The part of CREATE INDEX or ADD CONSTRAINT after the name, or after the table.';

-- sql/check/library.sql

-- Findings about the library that the server has loaded.

CREATE FUNCTION eventcore.check_library() RETURNS TABLE (finding text, object text, detail text, statement text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    installed CONSTANT text := (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'eventcore');
    loaded text;
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
        RETURN QUERY SELECT 'version', 'eventcore',
            format('the library is %s and the objects in this database are %s%s', loaded, installed,
                   CASE WHEN is_older THEN ': install the files of that version, and restart the server' END),
            CASE WHEN NOT is_older THEN 'ALTER EXTENSION eventcore UPDATE' END
          FROM (SELECT string_to_array(split_part(loaded, '-', 1), '.')::bigint[]
                     < string_to_array(split_part(installed, '-', 1), '.')::bigint[] AS is_older) AS o;
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.check_library() IS 'The findings of eventcore_check about the library.';

-- sql/check/tables.sql

-- Findings about tables, their triggers and their indexes.

CREATE FUNCTION eventcore.check_tables() RETURNS TABLE (finding text, object text, detail text, statement text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH ours AS (
        SELECT c.* FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
          JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
         WHERE e.extname = 'eventcore' AND c.relkind = 'r'
    )
    SELECT 'unlogged', o.oid::regclass::text, 'a crash empties the table', format('ALTER TABLE %s SET LOGGED', o.oid::regclass)
      FROM ours o WHERE o.relpersistence <> 'p'
    UNION ALL
    SELECT 'row_security', o.oid::regclass::text, 'row security hides rows from functions of eventcore',
           format('ALTER TABLE %1$s DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY', o.oid::regclass)
      FROM ours o WHERE (o.relrowsecurity OR o.relforcerowsecurity) AND o.relname NOT IN ('projections', 'projection_parked')
    UNION ALL
    -- These two tables need it: it keeps roles from locking projections of others.
    SELECT 'row_security', o.oid::regclass::text, 'row security is switched off, so that roles can lock projections of others',
           format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', o.oid::regclass)
      FROM ours o WHERE NOT o.relrowsecurity AND o.relname IN ('projections', 'projection_parked')
    UNION ALL
    SELECT 'inherits', i.inhrelid::regclass::text, format('the table inherits from %s', i.inhparent::regclass),
           format('ALTER TABLE %s NO INHERIT %s', i.inhrelid::regclass, i.inhparent::regclass)
      FROM pg_inherits i WHERE i.inhparent IN (SELECT o.oid FROM ours o) OR i.inhrelid IN (SELECT o.oid FROM ours o)
    UNION ALL
    SELECT 'rule', r.ev_class::regclass::text, format('the rule %I rewrites statements', r.rulename),
           format('DROP RULE %I ON %s', r.rulename, r.ev_class::regclass)
      FROM pg_rewrite r WHERE r.ev_class IN (SELECT o.oid FROM ours o)
    UNION ALL
    SELECT 'constraint', k.conrelid::regclass::text, format('appends do not check the constraint %I', k.conname),
           format('ALTER TABLE %s DROP CONSTRAINT %I', k.conrelid::regclass, k.conname)
      FROM pg_constraint k WHERE k.conrelid = 'eventcore.events'::regclass AND k.contype NOT IN ('p', 'u', 'n')
    UNION ALL
    SELECT 'missing_trigger', 'eventcore.' || x.table_name, format('the trigger %I is missing', x.trigger_name),
           format('CREATE TRIGGER %I %s;%s', x.trigger_name, x.definition,
                  CASE x.enabled WHEN 'A' THEN format(' ALTER TABLE eventcore.%I ENABLE ALWAYS TRIGGER %I', x.table_name, x.trigger_name) ELSE '' END)
      FROM eventcore.expected_triggers x
     WHERE NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = to_regclass('eventcore.' || x.table_name) AND t.tgname = x.trigger_name)
    UNION ALL
    SELECT 'disabled_trigger', 'eventcore.' || x.table_name,
           format('the trigger %I is %s', x.trigger_name, CASE t.tgenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'enabled for replicas only'
                  WHEN 'A' THEN 'enabled for replicas too' ELSE 'not enabled for replicas' END),
           format('ALTER TABLE eventcore.%I ENABLE TRIGGER %I', x.table_name, x.trigger_name)
      FROM eventcore.expected_triggers x
      JOIN pg_trigger t ON t.tgrelid = to_regclass('eventcore.' || x.table_name) AND t.tgname = x.trigger_name
     WHERE t.tgenabled <> x.enabled
    UNION ALL
    SELECT 'foreign_trigger', t.tgrelid::regclass::text, format('the trigger %I does not belong to eventcore', t.tgname),
           format('DROP TRIGGER %I ON %s', t.tgname, t.tgrelid::regclass)
      FROM pg_trigger t WHERE t.tgrelid IN (SELECT o.oid FROM ours o) AND NOT t.tgisinternal
       AND NOT EXISTS (SELECT FROM eventcore.expected_triggers x
                        WHERE t.tgrelid = to_regclass('eventcore.' || x.table_name) AND t.tgname = x.trigger_name)
    UNION ALL
    SELECT 'missing_index', 'eventcore.' || x.table_name, format('the index %I is missing', x.index_name),
           CASE WHEN x.is_constraint THEN format('ALTER TABLE eventcore.%I ADD CONSTRAINT %I %s', x.table_name, x.index_name, x.definition)
                ELSE format('CREATE INDEX %I ON eventcore.%I %s', x.index_name, x.table_name, x.definition) END
      FROM eventcore.expected_indexes x WHERE to_regclass('eventcore.' || x.index_name) IS NULL
    UNION ALL
    SELECT 'invalid_index', i.indrelid::regclass::text, format('the index %s is not valid', i.indexrelid::regclass),
           format('REINDEX INDEX %s', i.indexrelid::regclass)
      FROM pg_index i WHERE i.indrelid IN (SELECT o.oid FROM ours o) AND NOT (i.indisvalid AND i.indisready AND i.indislive);
$$;
COMMENT ON FUNCTION eventcore.check_tables() IS 'The findings of eventcore_check about tables, their triggers and indexes.';

-- sql/check/definitions.sql

-- Findings about definitions: columns of events, indexes, policies, triggers and their functions.

CREATE FUNCTION eventcore.check_definitions() RETURNS TABLE (finding text, object text, detail text, statement text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $$
    WITH expected (number, name, type, is_nullable) AS (VALUES
        (1, 'position', 'bigint', false), (2, 'version', 'bigint', false), (3, 'recorded_at', 'timestamp with time zone', false),
        (4, 'event_id', 'uuid', false), (5, 'stream_id', 'text', false), (6, 'event_type', 'text', false),
        (7, 'payload', 'jsonb', false), (8, 'metadata', 'jsonb', true), (9, 'correlation_id', 'uuid', true), (10, 'causation_id', 'uuid', true)
    ), found AS (
        SELECT x.name, x.type, x.is_nullable, a.attnum, a.attname, a.attisdropped, a.attnotnull, a.atttypid, a.attcollation,
               format_type(a.atttypid, a.atttypmod) AS has_type
          FROM expected x FULL JOIN (SELECT * FROM pg_attribute WHERE attrelid = 'eventcore.events'::regclass AND attnum > 0) a ON a.attnum = x.number
    ), policy (table_name, name, command, qualification, definition) AS (VALUES
        ('projections', 'readers', 'r', 'true', 'FOR SELECT USING (true)'),
        ('projections', 'creators', 'a', NULL, 'FOR INSERT WITH CHECK (true)'),
        ('projections', 'owners', 'w', 'pg_has_role(owner, ''USAGE''::text)',
         'FOR UPDATE USING (pg_catalog.pg_has_role(owner, ''USAGE'')) WITH CHECK (true)'),
        ('projection_parked', 'readers', 'r', 'true', 'FOR SELECT USING (true)'),
        ('projection_parked', 'creators', 'a', NULL, 'FOR INSERT WITH CHECK (true)'),
        ('projection_parked', 'owners', 'w', '%pg_has_role(p.owner, ''USAGE''::text)%',
         'FOR UPDATE USING (EXISTS (SELECT FROM eventcore.projections p WHERE p.name = projection AND '
         || 'pg_catalog.pg_has_role(p.owner, ''USAGE''))) WITH CHECK (true)')
    ), body (name, hash) AS (VALUES
        -- SHA-256 of prosrc. A change of one of these functions, even of a comment in it, changes its line here. A fresh database
        -- has no findings.
        ('refuse_change', '6da22c306366649d686f8fa47321e1f036afe53b43c3a72da5b5e09e03b23011'),
        ('settle', '8f5aae4463d430ffce2c9bdf63f750effc825815514faea0b3dcf0fb4bf1b76a'),
        ('settle_projection', '8eb8233b69709484046856b71e74c85a48f85cf5ad7cb247475bb47dc2ff6613'),
        ('guard_projection', '485a96409935eb88ad70fe0082a3408568dbf07ec0786d0b889442b1a7ed0005'),
        ('guard_projection_parked', '057d8cbc9604255c57d075933336369a7b28e4e094cf9564201f4a529ec6de6f'),
        ('announce_projections', '4ee8a37b0c8a104eceb2ce7a954c4e24251459f5f043af8d40c4873d2e307a4c'),
        ('before_insert', 'de76691c2ed4ec290023480b93bc2b9077a283b93d8f6311225a60f4d0a36b54')
    )
    SELECT 'column_missing', 'eventcore.events', format('the column %I was dropped: appends are refused', f.name), NULL
      FROM found f WHERE f.name IS NOT NULL AND coalesce(f.attisdropped, true)
    UNION ALL
    SELECT 'column_added', 'eventcore.events', format('the column %I does not belong to eventcore: appends are refused', f.attname),
           format('ALTER TABLE eventcore.events DROP COLUMN %I', f.attname)
      FROM found f WHERE f.name IS NULL AND NOT f.attisdropped
    UNION ALL
    SELECT 'column_renamed', 'eventcore.events', format('the column %I is called %I', f.name, f.attname),
           format('ALTER TABLE eventcore.events RENAME COLUMN %I TO %I', f.attname, f.name)
      FROM found f WHERE NOT f.attisdropped AND f.name <> f.attname
    UNION ALL
    SELECT 'column_type', 'eventcore.events', format('the column %I has the type %s: appends are refused', f.attname, f.has_type),
           -- For other types the original values are unknown.
           CASE WHEN f.type = 'text' AND f.atttypid IN ('varchar'::regtype, 'bpchar'::regtype)
                THEN format('ALTER TABLE eventcore.events ALTER COLUMN %I TYPE text COLLATE "C"', f.attname) END
      FROM found f WHERE NOT f.attisdropped AND f.type <> f.has_type
    UNION ALL
    SELECT 'column_collation', 'eventcore.events', format('the column %I has the collation %s: appends are refused', f.attname, f.attcollation::regcollation),
           format('ALTER TABLE eventcore.events ALTER COLUMN %I TYPE text COLLATE "C"', f.attname)
      FROM found f WHERE NOT f.attisdropped AND f.type = 'text' AND f.has_type = 'text' AND f.attcollation <> '"C"'::regcollation
    UNION ALL
    SELECT 'column_null', 'eventcore.events', format('the column %I %s NULL: appends are refused', f.attname, CASE WHEN f.attnotnull THEN 'refuses' ELSE 'allows' END),
           format('ALTER TABLE eventcore.events ALTER COLUMN %I %s NOT NULL', f.attname, CASE WHEN f.attnotnull THEN 'DROP' ELSE 'SET' END)
      FROM found f WHERE NOT f.attisdropped AND f.is_nullable = f.attnotnull
    UNION ALL
    SELECT 'foreign_index', 'eventcore.events', format('the unique index %s does not belong to eventcore', i.indexrelid::regclass),
           CASE WHEN k.oid IS NULL THEN format('DROP INDEX %s', i.indexrelid::regclass)
                ELSE format('ALTER TABLE eventcore.events DROP CONSTRAINT %I', k.conname) END
      FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
      LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u')
     WHERE i.indrelid = 'eventcore.events'::regclass AND i.indisunique
       AND NOT EXISTS (SELECT FROM eventcore.expected_indexes x WHERE x.table_name = 'events' AND x.index_name = c.relname)
    UNION ALL
    SELECT 'wrong_index', 'eventcore.' || x.table_name, format('the constraint %I is %s', x.index_name, pg_get_constraintdef(k.oid)),
           format('ALTER TABLE eventcore.%1$I DROP CONSTRAINT %2$I, ADD CONSTRAINT %2$I %3$s', x.table_name, x.index_name, x.definition)
      FROM eventcore.expected_indexes x JOIN pg_constraint k ON k.conrelid = to_regclass('eventcore.' || x.table_name) AND k.conname = x.index_name
     WHERE x.is_constraint AND replace(pg_get_constraintdef(k.oid), '"', '') <> x.definition
    UNION ALL
    SELECT 'missing_policy', 'eventcore.' || y.table_name, format('the policy %I is missing or differs', y.name),
           format('%sCREATE POLICY %I ON eventcore.%I %s', CASE WHEN h.oid IS NULL THEN '' ELSE format('DROP POLICY %I ON eventcore.%I; ', y.name, y.table_name) END,
                  y.name, y.table_name, y.definition)
      FROM policy y LEFT JOIN pg_policy h ON h.polrelid = to_regclass('eventcore.' || y.table_name) AND h.polname = y.name
     WHERE h.oid IS NULL OR h.polcmd <> y.command::"char" OR NOT h.polpermissive OR h.polroles <> '{0}'
        OR (pg_get_expr(h.polqual, h.polrelid) LIKE y.qualification) IS FALSE
        OR (y.command <> 'r' AND pg_get_expr(h.polwithcheck, h.polrelid) IS DISTINCT FROM 'true')
    UNION ALL
    SELECT 'foreign_policy', h.polrelid::regclass::text, format('the policy %I does not belong to eventcore', h.polname),
           format('DROP POLICY %I ON %s', h.polname, h.polrelid::regclass)
      FROM pg_policy h JOIN pg_class c ON c.oid = h.polrelid
     WHERE c.relnamespace = 'eventcore'::regnamespace
       AND NOT EXISTS (SELECT FROM policy y WHERE to_regclass('eventcore.' || y.table_name) = h.polrelid AND y.name = h.polname)
    UNION ALL
    SELECT 'wrong_trigger', 'eventcore.' || x.table_name, format('the trigger %I differs from that of eventcore', x.trigger_name),
           format('DROP TRIGGER %1$I ON eventcore.%2$I; CREATE TRIGGER %1$I %3$s%4$s', x.trigger_name, x.table_name, x.definition,
                  CASE x.enabled WHEN 'A' THEN format('; ALTER TABLE eventcore.%I ENABLE ALWAYS TRIGGER %I', x.table_name, x.trigger_name) ELSE '' END)
      FROM eventcore.expected_triggers x
      JOIN pg_trigger t ON t.tgrelid = to_regclass('eventcore.' || x.table_name) AND t.tgname = x.trigger_name
      JOIN pg_proc f ON f.oid = t.tgfoid
     WHERE f.pronamespace <> 'eventcore'::regnamespace OR t.tgqual IS NOT NULL OR t.tgnargs > 0
        OR right(x.definition, length(f.proname) + 13) <> format(' eventcore.%s()', f.proname)
    UNION ALL
    -- Only another CREATE EXTENSION restores it.
    SELECT 'replaced_function', format('eventcore.%s()', b.name), 'the function of a trigger is not the one that CREATE EXTENSION made', NULL
      FROM body b LEFT JOIN pg_proc f ON f.pronamespace = 'eventcore'::regnamespace AND f.proname = b.name AND f.pronargs = 0
     -- Not md5, which a server may refuse (FIPS).
     WHERE encode(sha256(convert_to(f.prosrc, 'UTF8')), 'hex') IS DISTINCT FROM b.hash;
$$;
COMMENT ON FUNCTION eventcore.check_definitions() IS
    'The findings of eventcore_check about columns, constraints and policies that were altered, and triggers that were replaced.';

-- sql/check/rows.sql

-- Findings about rows: positions, copies, owners, functions and tables of projections, and every event.

CREATE FUNCTION eventcore.check_rows() RETURNS TABLE (finding text, object text, detail text, statement text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH base AS (
        SELECT coalesce((SELECT max(e.position) FROM eventcore.events e), 0) AS last_event,
               (SELECT CASE WHEN b.is_called THEN b.last_value + 1023 ELSE 0 END FROM eventcore.position_blocks b) AS reserved
    ), reached AS (
        SELECT 'subscription' AS kind, s.name, s.read_position AS position,
               format('UPDATE eventcore.subscriptions SET read_position = %%s WHERE name = %L', s.name) AS repair FROM eventcore.subscriptions s
         UNION ALL
        SELECT 'checkpoint', c.projection, c.position,
               format('UPDATE eventcore.checkpoints SET position = %%s WHERE projection = %L', c.projection) FROM eventcore.checkpoints c
         UNION ALL
        SELECT 'projection', p.name, greatest(p.checkpoint, p.singly_until),
               format('UPDATE eventcore.projections SET checkpoint = least(checkpoint, %%1$s), singly_until = least(singly_until, %%1$s) WHERE name = %L', p.name)
          FROM eventcore.projections p
    ), judged AS (
        -- A fail-over skips 2^32 positions: no position gets this far ahead of the last event without a mistake.
        SELECT r.*, r.position > b.last_event + 281474976710656 AS is_implausible, b.last_event FROM reached r, base b
    ), known AS (
        SELECT greatest(b.last_event, (SELECT max(j.position) FROM judged j WHERE NOT j.is_implausible)) AS highest, b.reserved FROM base b
    ), replicating AS (
        SELECT FROM pg_subscription s JOIN pg_subscription_rel r ON r.srsubid = s.oid
         WHERE s.subenabled AND r.srrelid IN (SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'eventcore'::regnamespace)
    ), home AS (
        -- Not eventcore.home_id(), which fails if a table or an index is missing.
        SELECT h.last_value AS id FROM eventcore.home_id h
    )
    SELECT 'positions_behind', 'eventcore.position_blocks',
           format('positions up to %s are in use, but only those up to %s are reserved', k.highest, k.reserved),
           format('SELECT setval(''eventcore.position_blocks'', %s)', k.highest - (k.highest - 1) % 1024)
      FROM known k WHERE k.highest > k.reserved
    UNION ALL
    SELECT 'implausible_position', j.kind || ' ' || j.name,
           format('it is at position %s, and the last event has position %s', j.position, j.last_event),
           format(j.repair, j.last_event)
      FROM judged j WHERE j.is_implausible
    UNION ALL
    SELECT 'copy', v.kind || ' ' || v.name, 'it belongs to another database, and no logical subscription brings changes from there',
           'SELECT * FROM ' || eventcore.public_name('eventcore_adopt_copies') || '()'
      FROM (SELECT 'subscription' AS kind, s.name, s.home_id FROM eventcore.subscriptions s
             UNION ALL SELECT 'checkpoint', c.projection, c.home_id FROM eventcore.checkpoints c
             UNION ALL SELECT 'projection', p.name, p.home_id FROM eventcore.projections p) v, home
     WHERE v.home_id <> home.id AND NOT EXISTS (SELECT FROM replicating)
    UNION ALL
    SELECT 'owner_missing', 'projection ' || p.name, format('its owner, the role "%s", does not exist; with a new owner it stays paused until eventcore_resume_projection', p.owner_name),
           -- The owner of its functions, because any other role would lend its rights to the author of the handler.
           coalesce((SELECT format('SELECT %s(%L, %L)', eventcore.public_name('eventcore_set_projection_owner'), p.name, r.rolname)
                       FROM pg_proc f JOIN pg_roles r ON r.oid = f.proowner
                      WHERE f.oid = eventcore.find_function(p.handler) AND r.rolcanlogin
                        AND (p.reset IS NULL OR EXISTS (SELECT FROM pg_proc e WHERE e.oid = eventcore.find_function(p.reset) AND e.proowner = r.oid))),
                    format('SELECT %s(%L)', eventcore.public_name('eventcore_drop_projection'), p.name))
      FROM eventcore.projections p, home
     WHERE p.home_id = home.id AND p.mode = 'async' AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = p.owner)
    UNION ALL
    SELECT 'owner_renamed', 'projection ' || p.name, format('its owner is "%s" now, and a dump would name "%s"', r.rolname, p.owner_name),
           format('UPDATE eventcore.projections SET owner_name = %L WHERE name = %L', r.rolname, p.name)
      FROM home, eventcore.projections p JOIN pg_roles r ON r.oid = p.owner
     WHERE p.home_id = home.id AND r.rolname <> p.owner_name
    UNION ALL
    SELECT 'function_missing', 'projection ' || p.name, format('there is no function %s', f), NULL
      FROM eventcore.projections p CROSS JOIN unnest(ARRAY[p.handler, p.reset]) f WHERE eventcore.find_function(f) IS NULL AND f IS NOT NULL
    UNION ALL
    SELECT 'function_missing', 'command ' || c.name, format('there is no function %s', f), NULL
      FROM eventcore.commands c CROSS JOIN unnest(ARRAY[c.apply, c.handle, c.related_streams, c.streams_function, c.combine]) f
     WHERE eventcore.find_function(f) IS NULL AND f IS NOT NULL
    UNION ALL
    SELECT 'table_replaced', 'projection ' || p.name,
           format('%s is not the table that it was at checkpoint %s: events up to there may be missing in it', t.name, p.checkpoint),
           format('SELECT %s(%L)', eventcore.public_name('eventcore_rebuild_projection'), p.name)
      FROM home, eventcore.projections p CROSS JOIN LATERAL unnest(p.tables, p.table_ids) AS t (name, id)
     WHERE p.home_id = home.id AND p.rebuilds IS NULL AND eventcore.find_table(t.name)::oid <> coalesce(t.id, 0)
    UNION ALL
    SELECT 'table_missing', 'projection ' || p.name, format('there is no table %s', t.name), NULL
      FROM home, eventcore.projections p CROSS JOIN unnest(p.tables) t (name)
     WHERE p.home_id = home.id AND eventcore.find_table(t.name) IS NULL
    UNION ALL
    SELECT 'orphans', 'eventcore.deliveries', format('%s rows belong to no subscription', count(*)), 'SELECT eventcore.sweep()'
      FROM eventcore.deliveries d WHERE NOT EXISTS (SELECT FROM eventcore.subscriptions s WHERE s.id = d.subscription_id)
       AND NOT EXISTS (SELECT FROM replicating)
    HAVING count(*) > 0;
$$;
COMMENT ON FUNCTION eventcore.check_rows() IS 'The findings of eventcore_check about positions, copies, owners, functions and tables of projections.';

CREATE FUNCTION eventcore.check_events() RETURNS TABLE (finding text, object text, detail text, statement text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'version_gap', 'stream ' || e.stream_id, format('%s events have the versions %s to %s', count(*), min(e.version), max(e.version)), NULL
      FROM eventcore.events e GROUP BY e.stream_id HAVING count(*) <> max(e.version) - min(e.version) + 1
    UNION ALL
    SELECT 'malformed', 'position ' || e.position, 'no append writes such an event', NULL
      FROM eventcore.events e
     WHERE e.position < 1 OR e.version < 1 OR jsonb_typeof(e.payload) = 'null' OR jsonb_typeof(e.metadata) <> 'object'
        OR octet_length(e.stream_id) NOT BETWEEN 1 AND 255 OR octet_length(e.event_type) NOT BETWEEN 1 AND 255;
$$;
COMMENT ON FUNCTION eventcore.check_events() IS 'The findings of eventcore_check about every single event.';

-- sql/check/privileges.sql

-- The privileges on objects of the extension, and whether CREATE EXTENSION granted them.

CREATE VIEW eventcore.granted_privileges AS
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
       coalesce(r.rolname IN ('eventcore_reader', 'eventcore_writer', 'eventcore_subscriber', 'eventcore_executor', 'eventcore_projector')
                AND EXISTS (SELECT FROM pg_catalog.pg_init_privs i CROSS JOIN pg_catalog.aclexplode(i.initprivs) b
                             WHERE i.classoid = o.classid AND i.objoid = o.objid AND i.objsubid = o.part AND b.grantee = a.grantee
                               AND b.privilege_type = a.privilege_type AND (b.is_grantable OR NOT a.is_grantable)), false) AS as_created
  FROM object o
 CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) a
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
 CROSS JOIN LATERAL (SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC'
                                 ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END AS name) n
 WHERE a.grantee <> o.owner;
COMMENT ON VIEW eventcore.granted_privileges IS
    'The privileges of all roles except the owner on the objects of the extension. as_created is false if CREATE EXTENSION did not grant it.';
COMMENT ON COLUMN eventcore.granted_privileges.kind IS 'TABLE (views too), COLUMN, SEQUENCE, FUNCTION, PROCEDURE, SCHEMA or TYPE.';
COMMENT ON COLUMN eventcore.granted_privileges.object IS 'Its full name.';
COMMENT ON COLUMN eventcore.granted_privileges.grantee IS 'The role; 0: PUBLIC.';
COMMENT ON COLUMN eventcore.granted_privileges.role IS 'The name of the role, as GRANT takes it.';
COMMENT ON COLUMN eventcore.granted_privileges.privilege IS 'The privilege.';
COMMENT ON COLUMN eventcore.granted_privileges.is_grantable IS 'Whether the role may grant it to others.';
COMMENT ON COLUMN eventcore.granted_privileges.revoke IS 'The statement that revokes it.';
COMMENT ON COLUMN eventcore.granted_privileges.as_created IS
    'Whether CREATE EXTENSION granted it to this role. If not, it was granted later.';

-- sql/check/check.sql

-- eventcore_check: what an operator asks after a restore, a fail-over or an upgrade. Is everything as CREATE EXTENSION made
-- it, and is what the tables say consistent?

CREATE FUNCTION @extschema@.eventcore_check(thorough boolean DEFAULT false)
RETURNS TABLE (finding text, object text, detail text, statement text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT * FROM eventcore.check_library();
    IF FOUND THEN
        -- The other checks call functions of the library.
        RETURN;
    END IF;
    RETURN QUERY SELECT * FROM eventcore.check_tables();
    RETURN QUERY SELECT * FROM eventcore.check_definitions();
    RETURN QUERY SELECT 'privilege', format('%s %s', lower(g.kind), g.object),
                        format('%s has %s, which CREATE EXTENSION did not grant', g.role, g.privilege), g.revoke
                   FROM eventcore.granted_privileges g WHERE NOT g.as_created;
    RETURN QUERY SELECT * FROM eventcore.check_rows();
    IF thorough THEN
        RETURN QUERY SELECT * FROM eventcore.check_events();
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_check(boolean) IS
$$Checks the extension after a restore, a fail-over or an upgrade. One row for each finding, with the statement that repairs it,
or NULL; no row if everything is well. It reads the catalog and the small tables, in milliseconds.
thorough: also reads every event. For superusers.$$;

-- sql/roles.sql

-- The roles and their privileges. PUBLIC has none. No function is SECURITY DEFINER: appends and reads reach the tables
-- beneath SQL, so EXECUTE is the privilege; subscriptions keep their state by SQL, so a consumer may write that state.

-- Before any grant, revokes what CREATE gave to PUBLIC, and what default privileges gave to any role. So every grant follows
-- here. An upgrade script has to revoke by itself, see README.md.
DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN SELECT g.revoke FROM eventcore.granted_privileges g LOOP
        EXECUTE statement;
    END LOOP;
END
$$;

DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['eventcore_reader', 'eventcore_writer', 'eventcore_subscriber', 'eventcore_executor', 'eventcore_projector'] LOOP
        -- Roles belong to the whole cluster: another database may have created them.
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role_name) THEN
            BEGIN
                EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', role_name);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                -- Another database is creating it now.
                NULL;
            END;
        END IF;
    END LOOP;
END
$$;

-- Not on the schema of the functions: pg_dump would take all its grants for ours. PUBLIC may use the schema public; for
-- another schema its owner decides.
GRANT USAGE ON SCHEMA eventcore TO eventcore_reader;
GRANT SELECT ON eventcore.events, eventcore.streams, eventcore.history TO eventcore_reader;
GRANT EXECUTE ON FUNCTION
    @extschema@.eventcore_read_stream(text, bigint, bigint, boolean, text[]),
    @extschema@.eventcore_read_streams(text[], bigint[], bigint, text[]),
    @extschema@.eventcore_read_all(bigint, bigint, boolean, text[], text[], boolean, uuid),
    @extschema@.eventcore_stream_versions(text[]),
    @extschema@.eventcore_safe_position(),
    eventcore.read_all(bigint, bigint, boolean, text[], text[], boolean, uuid),
    eventcore.stream_versions(text[]),
    eventcore.safe_position()
    TO eventcore_reader;
GRANT EXECUTE ON PROCEDURE @extschema@.eventcore_wait(bigint, interval, bigint) TO eventcore_reader;
GRANT EXECUTE ON FUNCTION eventcore.home_id(), eventcore.fail_copied(text, text) TO eventcore_reader;
-- The reader of a view needs the right to execute the functions in it.
GRANT SELECT ON eventcore.stat_appends, eventcore.stat_inflight, eventcore.stat_notifier, eventcore.stat_workers,
    eventcore.granted_privileges TO eventcore_reader;
GRANT EXECUTE ON FUNCTION
    eventcore.stat_get_appends(),
    eventcore.stat_get_inflight(),
    eventcore.stat_get_notifier(),
    eventcore.stat_get_workers()
    TO eventcore_reader;

GRANT EXECUTE ON FUNCTION @extschema@.eventcore_version(), eventcore.library_version()
    TO eventcore_reader, eventcore_writer, eventcore_executor;

GRANT EXECUTE ON FUNCTION
    @extschema@.eventcore_append(text[], bigint[], jsonb, uuid, uuid),
    @extschema@.eventcore_append(text[], bigint[], text[], text[], jsonb[], jsonb[], uuid[], uuid, uuid)
    TO eventcore_writer;

-- Where no role is a writer, only commands write: executing one appends beneath SQL, so EXECUTE is the privilege.
GRANT USAGE ON SCHEMA eventcore TO eventcore_executor;
GRANT SELECT ON eventcore.commands TO eventcore_executor, eventcore_reader;
GRANT EXECUTE ON FUNCTION @extschema@.eventcore_execute(text, jsonb, uuid, uuid, text, jsonb)
    TO eventcore_executor, eventcore_writer;

-- A writer may save the state that it decided on; a reader may start from it.
GRANT SELECT ON eventcore.snapshots TO eventcore_reader;
GRANT EXECUTE ON FUNCTION @extschema@.eventcore_load_snapshot(text, text[]), eventcore.streams_digest(text[]) TO eventcore_reader;
GRANT USAGE ON SCHEMA eventcore TO eventcore_writer;
-- Not UPDATE of the whole table: with it comes LOCK TABLE.
GRANT SELECT (name, streams_digest, streams, versions), INSERT, UPDATE (taken_at, streams, versions, state)
    ON eventcore.snapshots TO eventcore_writer;
GRANT EXECUTE ON FUNCTION
    @extschema@.eventcore_save_snapshot(text, text[], bigint[], jsonb),
    @extschema@.eventcore_stream_versions(text[]),
    eventcore.stream_versions(text[]),
    eventcore.streams_digest(text[]),
    eventcore.check_name(text, text),
    eventcore.fail_malformed(text, text, integer)
    TO eventcore_writer;

-- A consumer reads, so it is a reader too.
DO $$
BEGIN
    IF NOT pg_catalog.pg_has_role('eventcore_subscriber', 'eventcore_reader', 'MEMBER') THEN
        GRANT eventcore_reader TO eventcore_subscriber;
    END IF;
END
$$;
GRANT USAGE ON SCHEMA eventcore TO eventcore_subscriber;
GRANT SELECT ON eventcore.stat_subscriptions TO eventcore_reader;
GRANT SELECT, INSERT, UPDATE, DELETE
    ON eventcore.leases, eventcore.deliveries, eventcore.backlogs, eventcore.parked
    TO eventcore_subscriber;
-- Not UPDATE of the whole table, nor DELETE: with these comes LOCK TABLE, and the server reads these tables before its
-- first append.
GRANT SELECT, INSERT, UPDATE (id, read_position, paused) ON eventcore.subscriptions TO eventcore_subscriber;
GRANT SELECT, INSERT, UPDATE (position, changed_at) ON eventcore.checkpoints TO eventcore_subscriber;
GRANT EXECUTE ON FUNCTION
    @extschema@.eventcore_create_subscription(text, text[], text[], text, interval, bigint, text),
    @extschema@.eventcore_drop_subscription(text),
    @extschema@.eventcore_pause_subscription(text),
    @extschema@.eventcore_resume_subscription(text),
    @extschema@.eventcore_reset_subscription(text, bigint),
    @extschema@.eventcore_poll(text, text, bigint, interval),
    @extschema@.eventcore_ack(text, uuid, bigint[]),
    @extschema@.eventcore_nack(text, uuid, bigint[], text, text, interval),
    @extschema@.eventcore_extend_lease(text, uuid),
    @extschema@.eventcore_parked(text, bigint, bigint),
    @extschema@.eventcore_replay_parked(text, bigint[]),
    @extschema@.eventcore_discard_parked(text, bigint[]),
    @extschema@.eventcore_checkpoint(text),
    @extschema@.eventcore_advance_checkpoint(text, bigint, bigint),
    eventcore.fail_malformed(text, text, integer),
    eventcore.fail_unknown(text),
    eventcore.fail_lost(text, uuid, bigint[]),
    eventcore.fail_moved(text, bigint, bigint),
    eventcore.see_newest(text),
    eventcore.check_name(text, text),
    eventcore.check_names(text, text[]),
    eventcore.check_positions(bigint[]),
    eventcore.check_time(text, interval, interval),
    eventcore.start_position(text),
    eventcore.require_told(bigint, boolean),
    eventcore.lock_subscription(text),
    eventcore.unlock_subscription(text),
    eventcore.delete_subscription(text),
    eventcore.announce_work(boolean),
    eventcore.announced_work(),
    eventcore.monotonic(),
    eventcore.wait_for_work(bigint, bigint, bigint, boolean, text[], text[]),
    eventcore.find_subscription(text, text),
    eventcore.lock_to_change(text, text),
    eventcore.change_subscription(text, text),
    eventcore.sweep(),
    eventcore.hold_lease(eventcore.subscriptions, uuid, bigint[]),
    eventcore.park(eventcore.subscriptions, bigint[], integer, text, text),
    eventcore.unpark(text, bigint[], boolean),
    eventcore.take_back_expired(eventcore.subscriptions, timestamptz),
    eventcore.refresh_backlogs(eventcore.subscriptions, text[], boolean),
    eventcore.lease_returned(eventcore.subscriptions, timestamptz, uuid, text[], integer, boolean),
    eventcore.lease_backlog(eventcore.subscriptions, timestamptz, uuid, text[], integer, bigint),
    eventcore.has_many_waiting(eventcore.subscriptions, timestamptz),
    eventcore.lease_new(eventcore.subscriptions, uuid, text[], integer, bigint, integer),
    eventcore.lease_events(eventcore.subscriptions, uuid, integer, bigint),
    eventcore.remove_empty_leases(eventcore.subscriptions)
    TO eventcore_subscriber;

-- A projector reads, so it is a reader too. eventcore.guard_projection lets each role change only its own projections.
DO $$
BEGIN
    IF NOT pg_catalog.pg_has_role('eventcore_projector', 'eventcore_reader', 'MEMBER') THEN
        GRANT eventcore_reader TO eventcore_projector;
    END IF;
END
$$;
GRANT USAGE ON SCHEMA eventcore TO eventcore_projector;
GRANT SELECT ON eventcore.projections, eventcore.projection_parked, eventcore.stat_projections TO eventcore_reader;
GRANT EXECUTE ON FUNCTION
    eventcore.projection_key(text),
    eventcore.owner_waits_for(regrole),
    @extschema@.eventcore_projection_parked(text, bigint, bigint),
    eventcore.find_projection(text, text),
    eventcore.check_name(text, text),
    eventcore.fail_malformed(text, text, integer),
    eventcore.fail_unknown_projection(text)
    TO eventcore_reader;
GRANT EXECUTE ON PROCEDURE @extschema@.eventcore_wait_for_projection(text, bigint, interval, bigint) TO eventcore_reader;
-- Not UPDATE of the whole table, nor DELETE: with these comes LOCK TABLE, and every append reads this one.
GRANT INSERT, UPDATE (table_ids, checkpoint, singly_until, retry_at, attempts, reset_pending, status, skipped, last_error, last_sqlstate,
    last_error_position, last_error_at, interruptions) ON eventcore.projections TO eventcore_projector;
GRANT INSERT, UPDATE (replay, attempts, sqlstate, reason, projection) ON eventcore.projection_parked TO eventcore_projector;
GRANT EXECUTE ON FUNCTION
    @extschema@.eventcore_create_projection(text, text, text, text[], text[], text, bigint, text, bigint, text, text[], text[]),
    eventcore.create_projection(text, regproc, text, text[], text[], text, bigint, text, bigint, regproc, regclass[], text[]),
    eventcore.session_settings(),
    eventcore.check_settings(text[]),
    eventcore.delete_projection_parked(text, bigint[]),
    @extschema@.eventcore_pause_projection(text),
    @extschema@.eventcore_resume_projection(text),
    @extschema@.eventcore_drop_projection(text),
    eventcore.remove_projection(eventcore.projections),
    @extschema@.eventcore_rebuild_projection(text, boolean),
    eventcore.reset_projection(text),
    eventcore.projection_relations(text[]),
    eventcore.table_ids(text[]),
    eventcore.check_shadow_possible(eventcore.projections),
    eventcore.make_shadow(text),
    eventcore.has_used(regclass),
    eventcore.check_shadow(text),
    eventcore.check_original_unused(text),
    eventcore.take_place(text),
    eventcore.drop_shadow(eventcore.projections),
    eventcore.check_function(text, regproc, regtype[], regtype),
    eventcore.check_name(text, text),
    eventcore.check_names(text, text[]),
    eventcore.fail_malformed(text, text, integer),
    eventcore.start_position(text),
    eventcore.require_told(bigint, boolean),
    eventcore.see_newest(text),
    eventcore.fail_unknown_projection(text),
    eventcore.fail_unavailable(text, text[]),
    eventcore.find_projection(text, text),
    eventcore.change_projection(text, text),
    eventcore.check_projection_owner(text, regrole),
    eventcore.check_positions(bigint[]),
    eventcore.change_projection_parked(text, bigint[]),
    @extschema@.eventcore_replay_projection_parked(text, bigint[]),
    @extschema@.eventcore_discard_projection_parked(text, bigint[]),
    eventcore.retry_time(integer),
    eventcore.is_blameless(text),
    eventcore.lock_projection_soon(text),
    eventcore.projection_replayed(text, bigint),
    eventcore.projection_replay_failed(text, bigint, text, text, boolean, boolean),
    eventcore.lock_events(),
    eventcore.lock_projection(text),
    eventcore.projections_changed(),
    eventcore.delete_projection(text),
    eventcore.projection_advanced(text, bigint),
    eventcore.projection_failed(text, bigint, bigint, bigint, text, text, boolean, boolean)
    TO eventcore_projector;
