-- Adopting copies: rows of another database become work of this one.

CREATE FUNCTION eventcore.pass_position(up_to bigint) RETURNS void
LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'eventcore_pass_position';
COMMENT ON FUNCTION eventcore.pass_position(bigint) IS
    'From now on no append gets a position up to this one.';

CREATE FUNCTION @extschema@.eventcore_adopt_copies() RETURNS TABLE (kind text, name text, detail text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    home    CONSTANT bigint := eventcore.home_id();
    bringer text;
BEGIN
    SELECT s.subname INTO bringer FROM pg_subscription s JOIN pg_subscription_rel r ON r.srsubid = s.oid
     WHERE s.subenabled AND r.srrelid IN (SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'eventcore'::regnamespace)
     LIMIT 1;
    IF FOUND THEN
        PERFORM eventcore.fail_unavailable('replicating', ARRAY[bringer, quote_ident(bringer)]);
    END IF;
    -- From now on no append gets a position that an adopted reader has already passed.
    PERFORM eventcore.pass_position(greatest(
        (SELECT max(s.read_position) FROM eventcore.subscriptions s WHERE s.home_id <> home),
        (SELECT max(c.position) FROM eventcore.checkpoints c WHERE c.home_id <> home),
        (SELECT max(p.checkpoint) FROM eventcore.projections p WHERE p.home_id <> home)));
    RETURN QUERY
        UPDATE eventcore.subscriptions s SET home_id = home WHERE s.home_id <> home
        RETURNING 'subscription', s.name::text, format('it continues after position %s', s.read_position);
    RETURN QUERY
        UPDATE eventcore.checkpoints c SET home_id = home WHERE c.home_id <> home
        RETURNING 'checkpoint', c.projection::text, format('it is at position %s', c.position);
    RETURN QUERY
        UPDATE eventcore.projections p
           SET home_id = home, owner = coalesce(r.oid, 0), table_ids = eventcore.table_ids(p.tables),
               status = CASE p.mode WHEN 'async' THEN 'paused' ELSE p.status END
          FROM eventcore.projections v LEFT JOIN pg_roles r ON r.rolname = v.owner_name
         WHERE v.name = p.name AND p.home_id <> home
        RETURNING 'projection', p.name::text, CASE
            WHEN p.mode = 'inline' THEN 'it takes part in appends'
            WHEN p.owner = 0 THEN format('it is paused: its owner, the role "%s", does not exist', p.owner_name)
            ELSE format('it is paused: SELECT eventcore_resume_projection(%L)', p.name) END;
    PERFORM eventcore.announce_work(true);
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_adopt_copies() IS
$$Adopts the subscriptions, checkpoints and projections that came from another database by logical replication, or by a restore
with --disable-triggers: from now on this database delivers, advances and runs them. Returns what it has adopted. Projections
are paused until they are resumed. For superusers. SE009 a logical subscription still brings changes.$$;
