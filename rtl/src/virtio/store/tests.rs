use super::*;
#[test]
fn elaborates() {
    let small = Config::small();
    for config in Config::all().into_iter().chain([
        Config { prefetch: 8, vfs: 0, pairs: 1, ..small.clone() },
        Config { prefetch: 64, pairs: 4, vfs: 62, ..small },
    ]) {
        elaborate(|| store(&config)).unwrap_or_else(|errors| panic!("{errors}"));
    }
}
