-- What the functions of durable subscriptions share: the lock, the wait, looking up a subscription, and removing orphaned rows.

CREATE FUNCTION eventcore.lock_subscription(name text) RETURNS void
LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'eventcore_lock_subscription';
COMMENT ON FUNCTION eventcore.lock_subscription(text) IS
    'Locks a subscription until the transaction ends: no other transaction polls or changes it. 25006 on a standby and in a read-only transaction.';

CREATE FUNCTION eventcore.unlock_subscription(name text) RETURNS void
LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'eventcore_unlock_subscription';
COMMENT ON FUNCTION eventcore.unlock_subscription(text) IS
    'Undoes one eventcore.lock_subscription, if nothing has been changed under it.';

CREATE FUNCTION eventcore.delete_subscription(name text) RETURNS void
LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'eventcore_delete_subscription';
COMMENT ON FUNCTION eventcore.delete_subscription(text) IS
    'Deletes the row of a subscription, if it exists, without the privilege DELETE. 40001 another transaction has changed it in the meantime.';

CREATE FUNCTION eventcore.announce_work(to_all boolean) RETURNS void
LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'eventcore_announce_work';
COMMENT ON FUNCTION eventcore.announce_work(boolean) IS
    'When the transaction ends, wakes the polls that wait for a leased stream or, with to_all, all waiting polls.';

CREATE FUNCTION eventcore.announced_work() RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_announced_work';
COMMENT ON FUNCTION eventcore.announced_work() IS
    'How often eventcore.announce_work has taken effect in this database since the server started.';

CREATE FUNCTION eventcore.monotonic() RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_monotonic';
COMMENT ON FUNCTION eventcore.monotonic() IS
    'Microseconds since a fixed moment of this process. Changes of the system clock do not affect it.';

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
    'Waits for a matching event after after_position, for work to be announced more often than announced, or for the time to pass. Returns a position up to which there is no matching event. blocked: also wakes when a stream is released.';

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
    'Returns the subscription with this name. SE007 no such subscription. SE009 it is a copy that belongs to another database.';

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
    'Locks a subscription until the transaction ends, after checking its name. SE009 in a transaction block that keeps its snapshot.';

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
    'Locks a subscription until the transaction ends and returns it. SE007 no such subscription.';

CREATE FUNCTION eventcore.sweep() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
-- By their indexes: the statistics may come from a moment when the tables were nearly empty.
SET enable_seqscan = off
SET enable_bitmapscan = off
SET jit = off
AS $$
DECLARE
    orphans uuid[];
BEGIN
    -- Logical replication may bring rows before the subscription that they belong to.
    IF EXISTS (SELECT FROM pg_subscription s JOIN pg_subscription_rel r ON r.srsubid = s.oid
                WHERE s.subenabled AND r.srrelid = ANY (ARRAY['eventcore.subscriptions'::regclass, 'eventcore.deliveries',
                                                              'eventcore.backlogs', 'eventcore.leases', 'eventcore.acknowledged'])) THEN
        RETURN;
    END IF;
    -- From one subscription to the next in the indexes, however many rows each of them has.
    orphans := ARRAY(
        WITH RECURSIVE present (id) AS (
            SELECT uuid '00000000-0000-0000-0000-000000000000'
             UNION ALL
            SELECT least(
                   (SELECT b.subscription_id FROM eventcore.backlogs b
                     WHERE b.subscription_id > p.id ORDER BY b.subscription_id LIMIT 1),
                   (SELECT d.subscription_id FROM eventcore.deliveries d
                     WHERE d.subscription_id > p.id ORDER BY d.subscription_id LIMIT 1),
                   (SELECT l.subscription_id FROM eventcore.leases l
                     WHERE l.subscription_id > p.id ORDER BY l.subscription_id LIMIT 1),
                   (SELECT a.subscription_id FROM eventcore.acknowledged a
                     WHERE a.subscription_id > p.id ORDER BY a.subscription_id LIMIT 1))
              FROM present p WHERE p.id IS NOT NULL
        )
        SELECT p.id FROM present p
         WHERE p.id IS NOT NULL AND NOT EXISTS (SELECT FROM eventcore.subscriptions s WHERE s.id = p.id));
    DELETE FROM eventcore.backlogs b WHERE b.subscription_id = ANY (orphans);
    DELETE FROM eventcore.deliveries d
     WHERE d.ctid = ANY (ARRAY(
               SELECT o.ctid FROM eventcore.deliveries o WHERE o.subscription_id = ANY (orphans) FOR UPDATE SKIP LOCKED));
    DELETE FROM eventcore.acknowledged a
     WHERE a.subscription_id = ANY (orphans)
       AND NOT EXISTS (SELECT FROM eventcore.deliveries d WHERE d.lease_id = a.lease_id OFFSET 0);
    DELETE FROM eventcore.leases l
     WHERE l.ctid = ANY (ARRAY(
               SELECT o.ctid FROM eventcore.leases o WHERE o.subscription_id = ANY (orphans) FOR UPDATE SKIP LOCKED));
END
$$;
COMMENT ON FUNCTION eventcore.sweep() IS
    'Removes rows whose subscription no longer exists, except rows that a consumer is acknowledging. Does nothing while logical replication brings such rows.';
