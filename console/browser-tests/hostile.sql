-- Names and payloads that would do something to a page that did not escape them, everywhere a name or
-- a payload can be. For a database with the data of data.sql.

\set ON_ERROR_STOP on
\set QUIET on

CREATE TABLE names AS SELECT unnest(ARRAY[
    '<script>window.hacked = 1</script>', '"><img src=x onerror="window.hacked = 1">', '''onmouseover=''window.hacked=1',
    'a/b?c=d#e%2F&lt;', 'javascript:window.hacked=1', E'rtl-\u202Edrow\u202C', E'seen-\u200B\uFEFF', '..', '.', '?', '%',
    repeat('a-long-name-without-a-blank-', 9)]) AS name;

SELECT eventcore_append(ARRAY[name], ARRAY[0]::bigint[], jsonb_build_array(jsonb_build_object('stream', name, 'type', name,
           'payload', jsonb_build_object(name, name, 'n', 1234567890123456789012345678901234567890))), id('hostile'))
  FROM names \g /dev/null
SELECT eventcore_create_subscription(name, stream_prefixes => ARRAY[name], event_types => ARRAY[name]) FROM names \g /dev/null
SELECT eventcore_advance_checkpoint(name, 0, 1) FROM names \g /dev/null
SELECT eventcore_register_command(name, apply => 'stock_apply', handle => 'stock_receive', streams => '{/stock}') FROM names \g /dev/null
DO $$
DECLARE
    hostile text;
    polled  record;
BEGIN
    FOR hostile IN SELECT name FROM names LOOP
        SELECT * INTO polled FROM eventcore_poll(hostile, left(hostile, 60), 1);
        PERFORM eventcore_nack(hostile, polled.lease_id, ARRAY[polled.position], 'park', hostile);
    END LOOP;
END
$$;
CREATE FUNCTION hostile(event eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', event.stream_id USING HINT = event.event_type, DETAIL = event.payload;
END
$$;
SELECT eventcore_create_projection(name, 'hostile', stream_prefixes => ARRAY[name], retry_limit => 0, on_error => 'park') FROM names \g /dev/null
