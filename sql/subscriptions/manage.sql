-- Creating, dropping, pausing and resetting durable subscriptions.

CREATE FUNCTION @extschema@.eventcore_create_subscription(
    name            text,
    stream_prefixes text[]   DEFAULT NULL,
    event_types     text[]   DEFAULT NULL,
    start_from      text     DEFAULT 'start',
    lease           interval DEFAULT '30 seconds',
    retry_limit     bigint   DEFAULT 10,
    on_parked       text     DEFAULT 'continue'
)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    on_parked CONSTANT text COLLATE "C" := on_parked;
    existing eventcore.subscriptions;
    after_position bigint;
BEGIN
    PERFORM eventcore.check_name('name', name);
    PERFORM eventcore.check_names('stream_prefixes', stream_prefixes);
    PERFORM eventcore.check_names('event_types', event_types);
    lease := eventcore.check_time('lease', lease, '1 ms');
    IF retry_limit IS NULL OR retry_limit NOT BETWEEN 0 AND 2147483647 THEN
        PERFORM eventcore.fail_malformed('retry_limit', 'is not a number of retries from 0 to 2147483647');
    ELSIF on_parked IS NULL OR on_parked NOT IN ('continue', 'stop') THEN
        PERFORM eventcore.fail_malformed('on_parked', 'is neither ''continue'' nor ''stop''');
    END IF;
    after_position := eventcore.start_position(start_from);

    PERFORM eventcore.lock_to_change(name, 'name');
    SELECT * INTO existing FROM eventcore.subscriptions s WHERE s.name = name COLLATE "C";
    IF NOT FOUND THEN
        PERFORM eventcore.sweep();
        INSERT INTO eventcore.subscriptions
               (name, stream_prefixes, event_types, read_position, lease, retry_limit, on_parked, home_id)
        VALUES (name, stream_prefixes, event_types, after_position, lease, retry_limit, on_parked, eventcore.home_id());
        RETURN true;
    ELSIF existing.home_id <> eventcore.home_id() THEN
        PERFORM eventcore.fail_copied('subscription', name);
    ELSIF (existing.stream_prefixes, existing.event_types, existing.lease, existing.retry_limit, existing.on_parked)
            IS DISTINCT FROM (stream_prefixes, event_types, lease, retry_limit, on_parked) THEN
        PERFORM eventcore.fail_malformed('name',
            format('is "%s", which names an existing subscription with a different definition', name));
    END IF;
    RETURN false;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_create_subscription(text, text[], text[], text, interval, bigint, text) IS
$$Creates a durable subscription. True: created; false: it exists already, with the same definition.

stream_prefixes: only streams whose name begins with one of these, byte by byte; NULL: all.
event_types: only these types; NULL: all.
start_from: 'start'; 'now', after the events that can be read already; or a position, after that one. Not part of the
definition that is compared.
lease: how long a consumer has for the events of one poll, 1 ms to 365 days.
retry_limit: how often a failed event is delivered again before it is parked; 0: never.
on_parked: what the stream of a parked event does: 'continue', or 'stop' until the event is replayed or discarded.
SE003 malformed argument, or a subscription with this name and another definition. SE011 a position of another history.$$;

CREATE FUNCTION @extschema@.eventcore_drop_subscription(name text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    s eventcore.subscriptions := eventcore.change_subscription(name, 'name');
BEGIN
    DELETE FROM eventcore.parked p WHERE p.subscription_id = s.id;
    PERFORM eventcore.delete_subscription(s.name);
    PERFORM eventcore.sweep();
    PERFORM eventcore.announce_work(true);
    RETURN true;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_drop_subscription(text) IS
$$Removes a subscription with its checkpoint, its leases and its parked events. SE007 no such subscription.$$;

CREATE FUNCTION @extschema@.eventcore_pause_subscription(name text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    s eventcore.subscriptions := eventcore.change_subscription(name, 'name');
BEGIN
    UPDATE eventcore.subscriptions t SET paused = true WHERE t.name = s.name;
    RETURN true;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_pause_subscription(text) IS
$$Pauses a subscription: polls get no events. Consumers may still acknowledge the events that they have. SE007 no such subscription.$$;

CREATE FUNCTION @extschema@.eventcore_resume_subscription(name text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    s eventcore.subscriptions := eventcore.change_subscription(name, 'name');
BEGIN
    UPDATE eventcore.subscriptions t SET paused = false WHERE t.name = s.name;
    PERFORM eventcore.announce_work(true);
    RETURN true;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_resume_subscription(text) IS
$$Ends a pause: waiting polls get events at once. SE007 no such subscription.$$;

CREATE FUNCTION @extschema@.eventcore_reset_subscription(name text, after_position bigint) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    s eventcore.subscriptions := eventcore.change_subscription(name, 'name');
    safe bigint := eventcore.safe_position();
    new_id uuid;
BEGIN
    IF after_position IS NULL OR after_position < 0 THEN
        PERFORM eventcore.fail_malformed('after_position', 'is not a position, from 0');
    END IF;
    PERFORM eventcore.require_told(after_position, false);
    IF after_position > safe THEN
        PERFORM eventcore.fail_malformed('after_position', format('is past the safe position, which is %s', safe));
    END IF;
    UPDATE eventcore.subscriptions t
       SET read_position = after_position, id = gen_random_uuid()
     WHERE t.name = s.name
    RETURNING t.id INTO new_id;
    DELETE FROM eventcore.parked p WHERE p.subscription_id = s.id AND p.position > after_position;
    UPDATE eventcore.parked p SET subscription_id = new_id WHERE p.subscription_id = s.id;
    IF s.on_parked = 'stop' THEN
        INSERT INTO eventcore.backlogs (subscription_id, stream_id, due)
        SELECT DISTINCT new_id, p.stream_id, timestamptz 'infinity' FROM eventcore.parked p WHERE p.subscription_id = new_id;
    END IF;
    PERFORM eventcore.sweep();
    PERFORM eventcore.announce_work(true);
    RETURN true;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_reset_subscription(text, bigint) IS
$$Continues after this position, lower or higher than now: all events after it are delivered, again or for the first time.
All leases are lost. Events parked up to the position stay parked.
SE003 a position past the safe position. SE007 no such subscription. SE011 a position of another history.$$;
