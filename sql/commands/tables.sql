-- The tables of commands that run inside the database.

CREATE TABLE eventcore.commands (
    max_attempts      integer     NOT NULL,
    snapshot_every    integer     NOT NULL,
    changed_at        timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    name              text        COLLATE "C" NOT NULL,
    apply             text        NOT NULL,
    handle            text        NOT NULL,
    related_streams   text,
    streams_function  text,
    combine           text,
    streams           text[],
    checked_streams   text[],
    required_fields   jsonb,
    initial_state     jsonb       NOT NULL,
    settings          text[]      NOT NULL DEFAULT '{"search_path=pg_catalog, pg_temp"}',
    function_owners   text[]      COLLATE "C" NOT NULL DEFAULT '{}',
    CONSTRAINT commands_pkey PRIMARY KEY (name),
    CONSTRAINT commands_name_check CHECK (octet_length(name) BETWEEN 1 AND 255 AND name !~ E'[\\u0001-\\u001f\\u007f]')
);
COMMENT ON TABLE eventcore.commands IS 'The registered commands. Written by eventcore_register_command.';
COMMENT ON COLUMN eventcore.commands.max_attempts IS
    'How often an execution may start again because it found that it needs another stream.';
COMMENT ON COLUMN eventcore.commands.snapshot_every IS
    'An execution that reads this many events of a stream saves its state; 0: never.';
COMMENT ON COLUMN eventcore.commands.changed_at IS
    'When it was registered or replaced, or its saved states were discarded: older states are not used.';
COMMENT ON COLUMN eventcore.commands.name IS 'Its name: 1 to 255 bytes, no ASCII control characters.';
COMMENT ON COLUMN eventcore.commands.apply IS
    'The function (state jsonb, event eventcore.events), or (state jsonb, events eventcore.events[]), that returns the next state.';
COMMENT ON COLUMN eventcore.commands.handle IS 'The function (state jsonb, input jsonb) that returns the events to write.';
COMMENT ON COLUMN eventcore.commands.related_streams IS
    'The function (state jsonb, input jsonb) that returns further streams to read; NULL: none.';
COMMENT ON COLUMN eventcore.commands.streams_function IS
    'The function (input jsonb) that returns the streams; NULL: the input names them.';
COMMENT ON COLUMN eventcore.commands.combine IS
    'The function (state jsonb, state jsonb), or (states jsonb[]), that combines the states of streams into one; NULL: there is no such function.';
COMMENT ON COLUMN eventcore.commands.streams IS 'JSON pointers to streams in the input.';
COMMENT ON COLUMN eventcore.commands.checked_streams IS
    'JSON pointers to streams in the input that are read and checked, and not written.';
COMMENT ON COLUMN eventcore.commands.required_fields IS
    'An object: JSON pointers into the input, each with the required type of the value.';
COMMENT ON COLUMN eventcore.commands.initial_state IS 'The state before the first event.';
COMMENT ON COLUMN eventcore.commands.settings IS
    'The settings, each as name=value, that its functions run with, whatever the settings of the executing session.';
COMMENT ON COLUMN eventcore.commands.function_owners IS
    'The roles that owned its functions when it was registered. A function with the same name is not called if it belongs to another role, except a superuser.';
SELECT pg_catalog.pg_extension_config_dump('eventcore.commands', '');

CREATE TABLE eventcore.executions (
    recorded_at       timestamptz NOT NULL,
    first_position    bigint,
    last_position     bigint,
    command           text        COLLATE "C" NOT NULL,
    idempotency_key   text        COLLATE "C" NOT NULL,
    streams           text[]      NOT NULL,
    versions          bigint[]    NOT NULL,
    CONSTRAINT executions_pkey PRIMARY KEY (command, idempotency_key)
);
COMMENT ON TABLE eventcore.executions IS
    'The results of executions with an idempotency key. Once a row is deleted, its key can be used again.';
COMMENT ON COLUMN eventcore.executions.recorded_at IS 'When it was executed.';
COMMENT ON COLUMN eventcore.executions.first_position IS 'The position of its first event; NULL if it wrote none.';
COMMENT ON COLUMN eventcore.executions.last_position IS 'The position of its last event; NULL if it wrote none.';
COMMENT ON COLUMN eventcore.executions.command IS 'The command.';
COMMENT ON COLUMN eventcore.executions.idempotency_key IS
    'The key that the caller gave: 1 to 255 bytes, no ASCII control characters.';
COMMENT ON COLUMN eventcore.executions.streams IS 'The streams that it read.';
COMMENT ON COLUMN eventcore.executions.versions IS 'The version of each after it.';
SELECT pg_catalog.pg_extension_config_dump('eventcore.executions', '');

-- A cache, which is not dumped. No role has a privilege on it: eventcore_execute reads and writes it beneath SQL. A state is
-- used only for the role that made it, because the settings of that role may have influenced the functions.
CREATE TABLE eventcore.command_states (
    first_version     bigint      NOT NULL,
    last_version      bigint      NOT NULL,
    kept_at           timestamptz NOT NULL,
    made_by           bigint      NOT NULL,
    last_event_id     uuid        NOT NULL,
    role              oid         NOT NULL,
    command           text        COLLATE "C" NOT NULL,
    stream_id         text        COLLATE "C" NOT NULL,
    state             jsonb       NOT NULL,
    CONSTRAINT command_states_pkey PRIMARY KEY (command, stream_id, role)
) USING heap;
COMMENT ON TABLE eventcore.command_states IS
    'States of long streams that eventcore_execute has saved, to read fewer events later. Any row may be deleted at any time.';
COMMENT ON COLUMN eventcore.command_states.first_version IS 'The first version that the state includes.';
COMMENT ON COLUMN eventcore.command_states.last_version IS 'The last version that the state includes, with all between.';
COMMENT ON COLUMN eventcore.command_states.kept_at IS 'When the statement that saved it began.';
COMMENT ON COLUMN eventcore.command_states.made_by IS
    'Identifies the registration and the definition of `apply` that made it: under any other it is not used.';
COMMENT ON COLUMN eventcore.command_states.last_event_id IS 'The id of the last event.';
COMMENT ON COLUMN eventcore.command_states.role IS 'The role whose execution saved it, and in whose executions it is used.';
COMMENT ON COLUMN eventcore.command_states.command IS 'The command.';
COMMENT ON COLUMN eventcore.command_states.stream_id IS 'The stream.';
COMMENT ON COLUMN eventcore.command_states.state IS 'The state of this stream alone, from the initial state of the command.';
