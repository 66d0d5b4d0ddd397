-- The settings that functions of applications run with: they are recorded at registration.

-- Settings that a session may change and that change what a function decides: how names are resolved, which checks are made,
-- how text becomes a value and a value becomes text. Not limits (statement_timeout, work_mem), planner settings, or settings
-- of the application. The list in extension/src/pg/environment.rs is the same.
CREATE FUNCTION eventcore.session_settings() RETURNS text[]
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT ARRAY['search_path=' || array_to_string(
                     -- Temporary tables come last, not first. "$user" is resolved, because each caller is another user.
                     ARRAY(SELECT quote_ident(p) FROM unnest(current_schemas(false)) p WHERE p !~ '^pg_temp_') || 'pg_temp'::text, ', ')]
        || ARRAY(SELECT n || '=' || value
                   FROM unnest('{plpgsql.check_asserts,row_security,quote_all_identifiers,transform_null_equals,
                                 gin_fuzzy_search_limit,default_text_search_config,array_nulls,standard_conforming_strings,
                                 xmloption,xmlbinary,TimeZone,timezone_abbreviations,DateStyle,IntervalStyle,lc_monetary,
                                 lc_numeric,lc_time,extra_float_digits,bytea_output}'::text[]) n
                        -- A session that has not used PL/pgSQL yet does not know its setting.
                  CROSS JOIN LATERAL (SELECT coalesce(current_setting(n, true),
                                             CASE n WHEN 'plpgsql.check_asserts' THEN 'on' END)) v(value)
                  WHERE value IS NOT NULL);
END;
COMMENT ON FUNCTION eventcore.session_settings() IS
    'The settings of this session that change what a function decides, each as name=value. In search_path, temporary tables come last.';

CREATE FUNCTION eventcore.check_settings(settings text[]) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    settings CONSTANT text[] COLLATE "C" := settings;
    allowed  CONSTANT text[] COLLATE "C" := ARRAY(SELECT split_part(s, '=', 1) FROM unnest(eventcore.session_settings()) s);
    wrong    text COLLATE "C";
    reason   text;
BEGIN
    IF settings IS NULL OR array_ndims(settings) > 1 THEN
        PERFORM eventcore.fail_malformed('settings', 'is not a list of settings, each as name=value');
    END IF;
    SELECT s INTO wrong FROM unnest(settings) s
     WHERE s IS NULL OR strpos(s, '=') = 0 OR split_part(s, '=', 1) <> ALL (allowed) LIMIT 1;
    IF FOUND THEN
        PERFORM eventcore.fail_malformed('settings', format('has "%s", which is not one of the settings that can be kept', wrong));
    ELSIF NOT EXISTS (SELECT FROM unnest(settings) s WHERE split_part(s, '=', 1) = 'search_path') THEN
        PERFORM eventcore.fail_malformed('settings', 'has no search_path');
    END IF;
    -- This server must accept each value. The exception undoes all of these settings.
    BEGIN
        FOREACH wrong IN ARRAY settings LOOP
            PERFORM set_config(split_part(wrong, '=', 1), substr(wrong, strpos(wrong, '=') + 1), true);
        END LOOP;
        wrong := NULL;
        RAISE no_data_found;
    EXCEPTION
        WHEN no_data_found THEN NULL;
        WHEN data_exception OR syntax_error_or_access_rule_violation THEN reason := SQLERRM;
    END;
    IF wrong IS NOT NULL THEN
        PERFORM eventcore.fail_malformed('settings', format('has "%s", which this server does not accept: %s', wrong, reason));
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.check_settings(text[]) IS 'SE003 unless these are settings like those that eventcore.session_settings() returns.';
