use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The disk whose flags nobody touches for a while: its partitions come and go, and none of them may be taken for
/// gone meanwhile.
#[derive(Default)]
pub struct LeftAlone {
    at: Mutex<At>,
    /// Somebody has left a disk.
    has_left: Condvar,
}

/// Who is at which disk. A disk can hold whoever touches it for minutes, so that this is never locked meanwhile.
#[derive(Default)]
struct At {
    left_alone: Option<String>,
    /// How many touch a disk just now.
    touching: BTreeMap<String, usize>,
}

/// Somebody was at the disk for longer than there was patience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

impl LeftAlone {
    /// Does `touch`, unless the disk is left alone. While it lasts, nothing starts that leaves this disk alone.
    pub fn unless(&self, disk: &str, touch: impl FnOnce()) {
        {
            let mut at = self.lock();
            if at.left_alone.as_deref() == Some(disk) {
                return;
            }
            *at.touching.entry(disk.to_owned()).or_default() += 1;
        }
        let _touching = Touching { at: self, disk };
        touch();
    }

    /// Does `work` once nobody is at this disk any more, with the disk left alone. Not done at all where somebody is
    /// there for longer than `patience`.
    pub fn during<T>(
        &self,
        disk: &str,
        patience: Duration,
        work: impl FnOnce() -> T,
    ) -> Result<T, Busy> {
        let (mut at, _) = self
            .has_left
            .wait_timeout_while(self.lock(), patience, |at| at.touching.contains_key(disk))
            .unwrap_or_else(PoisonError::into_inner);
        if at.touching.contains_key(disk) {
            return Err(Busy);
        }
        at.left_alone = Some(disk.to_owned());
        drop(at);
        let done = work();
        self.lock().left_alone = None;
        Ok(done)
    }

    fn lock(&self) -> MutexGuard<'_, At> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody at a disk, who leaves it also when a panic ends the visit.
struct Touching<'a> {
    at: &'a LeftAlone,
    disk: &'a str,
}

impl Drop for Touching<'_> {
    fn drop(&mut self) {
        let mut at = self.at.lock();
        if let Some(number) = at.touching.get_mut(self.disk) {
            *number -= 1;
            if *number == 0 {
                at.touching.remove(self.disk);
            }
        }
        self.at.has_left.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn work_on_a_disk_starts_when_nobody_is_at_it_any_more() {
        let left_alone = LeftAlone::default();
        let (tell, told) = mpsc::channel();
        let (started, has_started) = mpsc::channel();
        let (of_touch, of_work) = (tell.clone(), tell);
        thread::scope(|scope| {
            scope.spawn(|| {
                left_alone.unless("sdb", || {
                    started.send(()).unwrap();
                    // Long enough for work that does not wait.
                    thread::sleep(Duration::from_millis(200));
                    of_touch.send("touched").unwrap();
                });
            });
            has_started.recv().unwrap();
            let work = || of_work.send("worked").unwrap();
            left_alone.during("sdb", LONG, work).unwrap();
        });
        drop((of_touch, of_work));
        assert_eq!(told.iter().collect::<Vec<_>>(), ["touched", "worked"]);
    }

    #[test]
    fn a_disk_that_hangs_holds_back_work_on_it_for_a_while_and_work_on_others_not_at_all() {
        let left_alone = LeftAlone::default();
        let (started, has_started) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let left_alone = &left_alone;
            scope.spawn(move || {
                left_alone.unless("sda", || {
                    started.send(()).unwrap();
                    let _ = ended.recv();
                });
            });
            has_started.recv().unwrap();
            let short = Duration::from_millis(50);
            assert_eq!(left_alone.during("sda", short, || "worked"), Err(Busy));
            assert_eq!(left_alone.during("sdb", LONG, || "worked"), Ok("worked"));
            let mut touched = false;
            left_alone.unless("sda", || touched = true);
            assert!(
                touched,
                "what was given up is no reason to pass a disk over"
            );
            drop(end);
        });
        assert_eq!(left_alone.during("sda", LONG, || "worked"), Ok("worked"));
    }

    #[test]
    fn a_disk_is_left_alone_as_long_as_the_work_takes_and_others_are_not() {
        let left_alone = LeftAlone::default();
        let touched = |disk| {
            let mut touched = false;
            left_alone.unless(disk, || touched = true);
            touched
        };
        let during = left_alone.during("sdb", LONG, || [touched("sdb"), touched("sda")]);
        assert_eq!((during, touched("sdb")), (Ok([false, true]), true));
    }
}
