-- Durable subscriptions: a named place in the global order, kept by the server, with a filter and the
-- rules for what fails. What is done with the events of one is in deliveries.sql.

CREATE TABLE eventcore.subscriptions (
    read_position   bigint      NOT NULL,
    checkpoint      bigint      NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT pg_catalog.now(),
    lease           interval    NOT NULL,
    retry_limit     integer     NOT NULL,
    resets          integer     NOT NULL DEFAULT 0,
    paused          boolean     NOT NULL DEFAULT false,
    name            text        COLLATE "C" NOT NULL,
    on_parked       text        NOT NULL,
    stream_prefixes text[]      COLLATE "C",
    event_types     text[]      COLLATE "C",
    CONSTRAINT subscriptions_pkey PRIMARY KEY (name),
    CONSTRAINT subscriptions_on_parked_check CHECK (on_parked IN ('continue', 'stop'))
) USING heap WITH (fillfactor = 50);
COMMENT ON TABLE eventcore.subscriptions IS
    'Durable subscriptions. Written by the functions eventcore_…_subscription and eventcore_poll.';
COMMENT ON COLUMN eventcore.subscriptions.read_position IS
    'Every event of interest up to here has been acknowledged, or is listed in deliveries or parked.';
COMMENT ON COLUMN eventcore.subscriptions.checkpoint IS
    'Every event up to here was done with at the time of the last poll: deliveries begin after it.';
COMMENT ON COLUMN eventcore.subscriptions.created_at IS 'When it was created.';
COMMENT ON COLUMN eventcore.subscriptions.lease IS
    'How long a consumer has for the events of one poll.';
COMMENT ON COLUMN eventcore.subscriptions.retry_limit IS
    'How often a failed event is delivered again before it is parked.';
COMMENT ON COLUMN eventcore.subscriptions.resets IS
    'How often it has been reset: what a poll has read before a reset does not count.';
COMMENT ON COLUMN eventcore.subscriptions.paused IS 'Polls get nothing until it is resumed.';
COMMENT ON COLUMN eventcore.subscriptions.name IS
    'Its name: 1 to 255 bytes, no ASCII control characters.';
COMMENT ON COLUMN eventcore.subscriptions.on_parked IS
    'What the stream of a parked event does: continue, or stop until that event is replayed or discarded.';
COMMENT ON COLUMN eventcore.subscriptions.stream_prefixes IS
    'Only streams that begin with one of these, letter by letter; NULL: all.';
COMMENT ON COLUMN eventcore.subscriptions.event_types IS 'Only these types; NULL: all.';

-- Deleted from as fast as written to: vacuumed early, and with room for updates in place.
CREATE TABLE eventcore.deliveries (
    position        bigint      NOT NULL,
    not_before      timestamptz NOT NULL DEFAULT '-infinity',
    failures        integer     NOT NULL DEFAULT 0,
    expiries        integer     NOT NULL DEFAULT 0,
    subscription    text        COLLATE "C" NOT NULL,
    stream_id       text        COLLATE "C" NOT NULL,
    lease_id        uuid,
    leased_until    timestamptz,
    failed_at       timestamptz,
    consumer        text        COLLATE "C",
    reason          text,
    CONSTRAINT deliveries_pkey PRIMARY KEY (subscription, position)
) USING heap WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
COMMENT ON TABLE eventcore.deliveries IS
    'Events that a subscription has read and that are not acknowledged: with a consumer, or waiting for one.';
COMMENT ON COLUMN eventcore.deliveries.position IS 'The event.';
COMMENT ON COLUMN eventcore.deliveries.not_before IS 'After a failure: when to deliver it again.';
COMMENT ON COLUMN eventcore.deliveries.failures IS
    'How often it has failed: given back by a consumer to retry, or alone in a lease that ran out.';
COMMENT ON COLUMN eventcore.deliveries.expiries IS
    'How many leases with it have run out. After two it is delivered alone, to find out whether it is to blame.';
COMMENT ON COLUMN eventcore.deliveries.subscription IS 'The subscription.';
COMMENT ON COLUMN eventcore.deliveries.stream_id IS 'The stream of the event.';
COMMENT ON COLUMN eventcore.deliveries.lease_id IS
    'The poll that it was given to; NULL while it waits for a consumer.';
COMMENT ON COLUMN eventcore.deliveries.leased_until IS
    'When the lease runs out: from then on another consumer may get it.';
COMMENT ON COLUMN eventcore.deliveries.failed_at IS 'When it failed last.';
COMMENT ON COLUMN eventcore.deliveries.consumer IS 'The consumer that has or had it last.';
COMMENT ON COLUMN eventcore.deliveries.reason IS 'Why it failed last.';

CREATE TABLE eventcore.parked (
    position        bigint      NOT NULL,
    parked_at       timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    attempts        integer     NOT NULL DEFAULT 0,
    held            boolean     NOT NULL,
    subscription    text        COLLATE "C" NOT NULL,
    stream_id       text        COLLATE "C" NOT NULL,
    consumer        text        COLLATE "C",
    reason          text,
    CONSTRAINT parked_pkey PRIMARY KEY (subscription, position)
) USING heap;
CREATE INDEX parked_stream_id_idx ON eventcore.parked (subscription, stream_id, position);
COMMENT ON TABLE eventcore.parked IS
    'Events that a subscription has set aside: because they failed, or because they come after one that did.';
COMMENT ON INDEX eventcore.parked_stream_id_idx IS 'Finds out whether a stream has stopped.';
COMMENT ON COLUMN eventcore.parked.position IS 'The event.';
COMMENT ON COLUMN eventcore.parked.parked_at IS 'When it was set aside.';
COMMENT ON COLUMN eventcore.parked.attempts IS 'How often it had been delivered.';
COMMENT ON COLUMN eventcore.parked.held IS
    'It did not fail, but waits for an earlier event of its stream that is parked.';
COMMENT ON COLUMN eventcore.parked.subscription IS 'The subscription.';
COMMENT ON COLUMN eventcore.parked.stream_id IS 'The stream of the event.';
COMMENT ON COLUMN eventcore.parked.consumer IS 'The consumer that had it last.';
COMMENT ON COLUMN eventcore.parked.reason IS 'Why it was parked.';

SELECT pg_catalog.pg_extension_config_dump('eventcore.subscriptions', '');
SELECT pg_catalog.pg_extension_config_dump('eventcore.deliveries', '');
SELECT pg_catalog.pg_extension_config_dump('eventcore.parked', '');

-- What the functions of this file and of deliveries.sql share.

CREATE FUNCTION eventcore.fail(code text, message text, detail jsonb, hint text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION '%', message USING ERRCODE = code, DETAIL = detail::text, HINT = hint;
END
$$;
COMMENT ON FUNCTION eventcore.fail(text, text, jsonb, text) IS
    'Raises an error of ours: SQLSTATE, message, DETAIL, HINT.';

CREATE FUNCTION eventcore.fail_malformed(argument text, reason text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM eventcore.fail('SE003', argument || ' ' || reason,
        jsonb_build_object('argument', argument, 'reason', reason),
        'See \df+ eventcore_* for what each argument takes.');
END
$$;
COMMENT ON FUNCTION eventcore.fail_malformed(text, text) IS
    'Raises SE003; the reason completes the sentence that begins with the argument.';

CREATE FUNCTION eventcore.check_name(argument text, value text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF value IS NULL THEN
        PERFORM eventcore.fail_malformed(argument, 'is NULL');
    ELSIF value = '' THEN
        PERFORM eventcore.fail_malformed(argument, 'is empty');
    ELSIF octet_length(value) > 255 THEN
        PERFORM eventcore.fail_malformed(argument, 'is longer than 255 bytes');
    ELSIF value ~ '[\x01-\x1f\x7f]' COLLATE "C" THEN
        PERFORM eventcore.fail_malformed(argument, 'has an ASCII control character');
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.check_name(text, text) IS
    'SE003 unless the value is a name: 1 to 255 bytes without ASCII control characters.';

CREATE FUNCTION eventcore.lock_subscription(name text) RETURNS void
LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'eventcore_lock_subscription';
COMMENT ON FUNCTION eventcore.lock_subscription(text) IS
    'Waits until nobody else changes this subscription, and keeps others from it until the transaction ends. 25006 where nothing may be written.';

CREATE FUNCTION eventcore.unlock_subscription(name text) RETURNS void
LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'eventcore_unlock_subscription';
COMMENT ON FUNCTION eventcore.unlock_subscription(text) IS
    'Takes back one eventcore.lock_subscription, when nothing has been changed under it.';

CREATE FUNCTION eventcore.announce_work(to_all boolean) RETURNS void
LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'eventcore_announce_work';
COMMENT ON FUNCTION eventcore.announce_work(boolean) IS
    'When the transaction ends, wakes the polls that wait for a stream that another consumer has; or all polls that wait.';

CREATE FUNCTION eventcore.announced_work() RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_announced_work';
COMMENT ON FUNCTION eventcore.announced_work() IS
    'How often eventcore.announce_work has taken effect in this database since the server started.';

CREATE FUNCTION eventcore.wait_for_work(
    after_position  bigint,
    announced       bigint,
    until           timestamptz,
    blocked         boolean,
    stream_prefixes text[],
    event_types     text[]
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_wait_for_work';
COMMENT ON FUNCTION eventcore.wait_for_work(bigint, bigint, timestamptz, boolean, text[], text[]) IS
    'Waits until there is an event of interest after after_position, until work has been announced more often than announced, or until the time. Returns a position that there is nothing of interest up to. blocked: wakes at once also when a stream is released.';

CREATE FUNCTION eventcore.find_subscription(wanted text) RETURNS eventcore.subscriptions
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_one eventcore.subscriptions;
BEGIN
    SELECT * INTO found_one FROM eventcore.subscriptions s WHERE s.name = wanted;
    IF NOT FOUND THEN
        PERFORM eventcore.check_name('subscription', wanted);
        PERFORM eventcore.fail('SE007', format('there is no subscription "%s"', wanted),
            jsonb_build_object('subscription', wanted),
            'Create it with eventcore_create_subscription, or look for its name in eventcore.stat_subscriptions.');
    END IF;
    RETURN found_one;
END
$$;
COMMENT ON FUNCTION eventcore.find_subscription(text) IS 'A subscription by its name; SE007 if there is none.';

CREATE FUNCTION eventcore.change_subscription(wanted text) RETURNS eventcore.subscriptions
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM eventcore.check_name('subscription', wanted);
    PERFORM eventcore.lock_subscription(wanted);
    RETURN eventcore.find_subscription(wanted);
END
$$;
COMMENT ON FUNCTION eventcore.change_subscription(text) IS
    'A subscription by its name, kept from others until the transaction ends; SE007 if there is none.';

-- The surface.

CREATE FUNCTION eventcore_create_subscription(
    name            text,
    stream_prefixes text[]   DEFAULT NULL,
    event_types     text[]   DEFAULT NULL,
    start_from      text     DEFAULT 'start',
    lease           interval DEFAULT '30 seconds',
    retry_limit     integer  DEFAULT 10,
    on_parked       text     DEFAULT 'continue'
)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    existing eventcore.subscriptions;
    after_position bigint;
    safe bigint := @extschema@.eventcore_safe_position();
    element text;
BEGIN
    PERFORM eventcore.check_name('name', name);
    IF cardinality(stream_prefixes) NOT BETWEEN 1 AND 1000 THEN
        PERFORM eventcore.fail_malformed('stream_prefixes', 'has not 1 to 1000 elements; NULL is for all streams');
    END IF;
    FOREACH element IN ARRAY coalesce(stream_prefixes, '{}') LOOP
        PERFORM eventcore.check_name('stream_prefixes', element);
    END LOOP;
    IF cardinality(event_types) NOT BETWEEN 1 AND 1000 THEN
        PERFORM eventcore.fail_malformed('event_types', 'has not 1 to 1000 elements; NULL is for all types');
    END IF;
    FOREACH element IN ARRAY coalesce(event_types, '{}') LOOP
        PERFORM eventcore.check_name('event_types', element);
    END LOOP;
    IF lease IS NULL OR lease <= '0' THEN
        PERFORM eventcore.fail_malformed('lease', 'is not a time above 0');
    ELSIF retry_limit IS NULL OR retry_limit < 0 THEN
        PERFORM eventcore.fail_malformed('retry_limit', 'is not a number of retries, from 0');
    ELSIF on_parked IS NULL OR on_parked NOT IN ('continue', 'stop') THEN
        PERFORM eventcore.fail_malformed('on_parked', 'is neither ''continue'' nor ''stop''');
    END IF;
    CASE
        WHEN start_from = 'start' THEN
            after_position := 0;
        WHEN start_from = 'now' THEN
            after_position := safe;
        WHEN start_from ~ '^[0-9]{1,18}$' AND start_from::bigint <= safe THEN
            after_position := start_from::bigint;
        WHEN start_from ~ '^[0-9]{1,18}$' THEN
            PERFORM eventcore.fail_malformed('start_from', format('is past the safe position, which is %s', safe));
        ELSE
            PERFORM eventcore.fail_malformed('start_from', 'is neither ''start'' nor ''now'' nor a position');
    END CASE;

    PERFORM eventcore.lock_subscription(name);
    SELECT * INTO existing FROM eventcore.subscriptions s WHERE s.name = name;
    IF NOT FOUND THEN
        INSERT INTO eventcore.subscriptions
               (name, stream_prefixes, event_types, read_position, checkpoint, lease, retry_limit, on_parked)
        VALUES (name, stream_prefixes, event_types, after_position, after_position, lease, retry_limit, on_parked);
        RETURN true;
    ELSIF (existing.stream_prefixes, existing.event_types, existing.lease, existing.retry_limit, existing.on_parked)
            IS DISTINCT FROM (stream_prefixes, event_types, lease, retry_limit, on_parked) THEN
        PERFORM eventcore.fail_malformed('name',
            format('is that of a subscription with another definition: "%s"', name));
    END IF;
    RETURN false;
END
$$;
COMMENT ON FUNCTION eventcore_create_subscription(text, text[], text[], text, interval, integer, text) IS
$$Creates a durable subscription. True: created; false: it was there already, with the same definition.

stream_prefixes: only streams that begin with one of these, letter by letter; NULL: all.
event_types: only these types; NULL: all.
start_from: 'start'; 'now', after what can be read already; or a position, after that. Not compared with
that of a subscription that exists.
lease: how long a consumer has for what one poll gives it.
retry_limit: how often a failed event is delivered again before it is parked; 0: never.
on_parked: what the stream of a parked event does: 'continue', or 'stop' until it is replayed or discarded.
SE003 malformed argument, or a subscription of this name with another definition.$$;

CREATE FUNCTION eventcore_drop_subscription(name text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    s eventcore.subscriptions := eventcore.change_subscription(name);
BEGIN
    DELETE FROM eventcore.deliveries d WHERE d.subscription = s.name;
    DELETE FROM eventcore.parked p WHERE p.subscription = s.name;
    DELETE FROM eventcore.subscriptions t WHERE t.name = s.name;
    PERFORM eventcore.announce_work(true);
END
$$;
COMMENT ON FUNCTION eventcore_drop_subscription(text) IS
$$Removes a subscription with its checkpoint, its leases and its parked events. SE007 if there is none.$$;

CREATE FUNCTION eventcore_pause_subscription(name text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    s eventcore.subscriptions := eventcore.change_subscription(name);
BEGIN
    UPDATE eventcore.subscriptions t SET paused = true WHERE t.name = s.name;
END
$$;
COMMENT ON FUNCTION eventcore_pause_subscription(text) IS
$$Polls get nothing from now on. What consumers have already they may still acknowledge. SE007 if there is none.$$;

CREATE FUNCTION eventcore_resume_subscription(name text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    s eventcore.subscriptions := eventcore.change_subscription(name);
BEGIN
    UPDATE eventcore.subscriptions t SET paused = false WHERE t.name = s.name;
    PERFORM eventcore.announce_work(true);
END
$$;
COMMENT ON FUNCTION eventcore_resume_subscription(text) IS
$$Ends a pause: polls that wait get events at once. SE007 if there is none.$$;

CREATE FUNCTION eventcore_reset_subscription(name text, after_position bigint) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    s eventcore.subscriptions := eventcore.change_subscription(name);
    safe bigint := @extschema@.eventcore_safe_position();
BEGIN
    IF after_position IS NULL OR after_position < 0 THEN
        PERFORM eventcore.fail_malformed('after_position', 'is not a position, from 0');
    ELSIF after_position > safe THEN
        PERFORM eventcore.fail_malformed('after_position', format('is past the safe position, which is %s', safe));
    END IF;
    DELETE FROM eventcore.deliveries d WHERE d.subscription = s.name;
    DELETE FROM eventcore.parked p WHERE p.subscription = s.name AND p.position > after_position;
    UPDATE eventcore.subscriptions t
       SET read_position = after_position, checkpoint = after_position, resets = t.resets + 1
     WHERE t.name = s.name;
    PERFORM eventcore.announce_work(true);
END
$$;
COMMENT ON FUNCTION eventcore_reset_subscription(text, bigint) IS
$$Goes on after this position, back or ahead: everything after it is delivered, again or for the first time.
All leases are lost. Events parked before the position stay parked.
SE003 a position past the safe position. SE007 no such subscription.$$;

REVOKE ALL ON FUNCTION eventcore.fail(text, text, jsonb, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore.fail_malformed(text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore.check_name(text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore.lock_subscription(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore.unlock_subscription(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore.announce_work(boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore.announced_work() FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore.wait_for_work(bigint, bigint, timestamptz, boolean, text[], text[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore.find_subscription(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore.change_subscription(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore_create_subscription(text, text[], text[], text, interval, integer, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore_drop_subscription(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore_pause_subscription(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore_resume_subscription(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore_reset_subscription(text, bigint) FROM PUBLIC;
