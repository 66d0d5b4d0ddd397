-- Histories. A promotion, a recovery to a point in time and a restore each begin another history: events that readers of
-- the old server have seen may be missing, and others may come instead. So that no position is used twice, another history
-- begins at a multiple of 2^32 above all known positions. It has a row here.

CREATE TABLE eventcore.history (
    first_position    bigint      NOT NULL,
    reserved_position bigint      NOT NULL,
    agreed_position   bigint      NOT NULL,
    began_at          timestamptz NOT NULL,
    system_identifier bigint      NOT NULL,
    timeline          bigint      NOT NULL,
    database          oid         NOT NULL,
    cause             text        COLLATE "C" NOT NULL
) USING heap;
COMMENT ON TABLE eventcore.history IS
    'One row for each history of this store, written when it begins. The row stays even if the transaction that began the history rolls back.';
COMMENT ON COLUMN eventcore.history.first_position IS
    'Where the history begins: no event and no checkpoint of it has a lower position. 1, or a multiple of 2^32.';
COMMENT ON COLUMN eventcore.history.reserved_position IS
    'The last position of the previous history that was known to be reserved. A reader between this and first_position comes from another history (SE011).';
COMMENT ON COLUMN eventcore.history.agreed_position IS
    'Up to here this history and the previous one are the same.';
COMMENT ON COLUMN eventcore.history.began_at IS 'When it began, by the server''s clock.';
COMMENT ON COLUMN eventcore.history.system_identifier IS
    'The cluster that writes it, as in pg_control_system().';
COMMENT ON COLUMN eventcore.history.timeline IS 'The timeline that it is written on.';
COMMENT ON COLUMN eventcore.history.database IS 'The OID of the database that it is written in.';
COMMENT ON COLUMN eventcore.history.cause IS
    'new: the store was empty; timeline: a standby was promoted, or a recovery ended at a point in time; database: the database is a copy by CREATE DATABASE; cluster: it was restored elsewhere, or upgraded; rows: events came by SQL; behind: the sequence of positions was behind the tables.';

SELECT pg_catalog.pg_extension_config_dump('eventcore.history', '');

CREATE FUNCTION eventcore.require_told("position" bigint, or_reserved boolean) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'eventcore_require_told';
COMMENT ON FUNCTION eventcore.require_told(bigint, boolean) IS
    'SE011 if this position is between two histories of this store or, with or_reserved, above every position that was ever reserved: it is of another history.';
