//! The code of the newcomer's guide, as documentation tests.

#![cfg(doctest)]
#![doc = include_str!("../../docs/src/first-block.md")]
