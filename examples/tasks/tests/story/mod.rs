//! What a client of the API does, one request after the other, on any store.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

/// The answer to a request: its status, its `ETag` and its body.
async fn ask(
    api: &Router,
    line: &str,
    tag: Option<&str>,
    body: Value,
) -> (StatusCode, String, Value) {
    let (method, path) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path);
    if let Some(tag) = tag {
        request = request.header("if-match", tag);
    }
    let request = request.header("content-type", "application/json");
    let request = request.body(Body::from(body.to_string())).unwrap();
    let answer = api.clone().oneshot(request).await.unwrap();
    let status = answer.status();
    let tag = answer.headers().get("etag");
    let tag = tag.map_or(String::new(), |tag| tag.to_str().unwrap().to_owned());
    let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    (
        status,
        tag,
        serde_json::from_slice(&body).unwrap_or_default(),
    )
}

/// A task from its creation to its end, with everything that can be refused.
pub(crate) async fn tell(api: &Router) {
    let id = Uuid::now_v7();
    let task = format!("/tasks/{id}");
    let get = |path: &str| (format!("GET {path}"), Value::Null);
    let patch = |change: Value| (format!("PATCH {task}"), change);
    let put = |title: &str| (format!("PUT {task}"), json!({"title": title}));
    let complete = || patch(json!({"complete": {}}));

    let steps = [
        (get(&task), 404, "there is no such task"),
        (put(" "), 422, ""),
        (put("write"), 201, ""),
        (put("write"), 200, ""),
        (complete(), 409, "nobody works on the task; assign it first"),
        (patch(json!({"assign": {"to": "ada"}})), 200, ""),
        (patch(json!({"reopen": {}})), 409, "the task is not done"),
        (patch(json!({"burn": {}})), 422, ""),
        (complete(), 200, ""),
        (complete(), 409, "the task is done; reopen it first"),
        (patch(json!({"reopen": {}})), 200, ""),
    ];
    for ((line, body), status, detail) in steps {
        let (answered, _, answer) = ask(api, &line, None, body).await;
        assert_eq!(answered, status, "{line}: {answer}");
        assert_eq!(
            answer["detail"].as_str().unwrap_or_default(),
            detail,
            "{line}"
        );
    }

    let (_, tag, shown) = ask(api, &format!("GET {task}"), None, Value::Null).await;
    let expected =
        json!({"id": id, "title": "write", "assignee": "ada", "done": false, "version": 4});
    assert_eq!((tag.as_str(), &shown), ("\"4\"", &expected));

    // Two clients have seen version 4, and the first one is faster.
    let (line, body) = patch(json!({"rename": {"title": "write well"}}));
    let (first, tag, _) = ask(api, &line, Some("\"4\""), body.clone()).await;
    let (second, _, refused) = ask(api, &line, Some("\"4\""), body).await;
    assert_eq!(
        (first.as_u16(), tag.as_str(), second.as_u16()),
        (200, "\"5\"", 412)
    );
    assert_eq!(refused["detail"], "the task is at version 5");

    // The list shows at once what was written.
    for (query, count) in [("?done=false", 1), ("?assignee=ada", 1), ("?done=true", 0)] {
        let (_, _, list) = ask(api, &format!("GET /tasks{query}"), None, Value::Null).await;
        assert_eq!(list.as_array().unwrap().len(), count, "{query}: {list}");
    }
    let (_, _, events) = ask(api, &format!("GET {task}/events"), None, Value::Null).await;
    let types: Vec<_> = events
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["type"])
        .collect();
    assert_eq!(
        types,
        [
            "TaskCreated",
            "TaskAssigned",
            "TaskCompleted",
            "TaskReopened",
            "TaskRenamed"
        ]
    );
}
