//! A little of `nic_soak`.

use rtl::config::Config;
use testbench::{
    models,
    nic::{Plan, run},
};

/// Two runs with frames in all directions among resets and faults; `make soak` plays as many as one likes.
#[test]
fn random_frames_arrive_once_and_in_order() {
    let config = Config::small();
    for seed in [3, 13] {
        let plan = Plan { seed, frames: 1500, round: 500 };
        let report = run(models::nic(&config).unwrap(), &config, &plan);
        let report = report.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert!(report.frames >= 1500 && report.delivered > 500, "seed {seed}: {report}");
    }
}
