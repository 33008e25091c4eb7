//! The emitter on designs that show every construct: golden text, linters, synthesis, and what must hold of any text.

mod golden;
mod lint;
mod samples;
mod synthesis;
mod text;
mod tools;
