\set n random(1, 9000000000000000)
SELECT * FROM eventcore_append(ARRAY['transfer-' || :n], '{0}', ARRAY['transfer-' || :n], '{MoneyMoved}', ARRAY[:payload::jsonb], NULL);
