-- The roles of the service `orders` and of monitoring, in the database of the service. Run it as a
-- superuser after CREATE EXTENSION eventcore; it may be run again.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'orders') THEN
        CREATE ROLE orders LOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'exporter') THEN
        CREATE ROLE exporter LOGIN;
    END IF;
    -- The schema for a rebuild of the read models is made by the service.
    EXECUTE format('GRANT CREATE ON DATABASE %I TO orders', current_database());
END $$;

-- 3 processes with 20 connections each, one listener each, and workers of projections.
ALTER ROLE orders CONNECTION LIMIT 80;
-- An append in a transaction that stays open stops all readers.
ALTER ROLE orders SET idle_in_transaction_session_timeout = '30s';
-- Also for each batch of the read models' handler.
ALTER ROLE orders SET statement_timeout = '60s';

-- The tables of the read models are in a schema of their own.
CREATE SCHEMA IF NOT EXISTS orders AUTHORIZATION orders;
GRANT eventcore_reader, eventcore_writer, eventcore_subscriber, eventcore_projector TO orders;

-- pg_monitor is what CloudNativePG's exporter is a member of.
ALTER ROLE exporter CONNECTION LIMIT 3;
GRANT pg_monitor TO exporter;
GRANT eventcore_monitor TO pg_monitor;
