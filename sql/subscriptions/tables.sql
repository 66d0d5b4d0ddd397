-- Durable subscriptions: what is stored of them. A subscription is a named place in the global order, kept by
-- the server, with a filter and the rules for what fails. Events that are out and not acknowledged are rows;
-- of what waits behind them, each stream is one.

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
    'Another one after each reset: what was leased or read under the old one is void.';
COMMENT ON COLUMN eventcore.subscriptions.read_position IS
    'Every matching event up to here has been delivered, or waits in deliveries, in backlogs or in parked.';
COMMENT ON COLUMN eventcore.subscriptions.home_id IS
    'The database that delivers it: eventcore.home_id() of that one.';
COMMENT ON COLUMN eventcore.subscriptions.created_at IS 'When it was created.';
COMMENT ON COLUMN eventcore.subscriptions.lease IS
    'How long a consumer has for the events of one poll.';
COMMENT ON COLUMN eventcore.subscriptions.retry_limit IS
    'How often a failed event is delivered again before it is parked.';
COMMENT ON COLUMN eventcore.subscriptions.paused IS 'Polls get nothing until it is resumed.';
COMMENT ON COLUMN eventcore.subscriptions.name IS
    'Its name: 1 to 255 bytes, no ASCII control characters.';
COMMENT ON COLUMN eventcore.subscriptions.on_parked IS
    'What the stream of a parked event does: continue, or stop until that event is replayed or discarded.';
COMMENT ON COLUMN eventcore.subscriptions.stream_prefixes IS
    'Only streams that begin with one of these, letter by letter; NULL: all.';
COMMENT ON COLUMN eventcore.subscriptions.event_types IS 'Only these types; NULL: all.';
CREATE TRIGGER subscriptions_settle BEFORE INSERT ON eventcore.subscriptions
    FOR EACH ROW EXECUTE FUNCTION eventcore.settle();
COMMENT ON TRIGGER subscriptions_settle ON eventcore.subscriptions IS
    'What is created or restored here belongs to this database; what is replicated does not.';

CREATE TABLE eventcore.leases (
    subscription_id uuid        NOT NULL,
    lease_id        uuid        NOT NULL,
    leased_until    timestamptz NOT NULL,
    consumer        text        COLLATE "C" NOT NULL,
    CONSTRAINT leases_pkey PRIMARY KEY (subscription_id, lease_id)
) USING heap WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE eventcore.leases IS
    'Polls whose events are out. A poll that leases something removes those that hold nothing any more.';
COMMENT ON COLUMN eventcore.leases.subscription_id IS 'The subscription.';
COMMENT ON COLUMN eventcore.leases.lease_id IS 'The poll.';
COMMENT ON COLUMN eventcore.leases.leased_until IS
    'When the lease runs out: from then on a poll may take back what it holds.';
COMMENT ON COLUMN eventcore.leases.consumer IS 'The consumer that holds the lease.';

-- Deleted from as fast as written to: vacuumed early. No query of a poll goes over positions: with a
-- transaction that keeps VACUUM from its work it would walk over all that was ever acknowledged.
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
COMMENT ON INDEX eventcore.deliveries_lease_idx IS 'What a lease holds.';
COMMENT ON INDEX eventcore.deliveries_waiting_idx IS 'The events to deliver again, stream by stream.';
COMMENT ON TABLE eventcore.deliveries IS
    'Events that were delivered and are not done with: in a lease, or to be delivered again.';
COMMENT ON COLUMN eventcore.deliveries.subscription_id IS 'The subscription.';
COMMENT ON COLUMN eventcore.deliveries.position IS 'The event.';
COMMENT ON COLUMN eventcore.deliveries.version IS 'Its version in its stream.';
COMMENT ON COLUMN eventcore.deliveries.not_before IS 'After a failure: when to deliver it again.';
COMMENT ON COLUMN eventcore.deliveries.failures IS
    'How often it has failed: given back by a consumer to retry, or alone in a lease that ran out.';
COMMENT ON COLUMN eventcore.deliveries.expiries IS
    'How many leases with it have run out. After two it is delivered alone, to find out whether it is to blame.';
COMMENT ON COLUMN eventcore.deliveries.stream_id IS 'The stream of the event.';
COMMENT ON COLUMN eventcore.deliveries.lease_id IS 'The lease that holds it; NULL while it waits for the next.';
COMMENT ON COLUMN eventcore.deliveries.failed_at IS 'When it failed last.';
COMMENT ON COLUMN eventcore.deliveries.consumer IS 'The consumer that it failed at.';
COMMENT ON COLUMN eventcore.deliveries.reason IS 'Why it failed last.';

-- One row for each stream that waits, with the time before which it is not looked at: however many streams wait for a
-- delay or are stopped, a poll passes over none of them.
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
COMMENT ON INDEX eventcore.backlogs_returned_idx IS 'Streams of which events came back, what has been due longest first.';
COMMENT ON INDEX eventcore.backlogs_behind_idx IS 'The other streams, what has been due longest first.';
COMMENT ON INDEX eventcore.backlogs_delayed_idx IS 'Delays that began later than it is now: the clock was set back.';
COMMENT ON TABLE eventcore.backlogs IS
    'Streams of which events came back, of which a subscription has read events while earlier ones were out, or that are stopped.';
COMMENT ON COLUMN eventcore.backlogs.subscription_id IS 'The subscription.';
COMMENT ON COLUMN eventcore.backlogs.due IS
    'Nothing of the stream is delivered before this time; infinity while an event of it is parked and on_parked is stop.';
COMMENT ON COLUMN eventcore.backlogs.returned_position IS
    'The first of the stream''s events that came back and wait in deliveries; NULL: none does.';
COMMENT ON COLUMN eventcore.backlogs.after_version IS
    'The matching events after this version, up to the subscription''s read_position, will be delivered; NULL: none.';
COMMENT ON COLUMN eventcore.backlogs.next_position IS 'The first of those is not before this position.';
COMMENT ON COLUMN eventcore.backlogs.delayed_at IS 'When the delay began that due is the end of; NULL: there was none.';
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
