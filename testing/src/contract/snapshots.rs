//! Snapshots of what commands know. The contract for them comes with their API.
