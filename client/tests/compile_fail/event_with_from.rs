use eventcore::Event;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize, Event)]
#[serde(from = "u64", into = "u64")]
enum Bad {
    Opened { cents: u64 },
}

impl From<u64> for Bad {
    fn from(cents: u64) -> Self {
        Self::Opened { cents }
    }
}

impl From<Bad> for u64 {
    fn from(bad: Bad) -> Self {
        let Bad::Opened { cents } = bad;
        cents
    }
}

fn main() {}
