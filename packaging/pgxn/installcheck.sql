-- What `make installcheck` runs: the extension in a transaction that is rolled back.

\set ON_ERROR_STOP on
SET client_min_messages = warning;
BEGIN;
CREATE EXTENSION eventcore;
SELECT versions FROM eventcore_append('{installcheck}', '{0}',
    '[{"stream": "installcheck", "type": "Installed", "payload": {"works": true}}]');
DO $$
BEGIN
    ASSERT (SELECT count(*) FROM eventcore_read_stream('installcheck')) = 1, 'the event is not there';
    ASSERT NOT EXISTS (SELECT FROM eventcore_check()), 'eventcore_check() reports a finding';
END
$$;
ROLLBACK;
