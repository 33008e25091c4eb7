//! `#[hdl]` against a front end that only writes down what it is told.
#![deny(warnings, clippy::all)]

extern crate self as hdl;

use hdl_macros::hdl;
use std::{cell::RefCell, panic::Location};

thread_local!(static LOG: RefCell<Vec<String>> = const { RefCell::new(vec![]) });

fn log(line: String) {
    LOG.with_borrow_mut(|log| log.push(line));
}

/// What `run` makes the macro tell, one line a call.
fn told<R>(run: impl FnOnce() -> R) -> Vec<String> {
    LOG.take();
    run();
    LOG.take()
}

pub trait Data {
    fn label(&self) -> String;
}

pub struct Scope(String);

pub fn scope(name: &str, doc: &str) -> Scope {
    log(format!("open {name} {doc}").trim_end().into());
    Scope(name.into())
}

impl Drop for Scope {
    fn drop(&mut self) {
        log(format!("close {}", self.0));
    }
}

pub fn module_doc(doc: &str) -> Scope {
    log(format!("doc {doc:?}"));
    Scope("doc".into())
}

pub struct Tag<'a, T>(pub &'a T);

pub trait NotData {
    fn hdl_name(&self, _: &str, _: &str) {}
}

impl<T> NotData for Tag<'_, T> {}

impl<T: Data> Tag<'_, T> {
    pub fn hdl_name(&self, name: &str, doc: &str) {
        log(format!("{name} = {} {doc}", self.0.label()).trim_end().into());
    }
}

/// A signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wire(u32);

impl Data for Wire {
    fn label(&self) -> String {
        format!("w{}", self.0)
    }
}

fn wire(n: u32) -> Wire {
    log(format!("make w{n}"));
    Wire(n)
}

struct Pair {
    a: Wire,
    b: Wire,
}

#[test]
fn a_let_names_what_it_binds_and_what_it_creates() {
    #[hdl]
    fn plain() -> Wire {
        /// The first
        /// of all.
        let first = wire(1);
        let _second: Wire = wire(2);
        let r#type = first;
        r#type
    }
    assert_eq!(
        told(plain),
        [
            "open first The first of all.",
            "make w1",
            "close first",
            "first = w1 The first of all.",
            "open second",
            "make w2",
            "close second",
            "second = w2",
            "type = w1"
        ]
    );
}

#[test]
fn patterns_name_all_their_bindings() {
    fn pair() -> (Wire, Wire) {
        (wire(1), wire(2))
    }
    #[hdl]
    fn patterns() {
        let (a, mut b) = pair();
        b = if b == a { a } else { b };
        let (_, [c, _]) = (b, [a, b]);
        let Pair { a: d, b: _e } = Pair { a, b };
        let Some(Some(f)) = Some(Some(c)) else { return };
        let (None | Some(_)) = Some(f);
        let None = None::<Wire> else { return };
        assert_eq!(d, f);
    }
    assert_eq!(told(patterns), ["make w1", "make w2", "a = w1", "c = w1", "d = w1", "e = w2", "f = w1"]);
}

#[test]
fn elements_of_a_tuple_have_scopes_of_their_own() {
    #[hdl]
    fn tuple() {
        /// Both.
        let (a, [_b, _]) = (wire(1), [wire(2), wire(3)]);
        let ((_, mut _c), _d) = ((a, wire(4)), a);
        _c = a;
    }
    let expected = "open a Both.|make w1|close a|open b Both.|make w2|close b|make w3|a = w1 Both.|b = w2 Both.|\
                    open c|make w4|close c|d = w1";
    assert_eq!(told(tuple).join("|"), expected);
}

#[test]
fn mutable_bindings_name_what_they_create_and_not_the_value() {
    #[hdl]
    fn count() {
        let mut wires = vec![wire(1)];
        wires.push(wire(2));
        let mut last = wires[1];
        last.0 += 1;
        wires.push(last);
    }
    assert_eq!(told(count), ["open wires", "make w1", "close wires", "make w2", "open last", "close last"]);
}

#[test]
fn what_cannot_be_hardware_is_left_alone() {
    #[hdl]
    fn plain() -> usize {
        /// Text on anything is fine.
        let later;
        let five = 5;
        let range = 0..five;
        let half = |n: usize| n / 2;
        let borrowed = &range;
        let _ = wire(1);
        (later, _) = (half(borrowed.len()), ());
        later
    }
    assert_eq!(told(plain), ["make w1"]);
}

#[test]
fn nested_code_is_named() {
    #[hdl]
    fn nested(n: u32) {
        let outer = {
            let inner = wire(1);
            inner
        };
        for i in 0..n {
            let looped = wire(10 + i);
            match i {
                0 => {
                    let matched = wire(20);
                    assert_ne!(matched, outer);
                }
                _ => assert_ne!(looped, outer),
            }
        }
        let call = |x: u32| {
            let closed = wire(30 + x);
            closed
        };
        call(1);
        if let Some(x) = Some(2) {
            let branch = wire(40 + x);
            assert_ne!(branch, outer);
        }
    }
    let expected = "open outer|open inner|make w1|close inner|inner = w1|close outer|outer = w1|\
                    open looped|make w10|close looped|looped = w10|open matched|make w20|close matched|matched = w20|\
                    open closed|make w31|close closed|closed = w31|open branch|make w42|close branch|branch = w42";
    assert_eq!(told(|| nested(1)).join("|"), expected);
}

#[test]
fn constant_contexts_and_items_are_left_alone() {
    #[hdl]
    fn constants() -> usize {
        const SIZE: usize = {
            let two = 2;
            two * 2
        };
        fn item() -> u32 {
            let unnamed = wire(1);
            unnamed.0
        }
        item();
        let zeros = [0; {
            let two = SIZE - 2;
            two * 2
        }];
        let five = const {
            let one = SIZE / 4;
            SIZE + one
        };
        let more: [u8; {
            let one = SIZE;
            one + 1
        }] = [0; {
            let one = SIZE;
            one + 1
        }];
        zeros.len() + more.len() + five
    }
    assert_eq!(constants(), 14);
    assert_eq!(
        told(constants),
        ["make w1", "open zeros", "close zeros", "open five", "close five", "open more", "close more"]
    );
}

#[test]
fn control_flow_leaves_an_initialiser_through_its_scope() {
    #[hdl]
    fn question(wires: &[Wire]) -> Option<Wire> {
        let first = *wires.first()?;
        let chosen = match first {
            Wire(0) => return None,
            Wire(n) => wire(n + 1),
        };
        let Some(last) = wires.last() else { return Some(first) };
        Some(if *last == chosen { first } else { chosen })
    }
    assert_eq!(told(|| question(&[])), ["open first", "close first"]);
    assert_eq!(
        told(|| question(&[Wire(0)])),
        ["open first", "close first", "first = w0", "open chosen", "close chosen"]
    );
    assert_eq!(question(&[Wire(7)]), Some(Wire(8)));
}

#[test]
fn types_and_temporaries_are_those_of_the_source() {
    #[hdl]
    fn types() -> usize {
        let coerced: Vec<Box<dyn Fn(usize) -> usize>> = vec![Box::new(|n| n + 1), Box::new(|n| n * 2)];
        let (text, number): (&str, u64) = (&String::from("lives on"), 1);
        let slice: &[u8] = &[number as u8, 2];
        let (one, two) = (String::from("an expression").as_str().len(), slice.len());
        let parsed = text.len().to_string().parse().unwrap();
        let total = slice.iter().map(|&byte| usize::from(byte)).sum();
        let list: Vec<_> = [one, two].into_iter().collect();
        let empty = list.iter().find(|&&length| length > 99).map(|_| Wire(0));
        let unwrapped = empty.unwrap_or(Wire(1));
        let done = usize::wrapping_add(parsed, total);
        coerced.iter().map(|f| f(done)).sum::<usize>() + list.len() + unwrapped.0 as usize
    }
    assert_eq!(types(), 12 + 22 + 3);
}

#[test]
fn callers_are_tracked_to_the_line() {
    #[track_caller]
    fn here() -> u32 {
        Location::caller().line()
    }
    #[hdl]
    #[track_caller]
    fn passed_on() -> u32 {
        let line = here();
        line
    }
    #[hdl]
    fn own() -> u32 {
        let line = here();
        line
    }
    assert_eq!(passed_on(), line!());
    assert_eq!(own(), line!() - 4);
}

#[test]
fn conditional_compilation_takes_the_naming_along() {
    #[hdl]
    fn conditional() {
        #[cfg(not(test))]
        let absent = wire(1);
        #[cfg(test)]
        let (present, _) = (wire(2), ());
        #[expect(unused_variables, reason = "its attributes stay with a `let`")]
        let never = 5;
        let _same = present;
    }
    assert_eq!(told(conditional), ["open present", "make w2", "close present", "present = w2", "same = w2"]);
}

/// Not of a module.
struct Generator(u32);

#[hdl]
impl Generator {
    const fn new(n: u32) -> Self {
        let same = n;
        Generator(same)
    }

    /// One wire.
    ///
    ///     drawn
    fn make(&self) -> Wire {
        let made = wire(self.0);
        made
    }

    #[hdl]
    fn twice(&self) -> Wire {
        let once = self.make();
        once
    }
}

#[hdl]
trait Make {
    fn n(&self) -> u32;

    fn make_default(&self) -> Wire {
        let default = wire(self.n());
        default
    }
}

impl Make for Generator {
    fn n(&self) -> u32 {
        self.0
    }
}

#[test]
fn blocks_of_functions_are_named() {
    let generator = Generator::new(3);
    let expected = [
        "open once",
        "doc \"One wire.\\n\\n    drawn\"",
        "open made",
        "make w3",
        "close made",
        "made = w3",
        "close doc",
        "close once",
        "once = w3",
    ];
    assert_eq!(told(|| generator.twice()), expected);
    assert_eq!(
        told(|| generator.make_default()),
        ["open default", "make w3", "close default", "default = w3"]
    );
}

#[test]
fn generic_values_are_named_where_the_bound_says_so() {
    #[hdl]
    fn unbounded<T: Copy>(value: T) -> T {
        let copy = value;
        copy
    }
    #[hdl]
    fn bounded<T: Data + Copy>(value: T) -> T {
        let copy = value;
        copy
    }
    assert_eq!(told(|| unbounded(Wire(1))), [""; 0]);
    assert_eq!(told(|| bounded(Wire(1))), ["copy = w1"]);
}

/// Nothing of the language is imported here.
mod bare {
    #[hdl_macros::hdl]
    pub fn number_and_wire() -> super::Wire {
        let length = [0; 3].len();
        let last = super::wire(length as u32);
        last
    }
}

#[test]
fn the_expansion_needs_no_imports() {
    assert_eq!(
        told(bare::number_and_wire),
        ["open length", "close length", "open last", "make w3", "close last", "last = w3"]
    );
}
