CREATE ROLE shop LOGIN;
GRANT eventcore_writer, eventcore_subscriber, eventcore_projector TO shop;
GRANT CREATE ON SCHEMA public TO shop;
SET ROLE shop;
CREATE SEQUENCE order_numbers;
CREATE TABLE mails (stream_id text PRIMARY KEY, sent_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE turnover (stream_id text PRIMARY KEY, amount numeric NOT NULL);
