-- One append may declare 1000 streams, each of them a lock.
SELECT 'max_locks_per_transaction',
       format('the table of locks has room for %s: an append may declare 1000 streams, and fails with 53200 if there is no room', t.room),
       format('ALTER SYSTEM SET max_locks_per_transaction = %s', 2 * t.each)
  FROM (SELECT current_setting('max_locks_per_transaction')::integer AS each,
               current_setting('max_locks_per_transaction')::bigint
               * (current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint) AS room) t
 WHERE t.room < 4000
