-- Dropping a command, and discarding its saved states.

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
$$Drops a command; false if there is no command with this name. Its functions stay. SE003 malformed argument.$$;

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
$$Discards the saved states of a command, so that it folds its streams from the start again. Needed after a change that affects
`apply` without changing it, such as a change of a function that it calls. States that running executions save are not used
later. False if there is no command with this name. SE003 malformed argument.$$;
