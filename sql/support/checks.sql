-- Checks that functions share: of arguments, and of the transaction.
--
-- An argument has the collation of the caller's column, and is compared byte by byte. So a comparison has COLLATE "C", or
-- it uses a copy with the same name that DECLARE gives this collation.

CREATE FUNCTION eventcore.check_name(argument text, value text) RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_check_name';
COMMENT ON FUNCTION eventcore.check_name(text, text) IS
    'SE003 unless the value is a name: 1 to 255 bytes without ASCII control characters.';

CREATE FUNCTION eventcore.check_names(argument text, names text[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF names IS NULL THEN
        RETURN;
    ELSIF array_ndims(names) > 1 THEN
        PERFORM eventcore.fail_malformed(argument, 'has more than one dimension');
    ELSIF cardinality(names) NOT BETWEEN 1 AND 1000 THEN
        PERFORM eventcore.fail_malformed(argument, 'must have 1 to 1000 elements (NULL means all)');
    END IF;
    FOR place IN 1 .. cardinality(names) LOOP
        PERFORM eventcore.check_name(argument, names[array_lower(names, 1) + place - 1]);
    END LOOP;
END
$$;
COMMENT ON FUNCTION eventcore.check_names(text, text[]) IS
    'SE003 unless the value is NULL or 1 to 1000 names.';

CREATE FUNCTION eventcore.check_positions(positions bigint[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF array_ndims(positions) > 1 THEN
        PERFORM eventcore.fail_malformed('positions', 'has more than one dimension');
    ELSIF array_position(positions, NULL) IS NOT NULL THEN
        PERFORM eventcore.fail_malformed('positions', 'has a NULL');
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.check_positions(bigint[]) IS
    'SE003 unless the argument positions is NULL or a list of positions.';

CREATE FUNCTION eventcore.check_time(argument text, value interval, minimum interval) RETURNS interval
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF value IS NULL OR value < minimum THEN
        PERFORM eventcore.fail_malformed(argument, format('is not a time of at least %s s', extract(epoch FROM minimum)::double precision));
    ELSIF value > '365 days' THEN
        PERFORM eventcore.fail_malformed(argument, 'is longer than 365 days');
    END IF;
    -- A month has 30 days here, as in comparisons, whatever the date.
    RETURN make_interval(secs => extract(epoch FROM value)::double precision);
END
$$;
COMMENT ON FUNCTION eventcore.check_time(text, interval, interval) IS
    'The value in seconds; SE003 unless it is at least the minimum and at most 365 days.';

CREATE FUNCTION eventcore.start_position(start_from text) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    start_from CONSTANT text COLLATE "C" := start_from;
    safe       CONSTANT bigint := eventcore.safe_position();
BEGIN
    CASE
        WHEN start_from = 'start' THEN
            RETURN 0;
        WHEN start_from = 'now' THEN
            RETURN safe;
        WHEN start_from ~ '^[0-9]{1,18}$' THEN
            PERFORM eventcore.require_told(start_from::bigint, false);
            IF start_from::bigint <= safe THEN
                RETURN start_from::bigint;
            END IF;
            PERFORM eventcore.fail_malformed('start_from', format('is past the safe position, which is %s', safe));
        ELSE
            PERFORM eventcore.fail_malformed('start_from', 'is neither ''start'' nor ''now'' nor a position');
    END CASE;
END
$$;
COMMENT ON FUNCTION eventcore.start_position(text) IS
    'The position after which reading begins, for the argument start_from. SE003 malformed argument. SE011 a position of another history.';

-- Returns the full name of a function, if it has the right arguments and result.
CREATE FUNCTION eventcore.check_function(argument text, function regproc, arguments regtype[], result regtype)
RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found pg_proc;
BEGIN
    IF function IS NULL OR function = 0 THEN
        RETURN NULL;
    END IF;
    SELECT * INTO found FROM pg_proc p WHERE p.oid = function;
    IF found.prokind <> 'f' OR found.proretset
       OR ARRAY(SELECT unnest(found.proargtypes)) IS DISTINCT FROM arguments::oid[]
       OR found.prorettype <> result THEN
        PERFORM eventcore.fail_malformed(argument, format('is %s, not a function (%s) that returns %s',
            function::regprocedure, array_to_string(arguments, ', '), result));
    ELSIF NOT has_function_privilege(found.oid, 'EXECUTE') THEN
        PERFORM eventcore.fail_malformed(argument, format('is %s, which %s may not execute',
            function::regprocedure, current_user));
    END IF;
    RETURN (pg_identify_object('pg_proc'::regclass, found.oid, 0)).identity;
END
$$;
COMMENT ON FUNCTION eventcore.check_function(text, regproc, regtype[], regtype) IS
    'The full name of a function of an application; SE003 if it has other arguments or another result, or the caller may not execute it.';

CREATE FUNCTION eventcore.see_newest(what text) RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_see_newest';
COMMENT ON FUNCTION eventcore.see_newest(text) IS
    'Lets the following statements see what others have committed by now. Raises SE009 in a transaction block that keeps its snapshot.';
