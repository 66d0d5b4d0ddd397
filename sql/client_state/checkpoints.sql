-- Checkpoints of projections that run in a client. The transaction that writes the read model also writes the checkpoint.

CREATE TABLE eventcore.checkpoints (
    position        bigint      NOT NULL,
    home_id         bigint      NOT NULL,
    changed_at      timestamptz NOT NULL DEFAULT pg_catalog.now(),
    projection      text        COLLATE "C" NOT NULL,
    CONSTRAINT checkpoints_pkey PRIMARY KEY (projection),
    CONSTRAINT checkpoints_projection_check CHECK (octet_length(projection) BETWEEN 1 AND 255 AND projection !~ E'[\\u0001-\\u001f\\u007f]'),
    CONSTRAINT checkpoints_position_check CHECK (position BETWEEN 0 AND 4611686018427387904)
) USING heap WITH (fillfactor = 50);
COMMENT ON TABLE eventcore.checkpoints IS
    'How far each projection of a client has come. Written by eventcore_advance_checkpoint.';
COMMENT ON COLUMN eventcore.checkpoints.position IS 'Every event up to here has taken effect.';
COMMENT ON COLUMN eventcore.checkpoints.home_id IS
    'The database that the projection follows: eventcore.home_id() of that one.';
COMMENT ON COLUMN eventcore.checkpoints.changed_at IS 'When the transaction that wrote this position began.';
COMMENT ON COLUMN eventcore.checkpoints.projection IS
    'Its name: 1 to 255 bytes, no ASCII control characters.';
SELECT pg_catalog.pg_extension_config_dump('eventcore.checkpoints', '');
CREATE TRIGGER checkpoints_settle BEFORE INSERT ON eventcore.checkpoints
    FOR EACH ROW EXECUTE FUNCTION eventcore.settle();
COMMENT ON TRIGGER checkpoints_settle ON eventcore.checkpoints IS
    'A checkpoint that is advanced or restored here belongs to this database; a replicated one does not.';

CREATE FUNCTION @extschema@.eventcore_checkpoint(projection text) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    found_one eventcore.checkpoints;
BEGIN
    PERFORM eventcore.check_name('projection', projection);
    SELECT * INTO found_one FROM eventcore.checkpoints c WHERE c.projection = projection COLLATE "C";
    IF found_one.home_id <> eventcore.home_id() THEN
        PERFORM eventcore.fail_copied('checkpoint', projection);
    END IF;
    RETURN coalesce(found_one.position, 0);
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_checkpoint(text) IS
$$The checkpoint of a projection; 0 if it has not been advanced yet. SE003 malformed argument. SE009 the checkpoint is a copy
that belongs to another database.$$;

CREATE FUNCTION @extschema@.eventcore_advance_checkpoint(projection text, from_position bigint, to_position bigint) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    projection CONSTANT text COLLATE "C" := projection;
    found_one eventcore.checkpoints;
BEGIN
    PERFORM eventcore.check_name('projection', projection);
    IF from_position IS NULL OR from_position < 0 THEN
        PERFORM eventcore.fail_malformed('from_position', 'is not a position, from 0');
    ELSIF to_position IS NULL OR to_position < 0 THEN
        PERFORM eventcore.fail_malformed('to_position', 'is not a position, from 0');
    END IF;
    PERFORM eventcore.require_told(to_position, true);
    IF from_position = 0 THEN
        INSERT INTO eventcore.checkpoints (projection, position, home_id) VALUES (projection, to_position, eventcore.home_id())
        ON CONFLICT ON CONSTRAINT checkpoints_pkey DO UPDATE
           SET position = to_position, changed_at = now()
         WHERE checkpoints.position = 0 AND checkpoints.home_id = eventcore.home_id();
    ELSE
        UPDATE eventcore.checkpoints c SET position = to_position, changed_at = now()
         WHERE c.projection = projection AND c.position = from_position AND c.home_id = eventcore.home_id();
    END IF;
    IF NOT FOUND THEN
        SELECT * INTO found_one FROM eventcore.checkpoints c WHERE c.projection = projection;
        IF found_one.home_id <> eventcore.home_id() THEN
            PERFORM eventcore.fail_copied('checkpoint', projection);
        END IF;
        PERFORM eventcore.fail_moved(projection, from_position, coalesce(found_one.position, 0));
    END IF;
    RETURN true;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_advance_checkpoint(text, bigint, bigint) IS
$$Advances a projection from one position to another, in the transaction that writes the effects of the events between
them: so each event takes effect exactly once. Call it first in that transaction: another process that runs the same
projection then waits, and fails. to_position may be lower than from_position, to rebuild the projection.
SE003 malformed argument. SE008 the projection is not at from_position. SE009 the checkpoint is a copy that belongs to
another database. SE011 to_position is of another history.$$;
