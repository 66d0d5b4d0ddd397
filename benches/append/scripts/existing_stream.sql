\set stream 1000000000000000 + :client_id * 1000000000 + mod(:appended, :streams)
\set version 1 + :appended / :streams
\set appended :appended + 1
SELECT eventcore_append_compact(ARRAY[:stream], ARRAY[:version::bigint], ARRAY[:stream], '{MoneyMoved}', ARRAY[:payload]);
