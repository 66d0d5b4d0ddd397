//! An order from its row in the table.

use std::fmt::Display;
use std::time::SystemTime;

use eventcore::StreamVersion;
use eventcore::postgres::tokio_postgres::Row;
use jiff::Timestamp;
use uuid::Uuid;

use super::ReadError;
use crate::domain::{CustomerId, Item, Order, OrderId, Reason};

/// The order of a row with all columns.
pub(super) fn order_from(row: &Row) -> Result<Order, ReadError> {
    let items: Vec<Item> = serde_json::from_value(row.try_get("items")?).map_err(unknown)?;
    let state: &str = row.try_get("state")?;
    let customer = CustomerId::try_from(row.try_get::<_, Uuid>("customer_id")?);
    let reason: Option<String> = row.try_get("cancellation_reason")?;
    Ok(Order {
        id: OrderId::from(row.try_get::<_, Uuid>("order_id")?),
        customer: customer.map_err(unknown)?,
        state: state.parse().map_err(unknown)?,
        submitted: row.try_get("submitted")?,
        items,
        tracking_number: row.try_get("tracking_number")?,
        cancellation_reason: reason.map(Reason::new).transpose().map_err(unknown)?,
        version: StreamVersion::new(unsigned(row.try_get("version")?)),
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
    })
}

/// A number that is never negative.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

fn time(row: &Row, column: &str) -> Result<Timestamp, ReadError> {
    let at: SystemTime = row.try_get(column)?;
    Timestamp::try_from(at).map_err(unknown)
}

fn unknown(error: impl Display) -> ReadError {
    ReadError::Row(error.to_string())
}
