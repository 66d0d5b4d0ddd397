DO $$
DECLARE
    number bigint;
BEGIN
    LOOP
        number := nextval('order_numbers');
        PERFORM eventcore_append_compact(ARRAY['order-' || number], '{0}', ARRAY['order-' || number], '{OrderPlaced}',
                                         ARRAY['{"customer": "customer-1", "amount": "10.00"}']);
        COMMIT;
        PERFORM pg_sleep(0.1);
    END LOOP;
END $$;
