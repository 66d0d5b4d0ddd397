//! Reads the tables of the read models.

use std::sync::Arc;
use std::time::SystemTime;

use eventcore::postgres::tokio_postgres::types::{ToSql, Type};
use eventcore::postgres::tokio_postgres::{Error, Row};
use eventcore::{Position, PostgresEventStore, ProjectionStore, StoreError};
use uuid::Uuid;

use super::order_row::{order_from, unsigned};
use super::{
    CustomerOrder, CustomerRow, OrderPage, OrderQuery, ProductOrder, ProductRow, ReadError,
    Statistics,
};
use crate::domain::ProductId;

/// A parameter with its type, so that no statement has to be prepared.
pub(super) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// Runs one statement.
pub(super) async fn query(
    store: &PostgresEventStore,
    sql: &str,
    parameters: &[Parameter<'_>],
) -> Result<Vec<Row>, ReadError> {
    let transaction = store.begin().await?;
    let rows = transaction.query_typed(sql, parameters).await;
    let rows = rows.map_err(|error| failed(store, error))?;
    store.commit(transaction).await?;
    Ok(rows)
}

/// What a failed statement means: if the server was lost, the same works again later.
pub(super) fn failed(store: &PostgresEventStore, error: Error) -> ReadError {
    match store.is_passing(&error) {
        true => StoreError::transient(error).into(),
        false => error.into(),
    }
}

const ORDERS: &str = "SELECT * FROM orders
     WHERE ($1::boolean IS NULL OR (state IN ('Draft', 'Reserved', 'Processing')) = $1)
       AND ($2::text IS NULL OR state = $2)
       AND ($3::uuid IS NULL OR customer_id = $3)
       AND ($4::timestamptz IS NULL OR (created_at, order_id) < ($4, $5))
     ORDER BY created_at DESC, order_id DESC LIMIT $6";

/// One order, for the projection that changes it.
pub(super) const ORDER: &str = "SELECT * FROM orders WHERE order_id = $1";

pub(super) async fn orders(
    store: &PostgresEventStore,
    wanted: &OrderQuery,
) -> Result<OrderPage, ReadError> {
    let state = wanted.state.map(|state| state.name());
    let after = wanted
        .after
        .map(|after| SystemTime::try_from(after.created_at))
        .transpose();
    let after = after.map_err(|error| ReadError::Row(error.to_string()))?;
    let parameters: [Parameter<'_>; 6] = [
        (&wanted.view.active(), Type::BOOL),
        (&state, Type::TEXT),
        (&wanted.customer, Type::UUID),
        (&after, Type::TIMESTAMPTZ),
        (&wanted.after.map(|after| after.order.uuid()), Type::UUID),
        (&(i64::from(wanted.limit) + 1), Type::INT8),
    ];
    let rows = query(store, ORDERS, &parameters).await?;
    let orders = rows.iter().map(|row| order_from(row).map(Arc::new));
    let orders: Result<_, _> = orders.collect();
    Ok(OrderPage::new(orders?, wanted.limit as usize))
}

const CUSTOMERS: &str =
    "SELECT c.*, ARRAY(SELECT order_id FROM orders o WHERE o.customer_id = c.customer_id
        ORDER BY created_at, order_id LIMIT 1000) AS order_ids
    FROM customers c WHERE ($1::uuid IS NULL OR customer_id = $1)
    ORDER BY CASE WHEN $2 THEN total_spent_cents ELSE total_orders END DESC, customer_id LIMIT $3";

pub(super) async fn customers(
    store: &PostgresEventStore,
    sort: CustomerOrder,
    limit: u32,
) -> Result<Vec<CustomerRow>, ReadError> {
    select_customers(store, None, sort, limit).await
}

pub(super) async fn customer(
    store: &PostgresEventStore,
    id: Uuid,
) -> Result<Option<CustomerRow>, ReadError> {
    Ok(select_customers(store, Some(id), CustomerOrder::Spent, 1)
        .await?
        .pop())
}

async fn select_customers(
    store: &PostgresEventStore,
    id: Option<Uuid>,
    sort: CustomerOrder,
    limit: u32,
) -> Result<Vec<CustomerRow>, ReadError> {
    let parameters: [Parameter<'_>; 3] = [
        (&id, Type::UUID),
        (&(sort == CustomerOrder::Spent), Type::BOOL),
        (&i64::from(limit), Type::INT8),
    ];
    let rows = query(store, CUSTOMERS, &parameters).await?;
    let rows = rows.iter().map(|row| {
        Ok(CustomerRow {
            customer_id: row.try_get("customer_id")?,
            total_orders: row.try_get("total_orders")?,
            active_orders: row.try_get("active_orders")?,
            completed_orders: row.try_get("completed_orders")?,
            cancelled_orders: row.try_get("cancelled_orders")?,
            total_spent_cents: row.try_get("total_spent_cents")?,
            order_ids: row.try_get("order_ids")?,
        })
    });
    rows.collect()
}

const PRODUCTS: &str = "SELECT * FROM inventory WHERE ($1::text IS NULL OR product_id = $1)
    ORDER BY CASE $2 WHEN 'demand' THEN total_quantity_ordered WHEN 'revenue' THEN total_revenue_cents END DESC,
             product_name COLLATE \"C\", product_id LIMIT $3";

pub(super) async fn products(
    store: &PostgresEventStore,
    sort: ProductOrder,
    limit: u32,
) -> Result<Vec<ProductRow>, ReadError> {
    select_products(store, None, sort, limit).await
}

pub(super) async fn product(
    store: &PostgresEventStore,
    id: &ProductId,
) -> Result<Option<ProductRow>, ReadError> {
    Ok(select_products(store, Some(id), ProductOrder::Name, 1)
        .await?
        .pop())
}

async fn select_products(
    store: &PostgresEventStore,
    id: Option<&ProductId>,
    sort: ProductOrder,
    limit: u32,
) -> Result<Vec<ProductRow>, ReadError> {
    let sort = match sort {
        ProductOrder::Demand => "demand",
        ProductOrder::Revenue => "revenue",
        ProductOrder::Name => "name",
    };
    let parameters: [Parameter<'_>; 3] = [
        (&id.map(ProductId::as_str), Type::TEXT),
        (&sort, Type::TEXT),
        (&i64::from(limit), Type::INT8),
    ];
    let rows = query(store, PRODUCTS, &parameters).await?;
    let rows = rows.iter().map(|row| {
        Ok(ProductRow {
            product_id: row.try_get("product_id")?,
            product_name: row.try_get("product_name")?,
            available: row.try_get("available")?,
            total_quantity_ordered: row.try_get("total_quantity_ordered")?,
            quantity_in_active_orders: row.try_get("quantity_in_active_orders")?,
            quantity_reserved: row.try_get("quantity_reserved")?,
            quantity_completed: row.try_get("quantity_completed")?,
            total_revenue_cents: row.try_get("total_revenue_cents")?,
            order_count: row.try_get("order_count")?,
        })
    });
    rows.collect()
}

/// What has ended is counted in the customers' sums, so that only current orders are looked at.
const STATISTICS: &str = "SELECT
    (SELECT count(*) FROM orders WHERE state = 'Draft') AS draft,
    (SELECT count(*) FROM orders WHERE state = 'Reserved') AS reserved,
    (SELECT count(*) FROM orders WHERE state = 'Processing') AS processing,
    count(*) AS customers,
    (SELECT count(*) FROM inventory) AS products,
    coalesce(sum(completed_orders), 0)::bigint AS completed,
    coalesce(sum(cancelled_orders), 0)::bigint AS cancelled,
    coalesce(sum(total_spent_cents), 0)::bigint AS revenue_cents
    FROM customers";

pub(super) async fn statistics(store: &PostgresEventStore) -> Result<Statistics, ReadError> {
    let rows = query(store, STATISTICS, &[]).await?;
    let row = rows
        .first()
        .ok_or_else(|| ReadError::Row("no statistics".to_owned()))?;
    let mut statistics = Statistics {
        customers: row.try_get("customers")?,
        products: row.try_get("products")?,
        revenue_cents: row.try_get("revenue_cents")?,
        ..Statistics::default()
    };
    statistics.orders.draft = row.try_get("draft")?;
    statistics.orders.reserved = row.try_get("reserved")?;
    statistics.orders.processing = row.try_get("processing")?;
    statistics.orders.completed = row.try_get("completed")?;
    statistics.orders.cancelled = row.try_get("cancelled")?;
    Ok(statistics)
}

const REBUILT: &str = "SELECT checkpoint FROM eventcore.projections WHERE rebuilds = 'shop'";

/// How far the rebuild of the projection inside the server is, if there is one.
pub(super) async fn rebuilt(store: &PostgresEventStore) -> Result<Option<Position>, ReadError> {
    let rows = query(store, REBUILT, &[]).await?;
    let row = rows.first();
    row.map(|row| Ok(Position::new(unsigned(row.try_get(0)?))))
        .transpose()
}
