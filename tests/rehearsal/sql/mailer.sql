DO $$
DECLARE
    polled record;
    lease  uuid;
BEGIN
    LOOP
        lease := NULL;
        FOR polled IN SELECT * FROM eventcore_poll('mails', 'mailer-2', 20, '1 s') LOOP
            lease := polled.lease_id;
            INSERT INTO mails VALUES (polled.stream_id) ON CONFLICT DO NOTHING;
        END LOOP;
        IF lease IS NOT NULL THEN
            PERFORM eventcore_ack('mails', lease);
        END IF;
        COMMIT;
    END LOOP;
END $$;
