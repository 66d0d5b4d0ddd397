//! A product whose book is full.

use eventcore::{Append, EventStore, ExpectedVersion, NewEvent};
use orders::domain::{FULL_BOOK, ProductId, ProductName, Quantity, StockEvent};
use orders::store::Store;
use serde_json::json;

use super::support::{Ground, until};

/// Writes as many entries as a book has when it is closed, of a piece each.
async fn fill_book(store: &Store, product: &str) {
    let book = ProductId::new(product).unwrap().first_book();
    let received = StockEvent::StockReceived {
        product_name: ProductName::new(product).unwrap(),
        quantity: Quantity::new(1).unwrap(),
    };
    let mut append = Append::new().stream(book.clone(), ExpectedVersion::Exactly(0));
    for _ in 0..FULL_BOOK {
        append = append.event(NewEvent::encode(book.clone(), &received).unwrap());
    }
    match store {
        Store::Memory(store) => store.append(&append).await.unwrap(),
        Store::Postgres(store) => store.append(&append).await.unwrap(),
    };
}

pub(crate) async fn the_stock_is_the_same_in_the_next_book(ground: Ground) {
    fill_book(&ground.store, "A").await;
    let shop = ground.start().await;
    let full = i64::from(FULL_BOOK);
    assert_eq!(shop.available("A").await, full);

    let order = shop.order(&[("A", 3)]).await;
    assert_eq!(shop.fulfil(&order).await, "Completed");
    assert_eq!(shop.available("A").await, full - 3);
    let products = shop.get("/inventory").await.expect(200).body;
    assert_eq!(products.as_array().unwrap().len(), 1, "{products}");

    // More than the carrier takes: reserved, and given back.
    let refused = shop.order(&[("A", 101)]).await;
    assert_eq!(shop.fulfil(&refused).await, "Failed");
    let body = json!({ "product_name": "a", "quantity": 5 });
    let received = shop.post("/inventory/A/receive", body).await.expect(200);
    assert_eq!(received.body["available"], full + 2);
    assert_eq!(shop.available("A").await, full + 2);

    shop.post("/read-models/rebuild", json!({}))
        .await
        .expect(202);
    until(async || shop.get("/read-models").await.body["rebuilding"] == false).await;
    assert_eq!(shop.available("A").await, full + 2);
}
