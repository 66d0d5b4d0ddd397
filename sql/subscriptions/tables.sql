-- The tables of durable subscriptions. A subscription is a named place in the global order, kept by the server, with a filter
-- and rules for failures. The new events of a poll are one row, and each event that comes back is a row; of the events that wait
-- behind these, each stream is a row.

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
--
-- A poll lists its new events in arrays of one row: to write and delete a row with its index entries for each event takes a
-- third of the time of a poll. A statement that treats them differently first makes rows of them (eventcore.unpack_lease).
-- Rows of a usual poll are not compressed.
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
    positions       bigint[],
    versions        bigint[],
    stream_ids      text[]      COLLATE "C",
    CONSTRAINT deliveries_pkey PRIMARY KEY (subscription_id, position),
    CONSTRAINT deliveries_position_check CHECK (position BETWEEN 1 AND 4611686018427387904)
) USING heap WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, toast_tuple_target = 8160);
CREATE INDEX deliveries_lease_idx ON eventcore.deliveries (lease_id, position) WHERE lease_id IS NOT NULL;
CREATE INDEX deliveries_waiting_idx ON eventcore.deliveries (subscription_id, stream_id, position) WHERE lease_id IS NULL;
CREATE INDEX deliveries_failed_idx ON eventcore.deliveries (subscription_id, failed_at, failures) WHERE failed_at IS NOT NULL;
COMMENT ON INDEX eventcore.deliveries_lease_idx IS 'The events of a lease.';
COMMENT ON INDEX eventcore.deliveries_waiting_idx IS 'The events to deliver again, stream by stream.';
COMMENT ON INDEX eventcore.deliveries_failed_idx IS 'The events that have failed, for eventcore.stat_subscriptions.';
COMMENT ON TABLE eventcore.deliveries IS
    'Events that were delivered and are neither acknowledged nor parked: in a lease, or waiting to be delivered again. A row is one event, or all new events of a poll.';
COMMENT ON COLUMN eventcore.deliveries.subscription_id IS 'The subscription.';
COMMENT ON COLUMN eventcore.deliveries.position IS 'The event, or the first of several.';
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
COMMENT ON COLUMN eventcore.deliveries.positions IS
    'All events of the row, in order, those included that are listed in acknowledged; NULL: it is a single event.';
COMMENT ON COLUMN eventcore.deliveries.versions IS 'The version of each of them.';
COMMENT ON COLUMN eventcore.deliveries.stream_ids IS 'The stream of each of them.';

-- Rows instead of changes of the arrays: so consumers that handle events of one lease in transactions of their own do not
-- wait for one another.
CREATE TABLE eventcore.acknowledged (
    subscription_id uuid        NOT NULL,
    lease_id        uuid        NOT NULL,
    position        bigint      NOT NULL,
    CONSTRAINT acknowledged_pkey PRIMARY KEY (subscription_id, lease_id, position)
) USING heap WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
COMMENT ON TABLE eventcore.acknowledged IS
    'Events that were acknowledged while other events of the same row of deliveries were not. Removed with that row.';
COMMENT ON COLUMN eventcore.acknowledged.subscription_id IS 'The subscription.';
COMMENT ON COLUMN eventcore.acknowledged.lease_id IS 'The lease that held it.';
COMMENT ON COLUMN eventcore.acknowledged.position IS 'The event.';

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
-- By hash, and with no other column: a poll looks up the stream of each new event, which takes half as long as in the primary
-- key.
CREATE INDEX backlogs_stream_idx ON eventcore.backlogs USING hash (hashtextextended(stream_id, uuid_hash(subscription_id)));
COMMENT ON INDEX eventcore.backlogs_returned_idx IS 'Streams with events that came back, those that have been due longest first.';
COMMENT ON INDEX eventcore.backlogs_behind_idx IS 'The other streams, those that have been due longest first.';
COMMENT ON INDEX eventcore.backlogs_delayed_idx IS 'Finds delays that began in the future, because the clock was set back.';
COMMENT ON INDEX eventcore.backlogs_stream_idx IS 'Whether a stream waits.';
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
CREATE INDEX parked_stream_idx ON eventcore.parked (stream_id, subscription_id);
-- The condition is true. Only queries that repeat it use the index: no other query takes it in place of the primary key.
CREATE INDEX parked_time_idx ON eventcore.parked (subscription_id, parked_at) WHERE parked_at > '-infinity';
COMMENT ON INDEX eventcore.parked_stream_idx IS 'Whether an event of a stream is parked.';
COMMENT ON INDEX eventcore.parked_time_idx IS 'The event that has been parked longest, and the one that was parked last.';
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
SELECT pg_catalog.pg_extension_config_dump('eventcore.acknowledged', '');
SELECT pg_catalog.pg_extension_config_dump('eventcore.backlogs', '');
SELECT pg_catalog.pg_extension_config_dump('eventcore.parked', '');
