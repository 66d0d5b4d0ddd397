\set from random(1000000000000000, 4000000000000000)
\set to random(5000000000000000, 9000000000000000)
SELECT * FROM eventcore_append(ARRAY[:from, :to], '{0, 0}', ARRAY[:from, :to], '{MoneyWithdrawn, MoneyDeposited}', ARRAY[:payload::jsonb, :payload::jsonb], NULL);
