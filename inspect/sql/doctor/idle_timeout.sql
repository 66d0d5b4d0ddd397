SELECT 'idle_in_transaction_session_timeout',
       'idle_in_transaction_session_timeout is 0: a client that keeps its transaction open after an append holds back all readers until it ends',
       ARRAY['ALTER SYSTEM SET idle_in_transaction_session_timeout = ''1min''', 'SELECT pg_reload_conf()']
  FROM pg_settings s
 WHERE s.name = 'idle_in_transaction_session_timeout' AND s.reset_val = '0'
