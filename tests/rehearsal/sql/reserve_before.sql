DO $$
DECLARE
    known bigint;
BEGIN
    LOOP
        SELECT coalesce(max(version), 0) INTO known FROM eventcore.events WHERE stream_id = 'stock';
        COMMIT;
        PERFORM pg_sleep(0.01);
        BEGIN
            PERFORM eventcore_append('{stock}', ARRAY[known], '[{"stream": "stock", "type": "Reserved", "payload": {"pieces": 1}}]');
        EXCEPTION WHEN SQLSTATE 'SE001' THEN
            NULL;
        END;
        COMMIT;
    END LOOP;
END $$;
