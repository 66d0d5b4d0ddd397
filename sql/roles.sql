-- The roles and their privileges. PUBLIC has none. No function is SECURITY DEFINER: appends and reads reach the tables
-- beneath SQL, so EXECUTE is the privilege; subscriptions keep their state by SQL, so a consumer may write that state.

-- Before any grant, revokes what CREATE gave to PUBLIC, and what default privileges gave to any role. So every grant follows
-- here. An upgrade script has to revoke by itself, see README.md.
DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN SELECT g.revoke FROM eventcore.granted_privileges g LOOP
        EXECUTE statement;
    END LOOP;
END
$$;

DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['eventcore_reader', 'eventcore_writer', 'eventcore_subscriber', 'eventcore_executor', 'eventcore_projector',
                                   'eventcore_monitor'] LOOP
        -- Roles belong to the whole cluster: another database may have created them.
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role_name) THEN
            BEGIN
                EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', role_name);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                -- Another database is creating it now.
                NULL;
            END;
        END IF;
    END LOOP;
END
$$;

-- Not on the schema of the functions: pg_dump would take all its grants for ours. PUBLIC may use the schema public; for
-- another schema its owner decides.
GRANT USAGE ON SCHEMA eventcore TO eventcore_reader;
GRANT SELECT ON eventcore.events, eventcore.streams, eventcore.history TO eventcore_reader;
GRANT EXECUTE ON FUNCTION
    @extschema@.eventcore_read_stream(text, bigint, bigint, boolean, text[]),
    @extschema@.eventcore_read_streams(text[], bigint[], bigint, text[]),
    @extschema@.eventcore_read_all(bigint, bigint, boolean, text[], text[], boolean, uuid),
    @extschema@.eventcore_stream_versions(text[]),
    @extschema@.eventcore_streams(text, text, bigint),
    @extschema@.eventcore_position_at(timestamptz),
    @extschema@.eventcore_safe_position(),
    eventcore.read_all(bigint, bigint, boolean, text[], text[], boolean, uuid),
    eventcore.stream_versions(text[]),
    eventcore.safe_position()
    TO eventcore_reader;
GRANT EXECUTE ON PROCEDURE @extschema@.eventcore_wait(bigint, interval, bigint) TO eventcore_reader;
GRANT EXECUTE ON FUNCTION eventcore.home_id(), eventcore.fail_copied(text, text) TO eventcore_reader;
-- The reader of a view needs the right to execute the functions in it.
GRANT SELECT ON eventcore.stat_appends, eventcore.stat_executions, eventcore.stat_inflight, eventcore.stat_notifier, eventcore.stat_workers,
    eventcore.granted_privileges TO eventcore_reader;
GRANT EXECUTE ON FUNCTION
    eventcore.stat_get_appends(),
    eventcore.stat_get_executions(),
    eventcore.stat_get_inflight(),
    eventcore.stat_get_notifier(),
    eventcore.stat_get_workers()
    TO eventcore_reader;

GRANT EXECUTE ON FUNCTION @extschema@.eventcore_version(), eventcore.library_version()
    TO eventcore_reader, eventcore_writer, eventcore_executor;

GRANT EXECUTE ON FUNCTION
    @extschema@.eventcore_append(text[], bigint[], jsonb, uuid, uuid),
    @extschema@.eventcore_append(text[], bigint[], text[], text[], jsonb[], jsonb[], uuid[], uuid, uuid),
    @extschema@.eventcore_append_compact(text[], bigint[], text[], text[], text[], text[], uuid[], uuid, uuid, bigint, uuid[], uuid[])
    TO eventcore_writer;

-- Where no role is a writer, only commands write: executing one appends beneath SQL, so EXECUTE is the privilege.
GRANT USAGE ON SCHEMA eventcore TO eventcore_executor;
GRANT SELECT ON eventcore.commands TO eventcore_executor, eventcore_reader;
GRANT EXECUTE ON FUNCTION
    @extschema@.eventcore_execute(text, jsonb, uuid, uuid, text, jsonb),
    @extschema@.eventcore_execute_compact(text, text, uuid, uuid, text, text)
    TO eventcore_executor, eventcore_writer;

-- A writer may save the state that it decided on; a reader may start from it.
GRANT SELECT ON eventcore.snapshots TO eventcore_reader;
GRANT EXECUTE ON FUNCTION @extschema@.eventcore_load_snapshot(text, text[]), eventcore.streams_digest(text[]) TO eventcore_reader;
GRANT USAGE ON SCHEMA eventcore TO eventcore_writer;
-- Not UPDATE of the whole table: with it comes LOCK TABLE.
GRANT SELECT (name, streams_digest, streams, versions), INSERT, UPDATE (taken_at, streams, versions, state)
    ON eventcore.snapshots TO eventcore_writer;
GRANT EXECUTE ON FUNCTION
    @extschema@.eventcore_save_snapshot(text, text[], bigint[], jsonb),
    @extschema@.eventcore_stream_versions(text[]),
    eventcore.stream_versions(text[]),
    eventcore.streams_digest(text[]),
    eventcore.check_name(text, text),
    eventcore.fail_malformed(text, text, integer)
    TO eventcore_writer;

-- A consumer reads, so it is a reader too.
DO $$
BEGIN
    IF NOT pg_catalog.pg_has_role('eventcore_subscriber', 'eventcore_reader', 'MEMBER') THEN
        GRANT eventcore_reader TO eventcore_subscriber;
    END IF;
END
$$;
GRANT USAGE ON SCHEMA eventcore TO eventcore_subscriber;
GRANT SELECT ON eventcore.stat_subscriptions TO eventcore_reader;
GRANT SELECT, INSERT, UPDATE, DELETE
    ON eventcore.leases, eventcore.deliveries, eventcore.acknowledged, eventcore.backlogs, eventcore.parked
    TO eventcore_subscriber;
-- Not UPDATE of the whole table, nor DELETE: with these comes LOCK TABLE, and the server reads these tables before its
-- first append.
GRANT SELECT, INSERT, UPDATE (id, read_position, paused) ON eventcore.subscriptions TO eventcore_subscriber;
GRANT SELECT, INSERT, UPDATE (position, changed_at) ON eventcore.checkpoints TO eventcore_subscriber;
GRANT EXECUTE ON FUNCTION
    @extschema@.eventcore_create_subscription(text, text[], text[], text, interval, bigint, text),
    @extschema@.eventcore_drop_subscription(text),
    @extschema@.eventcore_pause_subscription(text),
    @extschema@.eventcore_resume_subscription(text),
    @extschema@.eventcore_reset_subscription(text, bigint),
    @extschema@.eventcore_poll(text, text, bigint, interval),
    @extschema@.eventcore_ack(text, uuid, bigint[]),
    @extschema@.eventcore_nack(text, uuid, bigint[], text, text, interval),
    @extschema@.eventcore_extend_lease(text, uuid),
    @extschema@.eventcore_park(text, bigint[], text),
    @extschema@.eventcore_parked(text, bigint, bigint),
    @extschema@.eventcore_replay_parked(text, bigint[]),
    @extschema@.eventcore_discard_parked(text, bigint[]),
    @extschema@.eventcore_checkpoint(text),
    @extschema@.eventcore_advance_checkpoint(text, bigint, bigint),
    eventcore.fail_malformed(text, text, integer),
    eventcore.fail_unknown(text),
    eventcore.fail_lost(text, uuid, bigint[]),
    eventcore.fail_moved(text, bigint, bigint),
    eventcore.see_newest(text),
    eventcore.check_name(text, text),
    eventcore.check_names(text, text[]),
    eventcore.check_positions(bigint[]),
    eventcore.check_time(text, interval, interval),
    eventcore.start_position(text),
    eventcore.require_told(bigint, boolean),
    eventcore.lock_subscription(text),
    eventcore.unlock_subscription(text),
    eventcore.delete_subscription(text),
    eventcore.announce_work(boolean),
    eventcore.announced_work(),
    eventcore.monotonic(),
    eventcore.wait_for_work(bigint, bigint, bigint, boolean, text[], text[]),
    eventcore.find_subscription(text, text),
    eventcore.lock_to_change(text, text),
    eventcore.change_subscription(text, text),
    eventcore.sweep(),
    eventcore.hold_lease(eventcore.subscriptions, uuid, bigint[]),
    eventcore.ack_packed(eventcore.subscriptions, uuid, bigint[], boolean),
    eventcore.unpack_lease(eventcore.subscriptions, uuid),
    eventcore.park(eventcore.subscriptions, bigint[], integer, text, text),
    eventcore.unpark(text, bigint[], boolean),
    eventcore.take_back_expired(eventcore.subscriptions, timestamptz),
    eventcore.refresh_backlogs(eventcore.subscriptions, text[], boolean),
    eventcore.lease_returned(eventcore.subscriptions, timestamptz, uuid, text[], integer, boolean),
    eventcore.lease_backlog(eventcore.subscriptions, timestamptz, uuid, text[], integer, bigint),
    eventcore.has_many_waiting(eventcore.subscriptions, timestamptz),
    eventcore.lease_new(eventcore.subscriptions, uuid, text[], integer, bigint, integer),
    eventcore.lease_events(eventcore.subscriptions, uuid, integer, bigint),
    eventcore.remove_empty_leases(eventcore.subscriptions)
    TO eventcore_subscriber;

-- A projector reads, so it is a reader too. eventcore.guard_projection lets each role change only its own projections.
DO $$
BEGIN
    IF NOT pg_catalog.pg_has_role('eventcore_projector', 'eventcore_reader', 'MEMBER') THEN
        GRANT eventcore_reader TO eventcore_projector;
    END IF;
END
$$;
GRANT USAGE ON SCHEMA eventcore TO eventcore_projector;
GRANT SELECT ON eventcore.projections, eventcore.projection_parked, eventcore.stat_projections TO eventcore_reader;
GRANT EXECUTE ON FUNCTION
    eventcore.projection_key(text),
    eventcore.owner_waits_for(regrole),
    @extschema@.eventcore_projection_parked(text, bigint, bigint),
    eventcore.find_projection(text, text),
    eventcore.check_name(text, text),
    eventcore.fail_malformed(text, text, integer),
    eventcore.fail_unknown_projection(text)
    TO eventcore_reader;
GRANT EXECUTE ON PROCEDURE @extschema@.eventcore_wait_for_projection(text, bigint, interval, bigint) TO eventcore_reader;
-- Not UPDATE of the whole table, nor DELETE: with these comes LOCK TABLE, and every append reads this one.
GRANT INSERT, UPDATE (table_ids, checkpoint, singly_until, retry_at, attempts, reset_pending, status, skipped, last_error, last_sqlstate,
    last_error_position, last_error_at, interruptions, last_rebuild, rebuilt_at) ON eventcore.projections TO eventcore_projector;
GRANT INSERT, UPDATE (replay, attempts, sqlstate, reason, projection) ON eventcore.projection_parked TO eventcore_projector;
GRANT EXECUTE ON FUNCTION
    @extschema@.eventcore_create_projection(text, text, text, text[], text[], text, bigint, text, bigint, text, text[], text[]),
    eventcore.create_projection(text, regproc, text, text[], text[], text, bigint, text, bigint, regproc, regclass[], text[]),
    eventcore.session_settings(),
    eventcore.check_settings(text[]),
    eventcore.delete_projection_parked(text, bigint[]),
    @extschema@.eventcore_pause_projection(text),
    @extschema@.eventcore_resume_projection(text),
    @extschema@.eventcore_drop_projection(text),
    eventcore.remove_projection(eventcore.projections),
    @extschema@.eventcore_rebuild_projection(text, boolean),
    eventcore.reset_projection(text),
    eventcore.projection_relations(text[]),
    eventcore.table_ids(text[]),
    eventcore.check_shadow_possible(eventcore.projections),
    eventcore.make_shadow(text),
    eventcore.has_used(regclass),
    eventcore.check_shadow(text),
    eventcore.check_original_unused(text),
    eventcore.take_place(text),
    eventcore.drop_shadow(eventcore.projections),
    eventcore.check_function(text, regproc, regtype[], regtype),
    eventcore.check_name(text, text),
    eventcore.check_names(text, text[]),
    eventcore.fail_malformed(text, text, integer),
    eventcore.start_position(text),
    eventcore.require_told(bigint, boolean),
    eventcore.see_newest(text),
    eventcore.fail_unknown_projection(text),
    eventcore.fail_unavailable(text, text[]),
    eventcore.find_projection(text, text),
    eventcore.change_projection(text, text),
    eventcore.check_projection_owner(text, regrole),
    eventcore.check_positions(bigint[]),
    eventcore.change_projection_parked(text, bigint[]),
    @extschema@.eventcore_replay_projection_parked(text, bigint[]),
    @extschema@.eventcore_discard_projection_parked(text, bigint[]),
    eventcore.retry_time(integer),
    eventcore.is_blameless(text),
    eventcore.lock_projection_soon(text),
    eventcore.projection_replayed(text, bigint),
    eventcore.projection_replay_failed(text, bigint, text, text, boolean, boolean),
    eventcore.lock_events(),
    eventcore.lock_projection(text),
    eventcore.projections_changed(),
    eventcore.delete_projection(text),
    eventcore.projection_advanced(text, bigint),
    eventcore.projections_passed(text[], bigint[], bigint[]),
    eventcore.projection_failed(text, bigint, bigint, bigint, text, text, boolean, boolean)
    TO eventcore_projector;

-- A monitor sees how the database is doing: the views, and what eventcore_check and the doctor of the program eventcore look
-- at. Of events it sees positions and times alone.
GRANT USAGE ON SCHEMA eventcore TO eventcore_monitor;
GRANT SELECT ON eventcore.stat_appends, eventcore.stat_executions, eventcore.stat_inflight, eventcore.stat_notifier, eventcore.stat_workers,
    eventcore.stat_subscriptions, eventcore.stat_projections,
    eventcore.granted_privileges, eventcore.expected_triggers, eventcore.expected_indexes,
    eventcore.subscriptions, eventcore.checkpoints, eventcore.projections, eventcore.commands, eventcore.history,
    eventcore.home_id, eventcore.position_blocks
    TO eventcore_monitor;
GRANT SELECT (position, recorded_at) ON eventcore.events TO eventcore_monitor;
GRANT SELECT (subscription_id, lease_id, leased_until, consumer) ON eventcore.leases TO eventcore_monitor;
GRANT SELECT (subscription_id, lease_id, position, positions) ON eventcore.deliveries TO eventcore_monitor;
GRANT SELECT ON eventcore.acknowledged TO eventcore_monitor;
GRANT SELECT (recorded_at) ON eventcore.executions TO eventcore_monitor;
GRANT SELECT (command) ON eventcore.command_states TO eventcore_monitor;
GRANT EXECUTE ON FUNCTION
    eventcore.stat_get_appends(),
    eventcore.stat_get_executions(),
    eventcore.stat_get_inflight(),
    eventcore.stat_get_notifier(),
    eventcore.stat_get_workers(),
    @extschema@.eventcore_safe_position(),
    eventcore.safe_position(),
    eventcore.home_id(),
    eventcore.projection_key(text),
    eventcore.owner_waits_for(regrole),
    @extschema@.eventcore_version(),
    eventcore.library_version(),
    eventcore.require_library(),
    @extschema@.eventcore_check(boolean),
    eventcore.check_library(),
    eventcore.check_tables(),
    eventcore.check_definitions(),
    eventcore.check_rows(),
    eventcore.public_name(text),
    eventcore.find_function(text),
    eventcore.find_table(text)
    TO eventcore_monitor;
