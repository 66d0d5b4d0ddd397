-- Findings about the library that the server has loaded.

CREATE FUNCTION eventcore.check_library() RETURNS TABLE (finding text, object text, detail text, statement text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    installed CONSTANT text := (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'eventcore');
    loaded text;
    is_older boolean := false;
BEGIN
    -- A role that monitors may not read this setting. For it the functions of the library say the same.
    IF (CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE')
             THEN 'eventcore' <> ALL (string_to_array(replace(replace(current_setting('shared_preload_libraries'), ' ', ''), '"', ''), ',')) END) THEN
        RETURN QUERY SELECT 'not_preloaded', 'shared_preload_libraries', 'the server did not load eventcore when it started: nothing works',
            format('ALTER SYSTEM SET shared_preload_libraries = %s', array_to_string(ARRAY(
                SELECT quote_literal(trim(l)) FROM regexp_split_to_table(current_setting('shared_preload_libraries'), ',') l
                 WHERE trim(l) <> '' UNION ALL SELECT '''eventcore'''), ', '));
        RETURN;
    END IF;
    loaded := eventcore.library_version();
    IF loaded <> installed THEN
        BEGIN
            PERFORM eventcore.require_library();
        EXCEPTION WHEN SQLSTATE 'SE009' THEN
            is_older := true;
        END;
        RETURN QUERY SELECT 'version', 'eventcore',
            format('the library is %s and the objects in this database are %s%s', loaded, installed,
                   CASE WHEN is_older THEN ': install the files of that version, and restart the server' END),
            CASE WHEN NOT is_older THEN 'ALTER EXTENSION eventcore UPDATE' END;
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.check_library() IS 'The findings of eventcore_check about the library.';
