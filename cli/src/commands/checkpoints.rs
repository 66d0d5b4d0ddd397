//! `eventcore checkpoints`

use eventcore_inspect::checkpoints::{Checkpoint, list};

use super::held::remark;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Column, Row, Show, flag, left, right};

impl Row for Checkpoint {
    fn columns() -> Vec<Column> {
        vec![
            left("PROJECTION"),
            right("POSITION"),
            right("POSITIONS BEHIND"),
            left("CHANGED"),
            left("COPY"),
        ]
    }

    fn cells(&self, show: Show) -> Vec<String> {
        vec![
            self.projection.clone(),
            self.position.to_string(),
            self.lag_events.to_string(),
            show.time(self.changed_at),
            flag(self.is_copy),
        ]
    }
}

pub(crate) async fn run(context: &Context) -> Result<(), Failure> {
    let session = context.reader().await?;
    context.output.rows(&list(&session).await?)?;
    remark(&session, context).await
}
