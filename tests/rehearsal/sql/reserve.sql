DO $$
DECLARE
    product CONSTANT text := 'stock-' || pg_backend_pid();
    known bigint;
BEGIN
    LOOP
        SELECT coalesce(max(version), 0) INTO known FROM eventcore.events WHERE stream_id = product;
        COMMIT;
        PERFORM pg_sleep(0.01);
        PERFORM eventcore_append(ARRAY[product], ARRAY[known], jsonb_build_array(jsonb_build_object(
            'stream', product, 'type', 'Reserved', 'payload', jsonb_build_object('pieces', 1))));
        COMMIT;
    END LOOP;
END $$;
