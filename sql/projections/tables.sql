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
    last_rebuild    text,
    rebuilt_at      timestamptz,
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
COMMENT ON COLUMN eventcore.projections.last_rebuild IS
    'The shadow_schema of the rebuild that took its place last, by which that rebuild is told from one that was dropped; NULL: none did.';
COMMENT ON COLUMN eventcore.projections.rebuilt_at IS 'When a rebuild with a shadow took its place last; NULL: none did.';

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
-- The condition is true. Only queries that repeat it use the index: no other query takes it in place of the primary key.
CREATE INDEX projection_parked_time_idx ON eventcore.projection_parked (projection, parked_at) WHERE parked_at > '-infinity';
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
COMMENT ON INDEX eventcore.projection_parked_time_idx IS 'The event that has been parked longest.';

SELECT pg_catalog.pg_extension_config_dump('eventcore.projections', '');
SELECT pg_catalog.pg_extension_config_dump('eventcore.projection_parked', '');
