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
