-- Snapshots of states that commands of clients have folded from streams. They save reads, no result depends on them, and
-- they are not dumped.

CREATE TABLE eventcore.snapshots (
    taken_at        timestamptz NOT NULL DEFAULT pg_catalog.now(),
    name            text        COLLATE "C" NOT NULL,
    streams_digest  bytea       NOT NULL,
    streams         text[]      COLLATE "C" NOT NULL,
    versions        bigint[]    NOT NULL,
    state           jsonb       NOT NULL,
    CONSTRAINT snapshots_pkey PRIMARY KEY (name, streams_digest)
);
COMMENT ON TABLE eventcore.snapshots IS
    'States of streams up to a version, saved by clients. Any row may be deleted at any time.';
COMMENT ON COLUMN eventcore.snapshots.taken_at IS 'When it was saved.';
COMMENT ON COLUMN eventcore.snapshots.name IS
    'The name that the client gives this kind of state: 1 to 255 bytes, no ASCII control characters.';
COMMENT ON COLUMN eventcore.snapshots.streams_digest IS
    'SHA-256 of the list of streams, which may be too long for an index.';
COMMENT ON COLUMN eventcore.snapshots.streams IS 'The streams, in the order in which the client gave them.';
COMMENT ON COLUMN eventcore.snapshots.versions IS 'For each stream, the version up to which the state includes it.';
COMMENT ON COLUMN eventcore.snapshots.state IS 'The state, as the client serialized it.';

CREATE FUNCTION eventcore.streams_digest(streams text[]) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.array_to_json(streams)::text, 'UTF8'));
END;
COMMENT ON FUNCTION eventcore.streams_digest(text[]) IS 'The key by which a list of streams is looked up.';

CREATE FUNCTION @extschema@.eventcore_load_snapshot(name text, streams text[])
RETURNS TABLE (versions bigint[], state jsonb, taken_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    SELECT s.versions, s.state, s.taken_at
      FROM eventcore.snapshots s
     WHERE s.name = eventcore_load_snapshot.name COLLATE "C"
       AND s.streams_digest = eventcore.streams_digest(eventcore_load_snapshot.streams)
       AND s.streams = eventcore_load_snapshot.streams COLLATE "C";
END;
COMMENT ON FUNCTION @extschema@.eventcore_load_snapshot(text, text[]) IS
$$The snapshot with this name of these streams, in this order: for each stream the version up to which the state includes
it, and the state. No row if there is no such snapshot. Read the later events with
eventcore_read_streams(streams, after_versions => versions).$$;

CREATE FUNCTION @extschema@.eventcore_save_snapshot(name text, streams text[], versions bigint[], state jsonb) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
-- Another session may be saving the same snapshot in a long transaction: a snapshot is not worth the wait.
SET lock_timeout = '200 ms'
AS $$
#variable_conflict use_variable
DECLARE
    name    CONSTANT text   COLLATE "C" := name;
    streams CONSTANT text[] COLLATE "C" := streams;
    digest  CONSTANT bytea := eventcore.streams_digest(streams);
    heads bigint[];
    kept_streams text[];
    kept_versions bigint[];
    place integer;
BEGIN
    PERFORM eventcore.check_name('name', name);
    -- Refuses an argument that is not a list of streams.
    heads := ARRAY(SELECT v.version FROM eventcore.stream_versions(streams) v);
    IF cardinality(heads) = 0 THEN
        PERFORM eventcore.fail_malformed('streams', 'is empty');
    ELSIF versions IS NULL OR array_ndims(versions) <> 1 OR cardinality(versions) <> cardinality(heads) THEN
        PERFORM eventcore.fail_malformed('versions', 'has not one element for each stream');
    ELSIF state IS NULL THEN
        PERFORM eventcore.fail_malformed('state', 'is NULL');
    END IF;
    versions := ARRAY(SELECT unnest(versions));
    FOR place IN 1 .. cardinality(versions) LOOP
        IF versions[place] IS NULL OR versions[place] < 0 THEN
            PERFORM eventcore.fail_malformed('versions', 'is not a version, from 0', place - 1);
        ELSIF versions[place] > heads[place] THEN
            PERFORM eventcore.fail_malformed('versions', 'is above the version of its stream', place - 1);
        END IF;
    END LOOP;

    BEGIN
        INSERT INTO eventcore.snapshots (name, streams_digest, streams, versions, state)
        VALUES (name, digest, streams, versions, state)
        ON CONFLICT ON CONSTRAINT snapshots_pkey DO NOTHING;
        IF FOUND THEN
            RETURN true;
        END IF;
        SELECT s.streams, s.versions INTO kept_streams, kept_versions FROM eventcore.snapshots s
         WHERE s.name = name AND s.streams_digest = digest
           FOR UPDATE;
    EXCEPTION WHEN lock_not_available THEN
        RETURN false;
    END;
    -- Read again, now that the row is locked: the previous lock holder may have written to the streams.
    heads := ARRAY(SELECT v.version FROM eventcore.stream_versions(streams) v);
    UPDATE eventcore.snapshots s
       SET taken_at = now(), streams = streams, versions = versions, state = state
     WHERE s.name = name AND s.streams_digest = digest
       AND (kept_streams <> streams
            OR NOT EXISTS (SELECT FROM unnest(kept_versions, versions) AS v (kept, given) WHERE v.kept > v.given)
            -- It is ahead of its streams, so no client can use it.
            OR EXISTS (SELECT FROM unnest(kept_versions, heads) AS v (kept, head) WHERE v.kept > v.head));
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_save_snapshot(text, text[], bigint[], jsonb) IS
$$Saves a state of these streams, each up to the version given, in place of an older one. Returns whether it did: false if
the saved one includes more of a stream, or if another session is saving one. SE003 malformed argument.$$;
