-- Findings about rows: positions, copies, owners, functions and tables of projections, and every event.

CREATE FUNCTION eventcore.check_rows() RETURNS TABLE (finding text, object text, detail text, statement text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH base AS (
        SELECT coalesce((SELECT max(e.position) FROM eventcore.events e), 0) AS last_event,
               (SELECT CASE WHEN b.is_called THEN b.last_value + 1023 ELSE 0 END FROM eventcore.position_blocks b) AS reserved
    ), reached AS (
        SELECT 'subscription' AS kind, s.name, s.read_position AS position,
               format('UPDATE eventcore.subscriptions SET read_position = %%s WHERE name = %L', s.name) AS repair FROM eventcore.subscriptions s
         UNION ALL
        SELECT 'checkpoint', c.projection, c.position,
               format('UPDATE eventcore.checkpoints SET position = %%s WHERE projection = %L', c.projection) FROM eventcore.checkpoints c
         UNION ALL
        SELECT 'projection', p.name, greatest(p.checkpoint, p.singly_until),
               format('UPDATE eventcore.projections SET checkpoint = least(checkpoint, %%1$s), singly_until = least(singly_until, %%1$s) WHERE name = %L', p.name)
          FROM eventcore.projections p
    ), judged AS (
        -- A fail-over skips 2^32 positions: no position gets this far ahead of the last event without a mistake.
        SELECT r.*, r.position > b.last_event + 281474976710656 AS is_implausible, b.last_event FROM reached r, base b
    ), known AS (
        SELECT greatest(b.last_event, (SELECT max(j.position) FROM judged j WHERE NOT j.is_implausible)) AS highest, b.reserved FROM base b
    ), replicating AS (
        SELECT FROM pg_subscription s JOIN pg_subscription_rel r ON r.srsubid = s.oid
         WHERE s.subenabled AND r.srrelid IN (SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'eventcore'::regnamespace)
    ), home AS (
        -- Not eventcore.home_id(), which fails if a table or an index is missing.
        SELECT h.last_value AS id FROM eventcore.home_id h
    )
    SELECT 'positions_behind', 'eventcore.position_blocks',
           format('positions up to %s are in use, but only those up to %s are reserved', k.highest, k.reserved),
           format('SELECT setval(''eventcore.position_blocks'', %s)', k.highest - (k.highest - 1) % 1024)
      FROM known k WHERE k.highest > k.reserved
    UNION ALL
    SELECT 'implausible_position', j.kind || ' ' || j.name,
           format('it is at position %s, and the last event has position %s', j.position, j.last_event),
           format(j.repair, j.last_event)
      FROM judged j WHERE j.is_implausible
    UNION ALL
    SELECT 'copy', v.kind || ' ' || v.name, 'it belongs to another database, and no logical subscription brings changes from there',
           'SELECT * FROM ' || eventcore.public_name('eventcore_adopt_copies') || '()'
      FROM (SELECT 'subscription' AS kind, s.name, s.home_id FROM eventcore.subscriptions s
             UNION ALL SELECT 'checkpoint', c.projection, c.home_id FROM eventcore.checkpoints c
             UNION ALL SELECT 'projection', p.name, p.home_id FROM eventcore.projections p) v, home
     WHERE v.home_id <> home.id AND NOT EXISTS (SELECT FROM replicating)
    UNION ALL
    SELECT 'owner_missing', 'projection ' || p.name, format('its owner, the role "%s", does not exist; with a new owner it stays paused until eventcore_resume_projection', p.owner_name),
           -- The owner of its functions, because any other role would lend its rights to the author of the handler.
           coalesce((SELECT format('SELECT %s(%L, %L)', eventcore.public_name('eventcore_set_projection_owner'), p.name, r.rolname)
                       FROM pg_proc f JOIN pg_roles r ON r.oid = f.proowner
                      WHERE f.oid = eventcore.find_function(p.handler) AND r.rolcanlogin
                        AND (p.reset IS NULL OR EXISTS (SELECT FROM pg_proc e WHERE e.oid = eventcore.find_function(p.reset) AND e.proowner = r.oid))),
                    format('SELECT %s(%L)', eventcore.public_name('eventcore_drop_projection'), p.name))
      FROM eventcore.projections p, home
     WHERE p.home_id = home.id AND p.mode = 'async' AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = p.owner)
    UNION ALL
    SELECT 'owner_renamed', 'projection ' || p.name, format('its owner is "%s" now, and a dump would name "%s"', r.rolname, p.owner_name),
           format('UPDATE eventcore.projections SET owner_name = %L WHERE name = %L', r.rolname, p.name)
      FROM home, eventcore.projections p JOIN pg_roles r ON r.oid = p.owner
     WHERE p.home_id = home.id AND r.rolname <> p.owner_name
    UNION ALL
    SELECT 'function_missing', 'projection ' || p.name, format('there is no function %s', f), NULL
      FROM eventcore.projections p CROSS JOIN unnest(ARRAY[p.handler, p.reset]) f WHERE eventcore.find_function(f) IS NULL AND f IS NOT NULL
    UNION ALL
    SELECT 'function_missing', 'command ' || c.name, format('there is no function %s', f), NULL
      FROM eventcore.commands c CROSS JOIN unnest(ARRAY[c.apply, c.handle, c.related_streams, c.streams_function, c.combine]) f
     WHERE eventcore.find_function(f) IS NULL AND f IS NOT NULL
    UNION ALL
    SELECT 'table_replaced', 'projection ' || p.name,
           format('%s is not the table that it was at checkpoint %s: events up to there may be missing in it', t.name, p.checkpoint),
           format('SELECT %s(%L)', eventcore.public_name('eventcore_rebuild_projection'), p.name)
      FROM home, eventcore.projections p CROSS JOIN LATERAL unnest(p.tables, p.table_ids) AS t (name, id)
     WHERE p.home_id = home.id AND p.rebuilds IS NULL AND eventcore.find_table(t.name)::oid <> coalesce(t.id, 0)
    UNION ALL
    SELECT 'table_missing', 'projection ' || p.name, format('there is no table %s', t.name), NULL
      FROM home, eventcore.projections p CROSS JOIN unnest(p.tables) t (name)
     WHERE p.home_id = home.id AND eventcore.find_table(t.name) IS NULL
    UNION ALL
    SELECT 'orphans', 'eventcore.deliveries', format('%s rows belong to no subscription', count(*)), 'SELECT eventcore.sweep()'
      FROM eventcore.deliveries d WHERE NOT EXISTS (SELECT FROM eventcore.subscriptions s WHERE s.id = d.subscription_id)
       AND NOT EXISTS (SELECT FROM replicating)
    HAVING count(*) > 0;
$$;
COMMENT ON FUNCTION eventcore.check_rows() IS 'The findings of eventcore_check about positions, copies, owners, functions and tables of projections.';

CREATE FUNCTION eventcore.check_events() RETURNS TABLE (finding text, object text, detail text, statement text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'version_gap', 'stream ' || e.stream_id, format('%s events have the versions %s to %s', count(*), min(e.version), max(e.version)), NULL
      FROM eventcore.events e GROUP BY e.stream_id HAVING count(*) <> max(e.version) - min(e.version) + 1
    UNION ALL
    SELECT 'malformed', 'position ' || e.position, 'no append writes such an event', NULL
      FROM eventcore.events e
     WHERE e.position < 1 OR e.version < 1 OR jsonb_typeof(e.payload) = 'null' OR jsonb_typeof(e.metadata) <> 'object'
        OR octet_length(e.stream_id) NOT BETWEEN 1 AND 255 OR octet_length(e.event_type) NOT BETWEEN 1 AND 255;
$$;
COMMENT ON FUNCTION eventcore.check_events() IS 'The findings of eventcore_check about every single event.';
