//! A store in which the first transfer meets a conflict.

use eventcore::execute;

use crate::bank::{Deposit, Transfer};
use crate::support::stream;
use crate::watched::{self, Call, Watched, write};

/// A store with money in `a`, in which the first transfer meets a conflict.
pub(crate) async fn store() -> Watched {
    let mut appends = 0;
    let store = watched::stepping_in(move |store, call| {
        appends += u32::from(*call == Call::Append);
        if *call == Call::Append && appends == 2 {
            write(store, "b", "Deposited", 1);
        }
    });
    let deposit = Deposit {
        account: stream("a"),
        cents: 10,
    };
    execute(&store, &deposit).await.unwrap();
    store
}

pub(crate) fn transfer(cents: u64) -> Transfer {
    Transfer {
        from: stream("a"),
        to: stream("b"),
        cents,
    }
}
