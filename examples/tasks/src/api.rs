//! The routes. Each one is a command, a stream, or the list.

use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::header::{ETAG, IF_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use eventcore::{EventStore, ReadStream, StreamField, execute};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::change_task::{Change, ChangeTask};
use crate::create_task::CreateTask;
use crate::list::List;
use crate::problem::Problem;
use crate::task::{Task, TaskEvent, TaskId, Title};

/// How long the list may take to show what its reader has written.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone)]
struct App<S> {
    store: S,
    list: List,
}

/// The API on a store, with a list that follows it.
pub fn router<S: EventStore + Clone + 'static>(store: S, list: List) -> Router {
    Router::new()
        .route("/tasks", get(list_tasks::<S>))
        .route(
            "/tasks/{id}",
            put(create::<S>).get(show::<S>).patch(change::<S>),
        )
        .route("/tasks/{id}/events", get(history::<S>))
        .with_state(App { store, list })
}

#[derive(Deserialize)]
struct Create {
    title: Title,
}

/// `PUT /tasks/{id} {"title": …}`: 201, or 200 if it exists already.
async fn create<S: EventStore>(
    State(app): State<App<S>>,
    Path(id): Path<Uuid>,
    Json(body): Json<Create>,
) -> Result<Response, Problem> {
    let task = TaskId::new(id)?;
    let title = body.title;
    let done = execute(&app.store, &CreateTask { task, title }).await?;
    let status = match done.wrote() {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    Ok((status, current(&app.store, id).await?).into_response())
}

/// `PATCH /tasks/{id} {"assign": {"to": …}}`, with `If-Match: "3"` only at version 3.
async fn change<S: EventStore>(
    State(app): State<App<S>>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    Json(change): Json<Change>,
) -> Result<Response, Problem> {
    let task = TaskId::new(id)?;
    let seen = seen(&headers)?;
    execute(&app.store, &ChangeTask { task, change, seen }).await?;
    current(&app.store, id).await
}

fn seen(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(IF_MATCH) else {
        return Ok(None);
    };
    let version = value.to_str().ok().map(|tag| tag.trim_matches('"').parse());
    match version {
        Some(Ok(version)) => Ok(Some(version)),
        _ => Err(Problem(
            StatusCode::BAD_REQUEST,
            "If-Match is not the ETag of a task".to_owned(),
        )),
    }
}

/// `GET /tasks/{id}`: the task as its stream says, never an old state.
async fn show<S: EventStore>(
    State(app): State<App<S>>,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    current(&app.store, id).await
}

async fn current<S: EventStore>(store: &S, id: Uuid) -> Result<Response, Problem> {
    let stream = TaskId::new(id)?.stream_id().clone();
    let mut task = None;
    for event in store
        .read_stream(&ReadStream::new(stream).up_to_date())
        .await?
    {
        task = Task::after(task, id, &event.decode::<TaskEvent>()?.event);
    }
    match task {
        Some(task) => {
            let tag = format!("\"{}\"", task.version);
            Ok(([(ETAG, tag)], Json(task)).into_response())
        }
        None => Err(Problem(
            StatusCode::NOT_FOUND,
            "there is no such task".to_owned(),
        )),
    }
}

/// `GET /tasks/{id}/events`: the history of a task.
async fn history<S: EventStore>(
    State(app): State<App<S>>,
    Path(id): Path<Uuid>,
) -> Result<Json<Vec<Value>>, Problem> {
    let stream = TaskId::new(id)?.stream_id().clone();
    let events = app
        .store
        .read_stream(&ReadStream::new(stream).up_to_date())
        .await?;
    let events = events.into_iter().map(|event| {
        let payload: Value = serde_json::from_str(event.payload.as_str()).unwrap_or_default();
        json!({"version": event.version.get(), "type": event.event_type.as_str(), "payload": payload})
    });
    Ok(Json(events.collect()))
}

#[derive(Deserialize)]
struct Wanted {
    done: Option<bool>,
    assignee: Option<String>,
}

/// `GET /tasks?done=false&assignee=ada`: waits until the list includes all that was committed when
/// the request came, so a client sees what it has written.
async fn list_tasks<S: EventStore>(
    State(app): State<App<S>>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Vec<Task>>, Problem> {
    let newest = newest(&app.store).await?;
    if !app.list.reach(newest, PATIENCE).await {
        return Err(Problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "the list is behind".to_owned(),
        ));
    }
    let tasks = app.list.tasks(|task| {
        wanted.done.is_none_or(|done| task.done == done)
            && (wanted.assignee.is_none() || task.assignee == wanted.assignee)
    });
    Ok(Json(tasks))
}

/// The position of the newest event of a task.
async fn newest<S: EventStore>(store: &S) -> Result<eventcore::Position, Problem> {
    let tasks = eventcore::Filter::all().stream_prefix(TaskId::PREFIX);
    let read = eventcore::ReadAll::new().filter(tasks).backward().limit(1);
    let newest = store.read_all(&read).await?;
    Ok(newest
        .first()
        .map_or(eventcore::Position::START, |event| event.position))
}
