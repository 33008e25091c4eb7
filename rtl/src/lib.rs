pub mod catalogue;
pub mod frame;
pub mod prim;

#[cfg(test)]
mod testing;
