\set stream random(1000000000000000, 9000000000000000)
SELECT eventcore_append_compact(ARRAY[:stream], '{0}', ARRAY[:stream], '{MoneyMoved}', ARRAY[:payload]);
