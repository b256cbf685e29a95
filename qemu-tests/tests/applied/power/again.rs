//! What a change has in common with itself, when it is ended later or made again.

use qemu_tests::storage_guest::Inventory;

/// What has other bytes when a change is made again, and whether it has as many: times are in them, packed in an
/// initrd.
const OF_ITS_TIME: [(&str, bool); 2] = [
    ("/initrd.img-", false),
    ("/var/lib/pve-cluster/config.db", true),
];
/// Receipts, with names of their time.
const RECEIPTS: &str = "/var/lib/preflight";

/// A change that was only ended: its receipt alone has other times. It is written at the end, and ZFS gives what it takes
/// from its intent log the time at which it does so.
pub fn ended(inventory: &Inventory) -> Inventory {
    let mut ended = inventory.clone();
    let receipts = ended.files.iter_mut();
    for (_, what) in receipts.filter(|(name, _)| name.contains(RECEIPTS)) {
        *what = without_time(what, true, true);
    }
    ended
}

/// A change that is made again: which files, with which modes and owners, and the bytes where they are not of their
/// time.
pub fn made_again(inventory: &Inventory) -> Inventory {
    let mut files = inventory.clone();
    files.files.retain(|name, _| !name.contains(RECEIPTS));
    for (name, what) in &mut files.files {
        let known = OF_ITS_TIME.iter().find(|(part, _)| name.contains(part));
        *what = match known {
            Some((_, same_length)) => without_time(what, *same_length, false),
            None => without_time(what, true, true),
        };
    }
    files
}

/// What there is to say of a file but when it changed; of anything else all.
fn without_time(what: &str, with_length: bool, with_digest: bool) -> String {
    let words: Vec<&str> = what.split(' ').collect();
    let [kind, mode, owner, length, _, digest] = words.as_slice() else {
        return what.to_owned();
    };
    let mut said = format!("{kind} {mode} {owner}");
    for word in [with_length.then_some(length), with_digest.then_some(digest)] {
        word.inspect(|word| said.push_str(&format!(" {word}")));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    const INITRD: &str = "ext4 a:/boot/initrd.img-6.1.0-50-amd64";
    const DATABASE: &str = "ext4 a:/var/lib/pve-cluster/config.db";
    const RECEIPT: &str = "ext4 a:/var/lib/preflight/1/receipt.json";
    const OBJECT: &str = "zfs a:/var/lib/preflight/1/objects/aa";
    const MODULES: &str = "ext4 a:/etc/modules";

    fn one(name: &str, what: &str) -> Inventory {
        Inventory {
            files: [(name.to_owned(), what.to_owned())].into(),
        }
    }

    fn is_the_same(seen: fn(&Inventory) -> Inventory, name: &str, pair: [&str; 2]) -> bool {
        let [first, second] = pair.map(|what| seen(&one(name, what)));
        first.difference(&second).is_empty()
    }

    #[test]
    fn only_what_has_times_in_it_may_have_other_bytes_when_a_change_is_made_again() {
        let other_bytes = ["- 644 0:0 8 1 aa", "- 644 0:0 8 2 bb"];
        let again = |name| is_the_same(made_again, name, other_bytes);
        assert!(again(INITRD) && again(DATABASE) && again(RECEIPT));
        assert!(!again(MODULES));
        let longer = ["- 644 0:0 8 1 aa", "- 644 0:0 9 2 bb"];
        assert!(is_the_same(made_again, INITRD, longer));
        assert!(!is_the_same(made_again, DATABASE, longer));
        let readable = ["- 600 0:0 8 1 aa", "- 644 0:0 8 2 bb"];
        assert!(!is_the_same(made_again, INITRD, readable));
        let later = ["- 644 0:0 8 1 aa", "- 644 0:0 8 2 aa"];
        assert!(is_the_same(made_again, MODULES, later));
    }

    #[test]
    fn a_change_that_is_only_ended_has_its_first_bytes_and_times_but_for_the_receipt() {
        let later = ["- 644 0:0 8 1 aa", "- 644 0:0 8 2 aa"];
        assert!(is_the_same(ended, RECEIPT, later));
        assert!(is_the_same(ended, OBJECT, later));
        assert!(!is_the_same(ended, MODULES, later));
        assert!(!is_the_same(ended, INITRD, later));
        let other_bytes = ["- 644 0:0 8 1 aa", "- 644 0:0 8 1 bb"];
        assert!(!is_the_same(ended, RECEIPT, other_bytes));
    }
}
