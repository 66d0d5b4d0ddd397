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
    causation_id      uuid    DEFAULT NULL
)
RETURNS bigint[]
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'eventcore_append_compact';
COMMENT ON FUNCTION @extschema@.eventcore_append_compact(text[], bigint[], text[], text[], text[], text[], uuid[], uuid, uuid) IS
$$The same as eventcore_append with arrays, for programs, at less cost to the server: payloads and metadata are JSON
texts, and the result is one value: SELECT eventcore_append_compact(…).

Returns {first_position, last_position, recorded_at, repeated, version, …}: the positions, NULL if there were no events; the
time in microseconds since 1970-01-01 00:00 UTC; 1 for a repeat, else 0; then the version of every declared stream in the
order given.

The same errors. A text that is not JSON, or that jsonb cannot hold, is SE003; it names the element.$$;
REVOKE ALL ON FUNCTION @extschema@.eventcore_append_compact(text[], bigint[], text[], text[], text[], text[], uuid[], uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.eventcore_append_compact(text[], bigint[], text[], text[], text[], text[], uuid[], uuid, uuid)
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
