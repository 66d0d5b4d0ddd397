-- The table that the reference writes: like eventcore.events, with the indexes that one would
-- create by hand. It stays the same when eventcore's own table changes.
CREATE SEQUENCE bare_position CACHE 1;
CREATE TABLE bare (
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
    CONSTRAINT bare_pkey PRIMARY KEY (position),
    CONSTRAINT bare_stream_id_version_key UNIQUE (stream_id, version),
    CONSTRAINT bare_event_id_key UNIQUE (event_id)
);
