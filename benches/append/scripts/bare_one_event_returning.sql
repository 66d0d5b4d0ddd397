\set stream random(1000000000000000, 9000000000000000)
INSERT INTO bare (position, version, recorded_at, event_id, stream_id, event_type, payload)
VALUES (nextval('bare_position'), 1, clock_timestamp(), gen_random_uuid(), :stream, 'MoneyMoved', :payload::jsonb)
RETURNING position AS first_position, position AS last_position, version, recorded_at, false AS repeated;
