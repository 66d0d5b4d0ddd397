//! [`Views`]: the read models in maps, and the projection of the store in memory that writes them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use eventcore::{
    Filter, HandlerError, InMemoryEventStore, InvalidValue, MemoryTransaction, Projection,
    ProjectionName, StoredEvent,
};
use uuid::Uuid;

use super::tally::{CustomerTally, ProductTally};
use super::{
    Cursor, CustomerOrder, CustomerRow, NAME, OrderPage, OrderQuery, ProductOrder, ProductRow,
    Statistics, filter,
};
use crate::domain::{Order, OrderId, OrderState, ProductId, ShopEvent, StockEvent};

/// The read models in memory. A clone is the same.
///
/// The checkpoint of a projection belongs to what it writes. So each has a name of its own: a service
/// that starts on a store with events fills its maps from the first one on.
#[derive(Debug, Clone)]
pub struct Views {
    maps: Arc<Mutex<Maps>>,
    name: ProjectionName,
}

#[derive(Debug, Default)]
pub(super) struct Maps {
    /// Shared with the pages that are being read.
    orders: HashMap<OrderId, Arc<Order>>,
    by_age: BTreeSet<Cursor>,
    by_customer: HashMap<Uuid, BTreeSet<Cursor>>,
    customers: HashMap<Uuid, CustomerRow>,
    products: BTreeMap<ProductId, ProductRow>,
}

impl Projection<InMemoryEventStore> for Views {
    type Event = ShopEvent;

    fn name(&self) -> &str {
        self.name.as_str()
    }

    fn filter(&self) -> Filter {
        filter()
    }

    async fn apply(
        &mut self,
        stored: StoredEvent<ShopEvent>,
        transaction: &mut MemoryTransaction,
    ) -> Result<(), HandlerError> {
        let views = self.clone();
        transaction.on_commit(move || {
            views.maps().apply(&stored);
            metrics::counter!("projections_events_processed").increment(1);
        });
        Ok(())
    }
}

impl Maps {
    pub(super) fn apply(&mut self, stored: &StoredEvent<ShopEvent>) {
        match &stored.event {
            ShopEvent::Order(event) => {
                let Some(id) = OrderId::of_stream(&stored.stream_id) else {
                    return;
                };
                let order = match self.orders.remove(&id) {
                    Some(mut order) => {
                        self.take_away(&order);
                        // A page that is being read keeps the order as it was.
                        Arc::make_mut(&mut order).take_in(stored, event);
                        order
                    }
                    None => match Order::apply(None, stored, event) {
                        Some(order) => self.add(order),
                        None => return,
                    },
                };
                self.count(&order);
                self.orders.insert(id, order);
            }
            ShopEvent::Stock(event) => {
                if let Some(id) = ProductId::of_stream(&stored.stream_id) {
                    self.stock(&id, event);
                }
            }
            _ => {}
        }
    }

    /// Adds a new order to the lists. Its place in them never changes.
    fn add(&mut self, order: Order) -> Arc<Order> {
        let (customer, place) = (order.customer.uuid(), Cursor::behind(&order));
        self.by_age.insert(place);
        self.by_customer.entry(customer).or_default().insert(place);
        let row = self.customer(customer);
        if row.order_ids.len() < 1_000 {
            row.order_ids.push(order.id.uuid());
        }
        Arc::new(order)
    }

    /// Adds what an order counts for.
    fn count(&mut self, order: &Order) {
        self.customer(order.customer.uuid())
            .add(CustomerTally::of(order));
        for item in &order.items {
            self.product(&item.product_id, item.product_name.as_str())
                .add(ProductTally::of(order, item));
        }
    }

    /// Takes away what an order counted for, before an event changes it.
    fn take_away(&mut self, order: &Order) {
        self.customer(order.customer.uuid())
            .add(CustomerTally::default().minus(CustomerTally::of(order)));
        for item in &order.items {
            self.product(&item.product_id, item.product_name.as_str())
                .add(ProductTally::default().minus(ProductTally::of(order, item)));
        }
    }

    fn customer(&mut self, id: Uuid) -> &mut CustomerRow {
        self.customers
            .entry(id)
            .or_insert_with(|| CustomerRow::new(id))
    }

    /// The row of a product; a new one has this name.
    fn product(&mut self, id: &ProductId, name: &str) -> &mut ProductRow {
        self.products
            .entry(id.clone())
            .or_insert_with(|| ProductRow::new(id.as_str(), name))
    }

    fn stock(&mut self, id: &ProductId, event: &StockEvent) {
        let product = self.product(id, id.as_str());
        match event {
            StockEvent::StockReceived {
                product_name,
                quantity,
            } => {
                product.product_name = product_name.to_string();
                product.available += i64::from(quantity.get());
            }
            StockEvent::StockReserved { quantity, .. } => {
                product.available -= i64::from(quantity.get());
            }
            StockEvent::StockReleased { quantity, .. } => {
                product.available += i64::from(quantity.get());
            }
            StockEvent::BookOpened { .. } => {}
        }
    }
}

impl Views {
    /// Empty ones.
    ///
    /// # Errors
    ///
    /// Never: the name is valid.
    pub fn new() -> Result<Self, InvalidValue> {
        let name = ProjectionName::new(format!("{NAME}-{}", Uuid::now_v7()))?;
        Ok(Self {
            maps: Arc::default(),
            name,
        })
    }

    /// The name of their projection.
    pub(super) fn projection(&self) -> &ProjectionName {
        &self.name
    }

    fn maps(&self) -> MutexGuard<'_, Maps> {
        self.maps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces everything at once.
    pub(super) fn replace(&self, maps: Maps) {
        *self.maps() = maps;
    }

    pub(super) fn orders(&self, query: &OrderQuery) -> OrderPage {
        let maps = self.maps();
        let places = match query.customer {
            None => Some(&maps.by_age),
            Some(customer) => maps.by_customer.get(&customer),
        };
        let Some(places) = places else {
            return OrderPage::default();
        };
        let end = query.after.map_or(Bound::Unbounded, Bound::Excluded);
        let newest_first = places.range((Bound::Unbounded, end)).rev();
        let orders = newest_first.filter_map(|one| maps.orders.get(&one.order));
        let wanted = orders.filter(|order| {
            let active = query.view.active();
            active.is_none_or(|active| active == order.state.is_active())
                && query.state.is_none_or(|state| state == order.state)
        });
        let limit = query.limit as usize;
        OrderPage::new(wanted.take(limit + 1).cloned().collect(), limit)
    }

    pub(super) fn customers(&self, sort: CustomerOrder, limit: u32) -> Vec<CustomerRow> {
        let mut rows: Vec<_> = self.maps().customers.values().cloned().collect();
        rows.sort_by_key(|row| {
            let key = match sort {
                CustomerOrder::Spent => row.total_spent_cents,
                CustomerOrder::Orders => row.total_orders,
            };
            (-key, row.customer_id)
        });
        rows.truncate(limit as usize);
        rows
    }

    pub(super) fn customer(&self, id: Uuid) -> Option<CustomerRow> {
        self.maps().customers.get(&id).cloned()
    }

    pub(super) fn products(&self, sort: ProductOrder, limit: u32) -> Vec<ProductRow> {
        let mut rows: Vec<_> = self.maps().products.values().cloned().collect();
        match sort {
            ProductOrder::Demand => rows.sort_by_key(|row| -row.total_quantity_ordered),
            ProductOrder::Revenue => rows.sort_by_key(|row| -row.total_revenue_cents),
            ProductOrder::Name => rows.sort_by(|a, b| a.product_name.cmp(&b.product_name)),
        }
        rows.truncate(limit as usize);
        rows
    }

    pub(super) fn product(&self, id: &ProductId) -> Option<ProductRow> {
        self.maps().products.get(id).cloned()
    }

    pub(super) fn statistics(&self) -> Statistics {
        let maps = self.maps();
        let mut statistics = Statistics {
            customers: count(maps.customers.len()),
            products: count(maps.products.len()),
            revenue_cents: maps
                .customers
                .values()
                .map(|row| row.total_spent_cents)
                .sum(),
            ..Statistics::default()
        };
        for order in maps.orders.values() {
            let orders = &mut statistics.orders;
            *match order.state {
                OrderState::Draft => &mut orders.draft,
                OrderState::Reserved => &mut orders.reserved,
                OrderState::Processing => &mut orders.processing,
                OrderState::Completed => &mut orders.completed,
                OrderState::Cancelled => &mut orders.cancelled,
            } += 1;
        }
        statistics
    }
}

fn count(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
