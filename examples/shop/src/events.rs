//! [`ShopEvent`]: what can happen in the shop.

use eventcore::Event;
use serde::{Deserialize, Serialize};

use crate::ids::{OrderId, ProductId, UserId, UserName};

/// What can happen. One enum for all streams, because the commands read several kinds of streams.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub enum ShopEvent {
    /// In the stream of a user: the user exists from now on.
    UserRegistered {
        /// What they are called.
        name: UserName,
    },
    /// In the stream of a user.
    UserRenamed {
        /// What they are called from now on.
        name: UserName,
    },
    /// In the stream of a name: it is taken.
    NameClaimed {
        /// By this user.
        user: UserId,
    },
    /// In the stream of a name: another user may have it.
    NameReleased {
        /// The user who had it.
        user: UserId,
    },
    /// In the stream of a product.
    StockReceived {
        /// How many pieces came in.
        pieces: u32,
    },
    /// In the stream of a product.
    StockTaken {
        /// The order that they were taken for.
        order: OrderId,
        /// How many pieces went out.
        pieces: u32,
    },
    /// In the stream of an order.
    OrderPlaced {
        /// The user who ordered.
        customer: UserId,
        /// The products, and how many pieces of each.
        items: Vec<(ProductId, u32)>,
    },
}
