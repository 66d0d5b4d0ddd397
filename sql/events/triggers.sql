-- Triggers that keep events immutable, and that register rows inserted by SQL.

CREATE FUNCTION eventcore.refuse_change() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'events are immutable: % of % refused', TG_OP, TG_RELID::regclass
        USING ERRCODE = 'SE009',
              DETAIL = '{"reason": "immutable"}',
              HINT = 'Record what changed as a new event.';
END
$$;
COMMENT ON FUNCTION eventcore.refuse_change() IS
    'Trigger that refuses UPDATE, DELETE and TRUNCATE of events (SE009).';

CREATE TRIGGER events_are_immutable
    BEFORE UPDATE OR DELETE OR TRUNCATE ON eventcore.events
    FOR EACH STATEMENT EXECUTE FUNCTION eventcore.refuse_change();
-- Statement triggers do not fire for a statement on a parent table.
CREATE TRIGGER every_event_is_immutable
    BEFORE UPDATE OR DELETE ON eventcore.events
    FOR EACH ROW EXECUTE FUNCTION eventcore.refuse_change();
-- Also if session_replication_role is 'replica'.
ALTER TABLE eventcore.events ENABLE ALWAYS TRIGGER events_are_immutable;
ALTER TABLE eventcore.events ENABLE ALWAYS TRIGGER every_event_is_immutable;
COMMENT ON TRIGGER events_are_immutable ON eventcore.events IS
    'No role changes an event, the owner included.';
COMMENT ON TRIGGER every_event_is_immutable ON eventcore.events IS
    'No role can change an event through a parent table.';

CREATE FUNCTION eventcore.before_insert() RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_before_insert';
COMMENT ON FUNCTION eventcore.before_insert() IS
    'Trigger that registers the positions of rows that SQL inserts, as a restore does, so that readers see them in order.';

-- eventcore_append writes beneath SQL and does not fire this trigger. For each row, because logical replication fires no
-- statement triggers.
CREATE TRIGGER events_before_insert BEFORE INSERT ON eventcore.events
    FOR EACH ROW EXECUTE FUNCTION eventcore.before_insert();
ALTER TABLE eventcore.events ENABLE ALWAYS TRIGGER events_before_insert;
COMMENT ON TRIGGER events_before_insert ON eventcore.events IS
    'Readers wait for rows that SQL inserts, and no append gets their positions.';

CREATE FUNCTION eventcore.before_close() RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_before_close';
COMMENT ON FUNCTION eventcore.before_close() IS
    'Trigger that announces rows of eventcore.streams, so that appends look for closed streams.';

-- For each row and always, because logical replication fires no other triggers.
CREATE TRIGGER streams_before_insert BEFORE INSERT ON eventcore.streams
    FOR EACH ROW EXECUTE FUNCTION eventcore.before_close();
ALTER TABLE eventcore.streams ENABLE ALWAYS TRIGGER streams_before_insert;
COMMENT ON TRIGGER streams_before_insert ON eventcore.streams IS
    'Appends do not look at this table until a row was inserted.';
