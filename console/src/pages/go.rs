//! `/go`: from a text in the header to a page.

use uuid::Uuid;

use crate::answer::Answer;
use crate::asked::Asked;
use crate::failure::Failure;
use crate::routes::Route;
use crate::view::link;

pub(crate) const ROUTES: &[Route] = &[Route::page("/go", |asked| Box::pin(go(asked)))];

/// A number is a position, a UUID an event; everything else begins the name of a stream.
async fn go(asked: Asked) -> Result<Answer, Failure> {
    let text = asked.value("q").unwrap_or_default().trim();
    let path = match (text.parse::<i64>(), text.parse::<Uuid>()) {
        _ if text.is_empty() => "/streams".to_owned(),
        (Ok(position), _) if position > 0 => link::event(position),
        (_, Ok(id)) => format!("/events/id/{id}"),
        _ => link::with_query("/streams", [("prefix", text)]),
    };
    Ok(Answer::redirect(&path))
}
