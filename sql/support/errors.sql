-- Errors that functions in SQL and PL/pgSQL raise. Rust has their texts, their SQLSTATEs and their DETAIL.
--
-- Two SE009s are raised in SQL itself: `encoding`, before any function exists, and `immutable`, by a trigger that fires for
-- roles with no privilege on these functions.

CREATE FUNCTION eventcore.fail_malformed(argument text, reason text, index integer DEFAULT NULL) RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_fail_malformed';
COMMENT ON FUNCTION eventcore.fail_malformed(text, text, integer) IS
    'Raises SE003; the reason completes the sentence that begins with the argument, or with its element from 0.';

CREATE FUNCTION eventcore.fail_unknown(subscription text) RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_fail_unknown';
COMMENT ON FUNCTION eventcore.fail_unknown(text) IS 'Raises SE007: there is no subscription with this name.';

CREATE FUNCTION eventcore.fail_lost(subscription text, lease_id uuid, positions bigint[]) RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_fail_lost';
COMMENT ON FUNCTION eventcore.fail_lost(text, uuid, bigint[]) IS
    'Raises SE008 for positions that a lease does not hold; without positions, for a lease that holds no events.';

CREATE FUNCTION eventcore.fail_moved(projection text, expected bigint, actual bigint) RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_fail_moved';
COMMENT ON FUNCTION eventcore.fail_moved(text, bigint, bigint) IS
    'Raises SE008 for a checkpoint that is not at the expected position.';

CREATE FUNCTION eventcore.fail_unknown_projection(projection text) RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_fail_unknown_projection';
COMMENT ON FUNCTION eventcore.fail_unknown_projection(text) IS
    'Raises SE007: there is no projection with this name.';

CREATE FUNCTION eventcore.fail_copied(kind text, name text) RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_fail_copied';
COMMENT ON FUNCTION eventcore.fail_copied(text, text) IS
    'Raises SE009: this subscription, checkpoint or projection belongs to another database.';

CREATE FUNCTION eventcore.fail_unavailable(reason text, subjects text[]) RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_fail_unavailable';
COMMENT ON FUNCTION eventcore.fail_unavailable(text, text[]) IS
    'Raises SE009 with this reason. subjects: the names in its message, in the order that extension/src/error/unavailable.rs expects. SE003 for another reason or another number of names.';
