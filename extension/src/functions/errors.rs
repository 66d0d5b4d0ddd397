//! The errors that functions written in SQL raise, and the rule for names that they check.

use crate::error::{Error, Malformed, Unavailable};
use crate::pg::function::Call;
use eventcore_rules::check_name;
use uuid::Uuid;

/// `eventcore.check_name(argument, value)`.
pub fn check_argument_name(call: &Call<'_>) -> Result<(), Error> {
    let malformed = |reason: String| Malformed::argument(text(call, 0), reason);
    let name = call.text(1).ok_or_else(|| malformed("is NULL".into()))?;
    check_name(name.bytes()).map_err(|error| malformed(error.to_string()).into())
}

/// `eventcore.fail_malformed(argument, reason, index)`.
pub fn malformed(call: &Call<'_>) -> Error {
    let malformed = Malformed::argument(text(call, 0), text(call, 1));
    let index = call
        .integer(2)
        .and_then(|index| usize::try_from(index).ok());
    match index {
        Some(index) => malformed.at(index).into(),
        None => malformed.into(),
    }
}

/// `eventcore.fail_unknown(subscription)`.
pub fn unknown_subscription(call: &Call<'_>) -> Error {
    Error::UnknownSubscription(text(call, 0))
}

/// `eventcore.fail_unknown_projection(projection)`.
pub fn unknown_projection(call: &Call<'_>) -> Error {
    Error::UnknownProjection(text(call, 0))
}

/// `eventcore.fail_copied(kind, name)`.
pub fn copied(call: &Call<'_>) -> Error {
    Unavailable::copied(&text(call, 0), &text(call, 1)).into()
}

/// `eventcore.fail_unavailable(reason, subjects)`.
pub fn unavailable(call: &Call<'_>) -> Result<Error, Error> {
    let reason = text(call, 0);
    let subjects = call.text_array(1, "subjects")?;
    let subjects: Vec<String> = subjects.map_or_else(Vec::new, |subjects| {
        let subjects = (0..subjects.0.len()).map(|index| subjects.get(index));
        subjects
            .map(|subject| subject.map_or_else(String::new, |subject| subject.to_string()))
            .collect()
    });
    Ok(match Unavailable::raised_in_sql(&reason, &subjects) {
        Some(unavailable) => unavailable.into(),
        None => {
            let malformed = format!(
                "is \"{reason}\" with {} subjects, which is not in the list",
                subjects.len()
            );
            Malformed::argument("reason", malformed).into()
        }
    })
}

/// `eventcore.fail_lost(subscription, lease_id, positions)`.
pub fn lease_lost(call: &Call<'_>) -> Result<Error, Error> {
    let positions = call.bigint_array(2, "positions")?;
    let positions = positions.map_or_else(Vec::new, |positions| {
        let positions = (0..positions.0.len()).map(|index| positions.get(index));
        positions.flatten().collect()
    });
    Ok(Error::LeaseLost {
        subscription: text(call, 0),
        lease_id: call.uuid(1).unwrap_or(Uuid::nil()),
        positions,
    })
}

/// `eventcore.fail_moved(projection, expected, actual)`.
pub fn checkpoint_moved(call: &Call<'_>) -> Error {
    Error::CheckpointMoved {
        projection: text(call, 0),
        expected: call.bigint(1).unwrap_or(0),
        actual: call.bigint(2).unwrap_or(0),
    }
}

fn text(call: &Call<'_>, number: usize) -> String {
    call.text(number)
        .map_or_else(String::new, |text| text.to_string())
}
