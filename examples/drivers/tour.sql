-- The functions of the command that the tours of this folder register. It takes pieces of a stock
-- for an order.

-- The state: the number of pieces.
CREATE FUNCTION shop_count(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
    RETURN CASE event.event_type WHEN 'Counted' THEN event.payload ELSE state END;
END
$$;

-- The decision: an event for each of the two streams, or an error.
CREATE FUNCTION shop_take(state jsonb, input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    pieces   integer := input->'pieces';
    in_stock integer := state->'pieces';
BEGIN
    IF pieces > in_stock THEN
        RAISE EXCEPTION 'only % pieces left', in_stock USING ERRCODE = 'SH001';
    END IF;
    RETURN jsonb_build_array(
        jsonb_build_object('stream', input->'order', 'type', 'Shipped', 'payload', jsonb_build_object('pieces', pieces)),
        jsonb_build_object('stream', input->'stock', 'type', 'Counted',
                           'payload', jsonb_build_object('pieces', in_stock - pieces)));
END
$$;
