SET ROLE shop;
CREATE FUNCTION add_turnover(event eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.turnover VALUES (event.stream_id, (event.payload->>'amount')::numeric);
END $$;
SELECT eventcore_create_projection('turnover', 'add_turnover', retry_limit => 0);
