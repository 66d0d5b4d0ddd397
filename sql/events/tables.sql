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
