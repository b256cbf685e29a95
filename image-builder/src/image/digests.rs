use std::collections::{BTreeMap, VecDeque};
use std::panic;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::digest::sha256;
use crate::parallel;

/// SHA-256 of files, worked out by a thread of its own while an image is still put together: one processor has nothing
/// to do meanwhile.
pub struct Digests {
    queue: Arc<Queue>,
    worker: Option<JoinHandle<Vec<Digest>>>,
}

/// A path, and the digest of what is there in hexadecimal digits.
type Digest = (String, String);
type File = (String, Arc<Vec<u8>>);

#[derive(Default)]
struct Queue {
    files: Mutex<Files>,
    has_changed: Condvar,
}

#[derive(Default)]
struct Files {
    waiting: VecDeque<File>,
    ended: bool,
}

impl Digests {
    /// None so far.
    pub fn start() -> Self {
        let queue = Arc::new(Queue::default());
        let of_worker = Arc::clone(&queue);
        let work = move || {
            std::iter::from_fn(|| of_worker.next())
                .map(digest)
                .collect()
        };
        Self {
            queue,
            worker: Some(thread::spawn(work)),
        }
    }

    /// Of this file, too.
    pub fn add(&self, path: &str, content: &Arc<Vec<u8>>) {
        let file = (path.to_owned(), Arc::clone(content));
        self.queue.lock().waiting.push_back(file);
        self.queue.has_changed.notify_one();
    }

    /// All of them by path; what is still to be done is now done on all processors.
    pub fn finish(mut self) -> BTreeMap<String, String> {
        let left = self.queue.end();
        let mut digests = parallel::map(&left, |file| digest(file.clone()));
        if let Some(worker) = self.worker.take() {
            let done = worker.join();
            digests.extend(done.unwrap_or_else(|panicked| panic::resume_unwind(panicked)));
        }
        digests.into_iter().collect()
    }
}

/// Where an image is given up, its thread ends, too.
impl Drop for Digests {
    fn drop(&mut self) {
        self.queue.end();
    }
}

impl Queue {
    /// Waits for a file; none when no more come.
    fn next(&self) -> Option<File> {
        let mut files = self.lock();
        loop {
            if let Some(file) = files.waiting.pop_front() {
                return Some(file);
            }
            if files.ended {
                return None;
            }
            let woken = self.has_changed.wait(files);
            files = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Nothing more comes; gives what nobody has taken.
    fn end(&self) -> Vec<File> {
        let mut files = self.lock();
        files.ended = true;
        self.has_changed.notify_all();
        files.waiting.drain(..).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digest((path, content): File) -> Digest {
    let digest = sha256(&content);
    (path, digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_has_its_own_digest_whoever_has_worked_it_out() {
        let digests = Digests::start();
        let mut expected = BTreeMap::new();
        for number in 0..500_u32 {
            let (path, content) = (number.to_string(), number.to_be_bytes().repeat(100));
            expected.insert(path.clone(), sha256(&content));
            digests.add(&path, &Arc::new(content));
        }
        assert_eq!(digests.finish(), expected);
        assert!(Digests::start().finish().is_empty());
    }

    #[test]
    fn the_thread_ends_where_nobody_asks() {
        let mut digests = Digests::start();
        digests.add("a", &Arc::new(vec![1]));
        let worker = digests.worker.take().unwrap();
        drop(digests);
        // What it had not begun is left.
        assert!(worker.join().unwrap().len() <= 1);
    }
}
