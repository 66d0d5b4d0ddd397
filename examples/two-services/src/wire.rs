//! [`Wire`]: a network between the services. It loses messages and answers, and delivers twice.

use std::sync::atomic::{AtomicU32, Ordering};

use eventcore::HandlerError;

use crate::message::Envelope;

/// A service that receives messages.
pub trait Receive: Send + Sync + 'static {
    /// Handles a message, once, however often it comes.
    ///
    /// # Errors
    ///
    /// The message is not handled. The sender sends it again.
    fn receive(&self, envelope: &Envelope)
    -> impl Future<Output = Result<(), HandlerError>> + Send;
}

/// The way to a service, which may be in another process ([`Remote`](crate::socket::Remote)). What can go
/// wrong with HTTP or a broker goes wrong here.
pub struct Wire<R> {
    to: R,
    sent: AtomicU32,
}

impl<R: Receive> Wire<R> {
    /// The way to this service.
    pub fn to(service: R) -> Self {
        Self {
            to: service,
            sent: AtomicU32::new(0),
        }
    }

    /// Sends a message. Of every five, one is lost, one loses its answer, and one comes twice.
    ///
    /// # Errors
    ///
    /// It is unknown whether the message was handled.
    pub async fn send(&self, envelope: &Envelope) -> Result<(), HandlerError> {
        match self.sent.fetch_add(1, Ordering::Relaxed) % 5 {
            0 => Err("the message was lost".into()),
            1 => {
                self.to.receive(envelope).await?;
                Err("the answer was lost".into())
            }
            2 => {
                self.to.receive(envelope).await?;
                self.to.receive(envelope).await
            }
            _ => self.to.receive(envelope).await,
        }
    }
}
