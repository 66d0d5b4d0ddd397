-- The triggers and indexes that CREATE EXTENSION made.

CREATE VIEW eventcore.expected_triggers AS
SELECT t.table_name, t.trigger_name, t.enabled::"char" AS enabled, t.definition
  FROM (VALUES
    ('events', 'events_are_immutable', 'A',
     'BEFORE UPDATE OR DELETE OR TRUNCATE ON eventcore.events FOR EACH STATEMENT EXECUTE FUNCTION eventcore.refuse_change()'),
    ('events', 'every_event_is_immutable', 'A',
     'BEFORE UPDATE OR DELETE ON eventcore.events FOR EACH ROW EXECUTE FUNCTION eventcore.refuse_change()'),
    ('events', 'events_before_insert', 'A',
     'BEFORE INSERT ON eventcore.events FOR EACH ROW EXECUTE FUNCTION eventcore.before_insert()'),
    ('streams', 'streams_before_insert', 'A',
     'BEFORE INSERT ON eventcore.streams FOR EACH ROW EXECUTE FUNCTION eventcore.before_close()'),
    ('subscriptions', 'subscriptions_settle', 'O',
     'BEFORE INSERT ON eventcore.subscriptions FOR EACH ROW EXECUTE FUNCTION eventcore.settle()'),
    ('checkpoints', 'checkpoints_settle', 'O',
     'BEFORE INSERT ON eventcore.checkpoints FOR EACH ROW EXECUTE FUNCTION eventcore.settle()'),
    ('projections', 'projections_are_settled', 'O',
     'BEFORE INSERT ON eventcore.projections FOR EACH ROW EXECUTE FUNCTION eventcore.settle_projection()'),
    ('projections', 'projections_have_owners', 'A',
     'BEFORE INSERT OR UPDATE OR DELETE ON eventcore.projections FOR EACH ROW EXECUTE FUNCTION eventcore.guard_projection()'),
    ('projections', 'projections_are_announced', 'A',
     'AFTER INSERT OR DELETE OR UPDATE OF name, owner, mode, status, handler, takes_array, stream_prefixes, event_types'
     || ' ON eventcore.projections FOR EACH STATEMENT EXECUTE FUNCTION eventcore.announce_projections()'),
    ('projection_parked', 'projection_parked_has_owners', 'A',
     'BEFORE INSERT OR UPDATE OR DELETE ON eventcore.projection_parked FOR EACH ROW EXECUTE FUNCTION eventcore.guard_projection_parked()')
  ) AS t (table_name, trigger_name, enabled, definition);
COMMENT ON VIEW eventcore.expected_triggers IS 'The triggers that the tables must have, for eventcore_check.';
COMMENT ON COLUMN eventcore.expected_triggers.table_name IS 'The table.';
COMMENT ON COLUMN eventcore.expected_triggers.trigger_name IS 'The trigger.';
COMMENT ON COLUMN eventcore.expected_triggers.enabled IS 'How it is enabled, as in pg_trigger.tgenabled.';
COMMENT ON COLUMN eventcore.expected_triggers.definition IS 'The part of CREATE TRIGGER after its name.';

CREATE VIEW eventcore.expected_indexes AS
SELECT i.table_name, i.index_name, i.is_constraint, i.definition
  FROM (VALUES
    ('events', 'events_pkey', true, 'PRIMARY KEY (position)'),
    ('events', 'events_stream_id_version_key', true, 'UNIQUE (stream_id, version)'),
    ('streams', 'streams_pkey', true, 'PRIMARY KEY (stream_id)'),
    ('subscriptions', 'subscriptions_pkey', true, 'PRIMARY KEY (name)'),
    ('leases', 'leases_pkey', true, 'PRIMARY KEY (subscription_id, lease_id)'),
    ('deliveries', 'deliveries_pkey', true, 'PRIMARY KEY (subscription_id, position)'),
    ('deliveries', 'deliveries_lease_idx', false, '(lease_id, position) WHERE lease_id IS NOT NULL'),
    ('deliveries', 'deliveries_waiting_idx', false, '(subscription_id, stream_id, position) WHERE lease_id IS NULL'),
    ('deliveries', 'deliveries_failed_idx', false, '(subscription_id, failed_at, failures) WHERE failed_at IS NOT NULL'),
    ('acknowledged', 'acknowledged_pkey', true, 'PRIMARY KEY (subscription_id, lease_id, position)'),
    ('backlogs', 'backlogs_pkey', true, 'PRIMARY KEY (subscription_id, stream_id)'),
    ('backlogs', 'backlogs_returned_idx', false, '(subscription_id, due, returned_position) WHERE returned_position IS NOT NULL'),
    ('backlogs', 'backlogs_behind_idx', false, '(subscription_id, due, next_position) WHERE returned_position IS NULL'),
    ('backlogs', 'backlogs_delayed_idx', false, '(subscription_id, delayed_at) WHERE delayed_at IS NOT NULL'),
    ('backlogs', 'backlogs_stream_idx', false, 'USING hash (hashtextextended(stream_id, (uuid_hash(subscription_id))::bigint))'),
    ('parked', 'parked_pkey', true, 'PRIMARY KEY (subscription_id, position)'),
    ('parked', 'parked_stream_idx', false, '(stream_id, subscription_id)'),
    ('parked', 'parked_time_idx', false, '(subscription_id, parked_at) WHERE parked_at > ''-infinity'''),
    ('checkpoints', 'checkpoints_pkey', true, 'PRIMARY KEY (projection)'),
    ('snapshots', 'snapshots_pkey', true, 'PRIMARY KEY (name, streams_digest)'),
    ('commands', 'commands_pkey', true, 'PRIMARY KEY (name)'),
    ('executions', 'executions_pkey', true, 'PRIMARY KEY (command, idempotency_key)'),
    ('command_states', 'command_states_pkey', true, 'PRIMARY KEY (command, stream_id, role)'),
    ('projections', 'projections_pkey', true, 'PRIMARY KEY (name)'),
    ('projection_parked', 'projection_parked_pkey', true, 'PRIMARY KEY (projection, position)'),
    ('projection_parked', 'projection_parked_replay_idx', false, '(projection, position) WHERE replay'),
    ('projection_parked', 'projection_parked_time_idx', false, '(projection, parked_at) WHERE parked_at > ''-infinity''')
  ) AS i (table_name, index_name, is_constraint, definition);
COMMENT ON VIEW eventcore.expected_indexes IS 'The indexes that the tables must have, for eventcore_check.';
COMMENT ON COLUMN eventcore.expected_indexes.table_name IS 'The table.';
COMMENT ON COLUMN eventcore.expected_indexes.index_name IS 'The index.';
COMMENT ON COLUMN eventcore.expected_indexes.is_constraint IS 'Whether it belongs to a constraint of its name.';
COMMENT ON COLUMN eventcore.expected_indexes.definition IS 'The part of CREATE INDEX or ADD CONSTRAINT after the name, or after the table.';
