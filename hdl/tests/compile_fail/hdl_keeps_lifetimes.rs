//! `#[hdl]` neither lengthens nor shortens the life of what a `let` binds.
use hdl::*;

#[hdl]
fn lifetimes(names: Vec<String>) -> usize {
    let lives_on = &String::from("a temporary of the statement");
    let gone = String::from("a temporary of the expression").as_str();
    let moved = names;
    let (again, length) = (names, gone.len());
    moved.len() + again.len() + length + lives_on.len()
}

fn main() {}
