-- Checkpoints of projections that run in a client: how far each has come, written in the transaction that
-- writes what it made of the events.

CREATE TABLE eventcore.checkpoints (
    position        bigint      NOT NULL,
    changed_at      timestamptz NOT NULL DEFAULT pg_catalog.now(),
    projection      text        COLLATE "C" NOT NULL,
    CONSTRAINT checkpoints_pkey PRIMARY KEY (projection)
) USING heap WITH (fillfactor = 50);
COMMENT ON TABLE eventcore.checkpoints IS
    'How far each projection of a client has come. Written by eventcore_advance_checkpoint.';
COMMENT ON COLUMN eventcore.checkpoints.position IS 'Every event up to here has taken effect.';
COMMENT ON COLUMN eventcore.checkpoints.changed_at IS 'When the transaction began that brought it here.';
COMMENT ON COLUMN eventcore.checkpoints.projection IS
    'Its name: 1 to 255 bytes, no ASCII control characters.';
SELECT pg_catalog.pg_extension_config_dump('eventcore.checkpoints', '');

CREATE FUNCTION eventcore_checkpoint(projection text) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM eventcore.check_name('projection', eventcore_checkpoint.projection);
    RETURN coalesce((SELECT c.position FROM eventcore.checkpoints c
                      WHERE c.projection = eventcore_checkpoint.projection COLLATE "C"), 0);
END
$$;
COMMENT ON FUNCTION eventcore_checkpoint(text) IS
$$How far a projection has come; 0 if nobody has advanced it yet. SE003 malformed argument.$$;

CREATE FUNCTION eventcore_advance_checkpoint(projection text, from_position bigint, to_position bigint) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    projection CONSTANT text COLLATE "C" := projection;
    actual bigint;
BEGIN
    PERFORM eventcore.check_name('projection', projection);
    IF from_position IS NULL OR from_position < 0 THEN
        PERFORM eventcore.fail_malformed('from_position', 'is not a position, from 0');
    ELSIF to_position IS NULL OR to_position < 0 THEN
        PERFORM eventcore.fail_malformed('to_position', 'is not a position, from 0');
    END IF;
    IF from_position = 0 THEN
        INSERT INTO eventcore.checkpoints (projection, position) VALUES (projection, to_position)
        ON CONFLICT ON CONSTRAINT checkpoints_pkey DO UPDATE
           SET position = to_position, changed_at = now() WHERE checkpoints.position = 0;
    ELSE
        UPDATE eventcore.checkpoints c SET position = to_position, changed_at = now()
         WHERE c.projection = projection AND c.position = from_position;
    END IF;
    IF NOT FOUND THEN
        actual := coalesce((SELECT c.position FROM eventcore.checkpoints c WHERE c.projection = projection), 0);
        PERFORM eventcore.fail_moved(projection, from_position, actual);
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore_advance_checkpoint(text, bigint, bigint) IS
$$Brings a projection from one position to another, in the transaction that writes what it made of the events
between them: so each takes effect exactly once. Call it first in that transaction: another process that runs
the same projection then waits, and fails. Back to an earlier position is allowed, to rebuild it.
SE003 malformed argument. SE008 the projection is not at from_position.$$;

REVOKE ALL ON FUNCTION eventcore_checkpoint(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore_advance_checkpoint(text, bigint, bigint) FROM PUBLIC;
