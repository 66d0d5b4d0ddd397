-- The tables of the read models. Both projections write them: the one inside the server
-- (projection.sql) and the one of the client (src/read_models/client.rs).

CREATE TABLE IF NOT EXISTS orders (
    order_id            uuid PRIMARY KEY,
    customer_id         uuid NOT NULL,
    state               text NOT NULL,
    submitted           boolean NOT NULL DEFAULT false,
    -- Each item as the payload of ItemAdded.
    items               jsonb NOT NULL DEFAULT '[]',
    total_cents         bigint NOT NULL DEFAULT 0,
    tracking_number     text,
    cancellation_reason text,
    version             bigint NOT NULL,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS orders_newest ON orders (created_at DESC, order_id DESC);
CREATE INDEX IF NOT EXISTS orders_current ON orders (state) WHERE state IN ('Draft', 'Reserved', 'Processing');
CREATE INDEX IF NOT EXISTS orders_customer ON orders (customer_id, created_at);

CREATE OR REPLACE VIEW current_orders AS
    SELECT order_id, customer_id, state, jsonb_array_length(items) AS item_count, total_cents AS total_amount,
           created_at, updated_at, items
      FROM orders WHERE state IN ('Draft', 'Reserved', 'Processing');

CREATE OR REPLACE VIEW order_history AS
    SELECT order_id, customer_id, state, jsonb_array_length(items) AS item_count, total_cents AS total_amount,
           created_at, updated_at, items,
           CASE state WHEN 'Completed' THEN updated_at END AS completed_at,
           CASE state WHEN 'Cancelled' THEN updated_at END AS cancelled_at,
           tracking_number, cancellation_reason
      FROM orders WHERE state IN ('Completed', 'Cancelled');

CREATE TABLE IF NOT EXISTS customers (
    customer_id       uuid PRIMARY KEY,
    total_orders      bigint NOT NULL DEFAULT 0,
    active_orders     bigint NOT NULL DEFAULT 0,
    completed_orders  bigint NOT NULL DEFAULT 0,
    cancelled_orders  bigint NOT NULL DEFAULT 0,
    total_spent_cents bigint NOT NULL DEFAULT 0
);

CREATE TABLE IF NOT EXISTS inventory (
    product_id                text COLLATE "C" PRIMARY KEY,
    product_name              text NOT NULL,
    available                 bigint NOT NULL DEFAULT 0,
    total_quantity_ordered    bigint NOT NULL DEFAULT 0,
    quantity_in_active_orders bigint NOT NULL DEFAULT 0,
    quantity_reserved         bigint NOT NULL DEFAULT 0,
    quantity_completed        bigint NOT NULL DEFAULT 0,
    total_revenue_cents       bigint NOT NULL DEFAULT 0,
    order_count               bigint NOT NULL DEFAULT 0
);
