//! Order management on eventcore.
