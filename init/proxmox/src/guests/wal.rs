use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What was taken from a write-ahead log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalSummary {
    /// Pages written by finished transactions.
    pub pages: usize,
    /// Finished transactions.
    pub commits: usize,
    /// Pages behind the last finished transaction; they do not count.
    pub unfinished: usize,
}

const HEADER: usize = 32;
const FRAME: usize = 24;
const MAGIC: u32 = 0x377f_0682;

/// Applies a write-ahead log to a database, both in memory, as SQLite does when it recovers one (SQLite, Database
/// File Format, 4. The Write-Ahead Log): frames count while salts and checksums fit, up to the last commit. The
/// database comes back in the mode that needs no log.
pub fn apply(mut database: Vec<u8>, log: &[u8]) -> (Vec<u8>, Option<WalSummary>) {
    let taken = Log::open(log).map(|log| log.apply(&mut database));
    // Read and write version 1: a rollback journal (1.3.3), which a database in memory can have.
    if let Some(versions) = database.get_mut(18..20)
        && versions == [2, 2]
    {
        versions.fill(1);
    }
    (database, taken)
}

struct Log<'a> {
    frames: &'a [u8],
    page_size: usize,
    big_endian: bool,
    salts: &'a [u8],
    sum: (u32, u32),
}

impl<'a> Log<'a> {
    fn open(log: &'a [u8]) -> Option<Self> {
        let header = log.get(..HEADER)?;
        let magic = big(header, 0)?;
        if magic & !1 != MAGIC || big(header, 4)? != 3_007_000 {
            return None;
        }
        let page_size = usize::try_from(big(header, 8)?).ok()?;
        if !page_size.is_power_of_two() || !(512..=65_536).contains(&page_size) {
            return None;
        }
        let big_endian = magic & 1 == 1;
        let sum = checksum((0, 0), header.get(..24)?, big_endian);
        if sum != (big(header, 24)?, big(header, 28)?) {
            return None;
        }
        Some(Self {
            frames: log.get(HEADER..)?,
            page_size,
            big_endian,
            salts: header.get(16..24)?,
            sum,
        })
    }

    fn apply(mut self, database: &mut Vec<u8>) -> WalSummary {
        let mut summary = WalSummary::default();
        let mut pending: BTreeMap<usize, &[u8]> = BTreeMap::new();
        while let Some((number, size_after, page)) = self.next() {
            pending.insert(number, page);
            summary.unfinished += 1;
            if size_after == 0 {
                continue;
            }
            summary.pages += summary.unfinished;
            summary.unfinished = 0;
            summary.commits += 1;
            // A database never has more pages than itself and its log together.
            let room = database.len() / self.page_size + pending.len();
            database.resize(size_after.min(room) * self.page_size, 0);
            for (number, page) in std::mem::take(&mut pending) {
                let at = (number - 1) * self.page_size;
                if let Some(place) = database.get_mut(at..at + self.page_size) {
                    place.copy_from_slice(page);
                }
            }
        }
        summary
    }

    /// Page number, counted from 1, the database's size in pages after a commit or 0, and the page.
    fn next(&mut self) -> Option<(usize, usize, &'a [u8])> {
        let head = self.frames.get(..FRAME)?;
        let page = self.frames.get(FRAME..FRAME + self.page_size)?;
        let sum = checksum(self.sum, head.get(..8)?, self.big_endian);
        let sum = checksum(sum, page, self.big_endian);
        let number = usize::try_from(big(head, 0)?).ok()?;
        let fits = head.get(8..16)? == self.salts
            && sum == (big(head, 16)?, big(head, 20)?)
            && (1..1 << 24).contains(&number);
        if !fits {
            return None;
        }
        self.sum = sum;
        self.frames = self.frames.get(FRAME + self.page_size..)?;
        Some((number, usize::try_from(big(head, 4)?).ok()?, page))
    }
}

fn big(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn checksum(mut sum: (u32, u32), bytes: &[u8], big_endian: bool) -> (u32, u32) {
    let word = |bytes: &[u8]| {
        let bytes: [u8; 4] = bytes.try_into().unwrap_or_default();
        if big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    };
    for pair in bytes.chunks_exact(8) {
        let (one, other) = pair.split_at(4);
        sum.0 = sum.0.wrapping_add(word(one)).wrapping_add(sum.1);
        sum.1 = sum.1.wrapping_add(word(other)).wrapping_add(sum.0);
    }
    sum
}
