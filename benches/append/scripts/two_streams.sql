\set from random(1000000000000000, 4000000000000000)
\set to random(5000000000000000, 9000000000000000)
SELECT eventcore_append_compact(ARRAY[:from, :to], '{0, 0}', ARRAY[:from, :to], '{MoneyWithdrawn, MoneyDeposited}', ARRAY[:payload, :payload]);
