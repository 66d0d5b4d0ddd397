\set n random(1, 9000000000000000)
SELECT * FROM eventcore_append(ARRAY['order-' || :n], '{0}', array_fill('order-' || :n, '{10}'), :types::text[], :payloads::jsonb[], NULL);
