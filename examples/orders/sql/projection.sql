-- The projection inside the server. It names its tables without their schema, so that a rebuild can
-- hand it copies of them.

-- Adds what some orders count for, with their customers and products; with -1 takes it away.
CREATE OR REPLACE FUNCTION tally_orders(ids uuid[], sign bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO customers AS c
    SELECT customer_id,
           sign * count(*),
           sign * count(*) FILTER (WHERE state IN ('Draft', 'Reserved', 'Processing')),
           sign * count(*) FILTER (WHERE state = 'Completed'),
           sign * count(*) FILTER (WHERE state = 'Cancelled'),
           sign * coalesce(sum(total_cents) FILTER (WHERE state = 'Completed'), 0)
      FROM orders WHERE order_id = ANY (ids) GROUP BY customer_id
    ON CONFLICT (customer_id) DO UPDATE SET
        total_orders      = c.total_orders + excluded.total_orders,
        active_orders     = c.active_orders + excluded.active_orders,
        completed_orders  = c.completed_orders + excluded.completed_orders,
        cancelled_orders  = c.cancelled_orders + excluded.cancelled_orders,
        total_spent_cents = c.total_spent_cents + excluded.total_spent_cents;

    INSERT INTO inventory AS i
    SELECT item->>'product_id',
           max(item->>'product_name'),
           0,
           sign * sum(quantity),
           sign * coalesce(sum(quantity) FILTER (WHERE state IN ('Draft', 'Reserved', 'Processing')), 0),
           sign * coalesce(sum(quantity) FILTER (WHERE state IN ('Reserved', 'Processing')), 0),
           sign * coalesce(sum(quantity) FILTER (WHERE state = 'Completed'), 0),
           sign * coalesce(sum(quantity * (item#>>'{unit_price,cents}')::bigint) FILTER (WHERE state = 'Completed'), 0),
           sign * count(*)
      FROM orders, jsonb_array_elements(items) AS item, CAST(item->>'quantity' AS bigint) AS quantity
     WHERE order_id = ANY (ids) AND state <> 'Cancelled' GROUP BY 1
    ON CONFLICT (product_id) DO UPDATE SET
        total_quantity_ordered    = i.total_quantity_ordered + excluded.total_quantity_ordered,
        quantity_in_active_orders = i.quantity_in_active_orders + excluded.quantity_in_active_orders,
        quantity_reserved         = i.quantity_reserved + excluded.quantity_reserved,
        quantity_completed        = i.quantity_completed + excluded.quantity_completed,
        total_revenue_cents       = i.total_revenue_cents + excluded.total_revenue_cents,
        order_count               = i.order_count + excluded.order_count;
END $$;

-- Carries out what one event says about its order.
CREATE OR REPLACE FUNCTION project_order(event eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    payload jsonb := event.payload;
    id uuid := substr(event.stream_id, 7)::uuid;
BEGIN
    CASE event.event_type
    WHEN 'OrderCreated' THEN
        INSERT INTO orders (order_id, customer_id, state, version, created_at, updated_at)
        VALUES (id, (payload->>'customer_id')::uuid, 'Draft', event.version, event.recorded_at, event.recorded_at);
    WHEN 'ItemAdded' THEN
        UPDATE orders SET items = items || payload WHERE order_id = id;
    WHEN 'ItemRemoved' THEN
        UPDATE orders SET items = coalesce((
            SELECT jsonb_agg(item ORDER BY place) FROM jsonb_array_elements(items) WITH ORDINALITY AS i (item, place)
             WHERE item->>'product_id' <> payload->>'product_id'), '[]') WHERE order_id = id;
    WHEN 'ItemQuantityUpdated' THEN
        UPDATE orders SET items = (
            SELECT jsonb_agg(CASE WHEN item->>'product_id' = payload->>'product_id'
                                  THEN item || jsonb_build_object('quantity', payload->'new_quantity')
                                  ELSE item END ORDER BY place)
              FROM jsonb_array_elements(items) WITH ORDINALITY AS i (item, place)) WHERE order_id = id;
    WHEN 'OrderSubmitted' THEN
        UPDATE orders SET submitted = true WHERE order_id = id;
    WHEN 'OrderReserved' THEN
        UPDATE orders SET state = 'Reserved' WHERE order_id = id;
    WHEN 'OrderProcessing' THEN
        UPDATE orders SET state = 'Processing' WHERE order_id = id;
    WHEN 'OrderCompleted' THEN
        UPDATE orders SET state = 'Completed', tracking_number = payload->>'tracking_number' WHERE order_id = id;
    WHEN 'OrderCancelled' THEN
        UPDATE orders SET state = 'Cancelled', cancellation_reason = payload->>'reason' WHERE order_id = id;
    END CASE;
    UPDATE orders SET version = event.version, updated_at = event.recorded_at,
        total_cents = (SELECT coalesce(sum((item->>'quantity')::bigint * (item#>>'{unit_price,cents}')::bigint), 0)
                         FROM jsonb_array_elements(items) AS item)
     WHERE order_id = id;
END $$;

-- The handler. What the orders counted for is taken away, the events are carried out, and what the
-- orders count for then is added.
CREATE OR REPLACE FUNCTION project_shop(events eventcore.events[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    touched uuid[] := ARRAY(SELECT DISTINCT substr(stream_id, 7)::uuid FROM unnest(events)
                             WHERE stream_id LIKE 'order-%');
    event eventcore.events;
    product text;
BEGIN
    PERFORM tally_orders(touched, -1);
    FOREACH event IN ARRAY events LOOP
        IF event.stream_id LIKE 'order-%' THEN
            PERFORM project_order(event);
        ELSIF event.event_type <> 'BookOpened' THEN
            product := regexp_replace(event.stream_id, '^(product|stock-\d+)-', '');
            INSERT INTO inventory AS i (product_id, product_name, available)
            VALUES (product,
                    coalesce(event.payload->>'product_name', product),
                    (event.payload->>'quantity')::bigint
                    * CASE event.event_type WHEN 'StockReserved' THEN -1 ELSE 1 END)
            ON CONFLICT (product_id) DO UPDATE SET
                product_name = coalesce(event.payload->>'product_name', i.product_name),
                available = i.available + excluded.available;
        END IF;
    END LOOP;
    PERFORM tally_orders(touched, 1);
END $$;
