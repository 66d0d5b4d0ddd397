-- Who may do what. PUBLIC may do nothing. The functions do not run with their owner's rights
-- (none is SECURITY DEFINER): they reach the tables beneath SQL, so EXECUTE is the privilege.

DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['eventcore_reader', 'eventcore_writer'] LOOP
        -- Roles belong to the whole cluster: another database may have made them.
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role_name) THEN
            EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', role_name);
        END IF;
    END LOOP;
END
$$;

-- Not on the schema of the functions: pg_dump would take all its grants for ours. PUBLIC may use
-- public; of another schema its owner decides.
GRANT USAGE ON SCHEMA eventcore TO eventcore_reader;
GRANT SELECT ON eventcore.events, eventcore.streams TO eventcore_reader;
GRANT EXECUTE ON FUNCTION
    eventcore_read_stream(text, bigint, integer, boolean, text[]),
    eventcore_read_streams(text[], bigint[], integer, text[]),
    eventcore_read_all(bigint, integer, boolean, text[], text[]),
    eventcore_stream_versions(text[]),
    eventcore_safe_position()
    TO eventcore_reader;
GRANT EXECUTE ON PROCEDURE eventcore_wait(bigint, interval, bigint) TO eventcore_reader;

GRANT EXECUTE ON FUNCTION
    eventcore_append(text[], bigint[], jsonb, uuid, uuid),
    eventcore_append(text[], bigint[], text[], text[], jsonb[], jsonb[], uuid[], uuid, uuid)
    TO eventcore_writer;
