-- What the functions of durable subscriptions share: errors, checks, the lock, the wait.
--
-- An argument has the collation of the caller's column. Here and in the other files, whatever compares one compares it
-- byte by byte: it writes COLLATE "C", or compares a copy that DECLARE gives this collation and the same name.

CREATE FUNCTION eventcore.check_name(argument text, value text) RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_check_name';
COMMENT ON FUNCTION eventcore.check_name(text, text) IS
    'SE003 unless the value is a name: 1 to 255 bytes without ASCII control characters.';

CREATE FUNCTION eventcore.fail_malformed(argument text, reason text, index integer DEFAULT NULL) RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_fail_malformed';
COMMENT ON FUNCTION eventcore.fail_malformed(text, text, integer) IS
    'Raises SE003; the reason completes the sentence that begins with the argument, or with its element from 0.';

CREATE FUNCTION eventcore.fail_unknown(subscription text) RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_fail_unknown';
COMMENT ON FUNCTION eventcore.fail_unknown(text) IS 'Raises SE007: there is no subscription of this name.';

CREATE FUNCTION eventcore.fail_lost(subscription text, lease_id uuid, positions bigint[]) RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_fail_lost';
COMMENT ON FUNCTION eventcore.fail_lost(text, uuid, bigint[]) IS
    'Raises SE008 for positions that a lease does not hold; without any, for a lease that holds nothing.';

CREATE FUNCTION eventcore.fail_moved(projection text, expected bigint, actual bigint) RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_fail_moved';
COMMENT ON FUNCTION eventcore.fail_moved(text, bigint, bigint) IS
    'Raises SE008 for a checkpoint that is not where it was expected.';

CREATE FUNCTION eventcore.see_newest(what text) RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_see_newest';
COMMENT ON FUNCTION eventcore.see_newest(text) IS
    'Lets what follows see what others have committed by then. Raises SE009 in a transaction block that keeps its snapshot.';

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

CREATE FUNCTION eventcore.delete_subscription(name text) RETURNS void
LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'eventcore_delete_subscription';
COMMENT ON FUNCTION eventcore.delete_subscription(text) IS
    'Deletes the row of a subscription, if there is one, without the privilege DELETE. 40001 if another transaction has changed it meanwhile.';

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

CREATE FUNCTION eventcore.monotonic() RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_monotonic';
COMMENT ON FUNCTION eventcore.monotonic() IS
    'Microseconds since some moment of this process, whatever is done to the clock of the machine.';

CREATE FUNCTION eventcore.wait_for_work(
    after_position  bigint,
    announced       bigint,
    microseconds    bigint,
    blocked         boolean,
    stream_prefixes text[],
    event_types     text[]
) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_wait_for_work';
COMMENT ON FUNCTION eventcore.wait_for_work(bigint, bigint, bigint, boolean, text[], text[]) IS
    'Waits until there is a matching event after after_position, until work has been announced more often than announced, or until the time is over. Returns a position that there is nothing of interest up to. blocked: wakes at once also when a stream is released.';

CREATE FUNCTION eventcore.check_names(argument text, names text[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF names IS NULL THEN
        RETURN;
    ELSIF array_ndims(names) > 1 THEN
        PERFORM eventcore.fail_malformed(argument, 'has more than one dimension');
    ELSIF cardinality(names) NOT BETWEEN 1 AND 1000 THEN
        PERFORM eventcore.fail_malformed(argument, 'must have 1 to 1000 elements (NULL means all)');
    END IF;
    FOR place IN 1 .. cardinality(names) LOOP
        PERFORM eventcore.check_name(argument, names[array_lower(names, 1) + place - 1]);
    END LOOP;
END
$$;
COMMENT ON FUNCTION eventcore.check_names(text, text[]) IS
    'SE003 unless the value is NULL or 1 to 1000 names.';

CREATE FUNCTION eventcore.check_positions(positions bigint[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF array_ndims(positions) > 1 THEN
        PERFORM eventcore.fail_malformed('positions', 'has more than one dimension');
    ELSIF array_position(positions, NULL) IS NOT NULL THEN
        PERFORM eventcore.fail_malformed('positions', 'has a NULL');
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.check_positions(bigint[]) IS
    'SE003 unless the argument positions is NULL or a list of positions.';

CREATE FUNCTION eventcore.check_time(argument text, value interval, minimum interval) RETURNS interval
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF value IS NULL OR value < minimum THEN
        PERFORM eventcore.fail_malformed(argument, format('is not a time of at least %s s', extract(epoch FROM minimum)::double precision));
    ELSIF value > '365 days' THEN
        PERFORM eventcore.fail_malformed(argument, 'is longer than 365 days');
    END IF;
    -- A month has as many days here as in comparisons, whatever the date.
    RETURN make_interval(secs => extract(epoch FROM value)::double precision);
END
$$;
COMMENT ON FUNCTION eventcore.check_time(text, interval, interval) IS
    'The value in seconds; SE003 unless it is at least that long, and at most a year.';

CREATE FUNCTION eventcore.start_position(start_from text) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    start_from CONSTANT text COLLATE "C" := start_from;
    safe       CONSTANT bigint := eventcore.safe_position();
BEGIN
    CASE
        WHEN start_from = 'start' THEN
            RETURN 0;
        WHEN start_from = 'now' THEN
            RETURN safe;
        WHEN start_from ~ '^[0-9]{1,18}$' THEN
            PERFORM eventcore.require_told(start_from::bigint, false);
            IF start_from::bigint <= safe THEN
                RETURN start_from::bigint;
            END IF;
            PERFORM eventcore.fail_malformed('start_from', format('is past the safe position, which is %s', safe));
        ELSE
            PERFORM eventcore.fail_malformed('start_from', 'is neither ''start'' nor ''now'' nor a position');
    END CASE;
END
$$;
COMMENT ON FUNCTION eventcore.start_position(text) IS
    'The position that the argument start_from stands for: reading begins after it. SE003 if it is none, SE011 if it is of another history.';

CREATE FUNCTION eventcore.find_subscription(wanted text, argument text DEFAULT 'subscription')
RETURNS eventcore.subscriptions
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_one eventcore.subscriptions;
BEGIN
    SELECT * INTO found_one FROM eventcore.subscriptions s WHERE s.name = wanted COLLATE "C";
    IF NOT FOUND THEN
        PERFORM eventcore.check_name(argument, wanted);
        PERFORM eventcore.fail_unknown(wanted);
    ELSIF found_one.home_id <> eventcore.home_id() THEN
        PERFORM eventcore.fail_copied('subscription', wanted);
    END IF;
    RETURN found_one;
END
$$;
COMMENT ON FUNCTION eventcore.find_subscription(text, text) IS
    'A subscription by its name; SE007 if there is none, SE009 if it is a copy of that of another database.';

CREATE FUNCTION eventcore.lock_to_change(wanted text, argument text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM eventcore.check_name(argument, wanted);
    PERFORM eventcore.see_newest('subscription');
    PERFORM eventcore.lock_subscription(wanted);
END
$$;
COMMENT ON FUNCTION eventcore.lock_to_change(text, text) IS
    'Keeps others from a subscription until the transaction ends. SE009 in a transaction block that keeps its snapshot.';

CREATE FUNCTION eventcore.change_subscription(wanted text, argument text DEFAULT 'subscription')
RETURNS eventcore.subscriptions
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM eventcore.lock_to_change(wanted, argument);
    RETURN eventcore.find_subscription(wanted, argument);
END
$$;
COMMENT ON FUNCTION eventcore.change_subscription(text, text) IS
    'A subscription by its name, kept from others until the transaction ends; SE007 if there is none.';

CREATE FUNCTION eventcore.sweep() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Rows that arrive by logical replication may do so before the subscription that they belong to.
    IF EXISTS (SELECT FROM pg_subscription s JOIN pg_subscription_rel r ON r.srsubid = s.oid
                WHERE s.subenabled AND r.srrelid = ANY (ARRAY['eventcore.subscriptions'::regclass, 'eventcore.deliveries',
                                                              'eventcore.backlogs', 'eventcore.leases'])) THEN
        RETURN;
    END IF;
    DELETE FROM eventcore.backlogs b
     WHERE NOT EXISTS (SELECT FROM eventcore.subscriptions s WHERE s.id = b.subscription_id);
    DELETE FROM eventcore.deliveries d
     WHERE d.ctid = ANY (ARRAY(
               SELECT o.ctid FROM eventcore.deliveries o
                WHERE NOT EXISTS (SELECT FROM eventcore.subscriptions s WHERE s.id = o.subscription_id)
                  FOR UPDATE SKIP LOCKED));
    DELETE FROM eventcore.leases l
     WHERE l.ctid = ANY (ARRAY(
               SELECT o.ctid FROM eventcore.leases o
                WHERE NOT EXISTS (SELECT FROM eventcore.subscriptions s WHERE s.id = o.subscription_id)
                  FOR UPDATE SKIP LOCKED));
END
$$;
COMMENT ON FUNCTION eventcore.sweep() IS
    'Removes what belongs to no subscription any more, but waits for nobody who is acknowledging. Does nothing while logical replication brings such rows.';
