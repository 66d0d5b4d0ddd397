-- One of :workers workers, number :worker. Each transfer is a statement of its own, and so a transaction.
CREATE TEMP TABLE lines (number serial, sender text, receiver text, cents bigint);
-- As an editor counts: the first transfer is in line 2.
ALTER SEQUENCE lines_number_seq RESTART 2;
\copy lines (sender, receiver, cents) FROM 'transfers.csv' WITH (FORMAT csv, HEADER)

-- The outcome: the code of a rejection; any other failure is an error.
CREATE FUNCTION pg_temp.transfer(input jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail jsonb;
BEGIN
    PERFORM eventcore_execute('transfer_money', input);
    RETURN 'accepted';
EXCEPTION WHEN SQLSTATE 'SE006' THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN detail->>'sqlstate';
END
$$;

SELECT format('SELECT pg_temp.transfer(%L)',
              jsonb_build_object('from', 'account-' || sender, 'to', 'account-' || receiver,
                                 'cents', cents, 'transfer', number))
  FROM lines
 WHERE number % :workers = :worker
 ORDER BY number
\gexec
