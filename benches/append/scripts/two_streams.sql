\set n random(1, 9000000000000000)
SELECT * FROM eventcore_append(ARRAY['account-a' || :n, 'account-b' || :n], '{0, 0}', ARRAY['account-a' || :n, 'account-b' || :n], '{MoneyWithdrawn, MoneyDeposited}', ARRAY[:payload::jsonb, :payload::jsonb], NULL);
