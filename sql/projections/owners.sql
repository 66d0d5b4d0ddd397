-- A projection is changed and locked by members of its owner only: triggers and policies.

CREATE FUNCTION eventcore.check_projection_owner(projection text, owner regrole) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- If the owner does not exist, only superusers pass. A worker logs in as the owner. So from PostgreSQL 16 on, where the two
    -- differ, a role needs not only the rights of the owner, but also the right to SET ROLE to it.
    IF NOT (CASE WHEN EXISTS (SELECT FROM pg_roles r WHERE r.oid = owner) THEN pg_has_role(owner, 'USAGE')
                  AND CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN pg_has_role(owner, 'SET') ELSE true END
                 ELSE (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) END) THEN
        RAISE EXCEPTION 'permission denied for projection "%"', projection
            USING ERRCODE = '42501', DETAIL = format('It belongs to %s.', owner);
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.check_projection_owner(text, regrole) IS
    '42501 unless the caller is a member of the role that owns the projection.';

-- Roles may write these tables, because the functions and the workers run with their rights. But a handler runs with the
-- rights of the projection's owner, so no role may create or change a projection of another role, or its parked events.
CREATE FUNCTION eventcore.guard_projection() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM eventcore.check_projection_owner(OLD.name, OLD.owner);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM eventcore.check_projection_owner(NEW.name, NEW.owner);
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.mode = 'inline' AND NOT has_table_privilege('eventcore.events', 'TRIGGER') THEN
        RAISE EXCEPTION 'permission denied for inline projection "%"', NEW.name
            USING ERRCODE = '42501', DETAIL = 'It runs in the appends of all roles, as a trigger would.',
                  HINT = 'GRANT TRIGGER ON eventcore.events, or create it with mode => ''async''.';
    END IF;
    IF TG_OP = 'INSERT' AND NEW.rebuilds IS NOT NULL
       AND NOT EXISTS (SELECT FROM eventcore.projections p WHERE p.name = NEW.rebuilds AND p.owner = NEW.owner AND p.rebuilds IS NULL)
       -- In a restore the rebuild may come first.
       AND NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
        RAISE EXCEPTION 'permission denied for projection "%"', NEW.name
            USING ERRCODE = '42501', DETAIL = format('There is no projection "%s" of %s.', NEW.rebuilds, NEW.owner::regrole);
    END IF;
    -- The owner may have been renamed.
    IF TG_OP = 'UPDATE' AND NEW.home_id = eventcore.home_id() THEN
        NEW.owner_name := coalesce((SELECT r.rolname FROM pg_roles r WHERE r.oid = NEW.owner), NEW.owner_name);
    END IF;
    -- A restored projection: its worker must not run before the tables that it writes are restored.
    IF TG_OP = 'INSERT' AND NEW.mode = 'async' AND NEW.status = 'running' THEN
        NEW.status := 'paused';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
COMMENT ON FUNCTION eventcore.guard_projection() IS
    'Trigger that lets a role write only its own projections (42501). An async projection begins paused.';
CREATE TRIGGER projections_have_owners BEFORE INSERT OR UPDATE OR DELETE ON eventcore.projections
    FOR EACH ROW EXECUTE FUNCTION eventcore.guard_projection();
ALTER TABLE eventcore.projections ENABLE ALWAYS TRIGGER projections_have_owners;
COMMENT ON TRIGGER projections_have_owners ON eventcore.projections IS
    'Only members of its owner create, change and drop a projection.';

CREATE FUNCTION eventcore.guard_projection_parked() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
DECLARE
    names CONSTANT text[] := CASE TG_OP WHEN 'INSERT' THEN ARRAY[NEW.projection]
        WHEN 'DELETE' THEN ARRAY[OLD.projection] ELSE ARRAY[OLD.projection, NEW.projection] END;
    one text;
BEGIN
    FOREACH one IN ARRAY names LOOP
        -- In a restore the parked events come before the projection.
        PERFORM eventcore.check_projection_owner(one, coalesce((SELECT p.owner FROM eventcore.projections p WHERE p.name = one), 0::oid));
    END LOOP;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
COMMENT ON FUNCTION eventcore.guard_projection_parked() IS
    'Trigger that lets a role write only the parked events of its own projections (42501).';
CREATE TRIGGER projection_parked_has_owners BEFORE INSERT OR UPDATE OR DELETE ON eventcore.projection_parked
    FOR EACH ROW EXECUTE FUNCTION eventcore.guard_projection_parked();
ALTER TABLE eventcore.projection_parked ENABLE ALWAYS TRIGGER projection_parked_has_owners;
COMMENT ON TRIGGER projection_parked_has_owners ON eventcore.projection_parked IS
    'Only members of the owner of a projection change its parked events.';

-- A role that may UPDATE a row may also lock it with SELECT ... FOR UPDATE, and so keep the worker from it. These policies
-- prevent that for projections of other roles. The triggers decide everything else, because they raise an error.
ALTER TABLE eventcore.projections ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON eventcore.projections FOR SELECT USING (true);
CREATE POLICY creators ON eventcore.projections FOR INSERT WITH CHECK (true);
CREATE POLICY owners ON eventcore.projections FOR UPDATE
    USING (pg_catalog.pg_has_role(owner, 'USAGE')) WITH CHECK (true);
ALTER TABLE eventcore.projection_parked ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON eventcore.projection_parked FOR SELECT USING (true);
CREATE POLICY creators ON eventcore.projection_parked FOR INSERT WITH CHECK (true);
CREATE POLICY owners ON eventcore.projection_parked FOR UPDATE
    USING (EXISTS (SELECT FROM eventcore.projections p WHERE p.name = projection AND pg_catalog.pg_has_role(p.owner, 'USAGE')))
    WITH CHECK (true);
COMMENT ON POLICY owners ON eventcore.projections IS 'Only members of its owner lock or change a projection.';
COMMENT ON POLICY owners ON eventcore.projection_parked IS 'Only members of the owner of a projection lock or change its parked events.';
