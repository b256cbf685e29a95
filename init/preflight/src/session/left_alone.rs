use std::sync::{Mutex, MutexGuard, PoisonError};

/// The disk whose flags nobody touches for a while: its partitions come and go, and none of them may be taken for
/// gone meanwhile.
#[derive(Default)]
pub struct LeftAlone(Mutex<Option<String>>);

impl LeftAlone {
    /// Does `touch`, unless the disk is left alone. While it lasts, nothing starts that leaves a disk alone.
    pub fn unless(&self, disk: &str, touch: impl FnOnce()) {
        let left_alone = self.lock();
        if left_alone.as_deref() != Some(disk) {
            touch();
        }
    }

    /// Does `work` once nobody is at the disk any more, with the disk left alone.
    pub fn during<T>(&self, disk: &str, work: impl FnOnce() -> T) -> T {
        *self.lock() = Some(disk.to_owned());
        let done = work();
        *self.lock() = None;
        done
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;

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
            left_alone.during("sdb", || of_work.send("worked").unwrap());
        });
        drop((of_touch, of_work));
        assert_eq!(told.iter().collect::<Vec<_>>(), ["touched", "worked"]);
    }

    #[test]
    fn a_disk_is_left_alone_as_long_as_the_work_takes_and_others_are_not() {
        let left_alone = LeftAlone::default();
        let touched = |disk| {
            let mut touched = false;
            left_alone.unless(disk, || touched = true);
            touched
        };
        let during = left_alone.during("sdb", || [touched("sdb"), touched("sda")]);
        assert_eq!((during, touched("sdb")), ([false, true], true));
    }
}
