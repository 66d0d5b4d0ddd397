\set stream mod(:appended, :streams)
\set version 1 + :appended / :streams
\set appended :appended + 1
SELECT * FROM eventcore_append(ARRAY['account-' || :pool || '-' || :client_id || '-' || :stream], ARRAY[:version::bigint], ARRAY['account-' || :pool || '-' || :client_id || '-' || :stream], '{MoneyMoved}', ARRAY[:payload::jsonb], NULL);
