\set stream random(1000000000000000, 9000000000000000)
SELECT * FROM eventcore_append(ARRAY[:stream], '{0}', ARRAY[:stream], '{MoneyMoved}', ARRAY[:payload::jsonb], NULL);
