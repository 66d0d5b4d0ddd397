//! The batches in progress, on disk: a record for each slot, written before a handler is called.
//!
//! If one process crashes, the server resets its shared memory. The file then tells which batches
//! were in progress. It is written without a flush, which costs a few microseconds: it has to
//! survive the processes, not the machine.
//!
//! The first record tells whether the postmaster saw its processes end. If it did, a record of a
//! running batch belongs to a process that ended by itself. If it did not, all processes were
//! killed at once, and no batch is to blame. A process that the postmaster ends together with the
//! others marks its own record, in a signal handler.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

/// In the data directory, which is the working directory of every process. Base backups leave this
/// folder out.
const PATH: &str = "pg_stat_tmp/eventcore_projections";

const RECORD: usize = 512;
/// The longest name of a projection.
const MAX_NAME: usize = 255;

/// The offsets of the parts of a record. The checksum does not cover the state, because a signal
/// handler writes only the state.
const STATE: usize = 0;
const DATABASE: usize = 4;
const ROLE: usize = 8;
const NUMBERS: usize = 16;
const NAME_LENGTH: usize = 48;
const NAME: usize = 52;
const CHECKSUM: usize = RECORD - 8;

/// The value of the first record if the postmaster saw its processes end.
const WITNESSED: u32 = 1;

static FILE: OnceLock<Option<File>> = OnceLock::new();

/// The batch that was in progress in a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub state: u32,
    pub database: u32,
    pub role: u32,
    pub checkpoint: i64,
    /// The positions of the first and the last event; 0 if there are none.
    pub first: i64,
    pub last: i64,
    /// The position of the parked event that is replayed; 0 for none.
    pub replay: i64,
    pub projection: String,
}

/// Reads the file of an earlier run and replaces it by an empty one for this many slots. Returns
/// whether the postmaster saw its processes end, and the batches that were in progress with their
/// slots.
pub fn start(places: usize) -> (bool, Vec<(usize, Record)>) {
    let old = std::fs::read(PATH).unwrap_or_default();
    let witnessed = old.get(..4) == Some(&WITNESSED.to_le_bytes());
    let records = old.chunks_exact(RECORD).enumerate().skip(1);
    let found = records
        .take(places)
        .filter_map(|(number, bytes)| Some((number - 1, Record::parse(bytes)?)))
        .collect();
    // If the file cannot be written, crashes leave no trace. Nothing else depends on it.
    let _ = std::fs::write(PATH, vec![0; (places + 1) * RECORD]);
    (witnessed, found)
}

/// Writes the batch in progress of a slot.
pub fn write(place: usize, record: &Record) {
    write_at(offset(place), &record.bytes());
}

/// Writes the state of the batch of a slot.
pub fn set_state(place: usize, state: u32) {
    write_at(offset(place), &state.to_le_bytes());
}

/// Records that the postmaster saw its processes end. To be called by the postmaster.
pub fn witness() {
    write_at(0, &WITNESSED.to_le_bytes());
}

/// The file and the offset at which a signal handler writes the state of a slot.
pub fn place_of_state(place: usize) -> Option<(i32, i64)> {
    let file = file()?;
    Some((file.as_raw_fd(), i64::try_from(offset(place)).ok()?))
}

fn offset(place: usize) -> u64 {
    ((place + 1) * RECORD) as u64
}

fn write_at(offset: u64, bytes: &[u8]) {
    if let Some(file) = file() {
        // As above: a failure only loses the trace.
        let _: io::Result<()> = file.write_all_at(bytes, offset);
    }
}

fn file() -> Option<&'static File> {
    let open = || OpenOptions::new().write(true).open(PATH).ok();
    FILE.get_or_init(open).as_ref()
}

impl Record {
    fn bytes(&self) -> [u8; RECORD] {
        let mut bytes = [0; RECORD];
        let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
        put(STATE, &self.state.to_le_bytes());
        put(DATABASE, &self.database.to_le_bytes());
        put(ROLE, &self.role.to_le_bytes());
        let numbers = [self.checkpoint, self.first, self.last, self.replay];
        for (number, value) in numbers.iter().enumerate() {
            put(NUMBERS + 8 * number, &value.to_le_bytes());
        }
        let name = &self.projection.as_bytes()[..self.projection.len().min(MAX_NAME)];
        put(NAME_LENGTH, &(name.len() as u32).to_le_bytes());
        put(NAME, name);
        let sum = checksum(&bytes);
        bytes[CHECKSUM..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let u32_at = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let i64_at = |at: usize| Some(i64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let state = u32_at(STATE)?;
        if state == 0 || i64_at(CHECKSUM)?.cast_unsigned() != checksum(bytes) {
            return None;
        }
        let length = u32_at(NAME_LENGTH)? as usize;
        let name = bytes.get(NAME..NAME + length)?;
        Some(Self {
            state,
            database: u32_at(DATABASE)?,
            role: u32_at(ROLE)?,
            checkpoint: i64_at(NUMBERS)?,
            first: i64_at(NUMBERS + 8)?,
            last: i64_at(NUMBERS + 16)?,
            replay: i64_at(NUMBERS + 24)?,
            projection: String::from_utf8(name.to_vec()).ok()?,
        })
    }
}

/// The FNV-1a hash of the bytes between the state and the checksum.
fn checksum(record: &[u8]) -> u64 {
    let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    record[DATABASE..CHECKSUM]
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, step)
}
