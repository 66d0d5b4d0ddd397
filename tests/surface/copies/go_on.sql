-- What a copy does after it was made. Each statement that returns a row reports a mistake.

SELECT 'a new event is at position ' || last_position || ', but a reader has passed it'
  FROM eventcore_append('{account-1}', '{NULL}', '[{"stream": "account-1", "type": "Paid", "payload": {"amount": 5}}]')
 WHERE last_position <= :given;
SELECT pay('account-' || n % 5, 2) FROM generate_series(1, 10) n \g /dev/null

SELECT 'a repeated execution was executed again: ' || x
  FROM eventcore_execute('pay', '{"account": "account-1", "amount": 7}', idempotency_key => E'ü \\ '' ,') x WHERE NOT x.repeated;
SELECT count(*) AS paid FROM eventcore_execute('pay', '{"account": "account-2", "amount": 1}') \gset
SELECT format('a command decided on %s in place of %s', e.payload->'before', o.balance)
  FROM eventcore.events e,
       LATERAL (SELECT sum((v.payload->>'amount')::bigint) AS balance FROM eventcore.events v
                 WHERE v.stream_id = e.stream_id AND v.version < e.version) o
 WHERE e.payload ? 'before' AND (e.payload->>'before')::bigint <> o.balance;

DO $$
BEGIN
    PERFORM eventcore_append('{closed}', '{NULL}', '[{"stream": "closed", "type": "T", "payload": 1}]');
    RAISE 'a closed stream takes events';
EXCEPTION WHEN SQLSTATE 'SE005' THEN
END $$;

SELECT consume('all'), consume('half way'), eventcore_replay_parked('half way'), consume('half way') \g /dev/null
SELECT format('subscription "%s" delivered position %s %s times', s.name, e.position, count(c.position))
  FROM eventcore.events e
 CROSS JOIN eventcore.subscriptions s
  LEFT JOIN consumed c ON c.subscription = s.name AND c.position = e.position
 WHERE s.stream_prefixes IS NULL OR EXISTS (SELECT FROM unnest(s.stream_prefixes) p WHERE starts_with(e.stream_id, p))
 GROUP BY s.name, e.position HAVING count(c.position) <> 1;

SELECT count(eventcore_resume_projection(name)) AS resumed FROM eventcore.projections
 WHERE mode = 'async' AND status <> 'running' \gset
CALL eventcore_wait_for_projection('ledger', timeout => '30 s') \g /dev/null
CALL eventcore_wait_for_projection('without key', timeout => '30 s') \g /dev/null
SELECT format('the ledger has position %s, and the events have %s', l.position, e.position)
  FROM ledger l FULL JOIN eventcore.events e ON l.position = e.position AND l.stream_id = e.stream_id
   AND l.amount = (e.payload->>'amount')::bigint
 WHERE l.position IS NULL OR e.position IS NULL;
SELECT format('the table without a key has position %s %s times', e.position, count(w.position))
  FROM eventcore.events e LEFT JOIN without_key w ON w.position = e.position
 GROUP BY e.position HAVING count(w.position) <> 1;
SELECT format('%s has %s events, and the inline projection counted %s', e.stream_id, count(*), t.events)
  FROM eventcore.events e LEFT JOIN tally t USING (stream_id)
 GROUP BY e.stream_id, t.events HAVING count(*) IS DISTINCT FROM t.events;

BEGIN;
SELECT eventcore_checkpoint('client view') AS seen, eventcore_safe_position() AS safe \gset
SELECT eventcore_advance_checkpoint('client view', :seen, :safe) \g /dev/null
INSERT INTO client_view SELECT position FROM eventcore_read_all(:seen, NULL);
COMMIT;
SELECT format('the client''s view has position %s %s times', e.position, count(v.position))
  FROM eventcore.events e LEFT JOIN client_view v ON v.position = e.position
 GROUP BY e.position HAVING count(v.position) <> 1;

SELECT 'reading in order of positions returns other events than there are'
 WHERE ARRAY(SELECT r.position FROM eventcore_read_all(0, NULL) r)
    <> ARRAY(SELECT e.position FROM eventcore.events e ORDER BY e.position);
SELECT format('stream %s has %s events up to version %s', stream_id, count(*), max(version))
  FROM eventcore.events GROUP BY stream_id HAVING count(*) <> max(version);

DO $$
BEGIN
    SET LOCAL session_replication_role = replica;
    DELETE FROM eventcore.events;
    RAISE 'events can be deleted';
EXCEPTION WHEN SQLSTATE 'SE009' THEN
END $$;
