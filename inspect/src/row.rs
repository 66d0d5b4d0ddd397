//! Rows as values: each field of a struct is the column with its name.

use eventcore::postgres::tokio_postgres::types::{FromSql, ToSql};
use tokio_postgres::Row;

use crate::error::Error;
use crate::session::Session;

/// What a row can be read as.
pub(crate) trait FromRow: Sized {
    /// Reads the columns by their names; the row may have others.
    fn from_row(row: &Row) -> Result<Self, Error>;
}

/// Defines a struct that is read from the columns with the names of its fields.
macro_rules! from_row {
    (
        $(#[$of_struct:meta])*
        $visible:vis struct $name:ident {
            $($(#[$of_field:meta])* $field_visible:vis $field:ident: $type:ty,)+
        }
    ) => {
        $(#[$of_struct])*
        $visible struct $name {
            $($(#[$of_field])* $field_visible $field: $type,)+
        }

        impl $crate::row::FromRow for $name {
            fn from_row(row: &tokio_postgres::Row) -> Result<Self, $crate::error::Error> {
                Ok(Self {
                    $($field: $crate::row::column(row, stringify!($field))?,)+
                })
            }
        }
    };
}

pub(crate) use from_row;

/// The value of a column, which older objects may not have.
pub(crate) fn column<'a, T: FromSql<'a>>(row: &'a Row, name: &str) -> Result<T, Error> {
    match row.columns().iter().any(|column| column.name() == name) {
        true => Ok(row.try_get(name)?),
        false => Err(Error::of_missing_column(name)),
    }
}

/// The rows of a statement.
pub(crate) async fn all<T: FromRow>(
    session: &Session,
    sql: &'static str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Vec<T>, Error> {
    let rows = session.query(sql, parameters).await?;
    match rows.iter().map(T::from_row).collect() {
        Ok(values) => Ok(values),
        Err(error) => Err(session.explained(error).await),
    }
}

/// The row of a statement that looks for a name.
pub(crate) async fn named<T: FromRow>(
    session: &Session,
    sql: &'static str,
    kind: &str,
    name: &str,
) -> Result<T, Error> {
    match session.query_opt(sql, &[&name]).await? {
        Some(row) => match T::from_row(&row) {
            Ok(value) => Ok(value),
            Err(error) => Err(session.explained(error).await),
        },
        None => Err(Error::not_found(format!(
            "there is no {kind} named {name:?}"
        ))),
    }
}
