DO $$
DECLARE
    polled record;
    lease  uuid;
    sent   bigint[];
    failed bigint[];
    error  text;
BEGIN
    LOOP
        lease := NULL;
        sent := '{}';
        failed := '{}';
        FOR polled IN SELECT * FROM eventcore_poll('mails', 'mailer-1', 20, '1 s') LOOP
            lease := polled.lease_id;
            BEGIN
                PERFORM (polled.payload->>'amount')::numeric;
                INSERT INTO mails VALUES (polled.stream_id) ON CONFLICT DO NOTHING;
                sent := sent || polled.position;
            EXCEPTION WHEN invalid_text_representation THEN
                error := SQLERRM;
                failed := failed || polled.position;
            END;
        END LOOP;
        IF cardinality(sent) > 0 THEN
            PERFORM eventcore_ack('mails', lease, sent);
        END IF;
        IF cardinality(failed) > 0 THEN
            PERFORM eventcore_nack('mails', lease, failed, 'retry', error, '200 ms');
        END IF;
        COMMIT;
    END LOOP;
END $$;
