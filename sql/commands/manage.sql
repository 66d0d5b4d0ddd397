-- Dropping a command, and discarding the states that it has kept.

CREATE FUNCTION @extschema@.eventcore_drop_command(name text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
    PERFORM eventcore.check_name('name', name);
    DELETE FROM eventcore.commands c WHERE c.name = name COLLATE "C";
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM eventcore.delete_command_states(name);
    RETURN true;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_drop_command(text) IS
$$Drops a command; false if there is none of this name. Its functions stay. SE003 malformed argument.$$;

CREATE FUNCTION @extschema@.eventcore_discard_command_states(name text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
    PERFORM eventcore.check_name('name', name);
    UPDATE eventcore.commands c SET changed_at = clock_timestamp() WHERE c.name = name COLLATE "C";
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM eventcore.delete_command_states(name);
    RETURN true;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_discard_command_states(text) IS
$$Lets a command fold its streams from their start again: after a change that `apply` depends on and that is not a
change of `apply` itself, such as that of a function that it calls. Executions that are under way keep nothing that
is used later. False if there is no command of this name. SE003 malformed argument.$$;
