//! The error codes of eventcore: SQLSTATE class `SE`, the same in SQL and in the client.

/// One line for each code, so that none can be missing from [`ErrorCode::ALL`].
macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $sqlstate:literal,)*) => {
        /// A SQLSTATE of eventcore. Every error that eventcore raises has one of these.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
        }

        impl ErrorCode {
            /// Every code, in order.
            pub const ALL: [Self; [$($sqlstate),*].len()] = [$(Self::$name),*];

            /// The five characters of the SQLSTATE.
            pub const fn sqlstate(self) -> &'static str {
                match self {
                    $(Self::$name => $sqlstate,)*
                }
            }
        }
    };
}

error_codes! {
    /// A declared stream is not at its expected version.
    VersionConflict = "SE001",
    /// An event names a stream that the append did not declare.
    UndeclaredStream = "SE002",
    /// An event or an argument is malformed.
    Malformed = "SE003",
    /// An event id was used before, with other content.
    IdempotencyMismatch = "SE004",
    /// The stream is closed or deleted.
    StreamClosed = "SE005",
    /// The handler of a command rejected it.
    CommandRejected = "SE006",
    /// No command, subscription or projection has this name.
    UnknownName = "SE007",
    /// The lease on a batch of events ran out.
    LeaseLost = "SE008",
    /// eventcore cannot do this here: it is not loaded through `shared_preload_libraries`, or the
    /// context, the transaction or the table does not allow it.
    Unavailable = "SE009",
    /// The reader comes from another history of the store, as after a failover that lost events.
    Diverged = "SE011",
}

impl ErrorCode {
    /// The code with this SQLSTATE; `None` for a SQLSTATE that is not ours.
    pub fn from_sqlstate(sqlstate: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|code| code.sqlstate() == sqlstate)
    }
}

#[cfg(test)]
mod tests {
    use super::ErrorCode;

    #[test]
    fn every_code_is_found_by_its_sqlstate_and_no_other_is() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_sqlstate(code.sqlstate()), Some(code));
        }
        assert_eq!(ErrorCode::from_sqlstate("40001"), None);
        assert_eq!(ErrorCode::from_sqlstate("SE000"), None);
    }
}
