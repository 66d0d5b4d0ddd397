-- In the database of the service, as a superuser, before roles.sql.
CREATE EXTENSION IF NOT EXISTS eventcore;
