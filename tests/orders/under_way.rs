//! A reader sees its own order also while an append with a lower position is under way.

use eventcore::ProjectionStore;
use orders::store::Store;
use reqwest::Method;
use serde_json::json;

use crate::ground;
use crate::suite::support::{Ground, Running, answer, item};

const APPEND: &str = r#"SELECT eventcore_append(ARRAY[stream], ARRAY[NULL]::bigint[], ARRAY[stream],
    ARRAY['OrderReserved'], ARRAY['{"reservation_id": "R"}'::jsonb], NULL)
    FROM (VALUES ('order-00000000-0000-0000-0000-000000000001')) AS another(stream)"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_with_a_minimum_is_refused_until_the_appends_before_it_have_ended() {
    for projections in ["client", "server"] {
        let patient = ground(projections).await;
        let impatient = Ground::new(patient.store.clone())
            .with("PROJECTIONS", projections)
            .with("READ_WAIT_SECONDS", "0");
        let (patient, impatient, store) = (
            patient.start().await,
            impatient.start().await,
            patient.store,
        );
        let Store::Postgres(store) = store else {
            panic!("the store is on PostgreSQL");
        };

        let under_way = store.begin().await.unwrap();
        under_way.batch_execute(APPEND).await.unwrap();
        let created = patient
            .post("/orders", json!({ "items": [item("A", 1)] }))
            .await
            .expect(201);
        let position = created.header("event-position");
        let list = |shop: &Running| {
            let list = shop.request(Method::GET, "/orders");
            answer(list.header("min-position", position))
        };
        list(&impatient).await.expect(503);
        store.commit(under_way).await.unwrap();
        let listed = list(&patient).await.expect(200).body;
        assert_eq!(listed[0]["id"], created.body["order_id"], "{projections}");
    }
}
