//! What requests and answers look like.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use eventcore::{Execution, Position, RecordedEvent, StreamVersion};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Problem;
use super::body::Object;
use crate::domain::{
    Fulfilment, FulfilmentState, Item, Order, OrderId, OrderState, Price, ProductId, ProductName,
    Quantity, Step,
};

/// So many pieces of a product at a price.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(super) struct ItemBody {
    /// What it is ordered by.
    #[schema(
        min_length = 1,
        max_length = 50,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*$",
        example = "SKU-001"
    )]
    product_id: String,
    /// What it is called.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*$",
        example = "Widget"
    )]
    product_name: String,
    /// How many.
    #[schema(minimum = 1, maximum = 1_000_000)]
    quantity: u32,
    /// What one piece costs, in cents.
    #[schema(minimum = 1, maximum = 1_000_000_000_i64)]
    unit_price_cents: i64,
}

/// An order to be created.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewOrder {
    /// Who orders; a new customer if it is missing.
    #[serde(default)]
    pub(super) customer_id: Option<Uuid>,
    /// What is ordered.
    #[schema(value_type = Vec<ItemBody>, max_items = 100)]
    pub(super) items: Vec<Object<ItemBody>>,
}

/// An order that was created.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CreatedOrder {
    pub(super) order_id: Uuid,
    pub(super) state: OrderState,
}

/// An order.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OrderBody {
    id: Uuid,
    customer_id: Uuid,
    state: OrderState,
    items: Vec<ItemBody>,
    total_cents: u64,
    /// The version of its stream, which is its `ETag`.
    version: u64,
    /// Whether its items are fixed.
    submitted: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracking_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancellation_reason: Option<String>,
}

/// Another quantity of a product.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct QuantityBody {
    /// 0 takes the product out.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub(super) quantity: u32,
}

/// Why an order is cancelled.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct CancelBody {
    #[schema(
        min_length = 1,
        max_length = 500,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*$"
    )]
    pub(super) reason: String,
    /// Who cancels it.
    #[serde(default)]
    #[schema(
        min_length = 1,
        max_length = 500,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*$"
    )]
    pub(super) cancelled_by: Option<String>,
}

/// How a fulfilment ended, or that it is under way.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FulfilledBody {
    /// The saga of an order has the order's id.
    pub(super) saga_id: Uuid,
    pub(super) saga_state: FulfilmentState,
}

/// How far the fulfilment of an order is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SagaBody {
    saga_id: Uuid,
    order_id: Uuid,
    state: FulfilmentState,
    completed_steps: Vec<Step>,
    compensated_steps: Vec<Step>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reservation_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracking_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<String>,
}

/// An event of an order.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventBody {
    event_id: Uuid,
    event_type: String,
    aggregate_id: Uuid,
    version: u64,
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
    #[schema(value_type = Object)]
    payload: serde_json::Value,
    /// Its place among all events of the store.
    position: u64,
    /// The request that led to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<Uuid>,
}

impl TryFrom<ItemBody> for Item {
    type Error = Problem;

    fn try_from(body: ItemBody) -> Result<Self, Problem> {
        Ok(Self {
            product_id: ProductId::new(body.product_id).map_err(Problem::malformed)?,
            product_name: ProductName::new(body.product_name).map_err(Problem::malformed)?,
            quantity: Quantity::new(body.quantity).map_err(Problem::malformed)?,
            unit_price: Price::from_cents(body.unit_price_cents).map_err(Problem::malformed)?,
        })
    }
}

impl From<Item> for ItemBody {
    fn from(item: Item) -> Self {
        Self {
            product_id: item.product_id.into(),
            product_name: item.product_name.into(),
            quantity: item.quantity.get(),
            // A price is below 10^9 cents.
            unit_price_cents: item
                .unit_price
                .money()
                .cents()
                .try_into()
                .unwrap_or(i64::MAX),
        }
    }
}

impl From<Order> for OrderBody {
    fn from(order: Order) -> Self {
        Self {
            id: order.id.uuid(),
            customer_id: order.customer.uuid(),
            state: order.state,
            total_cents: order.total().cents(),
            items: order.items.into_iter().map(ItemBody::from).collect(),
            version: order.version.get(),
            submitted: order.submitted,
            created_at: order.created_at,
            updated_at: order.updated_at,
            tracking_number: order.tracking_number,
            cancellation_reason: order.cancellation_reason.map(String::from),
        }
    }
}

impl SagaBody {
    pub(super) fn new(order: OrderId, fulfilment: Fulfilment) -> Self {
        let reference = |step| fulfilment.reference(step).map(str::to_owned);
        Self {
            saga_id: order.uuid(),
            order_id: order.uuid(),
            state: fulfilment.state,
            reservation_id: reference(Step::ReserveInventory),
            payment_id: reference(Step::ProcessPayment),
            tracking_number: reference(Step::CreateShipment),
            completed_steps: fulfilment
                .completed
                .into_iter()
                .map(|(step, _)| step)
                .collect(),
            compensated_steps: fulfilment.compensated,
            failure_reason: fulfilment.failure,
        }
    }
}

impl EventBody {
    pub(super) fn new(order: OrderId, event: RecordedEvent) -> Result<Self, Problem> {
        let payload = serde_json::from_str(event.payload.as_str()).map_err(Problem::malformed)?;
        Ok(Self {
            event_id: event.event_id.as_uuid(),
            event_type: event.event_type.into(),
            aggregate_id: order.uuid(),
            version: event.version.get(),
            timestamp: Timestamp::try_from(event.recorded_at).unwrap_or_default(),
            payload,
            position: event.position.get(),
            correlation_id: event.correlation_id.map(|id| id.as_uuid()),
        })
    }
}

/// `ETag`: the version of the order.
pub(super) fn etag(version: StreamVersion) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"0\""))
}

/// The position of the last event that a change has written, if it has written one.
pub(super) fn position_header(position: Option<Position>) -> HeaderMap {
    let position = position.map(|position| HeaderValue::from(position.get()));
    let header = position.map(|position| (HeaderName::from_static("event-position"), position));
    header.into_iter().collect()
}

/// The headers of an answer to a change.
pub(super) fn change_headers(
    version: Option<StreamVersion>,
    done: &Execution,
    is_replay: bool,
) -> HeaderMap {
    let mut headers = position_header(done.last_position());
    if let Some(version) = version {
        headers.insert(header::ETAG, etag(version));
    }
    if is_replay {
        headers.insert("idempotency-replayed", HeaderValue::from_static("true"));
    }
    headers
}
