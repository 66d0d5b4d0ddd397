DO $$
DECLARE
    number bigint;
BEGIN
    LOOP
        number := nextval('order_numbers');
        PERFORM eventcore_append(ARRAY['order-' || number], ARRAY[0]::bigint[], jsonb_build_array(jsonb_build_object(
            'stream', 'order-' || number, 'type', 'OrderPlaced', 'payload', jsonb_build_object(
                'customer', 'customer-' || number % 17, 'amount', CASE number WHEN 13 THEN '12,50' ELSE (number % 90 + 10) || '.00' END))));
        COMMIT;
        PERFORM pg_sleep(0.1);
    END LOOP;
END $$;
