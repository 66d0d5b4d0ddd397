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
