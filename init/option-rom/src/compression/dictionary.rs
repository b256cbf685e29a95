use super::format::{LONGEST, WINDOW};

/// A place in the tree of strings, or nothing: 0. From 1 up to the window are inner nodes; from there
/// on, a leaf for each place of the text, and at the same time (as a parent) a root for each first
/// byte. Above twice the window are the heads of the lists that hold the children of each node.
type Node = usize;

const NOTHING: Node = 0;
const ROOTS: Node = WINDOW;
const LEAVES: Node = WINDOW;
const HEADS: Node = 2 * WINDOW;
/// As many list heads as [`head`] has values.
const NODES: usize = 3 * WINDOW + (WINDOW / 512 + 1) * 256;

/// The text in memory: the window behind the current place, as much before it, and the longest match.
const TEXT: usize = 2 * WINDOW + LONGEST;

/// What repeats at the current place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Match {
    /// Bytes; less than the shortest repetition when nothing repeats.
    pub(super) length: usize,
    /// Bytes back to where the same bytes start, less one.
    pub(super) distance: usize,
}

/// Finds the longest repetition at each place of a text, in a tree of all strings that start within the
/// window (UEFI specification 2.10, 19.3.1; the tree is that of E. R. Fiala and D. H. Greene, "Data
/// compression with finite windows", 1989).
///
/// Among equally long repetitions the tree's own order decides, and which bytes an inner node stands
/// for is brought up to date lazily ("percolated"); both show in the packed bytes, so they follow
/// EDK2's compressor. So does the text behind the end: what the buffer held before.
pub(super) struct Matcher<'a> {
    /// What has not come into the buffer yet.
    ahead: &'a [u8],
    remaining: usize,
    text: Table<u8>,
    /// The current place in `text`, and so its leaf.
    at: Node,
    length: usize,
    matched: Node,
    /// Bytes that the strings below a node have in common.
    depth: Table<usize>,
    children: Table<u8>,
    /// A recent place that a node stands for.
    place: Table<Place>,
    parent: Table<Node>,
    previous: Table<Node>,
    next: Table<Node>,
    /// The first inner node that is not in use; the others follow by `next`.
    free: Node,
}

/// A place that an inner node stands for. While it is fresh, the nodes above may stand for older ones.
#[derive(Clone, Copy, Default)]
struct Place {
    at: Node,
    fresh: bool,
}

impl<'a> Matcher<'a> {
    /// At the first byte of `data`.
    pub(super) fn new(data: &'a [u8]) -> Self {
        let mut matcher = Self {
            ahead: data,
            remaining: data.len(),
            text: Table::new(TEXT),
            at: WINDOW,
            length: 0,
            matched: NOTHING,
            depth: Table::new(ROOTS + 256),
            children: Table::new(ROOTS + 256),
            place: Table::new(ROOTS + 256),
            parent: Table::new(2 * WINDOW),
            previous: Table::new(2 * WINDOW),
            next: Table::new(NODES),
            free: 1,
        };
        for root in ROOTS..ROOTS + 256 {
            matcher.depth.set(root, 1);
        }
        for node in 1..WINDOW - 1 {
            matcher.next.set(node, node + 1);
        }
        matcher.read(WINDOW, WINDOW + LONGEST);
        matcher.insert();
        matcher
    }

    /// Bytes from the current place to the end.
    pub(super) fn remaining(&self) -> usize {
        self.remaining
    }

    /// The byte at the current place.
    pub(super) fn byte(&self) -> u8 {
        self.text.get(self.at)
    }

    /// What repeats at the current place, as far as the text goes.
    pub(super) fn found(&mut self) -> Match {
        self.length = self.length.min(self.remaining);
        Match {
            length: self.length,
            distance: (self.at + 2 * WINDOW - self.matched - 1) % WINDOW,
        }
    }

    /// Goes on by one byte.
    pub(super) fn advance(&mut self) {
        self.remaining = self.remaining.saturating_sub(1);
        self.at += 1;
        if self.at == 2 * WINDOW {
            self.text.0.copy_within(WINDOW.., 0);
            self.read(WINDOW + LONGEST, WINDOW);
            self.at = WINDOW;
        }
        self.delete();
        self.insert();
    }

    fn read(&mut self, into: usize, most: usize) {
        let (now, later) = self.ahead.split_at(self.ahead.len().min(most));
        crate::fields::put(&mut self.text.0, into, now);
        self.ahead = later;
    }

    /// A place of the text as the current one sees it: those that are not behind it are of the window
    /// before.
    fn seen(&self, place: Node) -> Node {
        if place >= self.at {
            place - WINDOW
        } else {
            place
        }
    }

    fn child(&self, node: Node, byte: u8) -> Node {
        let mut child = self.next.get(head(node, byte));
        while child != NOTHING && self.parent.get(child) != node {
            child = self.next.get(child);
        }
        child
    }

    fn add_child(&mut self, node: Node, byte: u8, child: Node) {
        let head = head(node, byte);
        let second = self.next.get(head);
        self.link(child, second);
        self.link(head, child);
        self.parent.set(child, node);
        self.children
            .set(node, self.children.get(node).wrapping_add(1));
    }

    fn link(&mut self, first: Node, second: Node) {
        self.next.set(first, second);
        self.previous.set(second, first);
    }

    /// Puts `new` where `old` stands among its parent's children.
    fn replace(&mut self, old: Node, new: Node) {
        self.link(self.previous.get(old), new);
        self.link(new, self.next.get(old));
        self.parent.set(new, self.parent.get(old));
    }

    /// Puts the string at the current place into the tree, and finds what it has in common with those
    /// that are in it.
    fn insert(&mut self) {
        let Some((parent, child)) = self.start() else {
            return;
        };
        self.descend(parent, child);
    }

    /// Where the way down starts: a node and the child to go to. None when the first two bytes are new.
    fn start(&mut self) -> Option<(Node, Node)> {
        if self.length < 4 {
            let root = ROOTS + usize::from(self.byte());
            let second = self.text.get(self.at + 1);
            let child = self.child(root, second);
            if child == NOTHING {
                self.add_child(root, second, self.at);
                self.length = 1;
                return None;
            }
            self.length = 2;
            return Some((root, child));
        }
        // What was found at the last place goes on here, one byte shorter, so the way down can start in
        // the middle: at the leaf of the place behind the one that was found.
        self.length -= 1;
        let mut child = (self.matched + 1) | LEAVES;
        while child != NOTHING && self.parent.get(child) == NOTHING {
            // A leaf that was taken over by a newer one leads to it.
            child = self.next.get(child);
        }
        let mut parent = self.parent.get(child);
        while self.depth.get(parent) >= self.length {
            child = parent;
            parent = self.parent.get(parent);
        }
        self.freshen(parent);
        Some((parent, child))
    }

    /// Nodes that the way down has passed over stand for the current place, too: up to the first that
    /// is not fresh, which from now on is.
    fn freshen(&mut self, mut node: Node) {
        while self.place.get(node).fresh {
            let at = self.at;
            self.place.set(node, Place { at, fresh: false });
            node = self.parent.get(node);
        }
        if node < ROOTS {
            let at = self.at;
            self.place.set(node, Place { at, fresh: true });
        }
    }

    fn descend(&mut self, mut parent: Node, mut child: Node) {
        loop {
            let (end, matched) = if child >= LEAVES {
                (LONGEST, child)
            } else {
                (self.depth.get(child), self.place.get(child).at)
            };
            self.matched = self.seen(matched);
            while self.length < end {
                if self.text.get(self.at + self.length) != self.text.get(self.matched + self.length)
                {
                    self.split(child);
                    return;
                }
                self.length += 1;
            }
            if self.length >= LONGEST {
                break;
            }
            let at = self.at;
            self.place.set(child, Place { at, fresh: false });
            parent = child;
            let byte = self.text.get(self.at + self.length);
            child = self.child(parent, byte);
            if child == NOTHING {
                self.add_child(parent, byte, self.at);
                return;
            }
            self.length += 1;
        }
        // As long as strings get: the new leaf takes the old one's place.
        self.replace(child, self.at);
        self.parent.set(self.at, parent);
        self.parent.set(child, NOTHING);
        self.next.set(child, self.at);
    }

    /// Puts a new inner node above `old`, with the leaf of the current place as its other child.
    fn split(&mut self, old: Node) {
        let new = self.free;
        self.free = self.next.get(new);
        self.children.set(new, 0);
        self.replace(old, new);
        self.depth.set(new, self.length);
        let at = self.at;
        self.place.set(new, Place { at, fresh: false });
        self.add_child(new, self.text.get(self.matched + self.length), old);
        self.add_child(new, self.text.get(at + self.length), at);
    }

    /// Takes the string out that leaves the window: the one that has had the current place's leaf.
    fn delete(&mut self) {
        let leaf = self.at;
        let parent = self.parent.get(leaf);
        if parent == NOTHING {
            return;
        }
        self.link(self.previous.get(leaf), self.next.get(leaf));
        self.parent.set(leaf, NOTHING);
        if parent >= ROOTS {
            return;
        }
        let left = self.children.get(parent).wrapping_sub(1);
        self.children.set(parent, left);
        if left > 1 {
            return;
        }
        self.dissolve(parent);
    }

    /// Puts the only child of an inner node in the node's place, and tells the nodes above which place
    /// it stood for.
    fn dissolve(&mut self, node: Node) {
        let own = self.seen(self.place.get(node).at);
        let mut newest = own;
        let mut above = self.parent.get(node);
        while self.place.get(above).fresh {
            newest = newest.max(self.seen(self.place.get(above).at));
            let at = newest | LEAVES;
            self.place.set(above, Place { at, fresh: false });
            above = self.parent.get(above);
        }
        if above < ROOTS {
            newest = newest.max(self.seen(self.place.get(above).at));
            let at = newest | LEAVES;
            self.place.set(above, Place { at, fresh: true });
        }
        let byte = self.text.get(own + self.depth.get(node));
        let child = self.child(node, byte);
        self.link(self.previous.get(child), self.next.get(child));
        self.replace(node, child);
        self.parent.set(node, NOTHING);
        self.next.set(node, self.free);
        self.free = node;
    }
}

/// The list that a node's child for a byte is in; others can be in it, too.
fn head(node: Node, byte: u8) -> Node {
    HEADS + node + (usize::from(byte) << 4)
}

/// Values by number; what was never set, or lies outside, is the default.
struct Table<T>(Vec<T>);

impl<T: Copy + Default> Table<T> {
    fn new(length: usize) -> Self {
        Self(vec![T::default(); length])
    }

    fn get(&self, at: usize) -> T {
        self.0.get(at).copied().unwrap_or_default()
    }

    fn set(&mut self, at: usize, value: T) {
        if let Some(place) = self.0.get_mut(at) {
            *place = value;
        }
    }
}
