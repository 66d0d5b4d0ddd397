-- What the parts of eventcore_check share: looking up names without errors.

CREATE FUNCTION eventcore.public_name(function text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('%I.%I', n.nspname, p.proname)
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
      JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
      JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
     WHERE e.extname = 'eventcore' AND p.proname = public_name.function COLLATE "C"
$$;
COMMENT ON FUNCTION eventcore.public_name(text) IS 'The full name of a public function of the extension, with the current name of its schema.';

CREATE FUNCTION eventcore.find_function(signature text) RETURNS regprocedure
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN to_regprocedure(signature);
EXCEPTION WHEN syntax_error_or_access_rule_violation OR data_exception OR program_limit_exceeded THEN
    -- The text is not the name of a function.
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION eventcore.find_function(text) IS
    'The function with this full name and these types of arguments; NULL if it does not exist or the text is malformed.';

CREATE FUNCTION eventcore.find_table(name text) RETURNS regclass
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN to_regclass(name);
EXCEPTION WHEN syntax_error_or_access_rule_violation OR data_exception OR program_limit_exceeded THEN
    -- The text is not the name of a table.
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION eventcore.find_table(text) IS
    'The table with this full name; NULL if it does not exist or the text is malformed.';
