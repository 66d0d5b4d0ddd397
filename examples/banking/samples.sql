-- The five richest accounts.
SELECT stream_id,
       round(sum(CASE event_type WHEN 'MoneyWithdrawn' THEN -1 ELSE 1 END
                 * (payload->>'cents')::bigint) / 100, 2) AS balance
  FROM eventcore.events
 WHERE stream_id LIKE 'account-%'
 GROUP BY stream_id
 ORDER BY balance DESC
 LIMIT 5;

-- The last five events of one account, the newest first.
SELECT position, version, event_type, payload
  FROM eventcore_read_stream('account-001', max_count => 5, backward => true);

-- A transfer that believes both accounts are still at version 1: SE001 names them both.
SELECT *
  FROM eventcore_append(
           ARRAY['account-001', 'account-002'],
           ARRAY[1, 1],
           '[{"stream": "account-001", "type": "MoneyWithdrawn",
              "payload": {"transfer": 0, "to": "account-002", "cents": 100}},
             {"stream": "account-002", "type": "MoneyDeposited",
              "payload": {"transfer": 0, "from": "account-001", "cents": 100}}]');
