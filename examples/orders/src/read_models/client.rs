//! [`Tables`]: the projection of the client that writes the tables in PostgreSQL.

use std::time::SystemTime;

use eventcore::postgres::tokio_postgres::types::Type;
use eventcore::{
    Filter, HandlerError, PostgresEventStore, PostgresTransaction, Projection, StoredEvent,
};

use super::order_row::order_from;
use super::postgres::{ORDER, Parameter};
use super::tally::{CustomerTally, ProductTally, Tally};
use super::{NAME, filter};
use crate::domain::{Order, OrderId, ProductId, ShopEvent, StockEvent};

/// Writes what an event changes, in the transaction of the checkpoint.
pub(super) struct Tables;

impl Projection<PostgresEventStore> for Tables {
    type Event = ShopEvent;

    fn name(&self) -> &str {
        NAME
    }

    fn filter(&self) -> Filter {
        filter()
    }

    async fn apply(
        &mut self,
        stored: StoredEvent<ShopEvent>,
        transaction: &mut PostgresTransaction,
    ) -> Result<(), HandlerError> {
        apply(&stored, transaction).await?;
        metrics::counter!("projections_events_processed").increment(1);
        Ok(())
    }
}

/// Applies one event to the tables.
pub(super) async fn apply(
    stored: &StoredEvent<ShopEvent>,
    transaction: &PostgresTransaction,
) -> Result<(), HandlerError> {
    match &stored.event {
        ShopEvent::Order(event) => {
            let Some(id) = OrderId::of_stream(&stored.stream_id) else {
                return Ok(());
            };
            let rows = transaction
                .query_typed(ORDER, &[(&id.uuid(), Type::UUID)])
                .await?;
            let before = rows.first().map(order_from).transpose()?;
            let tally = Tally::of(before.as_ref());
            if let Some(order) = Order::apply(before, stored, event) {
                save(&order, transaction).await?;
                count(&order, Tally::of(Some(&order)).since(tally), transaction).await?;
            }
        }
        ShopEvent::Stock(event) => {
            if let Some(id) = ProductId::of_stream(&stored.stream_id) {
                stock(&id, event, transaction).await?;
            }
        }
        _ => {}
    }
    Ok(())
}

const SAVE: &str = "INSERT INTO orders (order_id, customer_id, state, submitted, items, total_cents,
        tracking_number, cancellation_reason, version, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    ON CONFLICT (order_id) DO UPDATE SET state = excluded.state, submitted = excluded.submitted,
        items = excluded.items, total_cents = excluded.total_cents, tracking_number = excluded.tracking_number,
        cancellation_reason = excluded.cancellation_reason, version = excluded.version,
        updated_at = excluded.updated_at";

async fn save(order: &Order, transaction: &PostgresTransaction) -> Result<(), HandlerError> {
    let reason = order
        .cancellation_reason
        .as_ref()
        .map(|reason| reason.as_str());
    let parameters: [Parameter<'_>; 11] = [
        (&order.id.uuid(), Type::UUID),
        (&order.customer.uuid(), Type::UUID),
        (&order.state.name(), Type::TEXT),
        (&order.submitted, Type::BOOL),
        (&serde_json::to_value(&order.items)?, Type::JSONB),
        (&i64::try_from(order.total().cents())?, Type::INT8),
        (&order.tracking_number, Type::TEXT),
        (&reason, Type::TEXT),
        (&i64::try_from(order.version.get())?, Type::INT8),
        (&SystemTime::try_from(order.created_at)?, Type::TIMESTAMPTZ),
        (&SystemTime::try_from(order.updated_at)?, Type::TIMESTAMPTZ),
    ];
    transaction.execute_typed(SAVE, &parameters).await?;
    Ok(())
}

const COUNT_CUSTOMER: &str = "INSERT INTO customers AS c VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (customer_id) DO UPDATE SET
        total_orders = c.total_orders + excluded.total_orders,
        active_orders = c.active_orders + excluded.active_orders,
        completed_orders = c.completed_orders + excluded.completed_orders,
        cancelled_orders = c.cancelled_orders + excluded.cancelled_orders,
        total_spent_cents = c.total_spent_cents + excluded.total_spent_cents";

const COUNT_PRODUCT: &str = "INSERT INTO inventory AS i VALUES ($1, $2, 0, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (product_id) DO UPDATE SET
        total_quantity_ordered = i.total_quantity_ordered + excluded.total_quantity_ordered,
        quantity_in_active_orders = i.quantity_in_active_orders + excluded.quantity_in_active_orders,
        quantity_reserved = i.quantity_reserved + excluded.quantity_reserved,
        quantity_completed = i.quantity_completed + excluded.quantity_completed,
        total_revenue_cents = i.total_revenue_cents + excluded.total_revenue_cents,
        order_count = i.order_count + excluded.order_count";

async fn count(
    order: &Order,
    tally: Tally,
    transaction: &PostgresTransaction,
) -> Result<(), HandlerError> {
    if tally.customer != CustomerTally::default() {
        let parameters: [Parameter<'_>; 6] = [
            (&order.customer.uuid(), Type::UUID),
            (&tally.customer.total, Type::INT8),
            (&tally.customer.active, Type::INT8),
            (&tally.customer.completed, Type::INT8),
            (&tally.customer.cancelled, Type::INT8),
            (&tally.customer.spent_cents, Type::INT8),
        ];
        transaction
            .execute_typed(COUNT_CUSTOMER, &parameters)
            .await?;
    }
    for (id, (name, product)) in tally.products {
        if product == ProductTally::default() {
            continue;
        }
        let parameters: [Parameter<'_>; 8] = [
            (&id.as_str(), Type::TEXT),
            (&name.as_str(), Type::TEXT),
            (&product.ordered, Type::INT8),
            (&product.active, Type::INT8),
            (&product.reserved, Type::INT8),
            (&product.completed, Type::INT8),
            (&product.revenue_cents, Type::INT8),
            (&product.orders, Type::INT8),
        ];
        transaction
            .execute_typed(COUNT_PRODUCT, &parameters)
            .await?;
    }
    Ok(())
}

const STOCK: &str = "INSERT INTO inventory AS i (product_id, product_name, available)
    VALUES ($1, coalesce($2, $1), $3)
    ON CONFLICT (product_id) DO UPDATE SET
        product_name = coalesce($2, i.product_name), available = i.available + excluded.available";

async fn stock(
    id: &ProductId,
    event: &StockEvent,
    transaction: &PostgresTransaction,
) -> Result<(), HandlerError> {
    let (name, change) = match event {
        StockEvent::StockReceived {
            product_name,
            quantity,
        } => (Some(product_name.as_str()), i64::from(quantity.get())),
        StockEvent::StockReserved { quantity, .. } => (None, -i64::from(quantity.get())),
        StockEvent::StockReleased { quantity, .. } => (None, i64::from(quantity.get())),
        StockEvent::BookOpened { .. } => return Ok(()),
    };
    let parameters: [Parameter<'_>; 3] = [
        (&id.as_str(), Type::TEXT),
        (&name, Type::TEXT),
        (&change, Type::INT8),
    ];
    transaction.execute_typed(STOCK, &parameters).await?;
    Ok(())
}
