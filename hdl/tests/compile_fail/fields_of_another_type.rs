//! Bundles of equal fields are still different types.
use hdl::*;

#[derive(Clone, Bundle)]
struct Key {
    vid: U<12>,
}

#[derive(Clone, Bundle)]
struct Tag {
    vid: U<12>,
}

#[derive(Clone, Bundle)]
struct Entry {
    key: Key,
    valid: Bool,
}

fn fields(entry: Entry, key: Key, tag: Tag) {
    entry.key.set(tag.clone());
    entry.key.set(key.vid);
    let _ = Entry { key: tag, valid: entry.valid };
    let _ = Entry { key, valid: entry.key.vid };
    let _ = Entry { valid: entry.valid };
}

fn main() {}
