-- Monitoring of projections inside the server.

CREATE VIEW eventcore.stat_projections AS
SELECT p.name, p.mode,
       CASE WHEN p.home_id = eventcore.home_id() THEN p.status ELSE 'copy' END AS status,
       coalesce((SELECT r.rolname::text FROM pg_catalog.pg_roles r
                  WHERE r.oid = p.owner AND p.home_id = eventcore.home_id()), p.owner_name) AS owner,
       p.checkpoint, h.safe_position,
       CASE p.mode WHEN 'async' THEN (SELECT greatest(h.safe_position - p.checkpoint - coalesce(sum(greatest(
                   least(h.safe_position, y.first_position) - greatest(p.checkpoint, y.reserved_position), 0)), 0), 0)::bigint
             FROM eventcore.history y WHERE y.cause <> 'new') ELSE 0 END AS lag_events,
       CASE p.mode WHEN 'async'
            THEN coalesce(extract(epoch FROM pg_catalog.clock_timestamp() - n.recorded_at), 0)::double precision
            ELSE 0 END AS lag_seconds,
       l.pid AS worker_pid,
       CASE WHEN p.mode = 'async' AND p.status = 'running' AND p.home_id = eventcore.home_id() AND l.pid IS NULL
            THEN coalesce(eventcore.owner_waits_for(p.owner),
                          CASE WHEN NOT (pg_catalog.has_schema_privilege(p.owner, 'eventcore', 'USAGE')
                                    AND pg_catalog.has_column_privilege(p.owner, 'eventcore.projections', 'checkpoint', 'UPDATE'))
                               THEN 'owner lacks privileges' END,
                          CASE WHEN p.retry_at > pg_catalog.clock_timestamp() THEN 'retry' END) END AS waits_for,
       p.attempts, p.retry_at, p.skipped,
       (SELECT count(*) FROM eventcore.projection_parked k WHERE k.projection = p.name) AS parked,
       p.last_error, p.last_sqlstate, p.last_error_position, p.last_error_at,
       p.handler, p.stream_prefixes, p.event_types, p.batch_size, p.on_error, p.retry_limit, p.created_at,
       p.rebuilds, p.shadow_schema,
       (SELECT min(k.parked_at) FROM eventcore.projection_parked k
         WHERE k.projection = p.name AND k.parked_at > '-infinity') AS oldest_parked_at,
       p.rebuilt_at
  FROM eventcore.projections p
 CROSS JOIN (SELECT eventcore.safe_position() AS safe_position) h
 CROSS JOIN LATERAL (SELECT eventcore.projection_key(p.name) AS key OFFSET 0) k
  LEFT JOIN pg_catalog.pg_locks l
         ON l.locktype = 'advisory' AND l.objsubid = 21320 AND l.granted
        AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
        AND l.classid::bigint = (k.key >> 32) & 4294967295 AND l.objid::bigint = k.key & 4294967295
  LEFT JOIN LATERAL (
       SELECT v.recorded_at FROM eventcore.events v
        WHERE v.position > p.checkpoint AND v.position <= h.safe_position
        ORDER BY v.position LIMIT 1) n ON true;
COMMENT ON VIEW eventcore.stat_projections IS 'The progress of each projection inside the server, and what holds it back.';
COMMENT ON COLUMN eventcore.stat_projections.name IS 'The projection.';
COMMENT ON COLUMN eventcore.stat_projections.mode IS 'async or inline.';
COMMENT ON COLUMN eventcore.stat_projections.status IS
    'running, paused or failed; copy: it belongs to another database, which runs it.';
COMMENT ON COLUMN eventcore.stat_projections.owner IS 'The role whose rights its worker has.';
COMMENT ON COLUMN eventcore.stat_projections.checkpoint IS 'All matching events up to here have been handled.';
COMMENT ON COLUMN eventcore.stat_projections.safe_position IS 'The position up to which events can be read.';
COMMENT ON COLUMN eventcore.stat_projections.lag_events IS
    'The number of positions between the two: an upper bound of the events that are left.';
COMMENT ON COLUMN eventcore.stat_projections.lag_seconds IS
    'The age of the first event after the checkpoint, matching or not; 0 if there is no such event.';
COMMENT ON COLUMN eventcore.stat_projections.worker_pid IS
    'The process that is running it; NULL between two batches.';
COMMENT ON COLUMN eventcore.stat_projections.waits_for IS
    'What a running projection waits for, other than events: retry (at retry_at), read-only (default_transaction_read_only is on for its owner here), owner may not log in, owner may not connect, owner lacks privileges (it is not in eventcore_projector), no free worker, no notifier, and others; NULL: nothing.';
COMMENT ON COLUMN eventcore.stat_projections.attempts IS 'How often the next event has failed.';
COMMENT ON COLUMN eventcore.stat_projections.retry_at IS 'When its worker tries again.';
COMMENT ON COLUMN eventcore.stat_projections.skipped IS 'How many events were skipped because they failed.';
COMMENT ON COLUMN eventcore.stat_projections.parked IS 'How many events are parked because they failed.';
COMMENT ON COLUMN eventcore.stat_projections.last_error IS 'The message of the last failure.';
COMMENT ON COLUMN eventcore.stat_projections.last_sqlstate IS 'Its SQLSTATE.';
COMMENT ON COLUMN eventcore.stat_projections.last_error_position IS 'The event that failed, if it is known.';
COMMENT ON COLUMN eventcore.stat_projections.last_error_at IS 'When the last failure was.';
COMMENT ON COLUMN eventcore.stat_projections.handler IS 'The function that gets the events.';
COMMENT ON COLUMN eventcore.stat_projections.stream_prefixes IS 'Its filter by streams; NULL: all.';
COMMENT ON COLUMN eventcore.stat_projections.event_types IS 'Its filter by types; NULL: all.';
COMMENT ON COLUMN eventcore.stat_projections.batch_size IS 'The most events in one transaction.';
COMMENT ON COLUMN eventcore.stat_projections.on_error IS 'What to do with an event that has failed too often.';
COMMENT ON COLUMN eventcore.stat_projections.retry_limit IS 'How often a failed event is retried before that.';
COMMENT ON COLUMN eventcore.stat_projections.created_at IS 'When it was created.';
COMMENT ON COLUMN eventcore.stat_projections.rebuilds IS
    'The projection that it replaces when it has caught up; NULL: it is not a rebuild.';
COMMENT ON COLUMN eventcore.stat_projections.shadow_schema IS 'The schema of the shadow tables of a rebuild until then.';
COMMENT ON COLUMN eventcore.stat_projections.oldest_parked_at IS
    'When the event was parked that has been parked longest; NULL: none is parked.';
COMMENT ON COLUMN eventcore.stat_projections.rebuilt_at IS 'When a rebuild with a shadow took its place last; NULL: none did.';
