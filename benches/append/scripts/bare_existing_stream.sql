\set stream 1000000000000000 + :client_id * 1000000000 + mod(:appended, :streams)
\set version 2 + :appended / :streams
\set appended :appended + 1
INSERT INTO bare (position, version, recorded_at, event_id, stream_id, event_type, payload)
VALUES (nextval('bare_position'), :version, clock_timestamp(), gen_random_uuid(), :stream, 'MoneyMoved', :payload::jsonb);
