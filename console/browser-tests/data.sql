-- A shop, for tests and pictures of the console: orders that reach over several streams, readers in
-- every state, commands. `pages.json` names what is in it. For an empty database, as a superuser.

\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;

-- Ids that can be told before.
CREATE FUNCTION id(text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT md5($1)::uuid $$;

-- One event, for eventcore_append.
CREATE FUNCTION event(stream text, type text, payload jsonb, id text DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('stream', stream, 'type', type, 'payload', payload, 'metadata', '{"user": "ada", "client": "shop 4.2"}'::jsonb)
           || CASE WHEN id IS NULL THEN '{}' ELSE jsonb_build_object('id', id(id)) END
$$;

-- An append of events, to whatever version their streams have.
CREATE PROCEDURE append(events jsonb[], correlation text DEFAULT NULL, causation text DEFAULT NULL) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM * FROM eventcore_append(
        (SELECT array_agg(DISTINCT e->>'stream') FROM unnest(events) e),
        array_fill(NULL::bigint, ARRAY[(SELECT count(DISTINCT e->>'stream')::int FROM unnest(events) e)]),
        to_jsonb(events), id(correlation), id(causation));
    COMMIT;
END
$$;

-- Each order: placed, with stock set aside; paid, on the customer's account; sent; completed. Some
-- are declined, some are on their way. Every step is caused by the one before.
DO $$
DECLARE
    customers CONSTANT text[] := '{ada,bob,cleo,dan,eve,fay}';
    products  CONSTANT text[] := '{desk-lamp,standing-desk,office-chair,monitor-arm}';
    customer  text;
    product   text;
    nr        text;
    cents     bigint;
BEGIN
    FOREACH product IN ARRAY products LOOP
        CALL append(ARRAY[event('stock-' || product, 'StockReceived', '{"quantity": 100, "warehouse": "Lyon"}')]);
    END LOOP;
    FOR i IN 1..60 LOOP
        nr       := (1000 + i)::text;
        customer := customers[1 + i % 6];
        product  := products[1 + i % 4];
        cents    := 1990 + 731 * i;
        CALL append(ARRAY[
            event('order-' || nr, 'OrderPlaced', jsonb_build_object('customer', customer, 'total_cents', cents, 'items',
                jsonb_build_array(jsonb_build_object('product', product, 'quantity', 1 + i % 3, 'gift', i % 5 = 0))), 'placed ' || nr),
            event('stock-' || product, 'StockReserved', jsonb_build_object('order', nr, 'quantity', 1 + i % 3))], 'order ' || nr);
        CONTINUE WHEN i > 57;
        IF i % 9 = 0 THEN
            CALL append(ARRAY[event('payment-' || nr, 'PaymentDeclined',
                '{"reason": "insufficient funds"}', 'paid ' || nr)], 'order ' || nr, 'placed ' || nr);
            CALL append(ARRAY[
                event('order-' || nr, 'OrderCancelled', '{"reason": "payment declined"}'),
                event('stock-' || product, 'StockReleased', jsonb_build_object('order', nr))], 'order ' || nr, 'paid ' || nr);
            CONTINUE;
        END IF;
        CALL append(ARRAY[
            event('payment-' || nr, 'PaymentTaken', jsonb_build_object('cents', cents, 'card', 'visa'), 'paid ' || nr),
            event('account-' || customer, 'Charged', jsonb_build_object('cents', cents, 'order', nr))], 'order ' || nr, 'placed ' || nr);
        CONTINUE WHEN i > 54;
        CALL append(ARRAY[event('shipment-' || nr, 'ShipmentBooked', jsonb_build_object('carrier', 'DHL', 'track', upper(substr(md5(nr), 1, 12))),
            'shipped ' || nr)], 'order ' || nr, 'paid ' || nr);
        CALL append(ARRAY[
            event('order-' || nr, 'OrderCompleted', '{}'),
            event('stock-' || product, 'StockTaken', jsonb_build_object('order', nr, 'quantity', 1 + i % 3))], 'order ' || nr, 'shipped ' || nr);
    END LOOP;
END
$$;

-- A stream that takes no more events, and one that is deleted.
INSERT INTO eventcore.streams (stream_id, state, reason) VALUES
    ('order-1001', 'closed', 'archived with the year 2025'), ('account-eve', 'deleted', 'the customer asked for it');

-- What a payload can be.
CALL append(ARRAY[event('import-legacy', 'LegacyRowImported', jsonb_build_object(
    'id', 12345678901234567890123456789::numeric, 'ratio', 0.1, 'active', true, 'left_at', NULL,
    'note', E'Two lines,\nand "quotes", ünïcode ✓', 'address', jsonb_build_object('street', '12 Rue de la République', 'city', 'Lyon'),
    'tags', '["vip", "newsletter"]'::jsonb, 'history', to_jsonb(string_to_array(repeat('moved ', 12), ' '))))]);

-- Commands.
CREATE FUNCTION stock_apply(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    quantity bigint := coalesce((event.payload->'quantity')::bigint, 0);
BEGIN
    RETURN CASE event.event_type
        WHEN 'StockReceived' THEN jsonb_set(state, '{on_hand}', to_jsonb((state->'on_hand')::bigint + quantity))
        WHEN 'StockReserved' THEN jsonb_set(state, '{reserved}', to_jsonb((state->'reserved')::bigint + quantity))
        WHEN 'StockTaken' THEN state || jsonb_build_object('on_hand', (state->'on_hand')::bigint - quantity,
            'reserved', (state->'reserved')::bigint - quantity)
        ELSE state
    END;
END
$$;
CREATE FUNCTION stock_receive(state jsonb, input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
    IF (state->'on_hand')::bigint + (input->'quantity')::bigint > 1000 THEN
        RAISE EXCEPTION 'the shelf has room for 1000, and % are there', state->'on_hand' USING ERRCODE = 'SH001';
    END IF;
    RETURN jsonb_build_array(jsonb_build_object('stream', input->'stock', 'type', 'StockReceived',
        'payload', jsonb_build_object('quantity', input->'quantity', 'warehouse', 'Lyon')));
END
$$;
SELECT eventcore_register_command('receive-stock', apply => 'stock_apply', handle => 'stock_receive', streams => '{/stock}',
    initial_state => '{"on_hand": 0, "reserved": 0}', required_fields => '{"/quantity": "number"}', snapshot_every => 5) \g /dev/null
SELECT eventcore_register_command('count-stock', apply => 'stock_apply', handle => 'stock_receive', streams => '{/stock}',
    initial_state => '{"on_hand": 0, "reserved": 0}') \g /dev/null
SELECT eventcore_execute('receive-stock', jsonb_build_object('stock', 'stock-' || product, 'quantity', n), idempotency_key => id('delivery ' || product || n)::text)
  FROM unnest('{desk-lamp,office-chair,monitor-arm}'::text[]) product, generate_series(10, 14) n \g /dev/null

-- Subscriptions: one with parked events and a lease, one that is paused, one that nobody reads.
SELECT eventcore_create_subscription('order-mails', stream_prefixes => '{order-}', retry_limit => 3, on_parked => 'stop', lease => '1 day') \g /dev/null
SELECT eventcore_create_subscription('invoices', event_types => '{PaymentTaken}') \g /dev/null
SELECT eventcore_create_subscription('search-index') \g /dev/null
SELECT eventcore_pause_subscription('invoices') \g /dev/null
DO $$
DECLARE
    taken bigint[];
    lease uuid;
BEGIN
    SELECT array_agg(position ORDER BY position), max(lease_id::text)::uuid INTO taken, lease
      FROM eventcore_poll('order-mails', 'mailer-1.prod.example', 20);
    PERFORM eventcore_ack('order-mails', lease, taken[1:3]);
    PERFORM eventcore_nack('order-mails', lease, taken[4:6], 'park', 'smtp: 550 5.1.1 the mailbox does not exist');
    PERFORM eventcore_nack('order-mails', lease, taken[7:7], 'park', 'template "order_placed": the field "gift_note" is missing');
    -- One of a stream that does not stand still.
    PERFORM eventcore_nack('order-mails', lease, ARRAY[max(e.position)], 'retry', 'smtp: 451 4.7.1 greylisted, try again later', '6 hours')
       FROM eventcore.events e
      WHERE e.position = ANY (taken)
        AND e.stream_id NOT IN (SELECT v.stream_id FROM eventcore.events v WHERE v.position = ANY (taken[1:7]));
END
$$;

-- Projections: one that runs and is rebuilt beside it, one that has failed, one with parked events,
-- one that is paused.
CREATE TABLE sales (product text, orders bigint);
CREATE FUNCTION sales(event eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO sales SELECT item->>'product', 1 FROM jsonb_array_elements(event.payload->'items') item;
    IF current_schema() LIKE 'eventcore\_rebuild\_%' AND event.position > 150 THEN
        -- So that the rebuild can be seen for as long as the tests take.
        PERFORM pg_sleep(86400);
    END IF;
END
$$;
SELECT eventcore_create_projection('sales', 'sales', event_types => '{OrderPlaced}', batch_size => 5, tables => '{sales}') \g /dev/null
CREATE TABLE refunds (cents bigint);
CREATE FUNCTION refunds(event eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'there is no account for refunds in the currency "XTS"' USING ERRCODE = 'RF404';
END
$$;
SELECT eventcore_create_projection('refunds', 'refunds', event_types => '{PaymentDeclined}', retry_limit => 0, tables => '{refunds}') \g /dev/null
CREATE TABLE parcels (track text);
CREATE FUNCTION parcels(event eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF event.payload->>'track' ~ '^[0-4]' THEN
        RAISE EXCEPTION 'the tracking number % is not known to the carrier', event.payload->>'track';
    END IF;
    INSERT INTO parcels VALUES (event.payload->>'track');
END
$$;
SELECT eventcore_create_projection('parcels', 'parcels', event_types => '{ShipmentBooked}', on_error => 'park', retry_limit => 0, tables => '{parcels}') \g /dev/null
CREATE FUNCTION nothing(event eventcore.events) RETURNS void LANGUAGE sql AS '';
SELECT eventcore_create_projection('customer-statistics', 'nothing') \g /dev/null
SELECT eventcore_pause_projection('customer-statistics') \g /dev/null

-- Checkpoints of projections in clients.
SELECT eventcore_advance_checkpoint('warehouse-report', 0, 120) \g /dev/null
SELECT eventcore_advance_checkpoint('fraud-scores', 0, 7) \g /dev/null

-- When the projections have done what they can, one of them is rebuilt.
DO $$
BEGIN
    FOR i IN 1..600 LOOP
        EXIT WHEN (SELECT count(*) = 3 FROM eventcore.stat_projections WHERE
            (name = 'sales' AND lag_events = 0) OR (name = 'refunds' AND status = 'failed') OR (name = 'parcels' AND lag_events = 0));
        IF i = 600 THEN RAISE EXCEPTION 'the projections do not come to an end'; END IF;
        PERFORM pg_sleep(0.1);
        COMMIT;
    END LOOP;
    PERFORM eventcore_rebuild_projection('sales', shadow => true);
    COMMIT;
    FOR i IN 1..600 LOOP
        EXIT WHEN (SELECT checkpoint > 0 FROM eventcore.stat_projections WHERE name = 'sales/rebuild');
        IF i = 600 THEN RAISE EXCEPTION 'the rebuild does not begin'; END IF;
        PERFORM pg_sleep(0.1);
        COMMIT;
    END LOOP;
END
$$;
ANALYZE;
