SET ROLE shop;
CREATE OR REPLACE FUNCTION add_turnover(event eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.turnover VALUES (event.stream_id, replace(event.payload->>'amount', ',', '.')::numeric);
END $$;
