\set n random(1, 9000000000000000)
SELECT * FROM eventcore_append(ARRAY['order-' || :n], '{0}', replace(:events, '@', 'order-' || :n)::jsonb);
