//! One call of each function of the surface, and what it needs to find.

/// A call into which errors are injected.
pub(crate) struct Scenario {
    /// The function, with the number of its arguments if two have the name; or a text that names no
    /// function.
    pub(crate) of: &'static str,
    /// Restores the state in which the call works.
    pub(crate) before: &'static str,
    pub(crate) call: &'static str,
    /// It may not be called in a transaction block.
    pub(crate) is_alone: bool,
}

const fn call(of: &'static str, call: &'static str) -> Scenario {
    Scenario {
        of,
        before: "",
        call,
        is_alone: false,
    }
}

impl Scenario {
    const fn after(mut self, before: &'static str) -> Self {
        self.before = before;
        self
    }

    const fn alone(mut self) -> Self {
        self.is_alone = true;
        self
    }
}

/// What all of them need.
pub(crate) const SETUP: &str = r#"
    CREATE FUNCTION apply(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE plpgsql AS
        'BEGIN RETURN state || jsonb_build_object(''last'', event.payload); END';
    CREATE FUNCTION apply_events(state jsonb, events eventcore.events[]) RETURNS jsonb LANGUAGE plpgsql AS
        'BEGIN RETURN state || jsonb_build_object(''last'', events[cardinality(events)].payload); END';
    CREATE FUNCTION combine(states jsonb[]) RETURNS jsonb LANGUAGE sql AS 'SELECT to_jsonb(states)';
    CREATE FUNCTION decide(state jsonb, input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$ BEGIN
        RETURN jsonb_build_array(jsonb_build_object('stream', input->'stream', 'type', 'T', 'payload', 1)); END $$;
    CREATE FUNCTION related(state jsonb, input jsonb) RETURNS text[] LANGUAGE sql AS $$ SELECT ARRAY['rules'] $$;
    CREATE TABLE seen (position bigint);
    CREATE FUNCTION see(event eventcore.events) RETURNS void LANGUAGE plpgsql AS
        'BEGIN INSERT INTO seen VALUES (event.position); END';
    CREATE FUNCTION see_all(events eventcore.events[]) RETURNS void LANGUAGE sql AS
        'INSERT INTO seen SELECT position FROM unnest(events)';
    SELECT eventcore_append('{s,t,rules}', '{0,0,0}', '[{"stream":"s","type":"T","payload":1},
        {"stream":"t","type":"T","payload":2},{"stream":"s","type":"U","payload":3},
        {"stream":"rules","type":"T","payload":4}]');
    SELECT eventcore_register_command('decide', 'apply', 'decide', streams => '{/stream}');
    SELECT eventcore_register_command('keep', 'apply', 'decide', streams => '{/stream}', related_streams => 'related',
                                      snapshot_every => 1);
    SELECT eventcore_create_subscription('there', lease => '1 hour');
    SELECT eventcore_create_projection('inline', 'see', mode => 'inline', start_from => 'now',
                                       stream_prefixes => '{inline}');
    SELECT eventcore_create_projection('inline all', 'see_all', mode => 'inline', start_from => 'now',
                                       stream_prefixes => '{inline}');
    SELECT eventcore_create_projection('there', 'see', start_from => 'now', stream_prefixes => '{none}');
    SELECT eventcore_save_snapshot('there', '{s}', '{1}', '{"n":1}');
    SELECT eventcore_register_command('arrays', 'apply_events', 'decide', streams => '{/stream,/other}',
                                      related_streams => 'related', combine => 'combine', snapshot_every => 2);
"#;

const LEASED: &str = "SELECT eventcore_reset_subscription('there', 0);
    SELECT set_config('test.lease', (SELECT lease_id::text FROM eventcore_poll('there', 'c', 1) LIMIT 1), false)";
const PARKED: &str = "SELECT eventcore_reset_subscription('there', 0);
    SELECT eventcore_nack('there', (SELECT lease_id FROM eventcore_poll('there', 'c', 1) LIMIT 1), action => 'park')";
const RETURNED: &str = "SELECT eventcore_reset_subscription('there', 0);
    SELECT eventcore_nack('there', (SELECT lease_id FROM eventcore_poll('there', 'c', 1) LIMIT 1), action => 'retry')";
const NO_SUBSCRIPTION: &str =
    "SELECT eventcore_drop_subscription(name) FROM eventcore.subscriptions WHERE name = 'new'";
const SUBSCRIPTION: &str = "SELECT eventcore_create_subscription('new')
     WHERE NOT EXISTS (SELECT FROM eventcore.subscriptions WHERE name = 'new')";
const NO_PROJECTION: &str =
    "SELECT eventcore_drop_projection(name) FROM eventcore.projections WHERE name = 'new'";
const PROJECTION: &str =
    "SELECT eventcore_create_projection('new', 'see', start_from => 'now', tables => '{seen}')
     WHERE NOT EXISTS (SELECT FROM eventcore.projections WHERE name = 'new')";

pub(crate) const SCENARIOS: &[Scenario] = &[
    call(
        "eventcore_append/5",
        r#"SELECT eventcore_append('{a,s,b}', '{NULL,-1,NULL}',
            '[{"stream":"a","type":"T","payload":{"n":1},"metadata":{"m":1}},{"stream":"b","type":"T","payload":2}]')"#,
    ),
    call(
        "eventcore_append/5",
        r#"SELECT eventcore_append('{one}', '{NULL}', '[{"stream":"one","type":"T","payload":1}]')"#,
    ),
    call(
        "eventcore_append/5",
        r#"SELECT eventcore_append('{inline}', '{NULL}',
            '[{"stream":"inline","type":"T","payload":1},{"stream":"inline","type":"T","payload":2}]')"#,
    ),
    // A repeat.
    call(
        "eventcore_append/5",
        r#"SELECT eventcore_append('{r}', '{0}', '[{"stream":"r","type":"T","payload":1,
            "id":"01900000-0000-7000-8000-000000000001"}]')"#,
    )
    .after(
        r#"SELECT eventcore_append('{r}', '{0}', '[{"stream":"r","type":"T","payload":1,
            "id":"01900000-0000-7000-8000-000000000001"}]')"#,
    ),
    // Locks are released before the log is flushed.
    call(
        "eventcore_append/5",
        r#"SELECT eventcore_append('{early}', '{NULL}', '[{"stream":"early","type":"T","payload":1}]')"#,
    )
    .after("SET eventcore.early_lock_release = on"),
    call(
        "eventcore_append/9",
        "SELECT eventcore_append('{a}', '{NULL}', '{a,a}', '{T,U}', ARRAY['1','2']::jsonb[], NULL)",
    ),
    // Many rows, more than are written at a time.
    call(
        "eventcore_append/9",
        "SELECT eventcore_append('{many}', '{NULL}', array_fill('many'::text, '{450}'), array_fill('T'::text, '{450}'),
                                 array_fill('1'::jsonb, '{450}'), NULL)",
    ),
    call(
        "eventcore_append_compact",
        r#"SELECT eventcore_append_compact('{a,s,b}', '{NULL,-1,NULL}', '{a,b}', '{T,U}', ARRAY['{"n":1}','2'],
                                           ARRAY['{"m":1}',NULL],
                                           correlation_ids => ARRAY[gen_random_uuid(),NULL],
                                           causation_ids => ARRAY[NULL,gen_random_uuid()])"#,
    ),
    // Nothing to write.
    call(
        "eventcore_append_compact",
        "SELECT eventcore_append_compact('{a}', '{NULL}', '{}', '{}', '{}')",
    ),
    call("eventcore_read_stream", "SELECT * FROM eventcore_read_stream('s', event_types => '{T}')"),
    call("eventcore_read_streams", "SELECT * FROM eventcore_read_streams('{s,t}')"),
    call("eventcore_read_all", "SELECT * FROM eventcore_read_all(max_count => 3)"),
    call("eventcore_read_all", "SELECT * FROM eventcore_read_all(backward => true, max_count => 3)"),
    call(
        "eventcore_read_all",
        "SELECT * FROM eventcore_read_all(with_checkpoint => true, max_count => 3, stream_prefixes => '{s}')",
    ),
    call("eventcore_read_all", "SELECT * FROM eventcore_read_all(backward => true, with_checkpoint => true, max_count => 3)"),
    call("eventcore_stream_versions", "SELECT * FROM eventcore_stream_versions('{s,none}')"),
    call("eventcore_streams", "SELECT * FROM eventcore_streams('s')"),
    call("eventcore_position_at", "SELECT eventcore_position_at(now())"),
    call("eventcore_safe_position", "SELECT eventcore_safe_position()"),
    call("eventcore_check", "SELECT * FROM eventcore_check()"),
    call("eventcore_version", "SELECT * FROM eventcore_version()"),
    call("eventcore_wait", "CALL eventcore_wait(0, '1 s')").alone(),
    call("eventcore_wait", "CALL eventcore_wait(eventcore_safe_position(), '5 ms')").alone(),
    call("eventcore_create_subscription", "SELECT eventcore_create_subscription('new')").after(NO_SUBSCRIPTION),
    call("eventcore_drop_subscription", "SELECT eventcore_drop_subscription('new')").after(SUBSCRIPTION),
    call("eventcore_pause_subscription", "SELECT eventcore_pause_subscription('new')").after(SUBSCRIPTION),
    call("eventcore_resume_subscription", "SELECT eventcore_resume_subscription('new')").after(SUBSCRIPTION),
    call("eventcore_reset_subscription", "SELECT eventcore_reset_subscription('new', 0)").after(SUBSCRIPTION),
    call("eventcore_poll", "SELECT * FROM eventcore_poll('there', 'c', 1)")
        .after("SELECT eventcore_reset_subscription('there', 0)"),
    call("eventcore_poll", "SELECT * FROM eventcore_poll('there', 'c', 1, '5 ms')")
        .after("SELECT eventcore_reset_subscription('there', eventcore_safe_position())"),
    call("eventcore_ack", "SELECT eventcore_ack('there', current_setting('test.lease')::uuid)").after(LEASED),
    call("eventcore_nack", "SELECT eventcore_nack('there', current_setting('test.lease')::uuid)").after(LEASED),
    call(
        "eventcore_nack",
        "SELECT eventcore_nack('there', current_setting('test.lease')::uuid, action => 'park', reason => 'bad')",
    )
    .after(LEASED),
    call("eventcore_extend_lease", "SELECT eventcore_extend_lease('there', current_setting('test.lease')::uuid)")
        .after(LEASED),
    call("eventcore_parked", "SELECT * FROM eventcore_parked('there')").after(PARKED),
    call("eventcore_replay_parked", "SELECT eventcore_replay_parked('there')").after(PARKED),
    call("eventcore_discard_parked", "SELECT eventcore_discard_parked('there')").after(PARKED),
    call(
        "eventcore_park",
        "SELECT eventcore_park('there', ARRAY(SELECT position FROM eventcore.deliveries JOIN eventcore.subscriptions s ON s.id = subscription_id
                                               WHERE s.name = 'there'))",
    )
    .after(RETURNED),
    call("eventcore_checkpoint", "SELECT eventcore_checkpoint('mine')"),
    call("eventcore_advance_checkpoint", "SELECT eventcore_advance_checkpoint('mine', eventcore_checkpoint('mine'), 1)")
        .after("DELETE FROM eventcore.checkpoints"),
    call("eventcore_load_snapshot", "SELECT * FROM eventcore_load_snapshot('there', '{s}')"),
    call("eventcore_save_snapshot", r#"SELECT eventcore_save_snapshot('new', '{s}', '{1}', '{"n":1}')"#)
        .after("DELETE FROM eventcore.snapshots WHERE name = 'new'"),
    call(
        "eventcore_register_command",
        "SELECT eventcore_register_command('new', 'apply', 'decide', streams => '{/stream}', replace => true)",
    ),
    call("eventcore_drop_command", "SELECT eventcore_drop_command('new')").after(
        "SELECT eventcore_register_command('new', 'apply', 'decide', streams => '{/stream}', replace => true)",
    ),
    call("eventcore_discard_command_states", "SELECT eventcore_discard_command_states('keep')")
        .after(r#"SELECT eventcore_execute('keep', '{"stream":"k"}')"#),
    call("eventcore_execute", r#"SELECT eventcore_execute('decide', '{"stream":"d"}')"#),
    call("eventcore_execute", r#"SELECT eventcore_execute('keep', '{"stream":"k"}')"#)
        .after("SELECT eventcore_discard_command_states('keep')"),
    call("eventcore_execute", r#"SELECT eventcore_execute('arrays', '{"stream":"a","other":"s"}')"#)
        .after("SELECT eventcore_discard_command_states('arrays')"),
    call(
        "eventcore_execute",
        r#"SELECT eventcore_execute('decide', '{"stream":"d"}', idempotency_key => current_setting('test.key'))"#,
    )
    .after("SELECT set_config('test.key', gen_random_uuid()::text, false)"),
    call("eventcore_execute", r#"SELECT eventcore_execute('decide', '{"stream":"inline"}')"#),
    call(
        "eventcore_execute_compact",
        r#"SELECT eventcore_execute_compact('decide', '{"stream":"d"}', idempotency_key => current_setting('test.key'),
                                            metadata => '{"m":1}')"#,
    )
    .after("SELECT set_config('test.key', gen_random_uuid()::text, false)"),
    call("eventcore_create_projection", "SELECT eventcore_create_projection('new', 'see', start_from => 'now')")
        .after(NO_PROJECTION),
    call(
        "eventcore_create_projection",
        "SELECT eventcore_create_projection('new', 'see', mode => 'inline', start_from => 'now')",
    )
    .after(NO_PROJECTION),
    call("eventcore_drop_projection", "SELECT eventcore_drop_projection('new')").after(PROJECTION),
    call("eventcore_pause_projection", "SELECT eventcore_pause_projection('there')"),
    call("eventcore_resume_projection", "SELECT eventcore_resume_projection('there')"),
    call("eventcore_rebuild_projection", "SELECT eventcore_rebuild_projection('new')").after(PROJECTION),
    call(
        "eventcore_set_projection_owner",
        "SELECT eventcore_set_projection_owner('there', current_user::text)",
    ),
    call(
        "eventcore_adopt_copies",
        "SELECT * FROM eventcore_adopt_copies()",
    ),
    call("eventcore_wait_for_projection", "CALL eventcore_wait_for_projection('there', eventcore_safe_position(), '5 ms')").alone(),
    call("eventcore_projection_parked", "SELECT * FROM eventcore_projection_parked('there')"),
    call("eventcore_replay_projection_parked", "SELECT eventcore_replay_projection_parked('there')"),
    call("eventcore_discard_projection_parked", "SELECT eventcore_discard_projection_parked('there')"),
    call("stat_appends", "SELECT * FROM eventcore.stat_appends"),
    call("stat_inflight", "SELECT * FROM eventcore.stat_inflight"),
    call("stat_notifier", "SELECT * FROM eventcore.stat_notifier"),
    call("stat_workers", "SELECT * FROM eventcore.stat_workers"),
    call("stat_subscriptions", "SELECT * FROM eventcore.stat_subscriptions"),
    call("stat_projections", "SELECT * FROM eventcore.stat_projections"),
    call(
        "a row that comes by SQL",
        "INSERT INTO eventcore.events (position, version, recorded_at, event_id, stream_id, event_type, payload)
         SELECT eventcore_safe_position() + 10, 1, now(), gen_random_uuid(), gen_random_uuid()::text, 'T', '1'",
    ),
];
