-- Opens the accounts. `\copy` takes no variables: this runs in the folder of the files.
CREATE TEMP TABLE openings (account text, cents bigint);
\copy openings FROM 'openings.csv' WITH (FORMAT csv, HEADER)
SELECT format('SELECT FROM eventcore_execute(%L, %L)', 'open_account',
              jsonb_build_object('account', 'account-' || account, 'cents', cents))
  FROM openings
\gexec
