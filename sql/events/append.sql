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
