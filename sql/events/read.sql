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
returned; backward, every one from that position on. Continue after it, even if it is the only row, so that no event is read
twice. Backward, position 1 is the end: nothing is before it. Such a read skips at most 100,000 events that do not match.
after_event: the id of the last event up to after_position that such a read, with the same filter, returned. After a
fail-over or a restore it shows whether that event still exists.
SE003 malformed argument. SE011 this store has never returned after_position, or after_event is not the last event up to it:
the reader comes from another history. DETAIL says up to which position both histories are the same (agreed). A read backward
does not check this.$$;

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

CREATE FUNCTION @extschema@.eventcore_streams(
    prefix    text   DEFAULT '',
    after     text   DEFAULT '',
    max_count bigint DEFAULT 100
)
RETURNS TABLE (
    stream_id        text,
    version          bigint,
    state            text,
    last_position    bigint,
    last_event_type  text,
    last_recorded_at timestamptz
)
LANGUAGE plpgsql STABLE ROWS 100
SET search_path = pg_catalog, pg_temp
-- From stream to stream by the index, whatever the statistics say.
SET enable_seqscan = off
SET enable_bitmapscan = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    prefix CONSTANT text COLLATE "C" := coalesce(prefix, '');
    after  CONSTANT text COLLATE "C" := coalesce(after, '');
    most   CONSTANT bigint := coalesce(max_count, 9223372036854775807);
    -- More than any name with this prefix: the last character that there is, more often than a name has room for.
    beyond CONSTANT text COLLATE "C" := prefix || repeat(chr(1114111), 64);
BEGIN
    IF prefix <> '' THEN
        PERFORM eventcore.check_name('prefix', prefix);
    END IF;
    IF after <> '' THEN
        PERFORM eventcore.check_name('after', after);
    END IF;
    IF most < 0 THEN
        PERFORM eventcore.fail_malformed('max_count', 'is negative');
    END IF;
    RETURN QUERY
    WITH RECURSIVE skip (stream_id, number) AS (
        (SELECT e.stream_id, 1::bigint FROM eventcore.events e
          WHERE e.stream_id >= prefix AND e.stream_id > after AND e.stream_id < beyond
          ORDER BY e.stream_id LIMIT 1)
         UNION ALL
        SELECT n.stream_id, s.number + 1
          FROM skip s
         CROSS JOIN LATERAL (
               SELECT e.stream_id FROM eventcore.events e
                WHERE e.stream_id > s.stream_id AND e.stream_id < beyond
                ORDER BY e.stream_id LIMIT 1) n
         WHERE s.number < most
    ), named AS (
        SELECT s.stream_id FROM skip s
         UNION
        (SELECT t.stream_id FROM eventcore.streams t
          WHERE t.stream_id >= prefix AND t.stream_id > after AND t.stream_id < beyond
          ORDER BY t.stream_id LIMIT most)
         ORDER BY 1 LIMIT most
    )
    SELECT n.stream_id, coalesce(l.version, 0), coalesce(t.state, 'open'), l.position, l.event_type, l.recorded_at
      FROM named n
      LEFT JOIN eventcore.streams t ON t.stream_id = n.stream_id
      LEFT JOIN LATERAL (
           SELECT e.version, e.position, e.event_type, e.recorded_at FROM eventcore.events e
            WHERE e.stream_id = n.stream_id ORDER BY e.version DESC LIMIT 1) l ON true
     ORDER BY n.stream_id;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_streams(text, text, bigint) IS
$$The streams whose name begins with a prefix, in the order of the bytes of their names, each with its last event. It skips
from stream to stream, so it takes as long in a large store as in a small one.

prefix: byte by byte; empty: all streams. after: only streams after this name, for the next page; empty: from the first.
max_count: the most streams to return; NULL: all.
state: open, closed or deleted. A stream that was closed without an event has version 0.
SE003 malformed argument.$$;

CREATE FUNCTION @extschema@.eventcore_position_at(at timestamptz) RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET jit = off
AS $$
DECLARE
    low   bigint := 0;
    high  bigint := eventcore.safe_position();
    half  bigint;
    event record;
BEGIN
    IF at IS NULL THEN
        PERFORM eventcore.fail_malformed('at', 'is NULL');
    END IF;
    high := coalesce((SELECT e.position FROM eventcore.events e
                       WHERE e.position <= high ORDER BY e.position DESC LIMIT 1), 0);
    WHILE low < high LOOP
        half := low + (high - low) / 2;
        SELECT e.position, e.recorded_at INTO event
          FROM eventcore.events e
         WHERE e.position > half AND e.position <= high
         ORDER BY e.position LIMIT 1;
        IF event.recorded_at < at THEN
            low := event.position;
        ELSE
            -- Or there is no event between.
            high := half;
        END IF;
    END LOOP;
    RETURN low;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_position_at(timestamptz) IS
$$A position for eventcore_read_all: reading after it begins with the events of this time. 0 if they are all later. It halves
the positions, so it reads a few events.

recorded_at rises with the position only approximately: appends that run at the same time overlap, and a clock may be set
back. So events near the position may be off by as much; look at recorded_at where that matters.
SE003 the time is NULL.$$;

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
